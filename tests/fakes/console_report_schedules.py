"""Schedules of reports and their mails in memory; a maker and a carrier that do as they are told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from services.console.domain.errors import BadLink, DocumentsUnavailable, NotFound, ScheduleExists
from services.console.domain.history import Subject
from services.console.domain.report import ReportQuery, Sheet
from services.console.domain.report_schedules import (
    KEPT,
    LEASE,
    ClosedPeriod,
    MailCounts,
    MailState,
    NewSchedule,
    Plan,
    RecipientRow,
    ReportContact,
    ReportMail,
    Schedule,
    ScheduleAct,
    ScheduleEntry,
    ScheduleLink,
    ScheduleRow,
    StopPage,
    Tried,
    Trouble,
    link,
    next_try,
    upcoming,
)
from services.console.ports.reports import ReportFiles
from services.kernel.words import Language, Period

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


@dataclass
class _Recipient:
    contact_id: str
    key: str
    stopped: bool = False


@dataclass
class _Mail:
    mail_id: int
    schedule_id: int
    contact_id: str
    first: date
    edition: int
    planned_at: datetime
    next_try_at: datetime
    state: MailState = MailState.WAITING
    attempts: int = 0
    tried_at: datetime | None = None
    trouble: str = ""
    sent_at: datetime | None = None
    revision: int = 0


@dataclass
class FakeReportSchedules:
    """Implements `ScheduleRepository` and `ReportOutbox`. `closed` is what compliance has published."""

    known: list[ReportContact] = field(default_factory=list)
    closed: dict[tuple[Subject, Period], list[ClosedPeriod]] = field(default_factory=dict)
    _schedules: dict[int, Schedule] = field(default_factory=dict)
    _by: dict[int, str] = field(default_factory=dict)
    _removed: set[int] = field(default_factory=set)
    _to: dict[int, dict[str, _Recipient]] = field(default_factory=dict)
    _former: dict[str, tuple[int, str]] = field(default_factory=dict)
    _mails: list[_Mail] = field(default_factory=list)
    _links: list[ScheduleLink] = field(default_factory=list)

    def _standing(self) -> list[Schedule]:
        found = [each for number, each in self._schedules.items() if number not in self._removed]
        return sorted(found, key=lambda each: (each.subject.dimension, each.subject.value, each.kind))

    def _closed(self, schedule: Schedule) -> list[ClosedPeriod]:
        return self.closed.get((schedule.subject, schedule.kind), [])

    async def rows(self, now: datetime) -> Sequence[ScheduleRow]:
        return [self._row(each) for each in self._standing()]

    def _row(self, schedule: Schedule) -> ScheduleRow:
        own = [each for each in self._mails if each.schedule_id == schedule.schedule_id]
        sent = [each for each in own if each.sent_at is not None]
        first, last = upcoming(schedule, self._closed(schedule))
        return ScheduleRow(
            schedule.schedule_id,
            schedule.subject,
            schedule.kind,
            schedule.paused,
            self._by[schedule.schedule_id],
            schedule.passed_over,
            max((each.sent_at for each in sent if each.sent_at), default=None),
            max((each.first for each in sent), default=None),
            first,
            last,
            tuple(self._recipient(each, own) for _, each in sorted(self._to[schedule.schedule_id].items())),
        )

    def _recipient(self, to: _Recipient, mails: list[_Mail]) -> RecipientRow:
        contact = next((each for each in self.known if each.contact_id == to.contact_id), None)
        names = (contact.name, contact.body) if contact else ("", "")
        own = [each for each in mails if each.contact_id == to.contact_id]
        if not own:
            return RecipientRow(to.contact_id, *names, to.stopped)
        mail = max(own, key=lambda each: (each.first, each.edition))
        return RecipientRow(
            to.contact_id, *names, to.stopped, mail.state, mail.attempts, mail.trouble, mail.first, mail.sent_at,
            mail.edition, mail.next_try_at,
        )  # fmt: skip

    async def contacts(self) -> Sequence[ReportContact]:
        return list(self.known)

    async def one(self, schedule_id: int) -> Schedule:
        if schedule_id not in self._schedules or schedule_id in self._removed:
            raise NotFound
        return self._schedules[schedule_id]

    async def create(self, new: NewSchedule, keys: Sequence[str], by: str, now: datetime) -> int:
        if any((each.subject, each.kind) == (new.subject, new.kind) for each in self._standing()):
            raise ScheduleExists
        number = len(self._schedules) + 1
        self._schedules[number] = Schedule(number, new.subject, new.kind, now)
        self._by[number] = by
        self._to[number] = {one: _Recipient(one, key) for one, key in zip(new.contacts, keys, strict=True)}
        self._audit(now, by, "create", number, new.contacts)
        return number

    async def choose(
        self, schedule_id: int, contacts: Sequence[str], keys: Sequence[str], by: str, now: datetime
    ) -> None:
        await self.one(schedule_id)
        former = self._to[schedule_id]
        for one, recipient in former.items():
            if one not in contacts:
                self._former[recipient.key] = schedule_id, one
        self._to[schedule_id] = {one: former[one] for one in contacts if one in former}
        self._forget_stale(schedule_id, now)
        for one, key in zip(contacts, keys, strict=True):
            self._to[schedule_id].setdefault(one, _Recipient(one, key)).stopped = False
        self._audit(now, by, "recipients", schedule_id, contacts)

    def _forget_stale(self, schedule_id: int, now: datetime) -> None:
        wanted = {name for name, each in self._to[schedule_id].items() if not each.stopped}
        self._mails = [
            each
            for each in self._mails
            if each.schedule_id != schedule_id
            or each.state is not MailState.WAITING
            or (each.planned_at >= now - DAY and each.contact_id in wanted)
        ]

    async def act(self, schedule_id: int, act: ScheduleAct, by: str, now: datetime) -> None:
        schedule = await self.one(schedule_id)
        match act:
            case ScheduleAct.PAUSE:
                self._schedules[schedule_id] = replace(schedule, paused=True)
            case ScheduleAct.RESUME:
                since = now if schedule.paused else schedule.since
                self._schedules[schedule_id] = replace(schedule, paused=False, since=since)
                self._forget_stale(schedule_id, now)
            case ScheduleAct.REMOVE:
                self._removed.add(schedule_id)
            case ScheduleAct.RETRY:
                for mail in self._mails:
                    own = (mail.schedule_id, mail.first) == (schedule_id, schedule.planned_from)
                    if own and mail.state is MailState.FAILED:
                        mail.state, mail.attempts, mail.next_try_at, mail.trouble = MailState.WAITING, 0, now, ""
        self._audit(now, by, act.value, schedule_id)

    def _of_key(self, key: str) -> tuple[int, _Recipient]:
        for number, recipients in self._to.items():
            for each in recipients.values():
                if each.key == key:
                    return self._made_again(number, each)
        if key in self._former:
            number, contact = self._former[key]
            taken_out = _Recipient(contact, key, stopped=True)
            return self._made_again(number, self._to[number].get(contact, taken_out))
        raise BadLink

    def _made_again(self, number: int, recipient: _Recipient) -> tuple[int, _Recipient]:
        was = self._schedules[number]
        for each in self._standing():
            if (each.subject, each.kind) == (was.subject, was.kind):
                again = self._to[each.schedule_id].get(recipient.contact_id)
                return (number, recipient) if again is None else (each.schedule_id, again)
        return number, recipient

    async def of_key(self, key: str) -> StopPage:
        number, recipient = self._of_key(key)
        schedule = self._schedules[number]
        return StopPage(schedule.subject, schedule.kind, recipient.stopped or number in self._removed)

    async def stop(self, key: str, now: datetime) -> None:
        number, recipient = self._of_key(key)
        if not recipient.stopped and number not in self._removed:
            recipient.stopped = True
            self._audit(now, f"contact:{recipient.contact_id}", "stop", number)

    async def audited(self) -> Sequence[ScheduleLink]:
        return list(self._links)

    def _audit(
        self, now: datetime, by: str, action: str, schedule_id: int, contacts: Sequence[str] | None = None
    ) -> None:
        schedule = self._schedules[schedule_id]
        detail: dict[str, object] = {
            "dimension": schedule.subject.dimension.value,
            "subject": schedule.subject.value,
            "period": schedule.kind.value,
        }
        detail |= {} if contacts is None else {"contacts": sorted(contacts)}
        entry = ScheduleEntry(now, by, action, str(schedule_id), detail)
        self._links.append(link(entry, self._links[-1] if self._links else None))

    # --- the outbox

    async def due(self, now: datetime) -> Sequence[tuple[Schedule, Sequence[ClosedPeriod]]]:
        return [(each, self._closed(each)) for each in self._standing() if not each.paused]

    async def plan(self, schedule: Schedule, plan: Plan, now: datetime) -> int:
        standing = self._schedules[schedule.schedule_id]
        was = (standing.planned_from, standing.planned_edition)
        if was != (schedule.planned_from, schedule.planned_edition) or standing.paused:
            return 0
        self._schedules[schedule.schedule_id] = replace(
            standing,
            planned_from=plan.first,
            planned_edition=plan.edition,
            planned_revision=plan.revision,
            passed_over=standing.passed_over + plan.passed_over,
        )
        made = 0
        for each in self._to[schedule.schedule_id].values():
            if not each.stopped and (plan.edition == 1 or self._was_sent_older(schedule, plan, each.contact_id)):
                number = len(self._mails) + 1
                self._mails.append(
                    _Mail(number, schedule.schedule_id, each.contact_id, plan.first, plan.edition, now, now)
                )
                made += 1
        return made

    def _was_sent_older(self, schedule: Schedule, plan: Plan, contact_id: str) -> bool:
        own = [
            each
            for each in self._mails
            if (each.schedule_id, each.first, each.contact_id) == (schedule.schedule_id, plan.first, contact_id)
        ]
        sent = [each.revision for each in own if each.sent_at is not None]
        waits = any(each.state is MailState.WAITING for each in own)
        return bool(sent) and max(sent) < plan.revision and not waits

    def _wanted(self, mail: _Mail) -> bool:
        return mail.state is MailState.WAITING and self._is_wanted(mail)

    def _is_wanted(self, mail: _Mail) -> bool:
        recipient = self._to[mail.schedule_id].get(mail.contact_id)
        stands = mail.schedule_id not in self._removed and not self._schedules[mail.schedule_id].paused
        return stands and recipient is not None and not recipient.stopped

    async def claim(self, now: datetime, an_hour: int) -> ReportMail | None:
        if sum(each.tried_at is not None and each.tried_at > now - HOUR for each in self._mails) >= an_hour:
            return None
        due = [each for each in self._mails if self._wanted(each) and each.next_try_at <= now]
        if not due:
            return None
        mail = min(due, key=lambda each: (each.next_try_at, each.mail_id))
        mail.attempts, mail.tried_at, mail.next_try_at = mail.attempts + 1, now, now + LEASE
        schedule, to = self._schedules[mail.schedule_id], self._to[mail.schedule_id][mail.contact_id]
        return ReportMail(
            mail.mail_id, mail.schedule_id, schedule.subject, schedule.kind, mail.first, mail.edition,
            mail.contact_id, to.key, mail.attempts,
        )  # fmt: skip

    async def tried(self, mail: ReportMail, how: Tried, now: datetime) -> None:
        (own,) = [each for each in self._mails if each.mail_id == mail.mail_id]
        if own.attempts != mail.attempt or own.state is not MailState.WAITING:
            return
        if how.trouble is None:
            own.state, own.sent_at, own.revision, own.trouble = MailState.SENT, now, how.revision or 0, ""
            return
        again = next_try(mail.attempt, how.trouble, now)
        own.trouble, own.state = how.trouble, MailState.WAITING if again else MailState.FAILED
        own.next_try_at = again or own.next_try_at

    async def counts(self, now: datetime) -> MailCounts:
        waiting = [each for each in self._mails if self._wanted(each)]
        failed = [
            each
            for each in self._mails
            if each.state is MailState.FAILED
            and self._is_wanted(each)
            and each.first == self._schedules[each.schedule_id].planned_from
            and each.tried_at is not None
            and each.tried_at > now - WEEK
        ]
        tried = [each.planned_at for each in waiting if each.attempts and each.trouble]
        return MailCounts(len(waiting), len(failed), min(tried, default=None))

    async def forget(self, now: datetime) -> None:
        self._mails = [each for each in self._mails if each.planned_at >= now - KEPT]


@dataclass
class FakeReportMaker:
    """Implements `ReportMaker`. `broken`: it raises DocumentsUnavailable; `bug`: something that nobody expects."""

    revision: int = 1
    closed: bool = True
    broken: bool = False
    bug: bool = False
    asked: list[tuple[ReportQuery, Language]] = field(default_factory=list)

    async def made(self, query: ReportQuery, language: Language) -> ReportFiles:
        self.asked.append((query, language))
        if self.broken:
            raise DocumentsUnavailable
        if self.bug:
            raise ZeroDivisionError
        sheet = Sheet(language, "月报", "closed", query.ends_at, (), (), ())
        return ReportFiles((sheet,), self.revision, self.closed, b"%PDF", b"PK")


@dataclass
class FakeReportCarrier:
    """Implements `ReportCarrier`. `trouble` is what it says to each mail."""

    trouble: Trouble | None = None
    sent: list[tuple[str, date, int]] = field(default_factory=list)

    async def send(self, mail: ReportMail, contact: ReportContact, files: ReportFiles) -> Trouble | None:
        if self.trouble is None:
            self.sent.append((contact.address, mail.first, files.revision))
        return self.trouble
