"""Schedules of reports for the pages, and the part that makes and sends their mails."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from services.console.domain.errors import (
    BadRecipients,
    DataUnavailable,
    DocumentRefused,
    DocumentsUnavailable,
    NotFound,
)
from services.console.domain.history import Subject, may_see
from services.console.domain.report import ReportQuery, period_of
from services.console.domain.report_schedules import (
    LEASE,
    MAX_RECIPIENTS,
    WAITS,
    MailCounts,
    NewSchedule,
    ReportContact,
    ReportMail,
    ScheduleAct,
    SchedulePage,
    ScheduleRow,
    StopPage,
    Tried,
    Trouble,
    may_receive,
    may_schedule,
    plan,
    require_schedules,
)
from services.console.domain.viewer import Viewer
from services.console.metrics import ReportMailMetrics
from services.console.ports.accounts import Secrets
from services.console.ports.reports import (
    RateHistories,
    ReportCarrier,
    ReportFiles,
    ReportMaker,
    ReportOutbox,
    ScheduleRepository,
)
from services.kernel.words import Language
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

EVERY_S = 60.0
FILES_KEPT_S = 300.0
"""Recipients of one report are sent the same files, without making them anew for each."""


class ScheduleUseCases:
    """Implements the port `ReportSchedules`. `sends`: a mail server is set."""

    def __init__(
        self, repository: ScheduleRepository, histories: RateHistories, secrets: Secrets, clock: Clock, *, sends: bool
    ) -> None:
        self._repository = repository
        self._histories = histories
        self._secrets = secrets
        self._clock = clock
        self._sends = sends

    async def page(self, viewer: Viewer) -> SchedulePage:
        rows = [
            _seen_by(viewer, row)
            for row in await self._repository.rows(self._clock.now())
            if _sees(viewer, row.subject)
        ]
        return SchedulePage(tuple(rows), may_schedule(viewer), self._sends)

    async def contacts(self, viewer: Viewer, subject: Subject) -> Sequence[ReportContact]:
        may_see(require_schedules(viewer), subject)
        return [each for each in await self._repository.contacts() if may_receive(each, subject)]

    async def create(self, viewer: Viewer, new: NewSchedule) -> int:
        may_see(require_schedules(viewer), new.subject)
        if new.subject not in await self._histories.subjects():
            raise NotFound
        chosen = await self._chosen(new.subject, new.contacts)
        keys = [self._secrets.token() for _ in chosen]
        return await self._repository.create(replace(new, contacts=chosen), keys, viewer.username, self._clock.now())

    async def choose(self, viewer: Viewer, schedule_id: int, contacts: Sequence[str]) -> None:
        require_schedules(viewer)
        schedule = await self._repository.one(schedule_id)
        chosen = await self._chosen(schedule.subject, contacts)
        keys = [self._secrets.token() for _ in chosen]
        await self._repository.choose(schedule_id, chosen, keys, viewer.username, self._clock.now())

    async def act(self, viewer: Viewer, schedule_id: int, act: ScheduleAct) -> None:
        await self._repository.act(schedule_id, act, require_schedules(viewer).username, self._clock.now())

    async def of_key(self, key: str) -> StopPage:
        return await self._repository.of_key(key)

    async def stop(self, key: str) -> None:
        await self._repository.stop(key, self._clock.now())

    async def _chosen(self, subject: Subject, contacts: Sequence[str]) -> tuple[str, ...]:
        """Return them in order, each once. Raises BadRecipients."""
        known = {each.contact_id for each in await self._repository.contacts() if may_receive(each, subject)}
        chosen = tuple(sorted(set(contacts)))
        if not chosen or len(chosen) > MAX_RECIPIENTS or not known.issuperset(chosen):
            raise BadRecipients
        return chosen


def _sees(viewer: Viewer, subject: Subject) -> bool:
    try:
        may_see(viewer, subject)
    except NotFound:
        return False
    return True


def _seen_by(viewer: Viewer, row: ScheduleRow) -> ScheduleRow:
    """Return the row with the viewer's own contacts alone, unless it may see all."""
    if viewer.slice.whole:
        return row
    return replace(row, recipients=tuple(each for each in row.recipients if each.body == viewer.slice.department))


class ReportMailer:
    """Makes the mails of periods that closed, and sends them one by one.

    Nothing that goes wrong here ends the console, which shows fires: it is counted, told, and tried again.
    """

    def __init__(
        self,
        *,
        outbox: ReportOutbox,
        maker: ReportMaker,
        carrier: ReportCarrier,
        clock: Clock,
        metrics: ReportMailMetrics,
        an_hour: int,
    ) -> None:
        self._outbox = outbox
        self._maker = maker
        self._carrier = carrier
        self._clock = clock
        self._metrics = metrics
        self._an_hour = an_hour
        self._made: tuple[tuple[ReportQuery, Language], float, ReportFiles] | None = None
        self._sending: asyncio.Task[None] | None = None

    async def run(self, stop: Stop) -> None:
        while not stop.is_set():
            try:
                await self.turn(stop)
            except DataUnavailable:
                self._metrics.turns.labels("data_unavailable").inc()
            except Exception as error:  # noqa: BLE001 - our bug about a report must not end the page of fires
                self._metrics.turns.labels("failed").inc()
                get_logger().exception("report_mails_failed", reason=type(error).__name__)
            else:
                self._metrics.turns.labels("ok").inc()
            await stop.wait_for(EVERY_S)

    async def turn(self, stop: Stop) -> None:
        """Plan what is due, send what waits, count. Raises DataUnavailable."""
        await self._plan()
        while not stop.is_set() and await self._send_one():
            pass
        counts = await self._outbox.counts(self._clock.now())
        self._show(counts)
        await self._outbox.forget(self._clock.now())

    async def _plan(self) -> None:
        for schedule, closed in await self._outbox.due(self._clock.now()):
            found = plan(schedule, closed, self._clock.now())
            if found is None:
                continue
            made = await self._outbox.plan(schedule, found, self._clock.now())
            if made:
                self._metrics.passed_over.inc(found.passed_over)
                get_logger().info(
                    "report_mails_planned", schedule_id=schedule.schedule_id, first=found.first.isoformat(),
                    edition=found.edition, mails=made, passed_over=found.passed_over,
                )  # fmt: skip

    async def _send_one(self) -> bool:
        """Return whether there was one."""
        mail = await self._outbox.claim(self._clock.now(), self._an_hour)
        if mail is None:
            return False
        self._sending = asyncio.create_task(self._bring(mail))
        await asyncio.shield(self._sending)
        return True

    async def drain(self) -> None:
        """Wait for the mail that is on its way and until that is written down: else it would be sent once more.

        So it is not cut off with `run`, which has little time to end.
        """
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=LEASE.total_seconds())

    async def _bring(self, mail: ReportMail) -> None:
        how = await self._try(mail)
        await self._outbox.tried(mail, how, self._clock.now())
        self._metrics.tries.labels(how.trouble or "sent").inc()
        get_logger().info(
            "report_mail_tried", mail_id=mail.mail_id, schedule_id=mail.schedule_id, contact_id=mail.contact_id,
            first=mail.first.isoformat(), edition=mail.edition, attempt=mail.attempt, outcome=how.trouble or "sent",
        )  # fmt: skip

    async def _try(self, mail: ReportMail) -> Tried:
        if mail.attempt > len(WAITS) + 1:
            return Tried(Trouble.LOST)  # each try ended with its process
        found = [each for each in await self._outbox.contacts() if each.contact_id == mail.contact_id]
        if not found or not may_receive(found[0], mail.subject):
            return Tried(Trouble.NO_ADDRESS)
        contact = found[0]
        try:
            files = await self._files(mail, contact.language)
        except (DataUnavailable, DocumentsUnavailable, DocumentRefused):
            return Tried(Trouble.NO_REPORT)
        except Exception as error:  # noqa: BLE001 - one report that meets our bug must not stop all others
            get_logger().exception("report_not_made", mail_id=mail.mail_id, reason=type(error).__name__)
            return Tried(Trouble.NO_REPORT)
        if not files.closed:  # what is provisional is sent to nobody
            return Tried(Trouble.NO_REPORT)
        trouble = await self._carrier.send(mail, contact, files)
        return Tried(trouble) if trouble else Tried(None, contact.address, files.revision)

    async def _files(self, mail: ReportMail, language: Language) -> ReportFiles:
        query = ReportQuery(mail.subject, mail.kind, mail.first, period_of(mail.kind, mail.first)[1])
        kept, now = self._made, self._clock.monotonic()
        if kept is None or kept[0] != (query, language) or now - kept[1] > FILES_KEPT_S:
            files = await self._maker.made(query, language)
            kept = self._made = ((query, language), self._clock.monotonic(), files)
        return kept[2]

    def _show(self, counts: MailCounts) -> None:
        now = self._clock.now()
        self._metrics.waiting.set(counts.waiting)
        self._metrics.failed.set(counts.failed)
        self._metrics.oldest.set(0 if counts.oldest is None else max(0.0, (now - counts.oldest).total_seconds()))
