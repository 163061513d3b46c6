"""The registry's store and bus in memory: they obey the same suite as PostgreSQL and Kafka."""

import copy
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from services.kernel.effective import in_force, ordered
from services.kernel.words import AdjustmentKind, AdjustmentState
from services.registry.domain.adjustments import Adjustment
from services.registry.domain.audit import AuditEntry, AuditLink, link
from services.registry.domain.credentials import Certificate, Password
from services.registry.domain.entities import F, Facts, History, Kind, Version
from services.registry.domain.errors import BusUnavailable
from services.registry.domain.manual_scores import ManualScore
from services.registry.domain.proposals import Proposal
from services.registry.ports import ImportNote, PublishedDays, Register

P = TypeVar("P")


def _copied(part: P) -> P:
    """Return `part` with containers of its own. What these hold is never changed, only replaced."""
    other = copy.copy(part)
    vars(other).update((name, copy.copy(held)) for name, held in vars(part).items() if isinstance(held, dict | list))
    return other


class MemoryStore:
    def __init__(self) -> None:
        self.versions: dict[tuple[Kind, str], list[Version[Facts]]] = {}
        self.unpublished: set[tuple[Kind, str]] = set()
        self.notes: list[ImportNote] = []
        self.credentials = MemoryCredentials()
        self.adjustments = MemoryAdjustments()
        self.proposals = MemoryProposals(self)
        self.scores = MemoryScores()
        self.published: dict[str, PublishedDays] = {}

    @asynccontextmanager
    async def transaction(self, *, keep: bool = True) -> AsyncIterator[Register]:
        async with self.command(keep=keep):
            yield MemoryRegister(self)

    @asynccontextmanager
    async def command(self, *, keep: bool) -> AsyncIterator[None]:
        before = (
            {key: list(found) for key, found in self.versions.items()}, set(self.unpublished), list(self.notes),
            _copied(self.credentials), _copied(self.adjustments), _copied(self.proposals), _copied(self.scores),
        )  # fmt: skip
        done = False
        try:
            yield
            done = keep
        finally:
            if not done:
                (
                    self.versions, self.unpublished, self.notes, self.credentials, self.adjustments, self.proposals,
                    self.scores,
                ) = before  # fmt: skip


class MemoryProposals:
    def __init__(self, store: MemoryStore) -> None:
        self.held: dict[str, Proposal] = {}
        self._store = store

    async def count(self, year: int) -> int:
        return sum(name.startswith(f"R{year}-") for name in self.held)

    async def waiting(self) -> int:
        return sum(each.state is AdjustmentState.REQUESTED for each in self.held.values())

    async def unpublished(self) -> bool:
        taken = [each for each in self.held.values() if each.state is AdjustmentState.APPROVED]
        packs = any(each.request.kind is Kind.PACK for each in taken)
        ids = {(each.request.kind, entity_id) for each in taken for entity_id in each.entities}
        return any(each in ids or (packs and each[0] is Kind.UNIT) for each in self._store.unpublished)

    async def get(self, proposal_id: str) -> Proposal | None:
        return self.held.get(proposal_id)

    async def put(self, proposal: Proposal) -> None:
        there = self.held.get(proposal.proposal_id)
        request = proposal.request if there is None else there.request
        self.held[proposal.proposal_id] = replace(proposal, request=request)


class MemoryScores:
    def __init__(self) -> None:
        self.held: list[ManualScore] = []

    async def count(self, year: int) -> int:
        return sum(each.entry_id.startswith(f"S{year}-") for each in self.held)

    async def add(self, score: ManualScore) -> None:
        self.held.append(score)

    async def get(self, entry_id: str) -> ManualScore | None:
        return next((each for each in self.held if each.entry_id == entry_id), None)

    async def decide(self, score: ManualScore) -> None:
        self.held = [score if each.entry_id == score.entry_id else each for each in self.held]

    async def waiting(self) -> int:
        return sum(each.decision is None for each in self.held)

    async def last(self) -> datetime | None:
        times = [each.recorded_at for each in self.held]
        return max([*times, *(each.decision.decided_at for each in self.held if each.decision)], default=None)

    async def listed(self, limit: int) -> Sequence[ManualScore]:
        return self.held[::-1][:limit]


class MemoryAdjustments:
    def __init__(self) -> None:
        self.held: dict[str, Adjustment] = {}
        self.links: list[AuditLink] = []

    async def count(self, year: int) -> int:
        return sum(name.startswith(f"A{year}-") for name in self.held)

    async def get(self, adjustment_id: str) -> Adjustment | None:
        return self.held.get(adjustment_id)

    async def put(self, adjustment: Adjustment) -> None:
        self.held[adjustment.adjustment_id] = adjustment

    async def listed(self, state: AdjustmentState | None, unit_id: str | None, limit: int) -> Sequence[Adjustment]:
        found = [
            each
            for each in self.held.values()
            if state in (None, each.state) and unit_id in (None, each.request.unit_id)
        ]
        return sorted(found, key=lambda each: (each.requested_at, each.adjustment_id), reverse=True)[:limit]

    async def in_force(self, at: datetime) -> Sequence[Adjustment]:
        acting = (AdjustmentState.APPROVED, AdjustmentState.ENDED)
        found = [
            each
            for each in self.held.values()
            if each.state in acting and each.request.what is not AdjustmentKind.CORRECTION
            and each.request.starts_at <= at < each.request.ends_at
        ]  # fmt: skip
        return sorted(found, key=lambda each: (each.request.unit_id, each.request.starts_at, each.adjustment_id))

    async def audited(self) -> Sequence[AuditLink]:
        return list(self.links)

    async def audit(self, what: AuditEntry) -> None:
        self.links.append(link(what, self.links[-1] if self.links else None))


class MemoryCredentials:
    def __init__(self) -> None:
        self._passwords: dict[str, Password] = {}
        self._certificates: list[Certificate] = []

    async def passwords(self) -> Sequence[Password]:
        return [self._passwords[gateway_id] for gateway_id in sorted(self._passwords)]

    async def put_passwords(self, passwords: Sequence[Password]) -> None:
        self._passwords |= {each.gateway_id: each for each in passwords}

    async def certificates(self) -> Sequence[Certificate]:
        return sorted(self._certificates, key=lambda each: (each.gateway_id, each.issued_at, each.serial))

    async def add_certificate(self, certificate: Certificate) -> None:
        self._certificates.append(certificate)

    async def revoke(self, gateway_ids: Sequence[str], at: datetime) -> tuple[int, int]:
        passwords = [self._passwords.pop(gateway_id, None) for gateway_id in gateway_ids]
        ended = [each for each in self._certificates if each.gateway_id in gateway_ids and each.revoked_at is None]
        self._certificates = [replace(each, revoked_at=at) if each in ended else each for each in self._certificates]
        return sum(each is not None for each in passwords), len(ended)


class MemoryRegister:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @property
    def credentials(self) -> MemoryCredentials:
        return self._store.credentials

    @property
    def adjustments(self) -> MemoryAdjustments:
        return self._store.adjustments

    @property
    def proposals(self) -> MemoryProposals:
        return self._store.proposals

    @property
    def scores(self) -> MemoryScores:
        return self._store.scores

    async def last_recorded(self) -> datetime | None:
        return max((each.recorded_at for found in self._store.versions.values() for each in found), default=None)

    async def published_days(self, district: str) -> PublishedDays:
        return self._store.published.get(district, PublishedDays())

    async def histories(self, kind: Kind, ids: Collection[str] | None = None) -> Mapping[str, History[Facts]]:
        return {
            entity_id: History(kind, entity_id, ordered(found))
            for (of_kind, entity_id), found in sorted(self._store.versions.items())
            if of_kind is kind and (ids is None or entity_id in ids)
        }

    async def current(self, kind: Kind, day: date) -> Sequence[Version[Facts]]:
        holding = [in_force(history.versions, day) for history in (await self.histories(kind)).values()]
        return [version for version in holding if version is not None]

    async def ids(self, kind: Kind) -> set[str]:
        return {entity_id for of_kind, entity_id in self._store.versions if of_kind is kind}

    async def add(self, kind: Kind, versions: Sequence[Version[F]], note: ImportNote | None) -> None:
        if note is not None:
            self._store.notes.append(note)
        for version in versions:
            self._store.versions.setdefault((kind, version.facts.id), []).append(version)
            self._store.unpublished.add((kind, version.facts.id))

    async def mark_all_unpublished(self) -> None:
        self._store.unpublished |= set(self._store.versions)

    async def unpublished(self, limit: int, only: Kind | None = None) -> Sequence[tuple[Kind, str]]:
        order = list(Kind)
        waiting = [each for each in self._store.unpublished if only in (None, each[0])]
        return sorted(waiting, key=lambda each: (order.index(each[0]), each[1]))[:limit]

    async def published(self, entities: Sequence[tuple[Kind, str]]) -> None:
        self._store.unpublished.difference_update(entities)


class MemoryBus:
    """Keeps the last record of each key. `fail_after` publishes refuse, as a broker that is down does."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.records: dict[str, History[Facts]] = {}
        self.calls = 0
        self.fail_after = fail_after

    async def create_topics(self) -> Sequence[str]:
        return []

    async def publish(self, histories: Sequence[History[Facts]], now: datetime) -> None:
        if self.fail_after is not None and self.calls >= self.fail_after:
            raise BusUnavailable("no answer from Kafka")
        self.calls += 1
        for history in histories:
            self.records[f"{history.kind.value}:{history.id}"] = history
