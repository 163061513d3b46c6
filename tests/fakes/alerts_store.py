"""Case store and outbox in memory: the same promises as the PostgreSQL ones, held by the same contract suite."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Case, begun_last
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.seen import fresh_among, remembered
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.case.work import Comment, Owner, Shelved, Verified, Work
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.budgets import DAY, LOOK_AGAIN, Quota, Spent
from services.alerts.domain.delivery.consent import SendDecision, may_send_notice
from services.alerts.domain.delivery.delivery_reports import ASKED_FIRST, DeliveryReport
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
from services.alerts.domain.listing.listing import BY_LADDER, EvidenceFile, Listing, ListingEntry, ListingId
from services.alerts.domain.noise.common_cause import Candidate, Members
from services.alerts.domain.noise.digest import (
    Digest,
    DigestLetter,
    GroupClocks,
    Grouped,
    GroupState,
    WaitingNotice,
    digest_item,
    letter_of,
)
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Changes, ClaimRequest, LockedCases, PartitionClaim, Ready, Refused, Retell
from services.kernel.words import Channel, ClockKind, ListingAct, ListingState, Proof, Purpose


@dataclass
class Row:
    """A notice and where it stands."""

    notice: Notice
    state: str = "pending"
    attempts: int = 0
    next_attempt_at: datetime | None = None
    reason: Reason | None = None
    grouping: GroupState | None = None
    digest_id: NoticeId | None = None

    def part(self, grouping: GroupState, at: datetime | None) -> None:
        """Leave a digest: wait for another one, or go alone."""
        self.state, self.grouping, self.digest_id, self.next_attempt_at = "pending", grouping, None, at


@dataclass
class DigestRow:
    """A digest and where it stands."""

    digest: Digest
    state: str = "pending"
    attempts: int = 0
    next_attempt_at: datetime | None = None


@dataclass
class ProviderMessage:
    """By which name a provider took a notice, and until when it is not asked for."""

    notice_id: NoticeId
    sent_at: datetime
    ask_at: datetime | None


@dataclass
class Tables:
    cases: dict[CaseId, Case] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    steps: dict[tuple[CaseId, str], StepTaken] = field(default_factory=dict)
    notices: dict[NoticeId, Row] = field(default_factory=dict)
    digests: dict[NoticeId, DigestRow] = field(default_factory=dict)
    group_clocks: dict[Address, GroupClocks] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    requests: dict[RequestId, DocumentRequest] = field(default_factory=dict)
    issued: dict[RequestId, IssuedDocument] = field(default_factory=dict)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    owners: dict[CaseId, Owner] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    shelved: dict[CaseId, Shelved] = field(default_factory=dict)
    spent: list[tuple[Channel, str, datetime]] = field(default_factory=list)
    messages: dict[tuple[Channel, str], ProviderMessage] = field(default_factory=dict)
    reports: dict[tuple[Channel, str, Proof], DeliveryReport] = field(default_factory=dict)
    listings: dict[ListingId, Listing] = field(default_factory=dict)
    listing_entries: list[ListingEntry] = field(default_factory=list)
    evidence: list[EvidenceFile] = field(default_factory=list)

    def copied(self) -> "Tables":
        return Tables(
            dict(self.cases),
            set(self.seen),
            dict(self.steps),
            {key: copy(row) for key, row in self.notices.items()},
            {key: copy(row) for key, row in self.digests.items()},
            dict(self.group_clocks),
            list(self.audit),
            dict(self.requests),
            dict(self.issued),
            dict(self.offsets),
            dict(self.owners),
            list(self.comments),
            list(self.verified),
            dict(self.shelved),
            list(self.spent),
            {key: copy(one) for key, one in self.messages.items()},
            dict(self.reports),
            dict(self.listings),
            list(self.listing_entries),
            list(self.evidence),
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
    ) -> tuple[set[str], LockedCases]:
        epoch, _ = self._t.offsets.get((claim.topic, claim.partition), (0, 0))
        if epoch != claim.epoch:
            raise Fenced("another owner")
        self._t.offsets[claim.topic, claim.partition] = (epoch, next_offset)
        new = remembered(event_ids) - self._t.seen
        self._t.seen |= new
        fresh = fresh_among(event_ids, new)
        return fresh, await self.book(keys, case_ids)

    async def book(self, keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]) -> LockedCases:
        return LockedCases.of(self._t.cases.values(), keys, case_ids)

    async def due(self, now: datetime, limit: int, kind: ClockKind = ClockKind.STEP) -> list[Case]:
        clocks = [(case.clocks.running.get(kind), case) for case in self._t.cases.values() if case.is_open]
        due = [
            (not case.is_urgent, clock.due_at, case.case_id, case)
            for clock, case in clocks
            if clock is not None and clock.due_at <= now
        ]
        return [case for *_, case in sorted(due)[:limit]]

    async def calendar_versions(self) -> Sequence[str]:
        found = {clock.calendar_version for case in self._t.cases.values() for clock in case.clocks.running.values()}
        return [version for version in found if version is not None]

    async def counted_by(self, versions: Collection[str], limit: int) -> list[Case]:
        return [
            case
            for case in sorted(self._t.cases.values(), key=lambda case: case.case_id)
            if any(clock.calendar_version in versions for clock in case.clocks.running.values())
        ][:limit]

    async def quiet(self, now: datetime, limit: int) -> list[Case]:
        cases = self._t.cases.values()
        return [one for one in cases if one.is_open and one.flapping.quiet_until and one.flapping.quiet_until <= now][
            :limit
        ]

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

    async def work(self, case_id: CaseId, now: datetime) -> Work:
        owner = self._t.owners.get(case_id)
        return Work(
            owner if owner and owner.until > now else None,
            sum(one.case_id == case_id for one in self._t.comments),
            sum(one.case_id == case_id for one in self._t.verified),
            self._shelved_until(case_id, now),
        )

    def _shelved_until(self, case_id: CaseId, now: datetime) -> datetime | None:
        shelved = self._t.shelved.get(case_id)
        holds = shelved is not None and shelved.until > now and shelved.since >= self._t.cases[case_id].detected_at
        return shelved.until if shelved is not None and holds else None

    async def listing(self, listing_id: ListingId) -> Listing | None:
        return self._t.listings.get(listing_id)

    async def listings_of(self, case_id: CaseId) -> Sequence[Listing]:
        found = (one for one in self._t.listings.values() if one.case_id == case_id)
        return sorted(found, key=lambda one: one.number)

    async def owned_by(self, account: str, now: datetime) -> list[CaseId]:
        return sorted(
            owner.case_id
            for owner in self._t.owners.values()
            if owner.account == account and owner.until > now and self._t.cases[owner.case_id].is_open
        )

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
            and case.flapping.quiet_until is None
            and case.cured_at is None
        ][:limit]

    async def open_common_cases(self, window: timedelta) -> dict[CaseId, Members]:
        found = {}
        for common in self._t.cases.values():
            if common.is_open and common.is_common:
                mine = [case for case in self._t.cases.values() if case.grouping.common_case_id == common.case_id]
                taken = sum(case.detected_at >= common.detected_at - window for case in mine)
                found[common.case_id] = Members(
                    sum(case.is_open and case.flapping.quiet_until is None and case.cured_at is None for case in mine),
                    taken,
                )
        return found

    async def release_members(self, common: Case, held_until: datetime) -> list[CaseId]:
        until = common.grouping.held_until
        assert until is not None
        released = []
        for case in list(self._t.cases.values()):
            mine = case.grouping.common_case_id == common.case_id
            if mine and case.is_open and case.grouping.held_until is not None and case.grouping.held_until > until:
                clock = case.clocks.step
                if clock is not None and clock.due_at == held_until:
                    clock = replace(clock, due_at=until)
                grouping = replace(case.grouping, held_until=until)
                self._t.cases[case.case_id] = replace(
                    case, grouping=grouping, clocks=case.clocks.set(ClockKind.STEP, clock)
                )
                released.append(case.case_id)
        for row in self._t.notices.values():
            mine = row.notice.case_id in released and row.notice.purpose is Purpose.NOTICE
            if mine and row.state == "pending" and row.next_attempt_at == held_until:
                row.next_attempt_at = until
        return released

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
            mine = row.notice.case_id in held and row.notice.purpose is Purpose.NOTICE and row.digest_id is None
            if mine and row.state == "pending":
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
            row.next_attempt_at = row.notice.created_at if row.digest_id is None else None
        for case_id, reason in changes.cancelled.items():
            self._cancel(case_id, reason)
        for case_id, body_code in changes.signed.items():
            self._cancel(case_id, Reason.ACKNOWLEDGED, body_code)
        self._t.owners |= changes.owned
        for case_id in changes.released:
            self._t.owners.pop(case_id, None)
        self._t.shelved |= changes.shelved
        for case_id in changes.unshelved:
            self._t.shelved.pop(case_id, None)
        self._t.comments.extend(changes.comments)
        self._t.verified.extend(changes.verified)
        self._t.audit.extend(changes.audit)
        self._save_listings(changes)
        return set(new)

    def _save_listings(self, changes: Changes) -> None:
        for one in changes.proposals:
            others = [other for other in self._t.listings.values() if other.case_id == one.case_id]
            if one.listing_id in self._t.listings or any(other.is_active for other in others):
                continue
            detail = {"step": one.step, "clause": one.clause}
            self._t.listings[one.listing_id] = Listing(
                one.listing_id, one.case_id, len(others) + 1, ListingState.PROPOSED, one.at, BY_LADDER
            )
            self._t.listing_entries.append(
                ListingEntry(one.listing_id, 1, one.at, BY_LADDER, "", ListingAct.PROPOSE, detail)
            )
            about = {"listing": one.listing_id, **detail}
            self._t.audit.append(AuditEntry(one.at, "alerts", "listing_propose", one.case_id, {**about}))
        for listing in changes.listings.values():
            others = [one for one in self._t.listings.values() if one.case_id == listing.case_id]
            others = [one for one in others if one.listing_id != listing.listing_id]
            if listing.is_active and any(one.is_active for one in others):
                raise Conflict("a listing of this case is under way")
            self._t.listings[listing.listing_id] = listing
        self._t.listing_entries.extend(changes.listing_entries)
        self._t.evidence.extend(changes.evidence)

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
            waits = GroupState.WAITS if notice.groups else None
            return Row(notice, next_attempt_at=due_at(notice, changes.not_before), grouping=waits)
        return Row(notice, state="sending", attempts=1, next_attempt_at=until)

    def _insert(self, case: Case) -> None:
        for other in self._t.cases.values():
            same = (other.subject, other.kind) == (case.subject, case.kind)
            if other.case_id == case.case_id or (other.is_open and case.is_open and same):
                raise Conflict("a case of this unit and kind is open")
        self._t.cases[case.case_id] = case


class MemoryGroupTransaction:
    """See ports.GroupTransaction."""

    def __init__(self, tables: Tables) -> None:
        self._t = tables

    async def alone(self) -> bool:
        return True

    async def waiting(self, now: datetime, limit: int) -> list[WaitingNotice]:
        rows = [row for row in self._t.notices.values() if row.grouping is GroupState.WAITS and row.state == "pending"]
        due = [
            WaitingNotice(row.notice.notice_id, row.notice.to, row.next_attempt_at, self._district(row))
            for row in rows
            if row.next_attempt_at is not None and row.next_attempt_at <= now
        ]
        return sorted(due, key=lambda one: one.due_at)[:limit]

    def _district(self, row: Row) -> str:
        return self._t.cases[row.notice.case_id].facts.district

    async def clocks(self, addresses: Collection[Address]) -> dict[Address, GroupClocks]:
        return {to: self._t.group_clocks[to] for to in addresses if to in self._t.group_clocks}

    async def save(
        self, grouped: Mapping[Address, Grouped], waiting: Mapping[Address, Sequence[WaitingNotice]]
    ) -> None:
        for to, each in grouped.items():
            self._t.group_clocks[to] = each.clocks
            for one in waiting[to]:
                if each.until is not None:
                    row = self._t.notices[one.notice_id]
                    row.next_attempt_at, row.reason = each.until, Reason.GROUPED
            for notice_id in each.alone:
                self._t.notices[notice_id].grouping = GroupState.ALONE
            for digest in each.digests:
                self._t.digests[digest.digest_id] = DigestRow(digest, next_attempt_at=digest.created_at)
                for notice_id in digest.members:
                    row = self._t.notices[notice_id]
                    row.grouping, row.digest_id, row.next_attempt_at = GroupState.DIGEST, digest.digest_id, None


class MemoryGroups:
    """See ports.GroupStore: the same tables as the case store's."""

    def __init__(self, store: "MemoryStore") -> None:
        self._store = store

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryGroupTransaction]:
        draft = self._store.tables.copied()
        yield MemoryGroupTransaction(draft)
        self._store.tables = draft


class MemoryStore:
    """Case store and outbox over the same tables. A transaction that fails leaves no trace."""

    def __init__(
        self,
        retell: Retell = lambda notice, case: notice,
        write_digest: Callable[[DigestLetter, NoticeId], tuple[str, str]] = lambda letter, digest_id: ("digest", ""),
    ) -> None:
        self.tables = Tables()
        self.retell = retell
        self.write_digest = write_digest

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
            and row.grouping in (None, GroupState.ALONE)
            and row.next_attempt_at is not None
            and row.next_attempt_at <= request.now
            and row.notice.to.address not in request.but_addresses
            and row.notice.to.channel not in request.but_channels
            and (row.attempts == 0 or row.notice.to.channel not in request.but_retries)
        ]
        rows.sort(key=lambda row: row.next_attempt_at or request.now)
        due = [
            Due(row.notice.notice_id, row.notice.to.channel, row.notice.to.address, is_retry=row.attempts > 0)
            for row in rows[: request.limit]
        ]
        if not request.fire:
            due += self._digests_due(request)
        answers: list[Ready | Refused] = []
        for chosen in request.choose(due):
            if chosen.is_digest:
                answers += self._take_digest(self.tables.digests[chosen.notice_id], request)
            else:
                answers.append(self._answer(self.tables.notices[chosen.notice_id], request))
        return answers

    def _digests_due(self, request: ClaimRequest) -> list[Due]:
        rows = [
            row
            for row in self.tables.digests.values()
            if row.state in ("pending", "sending")
            and row.next_attempt_at is not None
            and row.next_attempt_at <= request.now
            and row.digest.to.address not in request.but_addresses
            and row.digest.to.channel not in request.but_channels
        ]
        return [Due(row.digest.digest_id, row.digest.to.channel, row.digest.to.address, is_digest=True) for row in rows]

    def _members(self, digest_id: NoticeId) -> list[Row]:
        rows = self.tables.notices.values()
        return [row for row in rows if row.digest_id == digest_id and row.state in ("pending", "sending")]

    def _take_digest(self, row: DigestRow, request: ClaimRequest) -> list[Ready | Refused]:
        going: list[Row] = []
        refused: list[Ready | Refused] = []
        for member in self._members(row.digest.digest_id):
            case = self.tables.cases[member.notice.case_id]
            consent = may_send_notice(member.notice, case, request.now)
            if consent.stop is None:
                going.append(member)
                continue
            refused.append(Refused(member.notice.notice_id, case.case_id, consent))
            member.reason = consent.stop
            if consent.wait_until is None:
                member.state, member.next_attempt_at = "cancelled", None
            else:
                member.part(GroupState.WAITS, consent.wait_until)
        if len(going) < 2 and not row.attempts:
            for member in going:
                member.part(GroupState.ALONE, request.now)
            going = []
        if not going:
            row.state, row.next_attempt_at = "cancelled", None
            return refused
        row.state, row.attempts = "sending", row.attempts + 1
        row.next_attempt_at = request.now + request.leases[row.digest.to.channel]
        for member in going:
            member.state, member.attempts = "sending", member.attempts + 1
        items = [digest_item(member.notice, self.tables.cases[member.notice.case_id]) for member in going]
        subject, body = self.write_digest(letter_of(row.digest.to, items, row.digest.named), row.digest.digest_id)
        return [Ready.of_digest(row.digest.digest_id, row.digest.to, items, subject, body, row.attempts), *refused]

    def _record_digest(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row = self.tables.digests[ready.notice_id]
        if row.state not in ("pending", "sending"):
            return
        ends = verdict.state is not DeliveryState.RETRY
        row.state = str(verdict.state) if ends else "pending"
        row.next_attempt_at = verdict.next_attempt_at
        for member in self._members(ready.notice_id):
            notice = member.notice
            if notice.notice_id in ready.members:
                member.state, member.reason = row.state, outcome.reason
                detail = {"notice": notice.notice_id, "digest": ready.notice_id}
                if ends:
                    entry = AuditEntry(now, "alerts", f"notice_{verdict.state}", notice.case_id, {**detail})
                    self.tables.audit.append(entry)
            elif ends:
                member.part(GroupState.WAITS, now)

    def _answer(self, row: Row, request: ClaimRequest) -> Ready | Refused:
        notice = row.notice
        case = self.tables.cases[notice.case_id]
        consent = may_send_notice(notice, case, request.now)
        if consent.stop is not None:
            row.reason = consent.stop
            row.state = "pending" if consent.wait_until else "cancelled"
            row.next_attempt_at = consent.wait_until
            return Refused(notice.notice_id, notice.case_id, consent)
        quota = request.quotas.get(notice.to.channel)
        if quota is not None and not self._spend(notice.to, quota, request.now):
            row.reason, row.next_attempt_at = Reason.QUOTA, request.now + LOOK_AGAIN
            return Refused(notice.notice_id, notice.case_id, SendDecision(Reason.QUOTA, row.next_attempt_at))
        if notice.first and not case.is_open:
            notice = row.notice = self.retell(notice, case)
        row.state, row.attempts = "sending", row.attempts + 1
        row.next_attempt_at = request.now + request.leases[notice.to.channel]
        repeated = any(one.notice_id == notice.notice_id for one in self.tables.messages.values())
        return replace(Ready.of(notice, case, row.attempts), files=self._files(notice), repeated=repeated)

    def _spend(self, to: Address, quota: Quota, now: datetime) -> bool:
        self.tables.spent = [one for one in self.tables.spent if one[2] > now - DAY]
        if not Spent(Counter((channel, where) for channel, where, _ in self.tables.spent)).spend(
            to.channel, to.address, quota
        ):
            return False
        self.tables.spent.append((to.channel, to.address, now))
        return True

    def _files(self, notice: Notice) -> tuple[File, ...]:
        issued = self.tables.issued.get(notice.request_id) if notice.request_id else None
        mail = notice.to.channel is Channel.EMAIL and bool(notice.html)
        return files_for(issued.files, notice.to.lang) if issued is not None and mail else ()

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        if ready.members:
            self._record_digest(ready, outcome, verdict, now)
            return
        row = self.tables.notices[ready.notice_id]
        if row.state not in ("pending", "sending"):
            return
        row.state = "pending" if verdict.state is DeliveryState.RETRY else str(verdict.state)
        row.reason, row.next_attempt_at = outcome.reason, verdict.next_attempt_at
        if outcome.message_id:
            message = ProviderMessage(ready.notice_id, now, now + ASKED_FIRST)
            self.tables.messages.setdefault((ready.to.channel, outcome.message_id), message)
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
