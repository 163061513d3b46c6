"""Rates over time, reports of them, and their sending by mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.console.domain.history import HistoryQuery, RateHistory, Subject
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
from services.console.domain.viewer import BodyCode, Viewer
from services.kernel.words import Language, Period


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


class ScheduleRepository(Protocol):
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
