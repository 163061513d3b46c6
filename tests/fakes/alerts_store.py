"""Case store and outbox in memory: the same promises as the PostgreSQL ones, held by the same contract suite."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Case, begun_last
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.seen import fresh_among, remembered
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.consent import may_send
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.documents import (
    AwaitingNotice,
    DocumentRequest,
    Earlier,
    File,
    IssuedDocument,
    files_for,
)
from services.alerts.domain.delivery.notice import Notice, due_at
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict, Fenced
from services.alerts.domain.escalation.steps import StepTaken
from services.alerts.domain.ids import BodyCode, CaseId, NoticeId, RequestId
from services.alerts.domain.noise.common_cause import Candidate
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseBook, Changes, ClaimRequest, PartitionClaim, Ready, Refused, Retell
from services.kernel.words import Channel, ClockKind, Purpose


@dataclass
class Row:
    """A notice and where it stands."""

    notice: Notice
    state: str = "pending"
    attempts: int = 0
    next_attempt_at: datetime | None = None
    reason: Reason | None = None


@dataclass
class Tables:
    cases: dict[CaseId, Case] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    steps: dict[tuple[CaseId, str], StepTaken] = field(default_factory=dict)
    notices: dict[NoticeId, Row] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    requests: dict[RequestId, DocumentRequest] = field(default_factory=dict)
    issued: dict[RequestId, IssuedDocument] = field(default_factory=dict)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def copied(self) -> "Tables":
        return Tables(
            dict(self.cases),
            set(self.seen),
            dict(self.steps),
            {key: copy(row) for key, row in self.notices.items()},
            list(self.audit),
            dict(self.requests),
            dict(self.issued),
            dict(self.offsets),
        )


class MemoryTransaction:
    def __init__(self, tables: Tables) -> None:
        self._t = tables

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], CaseBook]:
        epoch, _ = self._t.offsets.get((claim.topic, claim.partition), (0, 0))
        if epoch != claim.epoch:
            raise Fenced("another owner")
        self._t.offsets[claim.topic, claim.partition] = (epoch, next_offset)
        new = remembered(event_ids) - self._t.seen
        self._t.seen |= new
        fresh = fresh_among(event_ids, new)
        return fresh, await self.book(keys, case_ids)

    async def book(self, keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]) -> CaseBook:
        return CaseBook.of(self._t.cases.values(), keys, case_ids)

    async def due(self, now: datetime, limit: int) -> list[Case]:
        due = [
            case for case in self._t.cases.values() if case.is_open and case.next_step_at and case.next_step_at <= now
        ]
        return sorted(due, key=lambda case: case.next_step_at or now)[:limit]

    async def calendar_versions(self) -> Sequence[str]:
        found = {clock.calendar_version for case in self._t.cases.values() for clock in case.clocks.running.values()}
        return [version for version in found if version is not None]

    async def counted_by(self, versions: Collection[str], limit: int) -> list[Case]:
        return [
            case
            for case in sorted(self._t.cases.values(), key=lambda case: case.case_id)
            if any(clock.calendar_version in versions for clock in case.clocks.running.values())
        ][:limit]

    async def case(self, case_id: CaseId) -> Case | None:
        return self._t.cases.get(case_id)

    async def case_at(self, subject: Subject, kind: CaseKind, at: datetime) -> Case | None:
        return begun_last(self._t.cases.values(), subject, kind, at)

    async def recipients(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        found: dict[CaseId, dict[Address, None]] = {}
        rows = [row for row in self._t.notices.values() if row.notice.case_id in case_ids]
        for row in rows:
            cleared = any(
                other.notice.purpose is Purpose.ALL_CLEAR
                and other.state != "cancelled"
                and other.notice.case_id == row.notice.case_id
                and other.notice.to.contact_id == row.notice.to.contact_id
                and other.notice.to.channel == row.notice.to.channel
                and other.notice.created_at > row.notice.created_at
                for other in rows
            )
            if row.notice.purpose is Purpose.NOTICE and row.attempts and not cleared:
                found.setdefault(row.notice.case_id, {})[row.notice.to] = None
        return {case_id: list(addresses) for case_id, addresses in found.items()}

    async def awaiting(self, request_ids: Collection[RequestId]) -> list[AwaitingNotice]:
        return [
            AwaitingNotice(
                one.notice_id, one.case_id, one.request_id, one.to.channel, one.to.lang, one.body, one.is_copy
            )
            for one in (self._t.notices[key].notice for key in sorted(self._t.notices) if self._never_tried(key))
            if one.request_id in request_ids and one.request_id is not None and one.document_number is None
        ]

    async def taken(self, case_ids: Collection[CaseId]) -> Mapping[CaseId, Sequence[Earlier]]:
        found: dict[CaseId, list[Earlier]] = {}
        for step in self._t.steps.values():
            if step.case_id in case_ids and step.recipients:
                of_it = (row.notice for row in self._t.notices.values() if row.notice.case_id == step.case_id)
                numbers = [one.document_number for one in of_it if one.step == step.step and one.document_number]
                found.setdefault(step.case_id, []).append(
                    Earlier(step.taken_at, step.recipients, max(numbers, default=""))
                )
        return {case_id: sorted(steps, key=lambda one: one.at) for case_id, steps in found.items()}

    async def alone_with_common_causes(self) -> bool:
        return True

    async def loose_losses(self, since: datetime, limit: int) -> list[Candidate]:
        return [
            Candidate(case.case_id, case.detected_at, case.facts.carriers, case.facts.town, case.facts.district)
            for case in self._t.cases.values()
            if case.is_open
            and case.kind is CaseKind.CONNECTION_LOST
            and case.grouping.common_case_id is None
            and case.sightings.last_at >= since
        ][:limit]

    async def open_common_cases(self) -> dict[CaseId, int]:
        cases = self._t.cases.values()
        return {
            common.case_id: sum(case.is_open and case.grouping.common_case_id == common.case_id for case in cases)
            for common in cases
            if common.is_open and common.is_common
        }

    async def hold_members(self, common: Case, members: Sequence[CaseId]) -> list[CaseId]:
        held = []
        until = common.grouping.held_until
        for case_id in members:
            case = self._t.cases[case_id]
            if not case.is_open or case.is_fire or until is None:
                continue
            grouping = replace(case.grouping, common_case_id=common.case_id, held_until=until)
            step = case.clocks.step
            waits = None if step is None else replace(step, due_at=max(step.due_at, until))
            clocks = case.clocks.set(ClockKind.STEP, waits)
            self._t.cases[case_id] = replace(case, grouping=grouping, clocks=clocks)
            held.append(case_id)
        for row in self._t.notices.values():
            if row.notice.case_id in held and row.notice.purpose is Purpose.NOTICE and row.state == "pending":
                row.next_attempt_at, row.reason = until, Reason.HELD
        return held

    def _never_tried(self, notice_id: NoticeId) -> bool:
        row = self._t.notices[notice_id]
        return row.state == "pending" and row.attempts == 0

    async def save(self, changes: Changes) -> set[NoticeId]:
        self._t.cases.update(
            {case_id: replace(case, revision=case.revision + 1) for case_id, case in changes.updated.items()}
        )
        for case in changes.opened.values():
            self._insert(case)
        for step in changes.steps:
            self._t.steps.setdefault((step.case_id, step.step), step)
        new = {notice.notice_id: self._row(notice, changes) for notice in changes.notices}
        for notice_id in self._t.notices.keys() & new.keys():
            del new[notice_id]
        self._t.notices |= new
        for request in changes.requests:
            self._t.requests.setdefault(request.request_id, request)
        self._t.issued.update({one.request_id: one for one in changes.issued})
        for attached in changes.attached:
            row = self._t.notices[attached.notice_id]
            row.notice = replace(
                row.notice,
                subject=attached.subject,
                body=attached.body,
                html=attached.html,
                template=attached.template,
                document_number=attached.number,
            )
            row.next_attempt_at = row.notice.created_at
        for case_id, reason in changes.cancelled.items():
            self._cancel(case_id, reason)
        for case_id, body_code in changes.signed.items():
            self._cancel(case_id, Reason.ACKNOWLEDGED, body_code)
        self._t.audit.extend(changes.audit)
        return set(new)

    def _cancel(self, case_id: CaseId, reason: Reason, body_code: BodyCode | None = None) -> None:
        purpose = Purpose.ALL_CLEAR if reason is Reason.REOPENED else Purpose.NOTICE
        for row in self._t.notices.values():
            mine = row.notice.case_id == case_id and row.notice.purpose is purpose
            if (
                mine
                and body_code in (None, row.notice.to.body_code)
                and row.state == "pending"
                and not row.notice.first
            ):
                row.state, row.reason, row.next_attempt_at = "cancelled", reason, None

    def _row(self, notice: Notice, changes: Changes) -> Row:
        brought = changes.brought.get(notice.notice_id)
        if brought is not None:
            reason = brought.outcome.reason if brought.outcome else None
            state = "sending" if brought.in_flight else brought.state
            return Row(notice, state, brought.attempts, brought.next_attempt_at, reason)
        until = changes.leased.get(notice.notice_id)
        if until is None:
            return Row(notice, next_attempt_at=due_at(notice, changes.not_before))
        return Row(notice, state="sending", attempts=1, next_attempt_at=until)

    def _insert(self, case: Case) -> None:
        for other in self._t.cases.values():
            same = (other.subject, other.kind) == (case.subject, case.kind)
            if other.case_id == case.case_id or (other.is_open and case.is_open and same):
                raise Conflict("a case of this unit and kind is open")
        self._t.cases[case.case_id] = case


class MemoryStore:
    """Case store and outbox over the same tables. A transaction that fails leaves no trace."""

    def __init__(self, retell: Retell = lambda notice, case: notice) -> None:
        self.tables = Tables()
        self.retell = retell

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        draft = self.tables.copied()
        yield MemoryTransaction(draft)
        self.tables = draft

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        epoch, offset = self.tables.offsets.get((topic, partition), (0, 0))
        self.tables.offsets[topic, partition] = (epoch + 1, offset)
        return PartitionClaim(topic, partition, epoch + 1), offset

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        rows = [
            row
            for row in self.tables.notices.values()
            if row.state in ("pending", "sending")
            and row.notice.fire == request.fire
            and row.next_attempt_at is not None
            and row.next_attempt_at <= request.now
            and row.notice.to.address not in request.but_addresses
            and row.notice.to.channel not in request.but_channels
        ]
        rows.sort(key=lambda row: row.next_attempt_at or request.now)
        due = [Due(row.notice.notice_id, row.notice.to.channel, row.notice.to.address) for row in rows[: request.limit]]
        answers: list[Ready | Refused] = []
        for chosen in request.choose(due):
            answers.append(self._answer(self.tables.notices[chosen.notice_id], request))
        return answers

    def _answer(self, row: Row, request: ClaimRequest) -> Ready | Refused:
        notice = row.notice
        case = self.tables.cases[notice.case_id]
        consent = may_send(
            notice.purpose,
            notice.created_at,
            case,
            fire=notice.fire,
            now=request.now,
            first=notice.first,
            body_code=notice.to.body_code,
        )
        if consent.stop is not None:
            row.reason = consent.stop
            row.state = "pending" if consent.wait_until else "cancelled"
            row.next_attempt_at = consent.wait_until
            return Refused(notice.notice_id, notice.case_id, consent)
        if notice.first and not case.is_open:
            notice = row.notice = self.retell(notice, case)
        row.state, row.attempts = "sending", row.attempts + 1
        row.next_attempt_at = request.now + request.leases[notice.to.channel]
        return replace(Ready.of(notice, case, row.attempts), files=self._files(notice))

    def _files(self, notice: Notice) -> tuple[File, ...]:
        issued = self.tables.issued.get(notice.request_id) if notice.request_id else None
        mail = notice.to.channel is Channel.EMAIL and bool(notice.html)
        return files_for(issued.files, notice.to.lang) if issued is not None and mail else ()

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row = self.tables.notices[ready.notice_id]
        if row.state not in ("pending", "sending"):
            return
        row.state = "pending" if verdict.state is DeliveryState.RETRY else str(verdict.state)
        row.reason, row.next_attempt_at = outcome.reason, verdict.next_attempt_at
        if verdict.state is not DeliveryState.RETRY:
            detail = {"notice": ready.notice_id}
            self.tables.audit.append(AuditEntry(now, "alerts", f"notice_{verdict.state}", ready.case_id, {**detail}))

    async def known(self, notice_ids: Collection[NoticeId]) -> set[NoticeId]:
        return set(notice_ids) & self.tables.notices.keys()

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        raise NotImplementedError  # the notices topic has its own tests on the real store

    async def mark_published(self, ids: Sequence[str]) -> None:
        raise NotImplementedError


def states(store: MemoryStore) -> Mapping[str, list[str]]:
    """Return notice states by step, for assertions that read well."""
    found: dict[str, list[str]] = {}
    for row in store.tables.notices.values():
        found.setdefault(row.notice.step, []).append(row.state)
    return found
