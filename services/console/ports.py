"""What the console needs from outside, and what its pages need from the worker, in words of the domain."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from services.console.domain.account_audit import AccountAct, AccountLink
from services.console.domain.accounts import Account, AccountRow, NewAccount, Session
from services.console.domain.adjustments import (
    AdjustmentPage,
    AdjustmentQuery,
    AdjustmentRow,
    Decision,
    InForceRow,
    NewAdjustment,
)
from services.console.domain.case_list import CaseQuery
from services.console.domain.cases import CaseDetail, CaseList, Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.district_map import DistrictMap, MapQuery, MapUnit, Position
from services.console.domain.documents import File, InboxPage, MailPage, RawForm
from services.console.domain.evaluation import (
    CircularRow,
    EvaluationBoard,
    NewCircular,
    NewPoints,
    ScoredPeriod,
    ScoredScheme,
    ScoreRow,
    WaitingPoints,
)
from services.console.domain.freshness import DataAge, PartitionVisibility
from services.console.domain.history import HistoryQuery, RateHistory, Subject
from services.console.domain.identity import Answer, Asked, Identity
from services.console.domain.listings import ListingOrder, ListingPage
from services.console.domain.rates import RateCounts
from services.console.domain.refusals import Place, RefusalDetail, RefusalPage, RefusalQuery, ReplayOrder
from services.console.domain.register import (
    Entity,
    EntityPage,
    EntityQuery,
    HandedIn,
    PackRow,
    ProposalDecision,
    ProposalPage,
    Taken,
)
from services.console.domain.report import ListedPeriod, Report, ReportQuery, Sheet
from services.console.domain.report_schedules import (
    ClosedPeriod,
    MailCounts,
    NewSchedule,
    Plan,
    ReportContact,
    ReportMail,
    Schedule,
    ScheduleAct,
    ScheduleLink,
    SchedulePage,
    ScheduleRow,
    StopPage,
    Tried,
    Trouble,
)
from services.console.domain.screens import NewScreen, Screen, ScreenKey
from services.console.domain.second_factor import Enrolment, SecondFactor
from services.console.domain.system_health import ServiceSeen, Stored, SystemHealth
from services.console.domain.units import UnitDetail, UnitPage, UnitQuery
from services.console.domain.viewer import BodyCode, Slice, Username, Viewer
from services.console.domain.what_if import NewWhatIf, PackSource, WhatIfRow
from services.kernel.words import AdjustmentState, EntityKind, FileKind, Language, Period, Verification


class ReadModel(Protocol):
    """The district as the database has it. Every method raises DataUnavailable when there is no answer in time."""

    async def visibility(self) -> Sequence[PartitionVisibility]:
        """Return each partition's watermark and visibility, judged by the database's own clock."""
        ...

    async def names(self) -> Names:
        """Return the names and targets in force today."""
        ...

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        """Return the slice, all parts from one snapshot of the database."""
        ...

    async def fires(self, slice_: Slice) -> tuple[Fire, ...]:
        """Return what of the snapshot burns or may burn, alone: soon, however large the district is."""
        ...

    async def units(self, slice_: Slice, query: UnitQuery) -> UnitPage:
        """Return the units of the slice that the query asks for, the most pressing first."""
        ...

    async def unit(self, slice_: Slice, unit_id: str, since: datetime) -> UnitDetail:
        """Return one unit with its changes from `since` on. Raises NotFound outside the slice."""
        ...

    async def cases(self, slice_: Slice, query: CaseQuery) -> CaseList:
        """Return a page of the cases of the slice that the query asks for."""
        ...

    async def case(self, slice_: Slice, case_id: str) -> CaseDetail:
        """Return one case. Raises NotFound outside the slice."""
        ...

    async def document_file(
        self, slice_: Slice, case_id: str, document_id: str, language: Language, kind: FileKind
    ) -> bytes:
        """Return a document of a case as a file. Raises NotFound outside the slice."""
        ...


class DocumentsService(Protocol):
    """The service that keeps the documents. `party` None sees all; what comes back is its JSON, handed on as it is.

    Every method raises DocumentsUnavailable; NotFound where the party has no such document, BadLink where a link opens
    none; whatever acts raises DocumentRefused.
    """

    async def inbox(self, party: str | None, page: InboxPage) -> Any: ...

    async def one(self, party: str | None, document_id: str) -> Any: ...

    async def file(self, party: str | None, document_id: str, digest: str) -> File: ...

    async def replies(self, party: str | None, case_id: str) -> Any:
        """Return the replies with files to documents of a case."""
        ...

    async def sign(self, party: str, account: str, document_id: str, name: str) -> Any: ...

    async def submit(self, party: str, account: str, document_id: str, form: RawForm) -> Any: ...

    async def decide(self, account: str, document_id: str, submission_id: str, verdict: str, reasons: str) -> Any: ...

    async def revoke(self, account: str, document_id: str, contact_id: str) -> Any: ...

    async def mails(self, page: MailPage) -> Any: ...

    async def mail(self, mail_id: str) -> Any: ...

    async def mail_file(self, mail_id: str, place: int) -> File: ...

    async def join_mail(self, account: str, mail_id: str, document: str, seen: int) -> Any: ...

    async def take_mail(self, account: str, mail_id: str, party: str, document_id: str) -> Any: ...

    async def refuse_mail(self, account: str, mail_id: str, reason: str, seen: int) -> Any: ...

    async def of_link(self, link: str) -> Any: ...

    async def file_of_link(self, link: str, digest: str) -> File: ...

    async def sign_by_link(self, link: str, name: str) -> Any: ...

    async def submit_by_link(self, link: str, form: RawForm) -> Any: ...


class Documents(Protocol):
    """What the pages may do with documents. Every method raises what DocumentsService does; acts raise NotAllowed."""

    async def inbox(self, viewer: Viewer, page: InboxPage) -> Any: ...

    async def one(self, viewer: Viewer, document_id: str) -> Any: ...

    async def file(self, viewer: Viewer, document_id: str, digest: str) -> File: ...

    async def sign(self, viewer: Viewer, document_id: str, name: str) -> Any: ...

    async def submit(self, viewer: Viewer, document_id: str, form: RawForm) -> Any: ...

    async def decide(self, viewer: Viewer, document_id: str, submission_id: str, verdict: str, reasons: str) -> Any: ...

    async def revoke(self, viewer: Viewer, document_id: str, contact_id: str) -> Any: ...


class Mails(Protocol):
    """What the pages may do with mails that came as answers. Raises what DocumentsService does, and NotAllowed."""

    async def page(self, viewer: Viewer, page: MailPage) -> Any: ...

    async def one(self, viewer: Viewer, mail_id: str) -> Any: ...

    async def file(self, viewer: Viewer, mail_id: str, place: int) -> File: ...

    async def join(self, viewer: Viewer, mail_id: str, document: str, seen: int) -> Any: ...

    async def take(self, viewer: Viewer, mail_id: str, party: str, document_id: str) -> Any: ...

    async def refuse(self, viewer: Viewer, mail_id: str, reason: str, seen: int) -> Any: ...


class ListingsService(Protocol):
    """Where listings for supervision are kept. Raises NotFound, ListingRefused, AlertsUnavailable."""

    async def page(self, body_code: str | None, page: ListingPage) -> Any: ...

    async def one(self, body_code: str | None, listing_id: str) -> Any: ...

    async def file(self, body_code: str | None, listing_id: str, digest: str) -> File: ...

    async def propose(self, viewer: Viewer, case_id: str, reason: str) -> Any: ...

    async def act(self, viewer: Viewer, listing_id: str, order: ListingOrder) -> Any: ...

    async def hand_in(self, viewer: Viewer, listing_id: str, revision: int, form: RawForm) -> Any: ...

    async def hand_on(self, viewer: Viewer, listing_id: str, revision: int, files: Sequence[File], source: str) -> Any:
        """Hand in files that the viewer may read elsewhere, and say where: `source`."""
        ...


class Listings(Protocol):
    """What the pages may do with listings. Raises what ListingsService and DocumentsService do, and NotAllowed."""

    async def page(self, viewer: Viewer, page: ListingPage) -> Any: ...

    async def one(self, viewer: Viewer, listing_id: str) -> Any: ...

    async def file(self, viewer: Viewer, listing_id: str, digest: str) -> File: ...

    async def propose(self, viewer: Viewer, case_id: str, reason: str) -> Any: ...

    async def act(self, viewer: Viewer, listing_id: str, order: ListingOrder) -> Any: ...

    async def hand_in(self, viewer: Viewer, listing_id: str, revision: int, form: RawForm) -> Any: ...

    async def replies(self, viewer: Viewer, listing_id: str) -> Any:
        """Return the replies of the listing's case whose files may be taken over as evidence."""
        ...

    async def take_over(self, viewer: Viewer, listing_id: str, revision: int, submission_id: str) -> Any:
        """Hand in all files of one of these replies."""
        ...


class Throttle(Protocol):
    def count(self, client: str) -> None:
        """Count one request of this address. Raises TooBusy."""
        ...


class NameBook(Protocol):
    """Names of units with the initials by which they are found. Every method raises DataUnavailable."""

    async def missing(self, limit: int) -> Sequence[str]:
        """Return names of units that have no initials yet."""
        ...

    async def keep(self, initials: Mapping[str, str]) -> None:
        """Write down the initials of names; one that is there already stays as it is."""
        ...


Initials = Callable[[str], str]
"""Returns the initials of a name's pinyin in lower case, with its letters and digits as they are."""


class LiveCounts(Protocol):
    async def live_counts(self) -> Sequence[tuple[str, RateCounts]]:
        """Return the whole district's units by connection: dimension (district, town, ...) and one row of it.

        Raises DataUnavailable.
        """
        ...


class Changes(Protocol):
    """Says that something in the database changed; says so too when it may have missed that."""

    def wakes(self) -> AsyncIterator[None]:
        """Yield once per wake-up until the service stops."""
        ...


class Accounts(Protocol):
    """Accounts and sessions. Every method raises DataUnavailable when the store does not answer.

    What is done to an account (`act`) writes only what it is about, so that it undoes nothing that was done meanwhile;
    it is written down with how the account stands since, and the account's sessions end. Raises LastAdministrator,
    with nothing done, when no administrator with a password of his own would be left that may sign in.
    """

    async def find(self, username: str) -> Account | None: ...

    async def save(self, account: Account, now: datetime) -> None:
        """Create the account or replace all of it; ends its sessions. Not written down."""
        ...

    async def put(self, account: Account, act: AccountAct) -> None:
        """Create the account or replace all of it."""
        ...

    async def create(self, account: Account, act: AccountAct) -> None:
        """Raises AccountExists."""
        ...

    async def put_screen(self, screen: Account, act: AccountAct) -> None:
        """Create a screen, or name it anew; its key ends. Raises AccountExists for the name of a person."""
        ...

    async def screens(self) -> Sequence[Screen]: ...

    async def change_password(
        self, username: Username, verified: str, password_hash: str, act: AccountAct, *, keep: str
    ) -> None:
        """Put a hash in the place of the `verified` one; the session with the token hash `keep` goes on.

        Raises WrongPassword when the account has another hash by now, is disabled, or is gone.
        """
        ...

    async def edit(self, described: Viewer, act: AccountAct) -> None:
        """Write role, department, display name and whether it administers. Raises NotFound."""
        ...

    async def reset(self, username: Username, password_hash: str, until: datetime, act: AccountAct) -> None:
        """Give it a one-time password; a disabled one is enabled. Raises NotFound."""
        ...

    async def disable(self, username: str, act: AccountAct) -> None:
        """Raises NotFound."""
        ...

    async def linked(self, identity: Identity) -> Account | None:
        """Return the account that is linked to this person."""
        ...

    async def link(self, username: str, identity: Identity | None, act: AccountAct) -> None:
        """Link the account to a person, or to none. Raises IdentityTaken: another account is, or there is none here."""
        ...

    async def set_second_factor(
        self, verified: Account, factor: SecondFactor, recovery_codes: Sequence[str], act: AccountAct, *, keep: str
    ) -> None:
        """Give it a second factor and the digests of its recovery codes; the session `keep` goes on.

        Raises WrongCode when the account has one, has another password than the `verified` one, or is disabled.
        """
        ...

    async def drop_second_factor(self, username: str, act: AccountAct, *, keep: str | None = None) -> None:
        """Take it away, with its recovery codes. Raises NotFound when there is none."""
        ...

    async def take_step(self, username: Username, sealed: str, step: int) -> bool:
        """Return whether this code may be used: once, and none older than one that was."""
        ...

    async def take_recovery_code(
        self, username: Username, digest: str, act: AccountAct, *, keep: str | None = None
    ) -> bool:
        """Use up a recovery code; return whether it was one that was left. It is written down."""
        ...

    async def end_sessions(self, username: str, act: AccountAct) -> None:
        """Raises NotFound."""
        ...

    async def audited(self) -> Sequence[AccountLink]:
        """Return the whole audit of accounts, in order."""
        ...

    async def all(self) -> Sequence[Account]: ...

    async def failed(self, username: Username, now: datetime) -> int:
        """Count one more failure, lock by the rule of `lock_until`, and return how many there are in a row.

        A name without an account takes as long and changes nothing: 0.
        """
        ...

    async def succeeded(self, username: Username) -> None:
        """Forget the failures."""
        ...

    async def open_session(
        self,
        token_hash: str,
        verified: Account,
        csrf: str,
        now: datetime,
        until: datetime,
        *,
        by_provider: bool = False,
    ) -> None:
        """Keep a session; removes those that have ended.

        Raises BadCredentials when the account has another password, second factor or identity by now than the
        `verified` one, or is disabled.
        """
        ...

    async def session(self, token_hash: str, now: datetime) -> Session | None:
        """Return the session unless it ended, its account is disabled, or there is none. Changes nothing."""
        ...

    async def close_session(self, token_hash: str) -> None: ...


class Passwords(Protocol):
    """Slow hashes, off the event loop and a few at a time. Raises TooBusy when too many wait."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Return whether they match; takes as long for None (no such account) and then returns False."""
        ...


class OneTimeCodes(Protocol):
    """Codes from telephones, and their secrets, sealed for one account each."""

    @property
    def offered(self) -> bool:
        """Whether there is a key: without one nobody enrols, and no code is right."""
        ...

    def begin(self, username: str, now: datetime) -> Enrolment:
        """Draw a secret. Raises SecondFactorUnavailable."""
        ...

    def confirm(self, pending: str, username: str, code: str, now: datetime) -> SecondFactor:
        """Return what is to be kept once a first code was right. Raises WrongCode."""
        ...

    def step_of(self, sealed: str, username: str, code: str, now: datetime) -> int | None:
        """Return the step of 30 s since 1970 whose code this is, None for a wrong one."""
        ...


class IdentityProvider(Protocol):
    """Says who somebody is. Every method raises ProviderUnavailable, and ProviderRefused for what is not believed."""

    @property
    def issuer(self) -> str: ...

    async def ask(self) -> Asked: ...

    async def who(self, asked: Asked, answer: Answer) -> Identity: ...

    async def leave(self) -> str | None:
        """Return where a browser signs out there, None where the provider has no such place."""
        ...


class ByProvider(Protocol):
    """Sign-in by an identity provider. Raises as IdentityProvider does."""

    async def begin(self) -> Asked: ...

    async def complete(self, asked: Asked, answer: Answer) -> tuple[str, Session]:
        """Return the token for the cookie and its session. Raises NotLinked, BadCredentials, DataUnavailable."""
        ...

    async def leave(self) -> str | None: ...


class Secrets(Protocol):
    def password(self) -> str:
        """Return a password that nobody guesses and a person can read aloud."""
        ...

    def token(self) -> str:
        """Return 32 random bytes in URL-safe text."""
        ...

    def digest(self, token: str) -> str:
        """Return what may be stored in the token's place."""
        ...


class CaseCommands(Protocol):
    """Orders to the service that keeps the cases."""

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        """Return once it is stored: brigade and centre take the case, anybody else signs for it.

        Raises:  NotFound, Conflict (closed or already acknowledged), AlertsUnavailable.
        """
        ...

    async def acknowledge_all(self, case_ids: Sequence[str], viewer: Viewer, note: str) -> Mapping[str, str]:
        """Return what became of each, in the words of alerts; `alone`: it burns, or may. Raises AlertsUnavailable."""
        ...

    async def own(self, case_id: str, viewer: Viewer) -> None:
        """Work on the case in the place of whoever did. Raises like `acknowledge`."""
        ...

    async def release(self, case_id: str, viewer: Viewer) -> None: ...

    async def comment(self, case_id: str, viewer: Viewer, text: str) -> None:
        """Raises like `acknowledge`; Conflict: there are as many as are kept."""
        ...

    async def verify(self, case_id: str, viewer: Viewer, finding: Verification, note: str) -> None: ...

    async def shelve(self, case_id: str, viewer: Viewer, minutes: int, note: str) -> None:
        """Put it out of sight for so long. Raises like `acknowledge`; Conflict: it burns, or may."""
        ...

    async def unshelve(self, case_id: str, viewer: Viewer) -> None: ...

    async def escalate(self, case_id: str, viewer: Viewer, step: str, note: str) -> None:
        """Have the next step taken now, if it still is `step`. Raises like `acknowledge`; Conflict: none waits."""
        ...

    async def merge(self, case_id: str, viewer: Viewer, into: str) -> None:
        """Count it among the members of a common cause. Raises like `acknowledge`; Conflict: it is none of these."""
        ...

    async def grave_result(self, viewer: Viewer, body_id: str, text: str, *, begins: bool) -> None:
        """Enter a grave result through neglect of a body, or that its inquiry is over."""
        ...

    async def sign_off(self, viewer: Viewer) -> None:
        """Give back whatever the account works on. Raises AlertsUnavailable."""
        ...


class RefusalBook(Protocol):
    """The console's own copy of the refusals. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, query: RefusalQuery, counted_since: datetime, lapsed: datetime) -> RefusalPage:
        """Return what the query means, the newest first. An order given before `lapsed` is not waited for."""
        ...

    async def one(self, refusal_id: str, lapsed: datetime) -> RefusalDetail:
        """Raises NotFound."""
        ...

    async def claim(
        self, order_id: str, refusal_ids: Sequence[str], viewer: Viewer, now: datetime, lapsed: datetime
    ) -> tuple[Place, ...]:
        """Write down who orders what, and return the places of those that are open and not ordered since `lapsed`."""
        ...

    async def sent(self, order_id: str, now: datetime) -> None:
        """The order is on its way."""
        ...

    async def release(self, order_id: str) -> None:
        """The order was not given: whoever asks next may."""
        ...


class ReplayOrders(Protocol):
    """Orders to the service that decides about messages."""

    async def send(self, order: ReplayOrder) -> None:
        """Return once the order is stored. Raises OrdersUnavailable: it may nevertheless be carried out."""
        ...


class Refusals(Protocol):
    """What the pages may do with refusals. Every method raises NotAllowed for departments, and DataUnavailable."""

    async def page(self, viewer: Viewer, query: RefusalQuery) -> RefusalPage: ...

    async def one(self, viewer: Viewer, refusal_id: str) -> RefusalDetail:
        """Raises NotFound."""
        ...

    async def replay(self, viewer: Viewer, refusal_ids: Sequence[str]) -> int:
        """Return how many were ordered. Raises Conflict when none is open, OrdersUnavailable."""
        ...


class RateHistories(Protocol):
    """Rates by day as the database has them. Every method raises DataUnavailable when there is no answer in time."""

    async def subjects(self) -> Sequence[Subject]:
        """Return every district, town and department that has a rate today, in order."""
        ...

    async def is_town(self, body: BodyCode) -> bool:
        """Return whether units stand in the area of that body."""
        ...

    async def history(self, query: HistoryQuery) -> RateHistory:
        """Return every day that is asked for; one that nothing is known of has no figure."""
        ...


class MapReads(Protocol):
    """What the map is made of. Every method raises DataUnavailable without an answer in time."""

    async def map_units(self, slice_: Slice, query: MapQuery) -> Sequence[MapUnit]:
        """Return how the units of the slice stand, in that part of it."""
        ...

    async def positions(self) -> Mapping[str, Position]:
        """Return the position that the register has of each unit, where it has one."""
        ...


class DistrictMaps(Protocol):
    """What the pages may ask of the map. Raises DataUnavailable."""

    async def now(self, viewer: Viewer, query: MapQuery) -> DistrictMap:
        """Return the map of what the viewer may see."""
        ...


class Histories(Protocol):
    """What the pages may ask of rates by day. Every method raises DataUnavailable."""

    async def subjects(self, viewer: Viewer) -> Sequence[Subject]:
        """Return whose rate the viewer may see."""
        ...

    async def history(self, viewer: Viewer, query: HistoryQuery) -> RateHistory:
        """Raises NotFound outside the slice, TooBusy."""
        ...


class ReportFacts(Protocol):
    """What reports are made of, as it is stored. Every method raises DataUnavailable without an answer in time."""

    async def periods(self, subject: Subject) -> Sequence[ListedPeriod]:
        """Return the closed periods of a subject, a bounded number of each kind, the newest."""
        ...

    async def report(self, query: ReportQuery, now: datetime, *, centre: bool) -> Report:
        """Return everything of a period, from one snapshot; the centre's own figures where `centre` says so."""
        ...


class ReportPrinter(Protocol):
    async def pdf(self, sheet: Sheet) -> bytes:
        """Return the sheet as PDF. Raises DocumentsUnavailable, DocumentRefused."""
        ...


class Reports(Protocol):
    """Reports as a viewer may see them."""

    async def periods(self, viewer: Viewer, subject: Subject) -> Sequence[ListedPeriod]:
        """Return closed periods and, of each kind, the one that runs and the one before, the newest of a kind first.

        Raises NotFound, DataUnavailable.
        """
        ...

    async def report(self, viewer: Viewer, subject: Subject, kind: Period, first: date) -> Report:
        """Return the report of the period that begins on `first`. Raises NotFound, TooBusy, DataUnavailable."""
        ...

    async def printed(self, sheet: Sheet) -> bytes:
        """Return the sheet as PDF. Raises DocumentsUnavailable, DocumentRefused, TooBusy."""
        ...


class ScheduleBook(Protocol):
    """Schedules of reports, as they are stored. Every method is one transaction, and raises DataUnavailable.

    What changes one writes down who did, in a chain; `by` is an account.
    """

    async def rows(self, now: datetime) -> Sequence[ScheduleRow]:
        """Return every schedule that was not removed."""
        ...

    async def contacts(self) -> Sequence[ReportContact]:
        """Return the offices of the register that have a mail address."""
        ...

    async def one(self, schedule_id: int) -> Schedule:
        """Raises NotFound."""
        ...

    async def create(self, new: NewSchedule, keys: Sequence[str], by: str, now: datetime) -> int:
        """Return its id; `keys`: of each contact, in its order, what stops its mails. Raises ScheduleExists."""
        ...

    async def choose(
        self, schedule_id: int, contacts: Sequence[str], keys: Sequence[str], by: str, now: datetime
    ) -> None:
        """Let these be its recipients and no others. Raises NotFound."""
        ...

    async def act(self, schedule_id: int, act: ScheduleAct, by: str, now: datetime) -> None:
        """Raises NotFound."""
        ...

    async def of_key(self, key: str) -> StopPage:
        """Raises BadLink."""
        ...

    async def stop(self, key: str, now: datetime) -> None:
        """End the mails that a key came with. Raises BadLink."""
        ...

    async def audited(self) -> Sequence[ScheduleLink]: ...


class ReportOutbox(Protocol):
    """Mails with reports, made and sent by any number of processes. Every method raises DataUnavailable."""

    async def due(self, now: datetime) -> Sequence[tuple[Schedule, Sequence[ClosedPeriod]]]:
        """Return schedules with the newest closed periods of each."""
        ...

    async def plan(self, schedule: Schedule, plan: Plan, now: datetime) -> int:
        """Make the mails of a plan; return how many, 0 where another process has done it."""
        ...

    async def claim(self, now: datetime, an_hour: int) -> ReportMail | None:
        """Return a mail that is due, for this process alone; None for none, or where the hour has had so many."""
        ...

    async def tried(self, mail: ReportMail, how: Tried, now: datetime) -> None:
        """Write down how a try ended, and when the next one is."""
        ...

    async def contacts(self) -> Sequence[ReportContact]: ...

    async def counts(self, now: datetime) -> MailCounts: ...

    async def forget(self, now: datetime) -> None:
        """Remove a bounded number of mails that are older than what is kept."""
        ...


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """A report as it is sent: the words of it in both languages, the recipient's first, and its files in his.

    `revision`: how many publications all its figures have together.
    """

    sheets: tuple[Sheet, ...]
    revision: int
    closed: bool
    pdf: bytes
    xlsx: bytes


class ReportMaker(Protocol):
    async def made(self, query: ReportQuery, language: Language) -> ReportFiles:
        """Raises DataUnavailable, DocumentsUnavailable, DocumentRefused."""
        ...


class ReportCarrier(Protocol):
    async def send(self, mail: ReportMail, contact: ReportContact, files: ReportFiles) -> Trouble | None:
        """Return why the mail server did not take it; None: it has it."""
        ...


class ReportSchedules(Protocol):
    """What the pages may do with schedules. Raises as the book does, and NotAllowed for who may not."""

    async def page(self, viewer: Viewer) -> SchedulePage:
        """Return those of subjects that the viewer may see; a department's own recipients of them alone."""
        ...

    async def contacts(self, viewer: Viewer, subject: Subject) -> Sequence[ReportContact]:
        """Return who may be sent the report of a subject."""
        ...

    async def create(self, viewer: Viewer, new: NewSchedule) -> int:
        """Raises ScheduleExists, BadRecipients, NotFound for a subject without figures."""
        ...

    async def choose(self, viewer: Viewer, schedule_id: int, contacts: Sequence[str]) -> None:
        """Raises NotFound, BadRecipients."""
        ...

    async def act(self, viewer: Viewer, schedule_id: int, act: ScheduleAct) -> None: ...

    async def of_key(self, key: str) -> StopPage: ...

    async def stop(self, key: str) -> None: ...


class ScoreBook(Protocol):
    """Scores of bodies, read. Every method raises DataUnavailable when there is no answer in time."""

    async def periods(self, slice_: Slice) -> Sequence[ScoredPeriod]:
        """Return the periods that have scores of the slice, the newest first."""
        ...

    async def scores(self, slice_: Slice, period: ScoredPeriod) -> Sequence[ScoreRow]:
        """Return the scores of the slice that stand for a period, by scheme and body."""
        ...

    async def waiting(self) -> Sequence[WaitingPoints]:
        """Return points that nobody has decided about, the oldest first."""
        ...

    async def circulars(self, period: ScoredPeriod) -> Sequence[CircularRow]:
        """Return the circulars of a period, the newest first."""
        ...

    async def circular_file(self, document_id: str, language: Language, kind: FileKind) -> bytes:
        """Raises NotFound, also for a document that is no circular."""
        ...


class ScoreOrders(Protocol):
    async def enter(self, asked: NewPoints, viewer: Viewer) -> str:
        """Return the id of the entry once it is stored. Raises as `AdjustmentOrders`."""
        ...

    async def decide_points(self, decision: ProposalDecision, entry_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the entry then. Raises as `AdjustmentOrders`."""
        ...


class CircularPrinter(Protocol):
    async def draft(self, request: bytes) -> str:
        """Return the id of the document that the encoded request became.

        Raises DocumentsUnavailable, DocumentRefused.
        """
        ...


class CircularDrafts(Protocol):
    async def draft(self, asked: NewCircular) -> str:
        """Return the id of the draft that it became; the same scores have the same one.

        Raises DocumentsUnavailable, DocumentRefused, DataUnavailable.
        """
        ...


class Evaluation(Protocol):
    """What the pages may do with scores. Raises as those above do."""

    async def board(self, viewer: Viewer, wanted: ScoredPeriod | None) -> EvaluationBoard:
        """Return the scores of a period, of the newest where none is asked for."""
        ...

    async def enter(self, viewer: Viewer, asked: NewPoints) -> str:
        """Raises NotAllowed for another one than the brigade."""
        ...

    async def decide(self, viewer: Viewer, entry_id: str, decision: ProposalDecision, note: str) -> str:
        """Return the state of the entry then. Raises NotAllowed, SamePerson, NotWaiting, NotFound."""
        ...

    async def circular(self, viewer: Viewer, scheme: ScoredScheme, period: ScoredPeriod) -> str:
        """Return the id of the draft. Raises NotAllowed for another one than the brigade, NotFound without scores."""
        ...

    async def circular_file(self, viewer: Viewer, document_id: str, language: Language, kind: FileKind) -> bytes:
        """Raises NotAllowed for another one than the brigade, NotFound."""
        ...


class AdjustmentBook(Protocol):
    """The registry's adjustments, read. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, slice_: Slice, query: AdjustmentQuery) -> AdjustmentPage:
        """Return those of units of the slice, the newest first."""
        ...

    async def one(self, slice_: Slice, adjustment_id: str) -> AdjustmentRow:
        """Raises NotFound outside the slice."""
        ...

    async def in_force(self, slice_: Slice, now: datetime) -> Sequence[InForceRow]:
        """Return what is on test, in maintenance or exempt at `now`, by unit."""
        ...


class AdjustmentOrders(Protocol):
    """Orders to the service that keeps the register.

    Every method raises AdjustmentRefused, NotAllowed, NotFound, TooBusy, RegistryUnavailable.
    """

    async def request(self, asked: NewAdjustment, viewer: Viewer) -> str:
        """Return the id of the adjustment once it is stored."""
        ...

    async def decide(self, decision: Decision, adjustment_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the adjustment once the decision is stored."""
        ...


class Adjustments(Protocol):
    """What the pages may do with adjustments; all of it within the viewer's slice. Raises as the two above do."""

    async def page(self, viewer: Viewer, query: AdjustmentQuery) -> AdjustmentPage: ...

    async def in_force(self, viewer: Viewer) -> Sequence[InForceRow]: ...

    async def request(self, viewer: Viewer, asked: NewAdjustment) -> str:
        """Raises NotFound for a unit outside the slice."""
        ...

    async def decide(self, viewer: Viewer, decision: Decision, adjustment_id: str, note: str) -> str: ...


class RegisterBook(Protocol):
    """The register, read. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, slice_: Slice, query: EntityQuery) -> EntityPage:
        """Return the entities of a kind by id: for a department its units and what belongs to them."""
        ...

    async def one(self, slice_: Slice, kind: EntityKind, entity_id: str) -> Entity:
        """Raises NotFound outside the slice."""
        ...

    async def packs(self) -> Sequence[PackRow]: ...

    async def proposals(self, state: AdjustmentState | None, offset: int, limit: int) -> ProposalPage:
        """Return them, the newest first."""
        ...

    async def file_name(self, proposal_id: str) -> str | None: ...


class RegisterOrders(Protocol):
    """The service that keeps the register. Mappings are its answers as they came, JSON objects for the page.

    Every method raises AdjustmentRefused (FaultyFile among them), NotAllowed, NotFound, TooBusy, RegistryUnavailable.
    """

    async def form(self, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]: ...

    async def preview(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        """Return what it would change; of what would not be taken, the report with its errors alone."""
        ...

    async def preview_of(self, proposal_id: str, viewer: Viewer) -> Mapping[str, Any]: ...

    async def propose(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        """Return id and state of the proposal once it is stored."""
        ...

    async def decide(self, decision: ProposalDecision, proposal_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the proposal once the decision is stored."""
        ...

    async def file(self, proposal_id: str) -> bytes: ...

    async def export(self, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language) -> Taken: ...

    async def pack(self, pack_id: str, version: int) -> Taken: ...

    async def checked_pack(self, content: str, viewer: Viewer) -> str:
        """Return the pack in a file (base64) as YAML; FaultyFile has every error at its line and column."""
        ...

    async def pack_changes(self, pack_id: str, version: int, former: int) -> Mapping[str, Any]: ...


class WhatIfBook(Protocol):
    """Questions what a pack would have said, with the answers of compliance. Raises DataUnavailable."""

    async def ask(self, new: NewWhatIf, by: str, now: datetime) -> int:
        """Return its number. Raises WhatIfRunning, WhatIfsWaiting. What is too old goes at the same time."""
        ...

    async def rows(self, now: datetime) -> Sequence[WhatIfRow]:
        """Return the newest, without their results."""
        ...

    async def one(self, what_if_id: int, now: datetime) -> WhatIfRow:
        """Raises NotFound."""
        ...


class RegisterWork(Protocol):
    """What the pages may do with the register. Raises as the two above do, and NotAllowed for who may not."""

    async def page(self, viewer: Viewer, query: EntityQuery) -> EntityPage: ...

    async def one(self, viewer: Viewer, kind: EntityKind, entity_id: str) -> Entity: ...

    async def form(self, viewer: Viewer, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]: ...

    async def preview(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]: ...

    async def propose(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]: ...

    async def proposals(
        self, viewer: Viewer, state: AdjustmentState | None, offset: int, limit: int
    ) -> ProposalPage: ...

    async def preview_of(self, viewer: Viewer, proposal_id: str) -> Mapping[str, Any]: ...

    async def decide(self, viewer: Viewer, decision: ProposalDecision, proposal_id: str, note: str) -> str: ...

    async def file(self, viewer: Viewer, proposal_id: str) -> Taken: ...

    async def export(
        self, viewer: Viewer, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language
    ) -> Taken: ...

    async def packs(self, viewer: Viewer) -> Sequence[PackRow]: ...

    async def pack(self, viewer: Viewer, pack_id: str, version: int) -> Taken: ...

    async def pack_changes(self, viewer: Viewer, pack_id: str, version: int, former: int) -> Mapping[str, Any]: ...


class WhatIfWork(Protocol):
    """What the pages may do with such questions. Raises as RegisterOrders and WhatIfBook do, and NotAllowed."""

    async def ask(self, viewer: Viewer, kind: Period, day: date, source: PackSource) -> Mapping[str, Any]:
        """Return its number as `what_if_id`; of a pack that is none, the `report` with its errors."""
        ...

    async def rows(self, viewer: Viewer) -> Sequence[WhatIfRow]: ...

    async def one(self, viewer: Viewer, what_if_id: int) -> WhatIfRow: ...


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One message to a browser: `kind` snapshot, update or beat; `body` is a JSON object; beats have no `id`."""

    kind: str
    body: str
    id: str | None


class Encoder(Protocol):
    """Turns parts of a picture into JSON objects, once for all readers of a slice."""

    def sections(self, snapshot: DashboardSnapshot, names: Names) -> dict[str, str]: ...

    def fires(self, fires: Sequence[Fire]) -> str: ...

    def freshness(self, age: DataAge, now: datetime, read_at: datetime | None) -> str: ...


class Live(Protocol):
    """The shared picture of each slice: one read of the database per change, however many browsers look."""

    def follow(self, viewer: Viewer, last_id: str | None) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """Yield events until the service stops. A reader that falls behind gets the latest state, never a queue.

        Raises:  TooBusy when the account or the service has its fill of streams.
        """
        ...

    def expect(self, slice_: Slice) -> None:
        """Say that a page was sent that will follow this slice in a moment. Returns at once, and raises nothing."""
        ...

    async def section(self, slice_: Slice, name: str) -> str:
        """Return one section of the slice as JSON, at most a second old. Raises DataUnavailable."""
        ...


class Authentication(Protocol):
    """Sign-in, sessions, sign-out."""

    async def sign_in(self, username: str, password: str, client: str, code: str = "") -> tuple[str, Session]:
        """Return the token for the cookie and its session. `code` is of the second factor, for who has one.

        Raises:  BadCredentials, LockedOut, TooBusy, DataUnavailable.
        """
        ...

    async def session(self, token: str | None, *, takes_due: bool = False) -> Session:
        """Return the session of a cookie. Raises NotSignedIn, DataUnavailable.

        One that was opened with a one-time password (PasswordDue), or without a second factor that its account has to
        have (SecondFactorDue), is none but for who asks with `takes_due`.
        """
        ...

    async def sign_out(self, token: str) -> None: ...


class AccountWork(Protocol):
    """What the pages may do with accounts. Raises NotAllowed for who does not administer, DataUnavailable.

    What changes an account of somebody else raises NotFound, and OwnAccount for one's own.
    """

    async def change_password(self, viewer: Viewer, token: str, current: str, new: str) -> None:
        """Change one's own; all other sessions end. Raises WrongPassword, LockedOut, BadAccountOrder, TooBusy."""
        ...

    async def begin_second_factor(self, viewer: Viewer, current: str) -> Enrolment:
        """Raises WrongPassword, LockedOut, HasSecondFactor, SecondFactorUnavailable, TooBusy."""
        ...

    async def confirm_second_factor(self, viewer: Viewer, token: str, pending: str, code: str) -> Sequence[str]:
        """Return the recovery codes, which are shown once; all other sessions end. Raises WrongCode, LockedOut."""
        ...

    async def remove_second_factor(self, viewer: Viewer, token: str, current: str, code: str) -> None:
        """Remove one's own; all other sessions end. Raises WrongPassword, WrongCode, LockedOut, TooBusy."""
        ...

    async def link(self, viewer: Viewer, username: str, subject: str | None) -> None:
        """Link it to a person at the identity provider, or to none. Raises BadAccountOrder, IdentityTaken."""
        ...

    async def reset_second_factor(self, viewer: Viewer, username: str) -> None:
        """Remove that of somebody who lost it."""
        ...

    async def sign_out_everywhere(self, viewer: Viewer) -> None: ...

    async def listed(self, viewer: Viewer) -> Sequence[AccountRow]: ...

    async def create(self, viewer: Viewer, asked: NewAccount) -> str:
        """Return the one-time password. Raises AccountExists, BadAccountOrder."""
        ...

    async def edit(self, viewer: Viewer, asked: NewAccount) -> None:
        """Change everything but name and password; its sessions end. Raises BadAccountOrder."""
        ...

    async def reset(self, viewer: Viewer, username: str) -> str:
        """Return a new one-time password; opens a disabled account again."""
        ...

    async def disable(self, viewer: Viewer, username: str) -> None: ...

    async def make_screen(self, viewer: Viewer, asked: NewScreen) -> ScreenKey:
        """Make a screen, or give it a new key in the place of the old. Raises AccountExists, BadAccountOrder."""
        ...

    async def sign_out(self, viewer: Viewer, username: str) -> None:
        """End all sessions of an account."""
        ...


class SystemStore(Protocol):
    async def stored(self, now: datetime) -> Stored:
        """Return what the database tells of FireNet itself. Raises DataUnavailable."""
        ...


class SystemProbe(Protocol):
    """Looks at FireNet's own processes. Neither method raises: who does not answer is seen not to."""

    async def services(self) -> Sequence[ServiceSeen]:
        """Return every service that was named, with every instance that its name led to."""
        ...

    async def broker_end(self) -> datetime | None:
        """Return when the broker's certificate ends, None where nobody could see."""
        ...


class SystemHealths(Protocol):
    async def now(self, viewer: Viewer) -> SystemHealth:
        """Return how FireNet is, some seconds old at most. Raises NotAllowed."""
        ...
