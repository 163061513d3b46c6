"""Which report is due when, who may have it, and what the part that sends them does when something is in its way."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from services.console.domain.errors import BadRecipients, NotAllowed, NotFound
from services.console.domain.history import Subject
from services.console.domain.report import period_of
from services.console.domain.report_schedules import (
    CORRECTED_AFTER,
    SETTLED,
    WAITS,
    ClosedPeriod,
    MailState,
    NewSchedule,
    Plan,
    ReportContact,
    ReportMail,
    Schedule,
    ScheduleAct,
    Trouble,
    broken_at,
    may_receive,
    next_try,
    plan,
    upcoming,
)
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.metrics import ReportMailMetrics
from services.console.ports.reports import ReportFiles
from services.console.worker.report_schedules import ReportMailer, ScheduleUseCases
from services.kernel.words import BodyKind, Dimension, Language, Period
from services.runtime.lifecycle import Stop
from tests.fakes.clock import ManualClock
from tests.fakes.console import FakeSecrets
from tests.fakes.console_report_schedules import FakeReportCarrier, FakeReportMaker, FakeReportSchedules

NOW = datetime(2026, 3, 4, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DISTRICT, HEALTH = Subject(Dimension.DISTRICT, "sample"), Subject(Dimension.DEPARTMENT, "health")
DAILY = Schedule(1, DISTRICT, Period.DAY, NOW - 30 * DAY)


def closed(first: date, kind: Period = Period.DAY, revision: int = 1, at: datetime = NOW - HOUR) -> ClosedPeriod:
    return ClosedPeriod(*period_of(kind, first), revision, at if revision == 1 else at - DAY, at)


def contact(name: str, body: str, kind: BodyKind = BodyKind.DEPARTMENT) -> ReportContact:
    return ReportContact(name, name, body, kind, f"{name}@example.org", Language.ZH)


def test_nothing_is_due_before_figures_are_published_however_late_it_is() -> None:
    assert plan(DAILY, [], NOW) is None
    assert plan(replace(DAILY, planned_from=date(2026, 3, 1)), [closed(date(2026, 3, 1))], NOW) is None


def test_a_period_is_due_once_its_figures_have_rested() -> None:
    fresh = closed(date(2026, 3, 3), at=NOW - SETTLED + timedelta(seconds=1))
    assert plan(DAILY, [fresh], NOW) is None
    assert plan(DAILY, [fresh], NOW + timedelta(seconds=1)) == Plan(date(2026, 3, 3), 1, 1)


def test_a_sunday_and_a_holiday_are_days_like_others() -> None:
    sunday = datetime(2026, 10, 4, 1, tzinfo=UTC)  # in the week of the national holiday
    yesterday = closed(date(2026, 10, 3), at=sunday - HOUR)
    assert plan(replace(DAILY, since=sunday - DAY), [yesterday], sunday) == Plan(date(2026, 10, 3), 1, 1)


def test_what_was_published_before_the_schedule_was_made_is_not_sent() -> None:
    assert plan(replace(DAILY, since=NOW), [closed(date(2026, 3, 3))], NOW) is None


def test_of_what_was_missed_the_newest_is_sent_and_the_others_are_counted() -> None:
    days = [closed(date(2026, 3, day)) for day in (1, 2, 3)]
    was = replace(DAILY, planned_from=date(2026, 2, 28), planned_edition=1, planned_revision=1)
    assert plan(was, days, NOW) == Plan(date(2026, 3, 3), 1, 1, passed_over=2)


def test_while_days_are_caught_up_with_it_waits_for_the_last_of_them() -> None:
    days = [closed(date(2026, 3, 2)), closed(date(2026, 3, 3), at=NOW - timedelta(minutes=1))]
    assert plan(DAILY, days, NOW) is None


def test_a_paused_schedule_sends_nothing() -> None:
    assert plan(replace(DAILY, paused=True), [closed(date(2026, 3, 3))], NOW) is None


def test_a_correction_leaves_once_nothing_was_revised_for_a_day() -> None:
    sent = replace(DAILY, planned_from=date(2026, 3, 3), planned_edition=1, planned_revision=1)
    revised = closed(date(2026, 3, 3), revision=2, at=NOW - CORRECTED_AFTER + HOUR)
    assert plan(sent, [revised], NOW) is None
    assert plan(sent, [revised], NOW + HOUR) == Plan(date(2026, 3, 3), 2, 2)
    corrected = replace(sent, planned_edition=2, planned_revision=2)
    assert plan(corrected, [revised], NOW + HOUR) is None


def test_an_older_period_that_was_revised_is_not_sent_again() -> None:
    sent = replace(DAILY, planned_from=date(2026, 3, 3), planned_edition=1, planned_revision=1)
    older = closed(date(2026, 3, 1), revision=4, at=NOW - 2 * DAY)
    assert plan(sent, [older, closed(date(2026, 3, 3))], NOW) is None


@pytest.mark.parametrize(
    ("kind", "first", "next_"),
    [
        (Period.WEEK, date(2026, 2, 23), (date(2026, 3, 2), date(2026, 3, 8))),
        (Period.MONTH, date(2026, 1, 1), (date(2026, 2, 1), date(2026, 2, 28))),
        (Period.HALF_YEAR, date(2025, 7, 1), (date(2026, 1, 1), date(2026, 6, 30))),
        (Period.YEAR, date(2025, 1, 1), (date(2026, 1, 1), date(2026, 12, 31))),
    ],
)
def test_the_page_says_which_period_is_next(kind: Period, first: date, next_: tuple[date, date]) -> None:
    schedule = Schedule(1, DISTRICT, kind, NOW, planned_from=first, planned_edition=1, planned_revision=1)
    assert upcoming(schedule, [closed(first, kind)]) == next_
    assert upcoming(replace(schedule, planned_from=None), [closed(first, kind)]) == next_, "that one was before"
    missed = replace(schedule, planned_from=None, since=NOW - DAY)
    assert upcoming(missed, [closed(first, kind)])[0] == first
    assert upcoming(missed, []) == period_of(kind, date(2026, 3, 3))


def test_a_body_is_sent_its_own_report_and_who_sees_the_district_all() -> None:
    health, brigade = contact("h", "health"), contact("b", "brigade", BodyKind.BRIGADE)
    street = contact("s", "dongjie", BodyKind.STREET)
    town = Subject(Dimension.TOWN, "dongjie")
    assert [may_receive(health, one) for one in (DISTRICT, HEALTH, town)] == [False, True, False]
    assert [may_receive(street, one) for one in (DISTRICT, HEALTH, town)] == [False, False, True]
    assert all(may_receive(brigade, one) for one in (DISTRICT, HEALTH, town))
    assert not may_receive(contact("x", "sample"), DISTRICT), "a department of the district's name is not the district"


def test_a_mail_is_tried_for_a_day_and_one_that_is_refused_for_good_once() -> None:
    tries = [next_try(attempt, Trouble.NOT_NOW, NOW) for attempt in range(1, len(WAITS) + 2)]
    assert tries[-1] is None
    assert timedelta(hours=20) < sum((each - NOW for each in tries if each), timedelta()) < timedelta(hours=30)
    assert next_try(1, Trouble.REFUSED, NOW) is None


# --- the desk


class Subjects:
    """Whose figures there are."""

    async def subjects(self) -> list[Subject]:
        return [DISTRICT, HEALTH]


def viewer(role: Role, department: str | None = None) -> Viewer:
    return Viewer(Username(role.value), role, BodyCode(department) if department else None, role.value)


BRIGADE, OFFICE = viewer(Role.BRIGADE), viewer(Role.DEPARTMENT, "health")
KNOWN = [contact("c-brigade", "brigade", BodyKind.BRIGADE), contact("c-health", "health"), contact("c-edu", "edu")]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def book() -> FakeReportSchedules:
    return FakeReportSchedules(known=list(KNOWN))


@pytest.fixture
def desk(book: FakeReportSchedules, clock: ManualClock) -> ScheduleUseCases:
    return ScheduleUseCases(book, Subjects(), FakeSecrets(), clock, sends=True)  # type: ignore[arg-type]  # one question


async def test_nobody_is_chosen_who_may_not_have_the_report(desk: ScheduleUseCases, book: FakeReportSchedules) -> None:
    for subject, chosen in ((DISTRICT, "c-health"), (HEALTH, "c-edu"), (HEALTH, "c-nobody")):
        with pytest.raises(BadRecipients):
            await desk.create(BRIGADE, NewSchedule(subject, Period.MONTH, ("c-brigade", chosen)))
    made = await desk.create(BRIGADE, NewSchedule(HEALTH, Period.MONTH, ("c-health",)))
    with pytest.raises(BadRecipients):
        await desk.choose(BRIGADE, made, ("c-edu",))
    with pytest.raises(NotFound):
        await desk.create(BRIGADE, NewSchedule(Subject(Dimension.TOWN, "x"), Period.MONTH, ("c-brigade",)))
    assert [one.contact_id for one in await desk.contacts(BRIGADE, HEALTH)] == ["c-brigade", "c-health"]


async def test_a_department_sees_its_own_and_changes_nothing(desk: ScheduleUseCases) -> None:
    await desk.create(BRIGADE, NewSchedule(DISTRICT, Period.MONTH, ("c-brigade",)))
    made = await desk.create(BRIGADE, NewSchedule(HEALTH, Period.MONTH, ("c-brigade", "c-health")))
    page = await desk.page(OFFICE)
    assert [(row.schedule_id, [one.contact_id for one in row.recipients]) for row in page.rows] == [
        (made, ["c-health"])
    ]
    assert not page.may
    for order in (
        desk.create(OFFICE, NewSchedule(HEALTH, Period.WEEK, ("c-health",))),
        desk.act(OFFICE, made, ScheduleAct.PAUSE),
        desk.choose(OFFICE, made, ("c-health",)),
        desk.contacts(OFFICE, HEALTH),
    ):
        with pytest.raises(NotAllowed):
            await order


# --- the part that sends


class Site:
    """A mailer on fakes."""

    def __init__(self, book: FakeReportSchedules, clock: ManualClock, an_hour: int = 100) -> None:
        self.book, self.clock = book, clock
        self.maker, self.carrier = FakeReportMaker(), FakeReportCarrier()
        self.registry = CollectorRegistry()
        self.mailer = ReportMailer(
            outbox=book, maker=self.maker, carrier=self.carrier, clock=clock,
            metrics=ReportMailMetrics(self.registry), an_hour=an_hour,
        )  # fmt: skip

    async def turn(self, after: timedelta = timedelta()) -> None:
        self.clock.forward(after.total_seconds())
        await self.mailer.turn(Stop())

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"firenet_console_{name}", labels)


@pytest.fixture
async def site(book: FakeReportSchedules, desk: ScheduleUseCases, clock: ManualClock) -> Site:
    """A month of the district to the brigade; it has just been published."""
    await desk.create(BRIGADE, NewSchedule(DISTRICT, Period.MONTH, ("c-brigade",)))
    clock.forward(HOUR.total_seconds())
    book.closed[DISTRICT, Period.MONTH] = [closed(date(2026, 2, 1), Period.MONTH, at=clock.now())]
    clock.forward(SETTLED.total_seconds())
    return Site(book, clock)


async def test_a_report_is_sent_once_and_corrected_once(site: Site) -> None:
    for _ in range(3):
        await site.turn(HOUR)
    assert site.carrier.sent == [("c-brigade@example.org", date(2026, 2, 1), 1)]
    site.book.closed[DISTRICT, Period.MONTH] = [
        replace(closed(date(2026, 2, 1), Period.MONTH, revision=2), published_at=site.clock.now())
    ]
    site.maker.revision = 2
    for _ in range(3):
        await site.turn(CORRECTED_AFTER)
    assert [revision for _, _, revision in site.carrier.sent] == [1, 2]
    assert site.metric("report_mails_total", outcome="sent") == 2


async def test_a_mail_on_its_way_when_the_console_ends_is_written_down_and_not_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answer = asyncio.Event(), asyncio.Event()
    send = site.carrier.send

    async def slow(mail: ReportMail, to: ReportContact, files: ReportFiles) -> Trouble | None:
        trouble = await send(mail, to, files)
        begun.set()
        await answer.wait()
        return trouble

    monkeypatch.setattr(site.carrier, "send", slow)
    running = asyncio.create_task(site.mailer.run(Stop()))
    await begun.wait()
    running.cancel()  # as tasks are that take too long to end
    with pytest.raises(asyncio.CancelledError):
        await running
    draining = asyncio.create_task(site.mailer.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    answer.set()
    await draining
    assert site.metric("report_mails_total", outcome="sent") == 1
    await site.turn(HOUR)
    assert len(site.carrier.sent) == 1


async def test_a_mail_that_waited_has_the_newest_figures_and_needs_no_correction(site: Site) -> None:
    site.carrier.trouble = Trouble.NOT_NOW
    await site.turn()
    site.book.closed[DISTRICT, Period.MONTH] = [
        replace(closed(date(2026, 2, 1), Period.MONTH, revision=2), published_at=site.clock.now() - CORRECTED_AFTER)
    ]
    site.carrier.trouble, site.maker.revision = None, 2
    for _ in range(3):
        await site.turn(HOUR)
    assert [revision for _, _, revision in site.carrier.sent] == [2]


async def test_a_failing_mail_is_tried_again_seen_and_given_up(site: Site) -> None:
    site.carrier.trouble = Trouble.NOT_NOW
    await site.turn()
    await site.turn(HOUR)
    assert (site.metric("report_mails_waiting_seconds") or 0) >= 3600
    for _ in range(len(WAITS)):
        await site.turn(12 * HOUR)
    ((row,),) = [row.recipients for row in await site.book.rows(site.clock.now())]
    assert (row.state, row.trouble) == (MailState.FAILED, Trouble.NOT_NOW)
    assert (site.metric("report_mails_given_up"), site.metric("report_mails_waiting")) == (1, 0)
    site.carrier.trouble = None
    await site.book.act(1, ScheduleAct.RETRY, "brigade", site.clock.now())
    await site.turn()
    assert len(site.carrier.sent) == 1


@pytest.mark.parametrize("harm", ["broken", "bug", "provisional"])
async def test_without_a_report_nothing_leaves_and_it_is_tried_again(site: Site, harm: str) -> None:
    site.maker.broken, site.maker.bug, site.maker.closed = harm == "broken", harm == "bug", harm != "provisional"
    await site.turn()
    assert (site.carrier.sent, site.metric("report_mails_total", outcome="no_report")) == ([], 1)
    site.maker.broken, site.maker.bug, site.maker.closed = False, False, True
    await site.turn(HOUR)
    assert len(site.carrier.sent) == 1


async def test_a_contact_that_may_not_have_it_any_more_is_not_sent_it(site: Site) -> None:
    site.book.known[:] = [contact("c-brigade", "health")]
    await site.turn()
    assert (site.carrier.sent, site.metric("report_mails_total", outcome="no_address")) == ([], 1)


async def test_an_hour_has_so_many_mails_and_no_more(
    book: FakeReportSchedules, desk: ScheduleUseCases, clock: ManualClock
) -> None:
    book.known += [contact(f"c{number}", "brigade", BodyKind.BRIGADE) for number in range(5)]
    await desk.create(BRIGADE, NewSchedule(DISTRICT, Period.MONTH, tuple(f"c{number}" for number in range(5))))
    clock.forward(HOUR.total_seconds())
    book.closed[DISTRICT, Period.MONTH] = [closed(date(2026, 2, 1), Period.MONTH, at=clock.now())]
    site = Site(book, clock, an_hour=2)
    await site.turn(SETTLED)
    assert len(site.carrier.sent) == 2
    await site.turn(HOUR / 2)
    assert len(site.carrier.sent) == 2
    await site.turn(HOUR)
    assert len(site.carrier.sent) == 4
    assert len(site.maker.asked) == 2, "who is sent the same report is sent the same files"


async def test_a_mail_whose_process_was_killed_is_tried_by_another(site: Site) -> None:
    await site.mailer._plan()
    taken = await site.book.claim(site.clock.now(), 100)
    assert taken is not None
    await site.turn(timedelta(minutes=9))
    assert site.carrier.sent == [], "that try may still be going on"
    await site.turn(timedelta(minutes=1))
    assert len(site.carrier.sent) == 1


async def test_a_bug_of_the_mailer_does_not_end_the_console(site: Site) -> None:
    class Bug(FakeReportSchedules):
        async def due(self, now: datetime) -> list[tuple[Schedule, list[ClosedPeriod]]]:
            stop.set()
            raise ZeroDivisionError

    stop = Stop()
    broken = Site(Bug(), site.clock)
    await broken.mailer.run(stop)
    assert broken.metric("report_turns_total", outcome="failed") == 1


async def test_what_was_done_to_schedules_stands_in_a_chain(desk: ScheduleUseCases, book: FakeReportSchedules) -> None:
    made = await desk.create(BRIGADE, NewSchedule(HEALTH, Period.WEEK, ("c-health",)))
    await desk.act(BRIGADE, made, ScheduleAct.PAUSE)
    links = list(await book.audited())
    assert ([one.entry.action for one in links], broken_at(links)) == (["create", "pause"], None)
    assert broken_at([links[0], replace(links[1], entry=replace(links[1].entry, by="nobody"))]) == 2
