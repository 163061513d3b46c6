"""What alerts needs from the outside. Adapters implement these; every method may be cancelled."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from services.alerts.domain.audit.chain import Link
from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.audit.overview import Overview
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.subject import Subject, SubjectFacts
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import Comment, Owner, Shelved, Verified, Work
from services.alerts.domain.delivery.attempts import Outcome, Verdict
from services.alerts.domain.delivery.budgets import Quota
from services.alerts.domain.delivery.consent import SendDecision
from services.alerts.domain.delivery.delivery_reports import DeliveryReport, ReadReports, ReportOutcome, SentMessage
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.documents import (
    Attached,
    AwaitingNotice,
    DocumentRequest,
    Earlier,
    File,
    IssuedDocument,
    Particulars,
)
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.delivery.letters import Letter
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.deadlines import Calendar
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.escalation.steps import StepTaken
from services.alerts.domain.heartbeat import ChainSeen
from services.alerts.domain.ids import BodyCode, CaseId, NoticeId, RequestId
from services.alerts.domain.listing.listing import EvidenceFile, LadderProposal, Listing, ListingEntry, ListingId, Said
from services.alerts.domain.noise.common_cause import Candidate, Members
from services.alerts.domain.noise.digest import (
    DigestItem,
    DigestLetter,
    GroupClocks,
    Grouped,
    WaitingNotice,
)
from services.alerts.domain.routing.contacts import Address, Telephones
from services.alerts.domain.routing.recipients import ContactDirectory
from services.alerts.domain.synthetic import Run, RunResult, Stage
from services.kernel.words import AlarmCause, Channel, ClockKind, ListingAct, Purpose, Recipient, Verification

E_contra = TypeVar("E_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class PartitionClaim:
    """Ownership of one partition of a topic; `epoch` grows with each owner and fences the former one."""

    topic: str
    partition: int
    epoch: int


@dataclass(slots=True)
class Changes:
    """What one transaction writes. Cancelling comes after the notices, so it reaches those written here too.

    It takes back notices that were never sent, but the first ones of a fire; of a case that a body `signed` for, those
    to this body.

    `leased` names the notices among them whose first attempt is under way, and until when it is ours; `brought` those
    that were sent, or tried, while the database was away. Nothing of it is sent `not_before`. `requests` are documents
    that are asked for; `issued` ones have come, and are `attached` to notices that waited for them.
    """

    opened: dict[CaseId, Case] = field(default_factory=dict)
    updated: dict[CaseId, Case] = field(default_factory=dict)
    steps: list[StepTaken] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    leased: dict[NoticeId, datetime] = field(default_factory=dict)
    brought: dict[NoticeId, InterimRow] = field(default_factory=dict)
    not_before: datetime | None = None
    cancelled: dict[CaseId, Reason] = field(default_factory=dict)
    signed: dict[CaseId, BodyCode] = field(default_factory=dict)
    requests: list[DocumentRequest] = field(default_factory=list)
    issued: list[IssuedDocument] = field(default_factory=list)
    attached: list[Attached] = field(default_factory=list)
    owned: dict[CaseId, Owner] = field(default_factory=dict)
    released: list[CaseId] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    shelved: dict[CaseId, Shelved] = field(default_factory=dict)
    unshelved: list[CaseId] = field(default_factory=list)
    proposals: list[LadderProposal] = field(default_factory=list)
    listings: dict[ListingId, Listing] = field(default_factory=dict)
    listing_entries: list[ListingEntry] = field(default_factory=list)
    evidence: list[EvidenceFile] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)

    def put(self, case: Case) -> None:
        """Take the case as it is now; one that was opened in the same transaction is still to be inserted."""
        (self.opened if case.case_id in self.opened else self.updated)[case.case_id] = case

    def case(self, case_id: CaseId) -> Case | None:
        """Return the case as this transaction leaves it."""
        return self.opened.get(case_id) or self.updated.get(case_id)

    @property
    def leaves_work(self) -> bool:
        """Say whether something is to be sent. A step to come is not: nobody has to do with it before it is due."""
        if self.requests or self.attached:
            return True
        return any(
            notice.notice_id not in self.leased and notice.notice_id not in self.brought for notice in self.notices
        )

    def has_step_due(self, now: datetime) -> bool:
        """Say whether a step of one of the cases is due already."""
        clocks = (case.clocks.step for case in (*self.opened.values(), *self.updated.values()) if case.is_open)
        return any(clock is not None and clock.due_at <= now for clock in clocks)

    @property
    def empty(self) -> bool:
        written = (self.steps, self.notices, self.cancelled, self.signed, self.requests, self.issued, self.attached)
        return not (self.opened or self.updated or self.audit or self.work or any(written))

    @property
    def work(self) -> bool:
        """Say whether somebody's work on a case is among it."""
        written = (self.comments, self.verified, self.shelved, self.unshelved, self.listings, self.proposals)
        return bool(self.owned or self.released or any(written))


@dataclass(frozen=True, slots=True)
class LockedCases:
    """The cases that a batch touches, locked until the transaction ends."""

    by_id: dict[CaseId, Case]
    open: dict[tuple[Subject, CaseKind], Case]
    last_closed: dict[tuple[Subject, CaseKind], Case]

    @staticmethod
    def of(
        cases: Iterable[Case], keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]
    ) -> "LockedCases":
        """Return the book of those `cases` that have one of the keys or ids; of closed ones of a key the last."""
        book = LockedCases({}, {}, {})
        for case in cases:
            key = (case.subject, case.kind)
            if key not in keys and case.case_id not in case_ids:
                continue
            book.by_id[case.case_id] = case
            if case.is_open:
                book.open[key] = case
            elif key not in book.last_closed or _closed(book.last_closed[key]) <= _closed(case):
                book.last_closed[key] = case
        return book


def _closed(case: Case) -> float:
    return case.closed_at.timestamp() if case.closed_at else 0.0


class IntakeTransaction(Protocol):
    """What taking events in needs of a transaction; nothing of it stands when the block is left by an exception."""

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], LockedCases]:
        """Save the offset, remember the event ids, and return those not taken in before, with the book they touch.

        One round trip: the fire lane pays for each. Raises Fenced when somebody else owns the partition.
        """
        ...

    async def case_at(self, subject: Subject, kind: CaseKind, at: datetime) -> Case | None:
        """Return and lock the case of the subject and kind that began last by `at`, in received time."""
        ...

    async def recipients(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        """Return the addresses that a notice of the case was sent or attempted to since their last all-clear."""
        ...

    async def save(self, changes: Changes) -> set[NoticeId]:
        """Write all of it and return the notices that were not there before.

        Raises Conflict when another transaction opened the same case meanwhile.
        """
        ...


class CaseTransaction(IntakeTransaction, Protocol):
    """One database transaction."""

    async def book(self, keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]) -> LockedCases:
        """Return and lock the open and the last closed case of each key, and the cases of `case_ids`."""
        ...

    async def due(self, now: datetime, limit: int, kind: ClockKind = ClockKind.STEP) -> list[Case]:
        """Return and lock up to `limit` open cases whose clock is due: urgent ones, then the others, earliest first.

        Locked ones are skipped.
        """
        ...

    async def calendar_versions(self) -> Sequence[str]:
        """Return the versions of calendars that clocks were counted by."""
        ...

    async def counted_by(self, versions: Collection[str], limit: int) -> list[Case]:
        """Return and lock up to `limit` cases with a clock that one of these counted, skipping locked ones."""
        ...

    async def quiet(self, now: datetime, limit: int) -> list[Case]:
        """Return and lock up to `limit` open cases that flapped and have been quiet for long enough."""
        ...

    async def case(self, case_id: CaseId) -> Case | None:
        """Return and lock one case."""
        ...

    async def taken(self, case_ids: Collection[CaseId]) -> Mapping[CaseId, Sequence[Earlier]]:
        """Return the steps taken of these cases that told somebody, the first one first."""
        ...

    async def work(self, case_id: CaseId, now: datetime) -> Work:
        """Return what is written down of the work on a case that `case` has locked."""
        ...

    async def listing(self, listing_id: ListingId) -> Listing | None:
        """Return a listing as it stands; whoever changes it has its case locked."""
        ...

    async def listings_of(self, case_id: CaseId) -> Sequence[Listing]:
        """Return the listings of a case, the first one first."""
        ...

    async def owned_by(self, account: str, now: datetime) -> list[CaseId]:
        """Return the open cases that the account works on, and lock that they are its."""
        ...

    async def awaiting(self, request_ids: Collection[RequestId]) -> list[AwaitingNotice]:
        """Return and lock the notices that wait for these documents and were never tried."""
        ...

    async def alone_with_common_causes(self) -> bool:
        """Return True when no other transaction works on common causes; holds until the end."""
        ...

    async def loose_losses(self, since: datetime, limit: int) -> list[Candidate]:
        """Return open lost connections that were taken in since and belong to no common case."""
        ...

    async def open_common_cases(self, window: timedelta) -> dict[CaseId, Members]:
        """Return the open common cases and the members of each; those of its last drop began up to `window` before."""
        ...

    async def hold_members(self, common: Case, members: Sequence[CaseId]) -> list[CaseId]:
        """Hold open members until the common case's `held_until` and put off their waiting notices; return them."""
        ...

    async def release_members(self, common: Case, held_until: datetime) -> list[CaseId]:
        """End the hold of open members, which went until `held_until`, at that of the common case; return them."""
        ...


class IntakeStore(Protocol):
    """Where events are taken in."""

    def transaction(self) -> AbstractAsyncContextManager[IntakeTransaction]:
        """Begin; commit when the block ends well. Raises StoreUnavailable, Conflict, Fenced."""
        ...


class CaseStore(Protocol):
    """Cases, steps, notices and offsets."""

    def transaction(self) -> AbstractAsyncContextManager[CaseTransaction]:
        """Begin; commit when the block ends well. Raises StoreUnavailable, Conflict, Fenced."""
        ...

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        """Take over a partition, fencing its former owner; return the claim and the next offset to read."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """A notice that may be sent now; `attempts` counts this attempt. `over_since`: when its case was closed.

    Or a digest: its `members` are the notices that it tells.
    """

    notice_id: NoticeId
    case_id: CaseId
    to: Address
    subject: str
    body: str
    fire: bool
    attempts: int
    purpose: Purpose
    lang: str
    caused_at: datetime
    first: bool = False
    over_since: datetime | None = None
    notice: Notice | None = None
    html: str = ""
    files: tuple[File, ...] = ()
    members: tuple[NoticeId, ...] = ()
    repeated: bool = False
    """A provider took it before, and reported later that it did not arrive."""

    @classmethod
    def of_digest(
        cls, digest_id: NoticeId, to: Address, items: Sequence[DigestItem], subject: str, body: str, attempts: int
    ) -> "Ready":
        """Return a digest, not empty, as its carrier gets it; it is tried as long as any of its `members` would be."""
        clears = any(item.purpose is Purpose.ALL_CLEAR for item in items)
        over = [item.case.closed_at for item in items if item.purpose is Purpose.ALL_CLEAR and item.case.closed_at]
        return cls(
            notice_id=digest_id,
            case_id=items[0].case.case_id,
            to=to,
            subject=subject,
            body=body,
            fire=False,
            attempts=attempts,
            purpose=Purpose.ALL_CLEAR if clears else Purpose.NOTICE,
            lang=to.lang,
            caused_at=min(item.case.detected_at for item in items),
            over_since=max(over, default=None),
            members=tuple(item.notice_id for item in items),
        )

    @property
    def lacks_document(self) -> bool:
        """Say whether it leaves, for the first time, without the document that it waited for."""
        notice = self.notice
        wanted = notice is not None and notice.request_id is not None and notice.document_number is None
        return wanted and self.attempts == 1

    @classmethod
    def of(cls, notice: Notice, case: Case | None, attempts: int) -> "Ready":
        """Return the notice as its carrier gets it for attempt number `attempts`."""
        return cls(
            notice_id=notice.notice_id,
            case_id=notice.case_id,
            to=notice.to,
            subject=notice.subject,
            body=notice.body,
            fire=notice.fire,
            attempts=attempts,
            purpose=notice.purpose,
            lang=notice.to.lang,
            caused_at=notice.caused_at,
            first=notice.first,
            over_since=case.closed_at if case else None,
            notice=notice,
            html=notice.html,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A notice that must not go out now, and why."""

    notice_id: NoticeId
    case_id: CaseId
    consent: SendDecision


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Which notices to take: at most `limit` are looked at, longest waiting first, and `choose` picks among them.

    `leases` says per channel how long one is ours. By the channels of `but_retries` only first attempts are looked at.
    Of a channel with a quota what all processes have begun within a day is counted; beyond it a notice waits. A lane of
    fires has none.
    """

    fire: bool
    now: datetime
    limit: int
    but_addresses: Sequence[str]
    but_channels: Sequence[Channel]
    choose: Callable[[Sequence[Due]], Sequence[Due]]
    leases: Mapping[Channel, timedelta]
    but_retries: Sequence[Channel] = ()
    quotas: Mapping[Channel, Quota] = field(default_factory=dict)


class GraveResults(Protocol):
    """Grave results through neglect, as people enter them. Raises StoreUnavailable, Conflict, NoPack."""

    async def enter(self, body_id: str, who: Who, text: str) -> Reply:
        """Open the case; `already` where one is open, `not_found` where nobody knows the body."""
        ...

    async def end(self, body_id: str, who: Who, text: str) -> Reply:
        """Close it: the inquiry is over."""
        ...


class Listings(Protocol):
    """What people do with listings for supervision.

    Raises NoListing, NotPossible, StoreUnavailable, Conflict, NoPack.
    """

    async def propose(self, case_id: CaseId, who: Who, reason: str) -> Listing: ...

    async def act(self, listing_id: ListingId, seen: int, act: ListingAct, who: Who, said: Said) -> Listing:
        """Do it, where the listing is as the reader saw it, at revision `seen`."""
        ...


class Tray(Protocol):
    """Notices on their way. A lease that runs out gives the notice to the next worker: at least one copy."""

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        """Choose among the due notices, ask a last time whether each may go, and count its attempt.

        What comes back Ready is ours until its lease ends and must be sent now; a case that is closed or acknowledged
        later counts its address as told. What may not go is cancelled or put off. The first notice of a fire that is
        over by now is written anew, so that it says so.
        """
        ...

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        """Write what became of the attempt, unless the notice has ended meanwhile."""
        ...


class GroupTransaction(Protocol):
    """What putting notices together needs of a transaction."""

    async def alone(self) -> bool:
        """Return True when no other transaction puts notices together; holds until the end."""
        ...

    async def waiting(self, now: datetime, limit: int) -> Sequence[WaitingNotice]:
        """Return and lock up to `limit` notices that are due and not grouped yet, longest waiting first."""
        ...

    async def clocks(self, addresses: Collection[Address]) -> Mapping[Address, GroupClocks]:
        """Return the clocks of those addresses that have any."""
        ...

    async def save(
        self, grouped: Mapping[Address, Grouped], waiting: Mapping[Address, Sequence[WaitingNotice]]
    ) -> None:
        """Write what becomes of the notices that wait for each address."""
        ...


class GroupStore(Protocol):
    """Where notices are put together."""

    def transaction(self) -> AbstractAsyncContextManager[GroupTransaction]:
        """Begin; commit when the block ends well. Raises StoreUnavailable, Conflict."""
        ...


class Unpublished(Protocol):
    """What waits to be put on a topic."""

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        """Return (id, key, encoded event) of what is not on its topic yet."""
        ...

    async def mark_published(self, ids: Sequence[str]) -> None: ...


class Outbox(Tray, Protocol):
    """The tray in the database, and what of it is to be published."""

    async def known(self, notice_ids: Collection[NoticeId]) -> set[NoticeId]:
        """Return which of these notices are written down, whatever became of them."""
        ...

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        """Return (id, key, encoded event) of notices that have ended and are not on the notices topic yet."""
        ...

    async def mark_published(self, ids: Sequence[str]) -> None: ...


class OpenFires(Protocol):
    """The urgent cases that are open in the database, for the time in which it does not answer."""

    async def look(self, known: Collection[CaseId], limit: int) -> tuple[set[CaseId], list[Case]]:
        """Return the ids of all of them (the newest `limit`), and the cases among these that are not `known`."""
        ...


class InterimNotices(Tray, Protocol):
    """Notices in memory while the database is away."""

    def rows(self) -> Mapping[NoticeId, InterimRow]:
        """Return the notices that the database does not know of yet, or not all of them."""
        ...

    def adopt(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        """Keep what became of an attempt that could not be written down."""
        ...

    def drop(self, notice_id: NoticeId) -> None:
        """Forget a notice: the database has it."""
        ...


class InterimStore(IntakeStore, Protocol):
    """Cases in memory while the database is away, and their notices."""

    @property
    def notices(self) -> InterimNotices: ...

    def begin_look(self) -> int:
        """Return the number of the look at the database that begins now."""
        ...

    def know(self, case: Case) -> None:
        """Take in a case as the database has it."""
        ...

    def known(self) -> Collection[CaseId]:
        """Return the cases that the database was last seen to have open."""
        ...

    def keep_open(self, open_ids: Collection[CaseId], look: int) -> None:
        """Forget the cases that were known before `look` and were not open in it."""
        ...


class DeliveryChannel(Protocol):
    """A channel that brings one notice to one address."""

    async def send(self, notice: Ready) -> Outcome:
        """Return what the other side answered. Never raises for what the other side or the network does."""
        ...


@dataclass(frozen=True, slots=True)
class TakenReport:
    """What became of a report, or of one thing that it says. `given_up`: of the notice it is about nothing is tried on.

    `first`: that was a first notice of a fire.
    """

    fate: ReportOutcome
    given_up: bool = False
    first: bool = False


AfterFailure = Callable[[Notice, Case, Reason, int], Verdict | None]
"""Says what becomes of an accepted notice whose last copy, of so many, did not arrive; None: nothing."""


class DeliveryReports(Protocol):
    """What providers report of messages. Every method raises StoreUnavailable."""

    async def take(
        self, channel: Channel, report: DeliveryReport, now: datetime, after_failure: AfterFailure
    ) -> Sequence[TakenReport]:
        """Write down what is new of a report, and what follows for its notice, in one transaction.

        It must name a message that the channel sent, to the number that it was sent to. Of a copy that was followed by
        another one, of a digest, and once the key was pressed a failure is written down and nothing follows.
        """
        ...

    async def to_ask(self, channel: Channel, now: datetime, limit: int) -> Sequence[SentMessage]:
        """Return messages whose provider is to be asked, longest due first, and put off when it is asked again."""
        ...


class ReportQuery(Protocol):
    """Asks a provider for the report of one message."""

    async def ask(self, message: SentMessage) -> ReadReports | None:
        """Return what it says; None where it refused, or did not answer. Never raises for what the other side does."""
        ...


class NoticeStream(Protocol):
    """One topic that alerts writes."""

    async def send(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Return once all are stored. Raises StreamUnavailable; some may be stored then, and may be sent again."""
        ...


class StreamUnavailable(Exception):
    """The cluster did not confirm."""


class Directory(ContactDirectory, Protocol):
    """The registry as it stands on the day."""

    def rules(self, now: datetime, district: str) -> PackRules:
        """Return the pack that stands in the district, else WITHOUT_PACK. Raises NoPack when no district has one."""
        ...

    def longest_window(self, now: datetime) -> timedelta:
        """Return the longest window of common causes among the packs in force. Raises NoPack."""
        ...

    def facts(self, subject: Subject, now: datetime) -> SubjectFacts:
        """Return what is known of a unit: an unknown one is named by its id, an unregistered gateway by its claim."""
        ...

    def particulars(
        self, facts: SubjectFacts, recipients: Sequence[str], now: datetime, issuer: Recipient = Recipient.CENTRE
    ) -> Particulars | None:
        """Return what a document says of a unit and of `recipients`; None when no body issues any in its district.

        `issuer` says which kind of body issues it; where the register names none of that kind the centre does.
        """
        ...

    def telephones(self, subject: Subject, now: datetime) -> Telephones:
        """Return the numbers by which a unit is called: its own, else those of its contacts."""
        ...

    def sizes(self, district: str) -> Mapping[str, int]:
        """Return how many units of the district each `carrier:X` and `town:Y` has."""
        ...


Retell = Callable[[Notice, Case], Notice]
"""Returns a notice written anew, as its case stands now."""


class LetterWriter(Protocol):
    """Versioned templates, zh and en."""

    def write(self, letter: Letter, notice_id: NoticeId, to: Address) -> tuple[str, str, str]:
        """Return (subject, body, template name@version) in the language and form of the address."""
        ...

    def write_digest(self, letter: DigestLetter, digest_id: NoticeId) -> tuple[str, str]:
        """Return (subject, body) in the language of the address, bounded whatever the number of its notices."""
        ...

    def attach(self, waiting: AwaitingNotice, document: IssuedDocument) -> Attached:
        """Return the notice with the document in the place of its text, in its own language and form."""
        ...


class WorkingCalendar(Calendar, Protocol):
    """Working days of China, adjusted days (调休) included."""

    def confirmed(self, year: int) -> bool:
        """Say whether the State Council's arrangement of that year is in the calendar, rather than projected."""
        ...


class CaseWork(Protocol):
    """What people do with cases beside answering one by one. Every method raises StoreUnavailable.

    NOT_FOUND: no case, another body's, or not this body's to do.
    """

    async def acknowledge_all(self, case_ids: Sequence[CaseId], who: Who, note: str) -> dict[CaseId, Reply]: ...

    async def own(self, case_id: CaseId, who: Who) -> Reply: ...

    async def release(self, case_id: CaseId, who: Who) -> Reply: ...

    async def sign_off(self, who: Who) -> int:
        """Return how many cases were given back."""
        ...

    async def comment(self, case_id: CaseId, who: Who, text: str) -> Reply: ...

    async def verify(
        self, case_id: CaseId, who: Who, finding: Verification, note: str, cause: AlarmCause | None = None
    ) -> Reply: ...

    async def shelve(self, case_id: CaseId, who: Who, span: timedelta, note: str) -> Reply: ...

    async def unshelve(self, case_id: CaseId, who: Who) -> Reply: ...

    async def escalate(self, case_id: CaseId, who: Who, step: str, note: str) -> Reply: ...

    async def merge(self, case_id: CaseId, into: CaseId, who: Who) -> Reply: ...


class AuditLog(Protocol):
    """The sealed chain and what waits to be sealed."""

    async def seal(self, limit: int) -> int:
        """Append waiting entries to the chain, in order, and return how many."""
        ...

    async def links(self, after_seq: int, limit: int) -> list[Link]: ...


class Auditor(Protocol):
    """Looks at what stands and says whether the promises hold."""

    async def overview(self, now: datetime, overdue_before: datetime) -> Overview: ...

    async def forget_seen(self, before: datetime) -> int:
        """Drop remembered event ids from before; return how many."""
        ...

    async def forget_files(self) -> int:
        """Forget the files of documents whose notices have all ended; return how many."""
        ...


class Intake(Protocol[E_contra]):
    """Takes events of one partition in, effects and offset together."""

    async def take(self, claim: PartitionClaim, events: Sequence[E_contra], next_offset: int) -> None:
        """Return once it is committed. Raises StoreUnavailable, NoPack (try again) and Fenced (not ours any more)."""
        ...


class NotSent(Exception):
    """The broker did not take a synthetic alarm. The message says why, without secrets."""


class SyntheticSender(Protocol):
    """Sends synthetic alarms the way that a gateway does."""

    async def send(self, run_id: str, mark: str) -> None:
        """Return once the broker has acknowledged the message. Raises NotSent."""
        ...


class SyntheticRuns(Protocol):
    """What synthetic alarms passed, and when. Every method raises StoreUnavailable."""

    async def begin(self, run: Run) -> bool:
        """Write a run down; False when its slot was begun already."""
        ...

    async def passed(self, run_id: str, stage: Stage, at: datetime) -> None:
        """Note a stage; the first time stands."""
        ...

    async def open_case(self, run_id: str, at: datetime) -> bool:
        """Note the stage `case`; False when it was noted already, or the run has ended: nobody is told then."""
        ...

    async def failed(self, run_id: str, detail: str) -> None:
        """Note why a stage was not passed; the first reason stands."""
        ...

    async def end(self, now: datetime) -> Sequence[RunResult]:
        """End the runs that have passed everything, and those whose deadline is over; return them."""
        ...

    async def run(self, run_id: str) -> RunResult | None: ...

    async def last(self) -> RunResult | None:
        """Return the newest run that has ended."""
        ...

    async def last_arrived(self) -> RunResult | None: ...


class Chain(Protocol):
    async def look(self) -> ChainSeen:
        """Return what the database tells of the whole way. Raises StoreUnavailable."""
        ...


class OutsideWatcher(Protocol):
    async def tell(self) -> Outcome:
        """Tell somebody outside that all is well; return what came of it, without the address."""
        ...
