"""Reports that are sent by mail: which period is due, to whom, and when a mail that failed is tried again.

A period is due once its figures are published, never by the clock alone. Instants are UTC, `now` is an argument.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.console.domain.errors import NotAllowed
from services.console.domain.history import Subject
from services.console.domain.report import period_of
from services.console.domain.viewer import Viewer
from services.kernel import chain
from services.kernel.calendar import CHINA
from services.kernel.words import BodyKind, Dimension, Language, Period, Role

SETTLED = timedelta(minutes=10)
"""So long a period rests after its first publication: of days that are caught up with, only the last is sent."""
CORRECTED_AFTER = timedelta(days=1)
"""So long nothing may have been revised before a correction leaves: one a day at most."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 120, 240, 480, 480))
"""Between the tries of a mail: a day in all, then somebody has to look."""
LEASE = timedelta(minutes=10)
"""A try that has not ended by then was killed, and the mail is tried again."""
KEPT = timedelta(days=800)
"""How long it stays known what was sent: two years and some."""
SEES_ALL = frozenset({BodyKind.BRIGADE, BodyKind.CENTRE, BodyKind.COMMITTEE, BodyKind.GOVERNMENT})
MAX_RECIPIENTS = 50


class MailState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Trouble(StrEnum):
    """Why a try to send a mail failed."""

    NO_ADDRESS = "no_address"
    """The register has no such contact any more, none with an address, or none that may have this report."""
    BAD_ADDRESS = "bad_address"
    REFUSED = "refused"
    """The mail server refused it for good."""
    NOT_NOW = "not_now"
    """The mail server did not answer, or asked for patience."""
    NO_REPORT = "no_report"
    """The report, or its PDF, could not be made."""
    LOST = "lost"
    """The process that sent it ended meanwhile, again and again."""

    @property
    def lasts(self) -> bool:
        return self in (Trouble.NO_ADDRESS, Trouble.BAD_ADDRESS, Trouble.REFUSED)


class ScheduleAct(StrEnum):
    """What may be done to a schedule that there is."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """`closed_at`: when figures of it were first published; `published_at`: when the last of them were.

    `revision` is that of all its figures together: how many publications they have. It grows with each of any figure.
    """

    first: date
    last: date
    revision: int
    closed_at: datetime
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was planned so far: see the table. `planned_from` None: nothing yet."""

    schedule_id: int
    subject: Subject
    kind: Period
    since: datetime
    paused: bool = False
    planned_from: date | None = None
    planned_edition: int = 0
    planned_revision: int = 0
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Mails to be made: of a period that closed, or, from edition 2 on, of one that was revised since."""

    first: date
    edition: int
    revision: int
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class ReportContact:
    """An office of the register with a mail address."""

    contact_id: str
    name: str
    body: str
    body_kind: BodyKind
    address: str
    language: Language


@dataclass(frozen=True, slots=True)
class NewSchedule:
    subject: Subject
    kind: Period
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A mail that this process may try now. `attempt` counts from 1; `correction`: a report of it was sent before."""

    mail_id: int
    schedule_id: int
    subject: Subject
    kind: Period
    first: date
    edition: int
    contact_id: str
    stop_key: str
    attempt: int

    @property
    def correction(self) -> bool:
        return self.edition > 1


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try ended; `trouble` None: sent."""

    trouble: Trouble | None = None
    address: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A recipient with the newest mail to him; `state` None: there was none yet."""

    contact_id: str
    name: str
    body: str
    stopped: bool
    state: MailState | None = None
    attempts: int = 0
    trouble: str = ""
    period_from: date | None = None
    sent_at: datetime | None = None
    edition: int = 0
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule as the page shows it. `next_first` to `next_last`: the period that is sent next."""

    schedule_id: int
    subject: Subject
    kind: Period
    paused: bool
    created_by: str
    passed_over: int
    last_sent_at: datetime | None
    last_from: date | None
    next_first: date
    next_last: date
    recipients: tuple[RecipientRow, ...]


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """`sends` False: no mail server is set, so that nothing leaves. `may`: the viewer may change them."""

    rows: tuple[ScheduleRow, ...]
    may: bool
    sends: bool


@dataclass(frozen=True, slots=True)
class StopPage:
    """What a link in a mail is about: whose report of which kind, and whether it was stopped already."""

    subject: Subject
    kind: Period
    stopped: bool


@dataclass(frozen=True, slots=True)
class MailCounts:
    """`oldest`: since when the oldest is waiting that was tried in vain.

    `failed`: given up within a week, of the newest period that was planned, to who wants it: it can be sent again.
    """

    waiting: int
    failed: int
    oldest: datetime | None


def may_schedule(viewer: Viewer) -> bool:
    """Brigade and centre see the whole district, and so may say who is sent what of it."""
    return viewer.role in (Role.BRIGADE, Role.CENTRE)


def require_schedules(viewer: Viewer) -> Viewer:
    """Raises NotAllowed."""
    if not may_schedule(viewer):
        raise NotAllowed("brigade and centre schedule reports")
    return viewer


def may_receive(contact: ReportContact, subject: Subject) -> bool:
    """Return whether a body may be sent a report: as in the browser, its own, or all where it sees the district."""
    if contact.body_kind in SEES_ALL:
        return True
    return subject.dimension in (Dimension.TOWN, Dimension.DEPARTMENT) and subject.value == contact.body


def plan(schedule: Schedule, closed: Iterable[ClosedPeriod], now: datetime) -> Plan | None:
    """Return what is to be sent now, None for nothing.

    Of several periods that closed since the last one was sent, the newest; the others are counted. Without a new one, a
    correction of the last one, once its figures were revised and have rested since.
    """
    if schedule.paused:
        return None
    periods = list(closed)
    new = [
        each
        for each in periods
        if each.closed_at > schedule.since and (schedule.planned_from is None or each.first > schedule.planned_from)
    ]
    if new:
        newest = max(new, key=lambda each: each.first)
        rested = now - newest.closed_at >= SETTLED
        return Plan(newest.first, 1, newest.revision, len(new) - 1) if rested else None
    for each in periods:
        revised = each.first == schedule.planned_from and each.revision > schedule.planned_revision
        if revised and now - each.published_at >= CORRECTED_AFTER:
            return Plan(each.first, schedule.planned_edition + 1, each.revision)
    return None


def upcoming(schedule: Schedule, closed: Sequence[ClosedPeriod]) -> tuple[date, date]:
    """Return first and last day of the period that is sent next: one that closed already, or the one to close next."""
    newest = max(closed, key=lambda each: each.first, default=None)
    if newest is None:
        return period_of(schedule.kind, schedule.since.astimezone(CHINA).date())
    unsent = schedule.planned_from is None or newest.first > schedule.planned_from
    if unsent and newest.closed_at > schedule.since:
        return newest.first, newest.last
    return period_of(schedule.kind, newest.last + timedelta(days=1))


def next_try(attempt: int, trouble: Trouble, now: datetime) -> datetime | None:
    """Return when a mail is tried again after its n-th try failed; None: never by itself."""
    if trouble.lasts or attempt > len(WAITS):
        return None
    return now + WAITS[attempt - 1]


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """`by` did `action` to the schedule `about`; `detail`: how it stands since."""

    at: datetime
    by: str
    action: str
    about: str
    detail: Mapping[str, object]


ScheduleLink = chain.Link[ScheduleEntry]


def link(what: ScheduleEntry, last: ScheduleLink | None) -> ScheduleLink:
    """Return an entry linked behind the last one."""
    return chain.linked(what, last, _row)


def broken_at(links: Iterable[ScheduleLink]) -> int | None:
    """Return the first place in which the chain does not hold, None when all of it does. In the order of `seq`."""
    return chain.broken_at(links, _row)


def _row(seq: int, what: ScheduleEntry) -> dict[str, object]:
    at = what.at.astimezone(CHINA).isoformat(timespec="microseconds")
    said = {"at": at, "account": what.by, "action": what.action, "about": what.about}
    return {"seq": seq, **said, "detail": dict(what.detail)}
