"""`ScheduleRepository` and `ReportOutbox` on the tables of the console, of compliance and of the registry."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row, all_rows
from services.console.adapters.statements import SQL
from services.console.domain.errors import BadLink, NotFound, ScheduleExists
from services.console.domain.history import Subject
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
    link,
    next_try,
    upcoming,
)
from services.kernel.calendar import day_of, micros, midnight, moment
from services.kernel.words import BodyKind, Dimension, Language, Period
from services.runtime.postgres import AdvisoryLock, Connection, Pool

MAX_SCHEDULES = 1000
MAX_CONTACTS = 5000
MAX_PERIODS = 40
"""Closed periods that are looked at, of each schedule: what is older than these is not counted as passed over."""
LOOKS_BACK = {
    Period.DAY: 40, Period.WEEK: 120, Period.MONTH: 400, Period.QUARTER: 800, Period.HALF_YEAR: 1200, Period.YEAR: 1500,
}  # fmt: skip
"""Days."""
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
ACTS = {
    ScheduleAct.PAUSE: (SQL["schedule_pause"],),
    ScheduleAct.RESUME: (SQL["schedule_resume"], SQL["report_mails_stale"]),
    ScheduleAct.RETRY: (SQL["schedule_retry"],),
    ScheduleAct.REMOVE: (SQL["schedule_remove"],),
}
CHOOSING = SQL["schedule_drop_recipients"], SQL["report_mails_stale"], SQL["schedule_add_recipients"]


class PostgresReportSchedules:
    """Every call is one transaction."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            yield connection

    # --- the book

    async def rows(self, now: datetime) -> Sequence[ScheduleRow]:
        async with self._transaction() as connection:
            standing = await all_rows(connection, SQL["schedules_standing"], most=MAX_SCHEDULES)
            ids = [row[0] for row in standing]
            sent = {row[0]: row[1:] for row in await all_rows(connection, SQL["schedule_last_sent"], schedules=ids)}
            names = {each.contact_id: each for each in await self._contacts(connection)}
            to: dict[int, list[RecipientRow]] = defaultdict(list)
            for row in await all_rows(connection, SQL["schedule_recipients"], schedules=ids):
                to[row[0]].append(_recipient(row, names))
            closed = await self._closed(connection, now)
            made = []
            for row in standing:
                schedule = _schedule(row[:10])
                first, last = upcoming(schedule, closed.get(schedule.schedule_id, ()))
                at, newest = sent.get(schedule.schedule_id, (None, None))
                made.append(
                    ScheduleRow(
                        schedule.schedule_id, schedule.subject, schedule.kind, schedule.paused, row[10],
                        schedule.passed_over, at, newest, first, last, tuple(to[schedule.schedule_id]),
                    )
                )  # fmt: skip
            return made

    async def contacts(self) -> Sequence[ReportContact]:
        async with self._transaction() as connection:
            return await self._contacts(connection)

    async def one(self, schedule_id: int) -> Schedule:
        async with self._transaction() as connection:
            return await _standing(connection, schedule_id)

    async def create(self, new: NewSchedule, keys: Sequence[str], by: str, now: datetime) -> int:
        async with self._transaction() as connection:
            asked = {"dimension": new.subject.dimension.value, "subject": new.subject.value, "kind": new.kind.value}
            found = await all_rows(connection, SQL["schedule_create"], **asked, by=by, now=now)
            if not found:
                raise ScheduleExists
            ((schedule_id,),) = found
            await _do(
                connection, SQL["schedule_add_recipients"],
                schedule_id=schedule_id, contacts=list(new.contacts), keys=list(keys),
            )  # fmt: skip
            await append_audit(connection, ScheduleEntry(now, by, "create", str(schedule_id), _told(new, new.contacts)))
            return int(schedule_id)

    async def choose(
        self, schedule_id: int, contacts: Sequence[str], keys: Sequence[str], by: str, now: datetime
    ) -> None:
        async with self._transaction() as connection:
            schedule = await _standing(connection, schedule_id)
            asked = {"schedule_id": schedule_id, "contacts": list(contacts), "keys": list(keys), "before": now - DAY}
            for statement in (
                SQL["schedule_drop_recipients"],
                SQL["report_mails_stale"],
                SQL["schedule_add_recipients"],
            ):
                await _do(connection, statement, **asked)
            told = _told(schedule, contacts)
            await append_audit(connection, ScheduleEntry(now, by, "recipients", str(schedule_id), told))

    async def act(self, schedule_id: int, act: ScheduleAct, by: str, now: datetime) -> None:
        async with self._transaction() as connection:
            schedule = await _standing(connection, schedule_id)
            for statement in ACTS[act]:
                await _do(connection, statement, schedule_id=schedule_id, now=now, before=now - DAY)
            await append_audit(connection, ScheduleEntry(now, by, act.value, str(schedule_id), _told(schedule)))

    async def of_key(self, key: str) -> StopPage:
        async with self._transaction() as connection:
            schedule, _, stopped = await _of_key(connection, key)
            return StopPage(schedule.subject, schedule.kind, stopped)

    async def stop(self, key: str, now: datetime) -> None:
        async with self._transaction() as connection:
            schedule, contact, stopped = await _of_key(connection, key)
            if not stopped:
                stopped_one = {"schedule_id": schedule.schedule_id, "contact": contact}
                await _do(connection, SQL["schedule_stop"], **stopped_one, now=now)
                about, by = str(schedule.schedule_id), f"contact:{contact}"
                await append_audit(connection, ScheduleEntry(now, by, "stop", about, _told(schedule)))

    async def audited(self) -> Sequence[ScheduleLink]:
        async with self._transaction() as connection:
            return [_link(row) for row in await all_rows(connection, SQL["schedule_audited"])]

    # --- the outbox

    async def due(self, now: datetime) -> Sequence[tuple[Schedule, Sequence[ClosedPeriod]]]:
        async with self._transaction() as connection:
            standing = await all_rows(connection, SQL["schedules_standing"], most=MAX_SCHEDULES)
            schedules = [_schedule(row[:10]) for row in standing]
            closed = await self._closed(connection, now)
            return [(each, closed.get(each.schedule_id, [])) for each in schedules if not each.paused]

    async def plan(self, schedule: Schedule, plan: Plan, now: datetime) -> int:
        asked = {
            "schedule_id": schedule.schedule_id,
            "first": plan.first,
            "edition": plan.edition,
            "revision": plan.revision,
            "passed_over": plan.passed_over,
            "former": schedule.planned_from,
            "former_edition": schedule.planned_edition,
            "now": now,
        }
        async with self._transaction() as connection:
            if not await _do(connection, SQL["schedule_planned"], **asked):
                return 0
            mails = SQL["schedule_mails_of_report"] if plan.edition == 1 else SQL["schedule_mails_of_correction"]
            return await _do(connection, mails, **asked)

    async def claim(self, now: datetime, an_hour: int) -> ReportMail | None:
        async with self._transaction() as connection:
            await all_rows(connection, SQL["report_mails_lock"], key=int(AdvisoryLock.REPORT_MAILS))
            ((begun,),) = await all_rows(connection, SQL["report_mails_begun"], since=now - HOUR)
            if begun >= an_hour:
                return None
            found = await all_rows(connection, SQL["report_mail_claim"], now=now, lease=now + LEASE)
            for mail_id, schedule_id, dimension, subject, kind, *rest in found:
                return ReportMail(mail_id, schedule_id, Subject(Dimension(dimension), subject), Period(kind), *rest)
            return None

    async def tried(self, mail: ReportMail, how: Tried, now: datetime) -> None:
        again = None if how.trouble is None else next_try(mail.attempt, how.trouble, now)
        sent, waits = how.trouble is None, again is not None
        state = MailState.SENT if sent else MailState.WAITING if waits else MailState.FAILED
        async with self._transaction() as connection:
            await _do(
                connection, SQL["report_mail_tried"],
                mail_id=mail.mail_id, attempt=mail.attempt, state=state.value, trouble=how.trouble or "", next=again,
                sent_at=now if sent else None, revision=how.revision if sent else None,
                address=how.address if sent else None,
            )  # fmt: skip

    async def counts(self, now: datetime) -> MailCounts:
        async with self._transaction() as connection:
            ((waiting, failed, oldest),) = await all_rows(connection, SQL["report_mails_counts"], since=now - WEEK)
            return MailCounts(waiting, failed, oldest)

    async def forget(self, now: datetime) -> None:
        async with self._transaction() as connection:
            await _do(connection, SQL["report_mails_forget"], before=now - KEPT)

    # --- of both

    async def _contacts(self, connection: Connection) -> list[ReportContact]:
        found = await all_rows(connection, SQL["schedule_contacts"], most=MAX_CONTACTS)
        return [
            ReportContact(contact_id, name, body, BodyKind(kind), address, Language(language))
            for contact_id, name, body, kind, address, language in found
        ]

    async def _closed(self, connection: Connection, now: datetime) -> Mapping[int, list[ClosedPeriod]]:
        """Return those of every standing schedule, in one statement: the page asks for them again and again."""
        today = day_of(micros(now))
        asked = {
            "kinds": [kind.value for kind in LOOKS_BACK],
            "froms": [moment(midnight(today - days)) for days in LOOKS_BACK.values()],
            "most": MAX_PERIODS,
        }
        found: dict[int, list[ClosedPeriod]] = defaultdict(list)
        for schedule_id, *period in await all_rows(connection, SQL["schedules_closed"], **asked):
            found[schedule_id].append(ClosedPeriod(*period))
        return found


async def _do(connection: Connection, statement: str, **parameters: Any) -> int:
    """Return how many rows it changed."""
    return (await connection.execute(statement.encode(), parameters)).rowcount


def _schedule(row: Row) -> Schedule:
    schedule_id, dimension, subject, kind, *rest = row
    return Schedule(schedule_id, Subject(Dimension(dimension), subject), Period(kind), *rest)


async def _standing(connection: Connection, schedule_id: int) -> Schedule:
    found = await all_rows(connection, SQL["schedule_one"], schedule_id=schedule_id)
    if not found:
        raise NotFound
    return _schedule(found[0])


async def _of_key(connection: Connection, key: str) -> tuple[Schedule, str, bool]:
    found = await all_rows(connection, SQL["schedule_of_key"], key=key)
    if not found:
        raise BadLink
    return _schedule(found[0][:10]), found[0][10], found[0][11]


def _recipient(row: Row, names: Mapping[str, ReportContact]) -> RecipientRow:
    contact = names.get(row[1])
    state = None if row[3] is None else MailState(row[3])
    known = (contact.name, contact.body) if contact else ("", "")
    if state is None:
        return RecipientRow(row[1], *known, row[2])
    return RecipientRow(row[1], *known, row[2], state, *row[4:])


def _told(what: NewSchedule | Schedule, contacts: Sequence[str] | None = None) -> dict[str, object]:
    told: dict[str, object] = {
        "dimension": what.subject.dimension.value,
        "subject": what.subject.value,
        "period": what.kind.value,
    }
    return told if contacts is None else told | {"contacts": sorted(contacts)}


def _link(row: Row) -> ScheduleLink:
    seq, at, by, action, about, detail, prev_hash, made = row
    return ScheduleLink(seq, ScheduleEntry(at, by, action, about, detail), prev_hash, made)


async def append_audit(connection: Connection, entry: ScheduleEntry) -> None:
    await _do(connection, SQL["schedule_audit_lock"])
    last = await all_rows(connection, SQL["schedule_audit_last"])
    made = link(entry, _link(last[0]) if last else None)
    detail = json.dumps(dict(entry.detail), ensure_ascii=False)
    row = [made.seq, entry.at, entry.by, entry.action, entry.about, detail, made.prev_hash, made.hash]
    await connection.execute(SQL["schedule_audit"].encode(), row)
