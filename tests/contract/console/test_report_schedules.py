"""Schedules of reports and their mails: a fake and the tables of a real PostgreSQL keep the same promises."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import pytest

from services.console.adapters import postgres_report_schedules
from services.console.adapters.postgres_report_schedules import PostgresReportSchedules
from services.console.adapters.rows import Row, all_rows
from services.console.domain.errors import BadLink, NotFound, ScheduleExists
from services.console.domain.history import Subject
from services.console.domain.report import period_of
from services.console.domain.report_schedules import (
    KEPT,
    LEASE,
    ClosedPeriod,
    MailState,
    NewSchedule,
    Plan,
    RecipientRow,
    ReportMail,
    Schedule,
    ScheduleAct,
    Tried,
    Trouble,
    broken_at,
)
from services.console.ports.reports import ReportOutbox, ScheduleRepository
from services.kernel.words import Dimension, Period
from services.runtime.postgres import Connection, open_pool
from tests.fakes.console_report_schedules import FakeReportSchedules
from tests.integration.console import reports as facts
from tests.integration.console.history import publish
from tests.integration.console.scenario import Scenario

DISTRICT, HEALTH = Subject(Dimension.DISTRICT, "sample"), Subject(Dimension.DEPARTMENT, "health")
CONTACTS = ("c-brigade", "c-centre")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Store(ScheduleRepository, ReportOutbox, Protocol):
    """Both ports are one store."""


@dataclass
class Site:
    """A store, the time, and the last month that is over, published with so many revisions."""

    store: Store
    now: datetime
    month: tuple[date, date]
    publish: Callable[[int, str], None]
    """Publishes a revision of the figure of a scope."""

    async def scheduled(self, contacts: Sequence[str] = CONTACTS) -> Schedule:
        new = NewSchedule(DISTRICT, Period.MONTH, tuple(contacts))
        made = await self.store.create(new, [f"key-{each}-{'x' * 20}" for each in contacts], "brigade", self.now)
        return await self.store.one(made)

    async def planned(self, contacts: Sequence[str] = CONTACTS) -> Schedule:
        schedule = await self.scheduled(contacts)
        assert await self.store.plan(schedule, Plan(self.month[0], 1, 1), self.now) == len(contacts)
        return await self.store.one(schedule.schedule_id)

    async def claimed(self, after: timedelta = timedelta(), an_hour: int = 100) -> ReportMail:
        mail = await self.store.claim(self.now + after, an_hour)
        assert mail is not None
        return mail

    async def recipients(self) -> dict[str, RecipientRow]:
        (row,) = await self.store.rows(self.now)
        return {each.contact_id: each for each in row.recipients}


@pytest.fixture(params=["fake", "postgresql"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    if request.param == "fake":
        now = datetime.fromisoformat("2026-03-04T08:00:00+00:00")
        month = period_of(Period.MONTH, date(2026, 2, 1))
        fake = FakeReportSchedules()

        published: list[int] = []

        def closed(revision: int, _scope: str) -> None:
            at = now - 2 * DAY
            published.append(revision)
            last = at + max(published) * HOUR
            fake.closed[DISTRICT, Period.MONTH] = [ClosedPeriod(*month, len(published), at + HOUR, last)]

        yield Site(fake, now, month, closed)
        return
    scenario: Scenario = request.getfixturevalue("empty_scenario")
    facts.empty(scenario)
    scenario.execute("TRUNCATE console.report_schedules, console.report_audit CASCADE")
    month = period_of(Period.MONTH, scenario.today().replace(day=1) - timedelta(days=1))
    async with open_pool(scenario.dsn, "test", max_size=4) as pool:
        store = PostgresReportSchedules(pool, 60)

        def publish_one(revision: int, scope: str) -> None:
            publish(scenario, *month, kind="month", scope=scope, revision=revision)

        yield Site(store, scenario.now(), month, publish_one)


async def test_a_report_is_scheduled_once_until_it_is_removed(site: Site) -> None:
    schedule = await site.scheduled()
    with pytest.raises(ScheduleExists):
        await site.scheduled()
    (row,) = await site.store.rows(site.now)
    assert (row.schedule_id, row.subject, row.kind, row.created_by) == (
        schedule.schedule_id, DISTRICT, Period.MONTH, "brigade"
    )  # fmt: skip
    assert [each.contact_id for each in row.recipients] == list(CONTACTS)
    await site.store.act(schedule.schedule_id, ScheduleAct.REMOVE, "brigade", site.now)
    assert await site.store.rows(site.now) == []
    for wrong in (schedule.schedule_id, 999_999):
        with pytest.raises(NotFound):
            await site.store.act(wrong, ScheduleAct.PAUSE, "brigade", site.now)
    await site.scheduled(("c-again",))


async def test_closed_periods_come_with_their_first_and_last_publication(site: Site) -> None:
    schedule = await site.scheduled()
    assert await site.store.due(site.now) == [(schedule, [])]
    site.publish(1, "S1")
    site.publish(2, "S1")
    ((_, (period,)),) = await site.store.due(site.now)
    assert (period.first, period.last, period.revision) == (*site.month, 2)
    assert period.published_at - period.closed_at == HOUR


async def test_a_period_is_revised_with_each_figure_whatever_the_others_are_at(site: Site) -> None:
    await site.scheduled()
    for revision, scope in ((1, "S1"), (2, "S1"), (1, "S2")):
        site.publish(revision, scope)
    ((_, (sent,)),) = await site.store.due(site.now)
    site.publish(2, "S2")
    ((_, (revised,)),) = await site.store.due(site.now)
    assert revised.revision > sent.revision, "a correction is due: a figure changed under its recipients"


async def test_however_many_are_scheduled_they_are_read_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish(1, "S1")
    await site.scheduled()
    asked: list[str] = []
    read = all_rows

    async def counted(connection: Connection, statement: str, **parameters: Any) -> list[Row]:
        asked.append(statement)
        return await read(connection, statement, **parameters)

    monkeypatch.setattr(postgres_report_schedules, "all_rows", counted)
    await site.store.due(site.now)
    of_one = len(asked)
    for kind in (Period.DAY, Period.WEEK, Period.YEAR):
        await site.store.create(NewSchedule(HEALTH, kind, ()), (), "brigade", site.now)
    asked.clear()
    found = await site.store.due(site.now)
    assert len(asked) == of_one
    assert [len(periods) for schedule, periods in found if schedule.subject == DISTRICT] == [1]
    assert [periods for schedule, periods in found if schedule.subject == HEALTH] == [[], [], []]


async def test_of_several_that_plan_the_same_one_makes_the_mails(site: Site) -> None:
    schedule = await site.scheduled()
    plan = Plan(site.month[0], 1, 1, passed_over=3)
    made = await asyncio.gather(*(site.store.plan(schedule, plan, site.now) for _ in range(4)))
    assert sorted(made) == [0, 0, 0, 2]
    (row,) = await site.store.rows(site.now)
    assert row.passed_over == 3


async def test_of_several_that_send_each_has_another_mail(site: Site) -> None:
    await site.planned()
    found = await asyncio.gather(*(site.store.claim(site.now, 100) for _ in range(4)))
    assert sorted(mail.contact_id for mail in found if mail) == list(CONTACTS)
    assert {mail.stop_key for mail in found if mail} == {f"key-{each}-{'x' * 20}" for each in CONTACTS}


async def test_a_mail_is_sent_once_and_says_what_was_sent(site: Site) -> None:
    await site.planned(CONTACTS[:1])
    mail = await site.claimed()
    assert (mail.subject, mail.kind, mail.first, mail.edition, mail.attempt) == (
        DISTRICT, Period.MONTH, site.month[0], 1, 1
    )  # fmt: skip
    await site.store.tried(mail, Tried(None, "b@example.org", 1), site.now)
    assert await site.store.claim(site.now + 100 * DAY, 100) is None
    row = (await site.recipients())["c-brigade"]
    assert (row.state, row.period_from, row.sent_at) == (MailState.SENT, site.month[0], site.now)
    (told,) = await site.store.rows(site.now)
    assert (told.last_from, told.last_sent_at) == (site.month[0], site.now)


async def test_one_whose_sender_was_killed_is_taken_for_lost_and_what_he_says_later_changes_nothing(site: Site) -> None:
    await site.planned(CONTACTS[:1])
    killed = await site.claimed()
    assert await site.store.claim(site.now + LEASE - MINUTE, 100) is None
    again = await site.claimed(LEASE)
    assert (again.mail_id, again.attempt) == (killed.mail_id, 2)
    await site.store.tried(killed, Tried(Trouble.REFUSED), site.now)
    await site.store.tried(again, Tried(None, "b@example.org", 1), site.now)
    assert (await site.recipients())["c-brigade"].state is MailState.SENT


async def test_what_fails_waits_is_counted_and_is_given_up(site: Site) -> None:
    await site.planned()
    await site.store.tried(await site.claimed(), Tried(Trouble.NOT_NOW), site.now)
    await site.store.tried(await site.claimed(), Tried(Trouble.REFUSED), site.now)
    first, second = (await site.recipients()).values()
    assert (first.state, first.trouble, second.state, second.trouble) == (
        MailState.WAITING, "not_now", MailState.FAILED, "refused"
    )  # fmt: skip
    assert first.next_try_at == site.now + MINUTE
    counts = await site.store.counts(site.now)
    assert (counts.waiting, counts.failed, counts.oldest) == (1, 1, site.now)
    assert await site.store.claim(site.now, 100) is None
    (row,) = await site.store.rows(site.now)
    await site.store.act(row.schedule_id, ScheduleAct.RETRY, "brigade", site.now)
    assert (await site.claimed()).contact_id == "c-centre"


@pytest.mark.parametrize("how", ["chosen", "stopped", "removed", "superseded"])
async def test_what_failed_is_no_trouble_once_nobody_wants_it_or_a_newer_period_is_planned(
    site: Site, how: str
) -> None:
    schedule = await site.planned(CONTACTS[:1])
    await site.store.tried(await site.claimed(), Tried(Trouble.REFUSED), site.now)
    assert (await site.store.counts(site.now)).failed == 1
    match how:
        case "chosen":
            await site.store.choose(schedule.schedule_id, CONTACTS[1:], ["new" * 8], "brigade", site.now)
        case "stopped":
            await site.store.stop(f"key-c-brigade-{'x' * 20}", site.now)
        case "removed":
            await site.store.act(schedule.schedule_id, ScheduleAct.REMOVE, "brigade", site.now)
        case _:
            await site.store.plan(schedule, Plan(site.month[1] + DAY, 1, 1), site.now)
    assert (await site.store.counts(site.now)).failed == 0


async def test_an_hour_has_its_quota(site: Site) -> None:
    await site.planned()
    assert await site.store.claim(site.now, 0) is None
    await site.claimed(an_hour=1)
    assert await site.store.claim(site.now, 1) is None
    assert (await site.claimed(HOUR, an_hour=1)).contact_id in CONTACTS


async def test_a_correction_goes_to_who_was_sent_older_figures_alone(site: Site) -> None:
    schedule = await site.planned((*CONTACTS, "c-late"))
    mails = [await site.claimed() for _ in range(3)]
    await site.store.tried(mails[0], Tried(None, "a@example.org", 1), site.now)
    await site.store.tried(mails[1], Tried(None, "b@example.org", 2), site.now)  # they were revised meanwhile
    await site.store.tried(mails[2], Tried(Trouble.NOT_NOW), site.now)  # and will be when this one is sent
    assert await site.store.plan(schedule, Plan(site.month[0], 2, 2), site.now) == 1
    correction = await site.claimed()
    assert (correction.contact_id, correction.edition, correction.correction) == (mails[0].contact_id, 2, True)


async def test_paused_stopped_and_removed_send_nothing(site: Site) -> None:
    schedule = await site.planned()
    await site.store.act(schedule.schedule_id, ScheduleAct.PAUSE, "brigade", site.now)
    assert await site.store.claim(site.now, 100) is None
    assert await site.store.due(site.now) == []
    assert await site.store.plan(schedule, Plan(site.month[1], 1, 1), site.now) == 0
    await site.store.act(schedule.schedule_id, ScheduleAct.RESUME, "brigade", site.now + HOUR)
    assert (await site.store.one(schedule.schedule_id)).since == site.now + HOUR
    await site.store.stop(f"key-c-brigade-{'x' * 20}", site.now)
    assert (await site.claimed()).contact_id == "c-centre"
    assert await site.store.claim(site.now, 100) is None
    assert (await site.store.counts(site.now)).waiting == 1
    await site.store.act(schedule.schedule_id, ScheduleAct.REMOVE, "brigade", site.now)
    assert await site.store.claim(site.now + DAY, 100) is None
    assert (await site.store.counts(site.now)).waiting == 0


async def test_what_waited_too_long_is_not_sent_when_it_goes_on(site: Site) -> None:
    schedule = await site.planned()
    await site.store.act(schedule.schedule_id, ScheduleAct.PAUSE, "brigade", site.now)
    await site.store.act(schedule.schedule_id, ScheduleAct.RESUME, "brigade", site.now + 30 * DAY)
    assert await site.store.claim(site.now + 30 * DAY, 100) is None


async def test_recipients_are_changed_and_keep_their_key(site: Site) -> None:
    schedule = await site.planned()
    await site.store.stop(f"key-c-centre-{'x' * 20}", site.now)
    await site.store.choose(schedule.schedule_id, ("c-centre", "c-new"), ["other" * 5, "new" * 8], "brigade", site.now)
    found = await site.recipients()
    assert {name: each.stopped for name, each in found.items()} == {"c-centre": False, "c-new": False}
    assert await site.store.claim(site.now, 100) is None, "neither is sent what was planned before"
    assert not (await site.store.of_key(f"key-c-centre-{'x' * 20}")).stopped


async def test_a_key_stops_its_own_mails_and_no_others(site: Site) -> None:
    await site.scheduled()
    key = f"key-c-centre-{'x' * 20}"
    about = await site.store.of_key(key)
    assert (about.subject, about.kind, about.stopped) == (DISTRICT, Period.MONTH, False)
    for _ in range(2):
        await site.store.stop(key, site.now)
    assert (await site.store.of_key(key)).stopped
    assert {name: each.stopped for name, each in (await site.recipients()).items()} == {
        "c-brigade": False, "c-centre": True
    }  # fmt: skip
    with pytest.raises(BadLink):
        await site.store.stop("nobody" * 5, site.now)
    links = await site.store.audited()
    assert [(one.entry.by, one.entry.action) for one in links] == [("brigade", "create"), ("contact:c-centre", "stop")]
    assert broken_at(links) is None


async def test_an_old_key_stops_what_was_scheduled_again_in_the_place_of_what_was_removed(site: Site) -> None:
    former = await site.scheduled()
    old = f"key-c-centre-{'x' * 20}"
    await site.store.act(former.schedule_id, ScheduleAct.REMOVE, "brigade", site.now)
    assert (await site.store.of_key(old)).stopped
    new = NewSchedule(DISTRICT, Period.MONTH, CONTACTS)
    await site.store.create(new, [f"again-{each}-{'x' * 20}" for each in CONTACTS], "brigade", site.now)
    assert not (await site.store.of_key(old)).stopped, "it sends on"
    await site.store.stop(old, site.now)
    assert {name: each.stopped for name, each in (await site.recipients()).items()} == {
        "c-brigade": False, "c-centre": True
    }  # fmt: skip
    assert (await site.store.of_key(old)).stopped


async def test_an_old_key_of_a_contact_taken_out_and_chosen_again_still_stops_his_mails(site: Site) -> None:
    schedule = await site.scheduled()
    old, brigades = f"key-c-centre-{'x' * 20}", f"key-c-brigade-{'x' * 20}"
    await site.store.choose(schedule.schedule_id, ("c-brigade",), ["unused" * 5], "brigade", site.now)
    assert (await site.store.of_key(old)).stopped, "he gets none, and reads so"
    await site.store.stop(old, site.now)
    again = ["unused" * 6, "later-key" * 4]
    await site.store.choose(schedule.schedule_id, CONTACTS, again, "brigade", site.now)
    assert not (await site.store.of_key(old)).stopped, "he gets them again"
    await site.store.stop(old, site.now)
    found = await site.recipients()
    assert {name: each.stopped for name, each in found.items()} == {"c-brigade": False, "c-centre": True}
    for key in (old, "later-key" * 4):
        assert (await site.store.of_key(key)).stopped
    assert not (await site.store.of_key(brigades)).stopped
    links = await site.store.audited()
    assert [one.entry.by for one in links if one.entry.action == "stop"] == ["contact:c-centre"]


async def test_what_was_sent_long_ago_is_forgotten(site: Site) -> None:
    await site.planned()
    await site.store.forget(site.now + KEPT - DAY)
    assert (await site.store.counts(site.now)).waiting == 2
    await site.store.forget(site.now + KEPT + DAY)
    assert (await site.store.counts(site.now)).waiting == 0


async def test_offices_with_an_address_are_the_contacts(empty_scenario: Scenario) -> None:
    """Real only: the fake is told who there is."""
    scenario = empty_scenario
    scenario.contact("c-health", "health", "office", "卫健局", None, email="h@example.org", lang="en")
    scenario.contact("c-mute", "health", "office", "卫健局", None)
    scenario.contact("c-gone", "health", "office", "卫健局", None, email="g@example.org", retired_on="2026-02-01")
    scenario.contact("c-unit", "U00000", "manager", "张三", None, email="u@example.org")
    async with open_pool(scenario.dsn, "test", max_size=1) as pool:
        found = await PostgresReportSchedules(pool, 60).contacts()
    own = [each for each in found if each.contact_id in ("c-health", "c-mute", "c-gone", "c-unit")]
    assert [(each.contact_id, each.body, each.body_kind, each.address, each.language) for each in own] == [
        ("c-health", "health", "department", "h@example.org", "en")
    ]
