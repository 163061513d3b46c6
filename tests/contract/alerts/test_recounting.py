"""A newer calendar is published: open clocks move, in memory and in PostgreSQL, once and audited."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date, datetime

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock, Clocks
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.triggers import WorkingDays
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, Changes
from services.alerts.worker.recounting import RecountingWorker
from services.kernel.calendar import CHINA
from services.kernel.words import ClockKind, WorkingCalendarName
from services.runtime.postgres import open_pool
from tests.fakes.alerts_store import MemoryStore
from tests.fakes.calendar import WeekdayCalendar
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0, case, step

MONDAY = datetime(2026, 2, 9, 10, tzinfo=CHINA)
LADDER = (
    step("H0", 0),
    replace(step("H4", 0), trigger=WorkingDays(2, WorkingCalendarName.CN), reply_working_days=3),
)


NEW = WeekdayCalendar(2, {date(2026, 2, 11)})


def midnight(day: int) -> datetime:
    return datetime(2026, 2, day, tzinfo=CHINA)


def counted(of: str = "U1", version: str = "1") -> Case:
    clocks = {
        ClockKind.STEP: Clock(midnight(12), "H4", version, MONDAY),
        ClockKind.REPLY: Clock(midnight(13), "H4", version, MONDAY),
    }
    return case(CaseKind.FAULT, of=of, ladder=LADDER, step="H0", detected_at=MONDAY, clocks=Clocks(clocks))


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CaseStore]:
    if request.param == "memory":
        yield MemoryStore(lambda notice, _: notice)
        return
    dsn = request.getfixturevalue("migrated_database")
    async with AsyncExitStack() as stack:
        yield PostgresCaseStore(await stack.enter_async_context(open_pool(dsn, "recounting", 1, 2)))


def worker(store: CaseStore, calendar: WeekdayCalendar = NEW) -> RecountingWorker:
    clock = ManualClock(T0)
    clock.at = MONDAY
    return RecountingWorker(
        store=store, pace=Pace(calendar=calendar), metrics=AlertsMetrics(CollectorRegistry()), clock=clock
    )


async def put(store: CaseStore, *cases: Case) -> None:
    async with store.transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one for one in cases}))


async def read(store: CaseStore, one: Case) -> Case:
    async with store.transaction() as transaction:
        found = await transaction.case(one.case_id)
    assert found is not None
    return found


def dues(of: Case) -> dict[ClockKind, tuple[datetime, str | None]]:
    return {kind: (clock.due_at, clock.calendar_version) for kind, clock in of.clocks.running.items()}


async def test_open_clocks_of_an_older_calendar_are_counted_again_once(store: CaseStore) -> None:
    one, other = counted(), case(CaseKind.FAULT, of="U2")
    await put(store, one, other)
    assert await worker(store).turn() == 1
    assert dues(await read(store, one)) == {ClockKind.STEP: (midnight(13), "2"), ClockKind.REPLY: (midnight(14), "2")}
    assert (await read(store, other)).clocks == other.clocks
    assert await worker(store).turn() == 0, "nothing is left to count"


async def test_a_process_that_knows_less_leaves_the_clocks_of_one_that_knows_more(store: CaseStore) -> None:
    one = counted(version="3")
    await put(store, one)
    assert await worker(store).turn() == 0
    assert dues(await read(store, one)) == dues(one)


async def test_the_reply_to_a_case_that_is_closed_is_counted_again_too(store: CaseStore) -> None:
    one = close(counted(), "signal", MONDAY)
    await put(store, one)
    await worker(store).turn()
    assert dues(await read(store, one)) == {ClockKind.REPLY: (midnight(14), "2")}


async def test_a_case_that_somebody_works_on_is_left_for_the_next_turn(migrated_database: str) -> None:
    one = counted()
    async with open_pool(migrated_database, "recounting", 2, 3) as pool:
        store = PostgresCaseStore(pool)
        await put(store, one)
        async with store.transaction() as transaction:
            await transaction.case(one.case_id)
            async with asyncio.timeout(30):
                assert await worker(store).turn() == 0
        assert await worker(store).turn() == 1
        assert dues(await read(store, one))[ClockKind.STEP] == (midnight(13), "2")


async def test_what_moved_stands_in_the_audit_log(migrated_database: str) -> None:
    one = counted()
    async with open_pool(migrated_database, "recounting", 1, 2) as pool:
        await put(PostgresCaseStore(pool), one)
        await worker(PostgresCaseStore(pool)).turn()
    with psycopg.connect(migrated_database) as connection:
        rows = connection.execute(
            "SELECT case_id, action, detail FROM alerts.audit_pending ORDER BY detail ->> 'clock'"
        ).fetchall()
    assert [(row[0], row[1], row[2]["clock"], row[2]["counted_by"], row[2]["calendar"]) for row in rows] == [
        (one.case_id, "clock_recounted", "reply", "1", "2"),
        (one.case_id, "clock_recounted", "step", "1", "2"),
    ]
    moved = [[datetime.fromisoformat(row[2][name]) for name in ("was_due_at", "due_at")] for row in rows]
    assert moved == [[midnight(13), midnight(14)], [midnight(12), midnight(13)]]
