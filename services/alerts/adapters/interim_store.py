"""Cases and notices in memory, for the time in which the database does not answer: ports.InterimStore.

It keeps the promises of the store that the fire lane needs, and no others. Bounded: of more cases or notices the oldest
that have ended are forgotten first, then the oldest of all.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from services.alerts.domain.case.case import Case, begun_last
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.consent import may_send
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseBook, Changes, ClaimRequest, PartitionClaim, Ready, Refused, Retell
from services.kernel.words import Purpose

MAX_CASES = 5_000
MAX_NOTICES = 20_000
MAX_SEEN = 50_000

K = TypeVar("K")
V = TypeVar("V")
FirstRecipients = Callable[[Case], Sequence[Address]]
"""Whom the first step of a case tells; so many may have heard of a case that the database knows."""


def _forget(rows: dict[K, V], most: int, has_ended: Callable[[V], bool]) -> None:
    while len(rows) > most:
        del rows[next((key for key, row in rows.items() if has_ended(row)), next(iter(rows)))]


class _Transaction:
    """Nothing is changed before `save`; what it decides upon is never awaited in between."""

    def __init__(self, store: "LocalInterimStore") -> None:
        self._store = store
        self.fresh: set[str] = set()

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], CaseBook]:
        self.fresh = {event_id for event_id in event_ids if event_id not in self._store.seen}
        return self.fresh, CaseBook.of(self._store.cases.values(), keys, case_ids)

    async def case_at(self, subject: Subject, kind: CaseKind, at: datetime) -> Case | None:
        return begun_last(self._store.cases.values(), subject, kind, at)

    async def recipients(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        return {case_id: self._store.recipients(case_id) for case_id in case_ids}

    async def save(self, changes: Changes) -> set[NoticeId]:
        return self._store.save(changes)


class LocalInterimStore:
    """See ports.InterimStore."""

    def __init__(self, retell: Retell, first_recipients: FirstRecipients) -> None:
        self._retell = retell
        self._first_recipients = first_recipients
        self.seen: dict[str, None] = {}
        self.cases: dict[CaseId, Case] = {}
        self._known: dict[CaseId, int] = {}
        self._rows: dict[NoticeId, InterimRow] = {}
        self._turn = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Transaction]:
        transaction = _Transaction(self)
        yield transaction
        self.seen.update(dict.fromkeys(transaction.fresh))
        _forget(self.seen, MAX_SEEN, lambda _: True)

    def save(self, changes: Changes) -> set[NoticeId]:
        for case in (*changes.updated.values(), *changes.opened.values()):
            self.cases[case.case_id] = case
        new = [notice for notice in changes.notices if notice.notice_id not in self._rows]
        for notice in new:
            self._rows[notice.notice_id] = self._new(notice, changes.leased.get(notice.notice_id))
        for row in self._rows.values():  # an all-clear is never taken back: no urgent case is opened again
            withdrawn = row.notice.case_id in changes.cancelled and row.notice.purpose is Purpose.NOTICE
            if withdrawn and not row.attempts and not row.notice.first:
                row.state = "cancelled"
        _forget(self.cases, MAX_CASES, lambda case: not case.is_open)
        _forget(self._rows, MAX_NOTICES, lambda row: row.state != "pending")
        return {notice.notice_id for notice in new}

    def _new(self, notice: Notice, leased_until: datetime | None) -> InterimRow:
        if leased_until is None:
            return InterimRow(notice, next_attempt_at=notice.created_at)
        is_open = self.cases[notice.case_id].is_open
        return InterimRow(notice, attempts=1, next_attempt_at=leased_until, in_flight=True, alarmed=is_open)

    def recipients(self, case_id: CaseId) -> list[Address]:
        mine = [row.notice for row in self._rows.values() if row.notice.case_id == case_id and row.attempts]
        recipients = {notice.to: None for notice in mine if notice.purpose is Purpose.NOTICE}
        if case_id in self._known:
            recipients |= dict.fromkeys(self._first_recipients(self.cases[case_id]))
        return list(recipients)

    # --- what the database knows

    def begin_look(self) -> int:
        self._turn += 1
        return self._turn

    def know(self, case: Case) -> None:
        self.cases[case.case_id] = case
        self._known[case.case_id] = self._turn
        _forget(self.cases, MAX_CASES, lambda one: not one.is_open)
        _forget(self._known, MAX_CASES, lambda _: True)

    def known(self) -> Collection[CaseId]:
        return [case_id for case_id in self._known if case_id in self.cases]

    def keep_open(self, open_ids: Collection[CaseId], look: int) -> None:
        for case_id in [one for one, turn in self._known.items() if one not in open_ids and turn < look]:
            del self._known[case_id]
            case = self.cases.get(case_id)
            if case is not None and case.is_open:
                del self.cases[case_id]

    # --- notices

    def rows(self) -> Mapping[NoticeId, InterimRow]:
        return self._rows

    def adopt(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        if ready.notice is None:
            return
        row = self._rows.setdefault(ready.notice_id, InterimRow(ready.notice, attempts=ready.attempts))
        row.attempts = max(row.attempts, ready.attempts)
        row.alarmed = row.alarmed or ready.over_since is None
        self._end(row, outcome, verdict, now)

    def drop(self, notice_id: NoticeId) -> None:
        self._rows.pop(notice_id, None)

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        due = [
            Due(row.notice.notice_id, row.notice.to.channel, row.notice.to.address)
            for row in self._rows.values()
            if row.state == "pending"
            and not row.held
            and row.next_attempt_at is not None
            and row.next_attempt_at <= request.now
            and row.notice.to.address not in request.but_addresses
            and row.notice.to.channel not in request.but_channels
        ]
        return [self._answer(self._rows[one.notice_id], request) for one in request.choose(due[: request.limit])]

    def _answer(self, row: InterimRow, request: ClaimRequest) -> Ready | Refused:
        notice, case = row.notice, self.cases.get(row.notice.case_id)
        if case is not None:
            consent = may_send(
                notice.purpose, notice.created_at, case, fire=notice.fire, now=request.now, first=notice.first
            )
            if consent.stop is not None and consent.wait_until is None:
                row.state = "cancelled"
                return Refused(notice.notice_id, notice.case_id, consent)
            if notice.first and not case.is_open:
                notice = row.notice = self._retell(notice, case)
        row.attempts += 1
        row.alarmed = row.alarmed or case is None or case.is_open
        row.next_attempt_at = request.now + request.leases[notice.to.channel]
        row.in_flight = True
        return Ready.of(notice, case, row.attempts)

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row = self._rows.get(ready.notice_id)
        if row is not None:
            row.attempts = max(row.attempts, ready.attempts)
            self._end(row, outcome, verdict, now)

    @staticmethod
    def _end(row: InterimRow, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row.in_flight = False
        row.outcome, row.verdict, row.ended_at = outcome, verdict, now
        row.next_attempt_at = verdict.next_attempt_at
        if verdict.state is not DeliveryState.RETRY:
            row.state = "accepted" if verdict.state is DeliveryState.ACCEPTED else "dead"
