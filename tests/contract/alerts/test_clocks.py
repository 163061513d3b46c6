"""Clocks as rows: migrations 0023 and 0024, the version before beside this one, and what is read under contention."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from services.alerts.adapters.postgres_audit import PostgresAuditor
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.domain.case.case import Acknowledgement, Case, Grouping
from services.alerts.domain.case.clocks import Clocks
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.subject import Subject, SubjectFacts, SubjectKind
from services.alerts.domain.escalation.guarded import GuardedTime
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import OnEvent
from services.alerts.domain.ids import CaseId
from services.alerts.ports import CaseTransaction, Changes
from services.kernel.words import CaseEvent, Period, StepExit
from services.runtime.migrate import MIGRATIONS, Phase, migrate
from services.runtime.postgres import Pool, open_pool
from tests.unit.alerts.bodies import ORGANISATION
from tests.unit.alerts.bodies import close as period_close
from tests.unit.alerts.build import HAZARD, at, case, clocks, step

CLOCKS = "0023_pre_case_clocks.sql"
AS_BEFORE = """
INSERT INTO alerts.cases (case_id, kind, subject_kind, subject_id, district, finding_id, state, effective_at,
    detected_at, opened_at, last_sighting_at, pack_id, pack_version, clause, evidence, ladder, step, next_step,
    next_step_at, reply_due_at)
VALUES ('C1', 'fault', 'unit', 'U1', 'gulou', 'f', 'open', now(), now(), now(), now(), 'sample', 1, 'c',
    '{"topic": "t", "partition": 0, "offset": 1}', '[{"code": "H4", "after_s": 9, "tells": [], "document": "I4",
    "name_zh": "", "name_en": "", "clause": "", "reply_working_days": 3, "board_only": false}]', %s, %s, %s, %s)
"""
WRITTEN_BEFORE = """
UPDATE alerts.cases SET state = %s, step = %s, next_step = %s, next_step_at = %s, reply_due_at = %s,
    revision = revision + 1
WHERE case_id = 'C1'
"""
SEEN_BEFORE = "SELECT next_step, next_step_at, reply_due_at FROM alerts.cases"


@pytest.fixture
def before(database: str, tmp_path: Path) -> str:
    """A database as it stood before the migration."""
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < CLOCKS:
            shutil.copy(file, tmp_path)
    migrate(database, tmp_path)
    return database


async def read(dsn: str, case_id: str = "C1") -> Case:
    async with open_pool(dsn, "clocks", 1, 1) as pool, PostgresCaseStore(pool).transaction() as transaction:
        found = await transaction.case(CaseId(case_id))
    assert found is not None
    return found


async def save(dsn: str, changes: Changes) -> None:
    async with open_pool(dsn, "clocks", 1, 1) as pool, PostgresCaseStore(pool).transaction() as transaction:
        await transaction.save(changes)


def execute(dsn: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("stored_first", [True, False], ids=["stored before", "written by the version before"])
async def test_clocks_of_the_version_before_are_there(before: str, stored_first: bool) -> None:
    if not stored_first:
        migrate(before, phase=Phase.PRE)
    execute(before, AS_BEFORE, "H3", "H4", at(60), at(90))
    migrate(before)
    assert (await read(before)).clocks == clocks(step=("H4", 60), reply=("H4", 90))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (("open", "H3", "H4", at(70), None), clocks(step=("H4", 70))),
        (("open", "H4", None, None, at(90)), clocks(reply=("H4", 90))),
        (("closed", "H4", None, None, at(90)), clocks(reply=("H4", 90))),
        (("closed", None, None, None, None), clocks()),
    ],
)
async def test_what_the_version_before_goes_on_to_write_moves_the_clocks(
    before: str, values: tuple[object, ...], found: Clocks
) -> None:
    migrate(before, phase=Phase.PRE)
    execute(before, AS_BEFORE, "H0", "H1", at(60), None)
    execute(before, WRITTEN_BEFORE, *values)
    assert (await read(before)).clocks == found


async def test_the_version_before_finds_what_this_one_writes(before: str) -> None:
    migrate(before, phase=Phase.PRE)
    one = case(CaseKind.FAULT, clocks=clocks(step=("H1", 60)))
    await save(before, Changes(opened={one.case_id: one}))
    assert execute(before, SEEN_BEFORE) == [("H1", at(60), None)]
    later = replace(one, clocks=clocks(step=("H4", 70), reply=("H3", 90)))
    await save(before, Changes(updated={one.case_id: later}))
    assert execute(before, SEEN_BEFORE) == [("H4", at(70), at(90))]
    await save(before, Changes(updated={one.case_id: close(later, "signal", at(80))}))
    assert execute(before, SEEN_BEFORE) == [(None, None, at(90))]


async def test_the_version_before_finds_that_this_one_holds_a_case(before: str) -> None:
    migrate(before, phase=Phase.PRE)
    one, common = case(), case(CaseKind.COMMON_CAUSE, of="", grouping=Grouping(held_until=at(100)))
    await save(before, Changes(opened={one.case_id: one, common.case_id: common}))
    async with open_pool(before, "clocks", 1, 1) as pool, PostgresCaseStore(pool).transaction() as transaction:
        await transaction.hold_members(common, [one.case_id])
    assert execute(before, f"{SEEN_BEFORE} WHERE kind = 'connection_lost'") == [("H0", at(100), None)]


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "contended", 2, 3) as pool:
        yield pool


async def test_clocks_that_do_not_run_any_more_are_gone(pool: Pool, migrated_database: str) -> None:
    store, one = PostgresCaseStore(pool), case(clocks=clocks(step=("H1", 60), reply=("H4", 90)))
    async with store.transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one}))
        await transaction.save(Changes(updated={one.case_id: replace(one, clocks=clocks(step=("H2", 70)))}))
    assert execute(migrated_database, "SELECT kind, step, due_at FROM alerts.clocks") == [("step", "H2", at(70))]


async def test_a_clock_of_the_next_version_is_left_to_it(pool: Pool, migrated_database: str) -> None:
    store, one = PostgresCaseStore(pool), case(clocks=clocks(step=("H1", 60), reply=("H4", 90)))
    async with store.transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one}))
    execute(migrated_database, "ALTER TABLE alerts.clocks DROP CONSTRAINT known_clock")  # as its `pre` widens it
    later = "INSERT INTO alerts.clocks (case_id, kind, due_at, step) VALUES (%s, 'of_the_next_version', %s, '')"
    execute(migrated_database, later, one.case_id, at(80))
    (found,) = await ask(pool, due(60))
    assert found.clocks == one.clocks
    async with store.transaction() as transaction:
        await transaction.save(Changes(updated={one.case_id: replace(found, clocks=clocks())}))
    assert execute(migrated_database, "SELECT kind FROM alerts.clocks") == [("of_the_next_version",)]


MOVE_ON = """
UPDATE alerts.cases SET step = 'H0', revision = revision + 1;
UPDATE {rows} SET step = 'H1', due_at = %s WHERE kind = 'step';
"""
SLOW_TO_READ = """
CREATE FUNCTION alerts.wait_for_test() RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
ALTER TABLE alerts.clocks RENAME TO clock_rows;
CREATE VIEW alerts.clocks AS SELECT * FROM alerts.clock_rows WHERE alerts.wait_for_test();
"""


async def blocked(dsn: str) -> None:
    """Return once somebody waits for a lock."""
    async with asyncio.timeout(30), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        waits = False
        while not waits:
            found = await connection.execute("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
            ((waits,),) = await found.fetchall()


async def ask(pool: Pool, question: Callable[[CaseTransaction], Awaitable[Sequence[Case]]]) -> Sequence[Case]:
    async with PostgresCaseStore(pool).transaction() as transaction:
        return await question(transaction)


def due(seconds: float) -> Callable[[CaseTransaction], Awaitable[Sequence[Case]]]:
    return lambda transaction: transaction.due(at(seconds), 10)


async def test_whoever_waits_for_a_case_has_its_clocks_as_they_are_then(pool: Pool, migrated_database: str) -> None:
    one = case(clocks=clocks(step=("H0", 0), reply=("H0", 9)))
    await save(migrated_database, Changes(opened={one.case_id: one}))

    async def of_its_subject(transaction: CaseTransaction) -> Sequence[Case]:
        return list((await transaction.book({(one.subject, one.kind)}, set())).open.values())

    with psycopg.connect(migrated_database, cursor_factory=psycopg.ClientCursor) as other:
        other.execute(MOVE_ON.format(rows="alerts.clocks").encode(), (at(3600),))
        asked = asyncio.create_task(ask(pool, of_its_subject))
        await blocked(migrated_database)
    (found,) = await asked
    assert (found.step, found.clocks) == ("H0", clocks(step=("H1", 3600), reply=("H0", 9)))


async def test_step_that_another_process_has_just_taken_is_not_due(pool: Pool, migrated_database: str) -> None:
    """Between the look at the clocks and the lock of the case: with the old clock it would be taken again."""
    one = case(clocks=clocks(step=("H0", 0)))
    await save(migrated_database, Changes(opened={one.case_id: one}))
    execute(migrated_database, SLOW_TO_READ)
    with (
        psycopg.connect(migrated_database, autocommit=True) as door,
        psycopg.connect(migrated_database, autocommit=True, cursor_factory=psycopg.ClientCursor) as other,
    ):
        door.execute("SELECT pg_advisory_lock(7)")
        asked = asyncio.create_task(ask(pool, due(60)))
        await blocked(migrated_database)
        other.execute(MOVE_ON.format(rows="alerts.clock_rows").encode(), (at(3600),))
        door.execute("SELECT pg_advisory_unlock(7)")
        assert await asked == []
    assert await ask(pool, due(60)) == []
    assert [later.next_step for later in await ask(pool, due(3600))] == ["H1"]


FIRST, ENDED = HAZARD[0], clocks()
SEEN = Acknowledgement(at(1), "officer", "console", "", "H0")
ON_EVENT = (FIRST, step("H1", 0, trigger=OnEvent(CaseEvent.REOPENED)))
TOWN = SubjectFacts(Subject(SubjectKind.BODY, "T1"), name="示范街道", town="T1")
GUARDED = (GuardedTime("春节", "Spring Festival", date(2026, 2, 15), date(2026, 2, 23), 2, "proposal"),)


def of_town(step: str | None, running: Clocks, ladder: tuple[LadderStep, ...] = ORGANISATION) -> Case:
    closes = (period_close(Period.DAY, date(2026, 3, 3)), period_close(Period.YEAR, date(2025, 3, 3)))
    return case(
        kind=CaseKind.BELOW_TARGET, facts=TOWN, ladder=ladder, step=step, clocks=running, closes=closes, guarded=GUARDED
    )


UNTIL_SEEN = (FIRST, step("H1", 1, exits=(StepExit.CASE_CLOSED, StepExit.ACKNOWLEDGED)))


@pytest.mark.parametrize(
    ("one", "forgotten"),
    [
        pytest.param(case(clocks=ENDED), True, id="nothing was ever taken"),
        pytest.param(case(step="H2", clocks=ENDED), True, id="steps are left"),
        pytest.param(case(step="H2", clocks=clocks(reply=("H2", 60))), True, id="only a reply is waited for"),
        pytest.param(case(step="H0", clocks=ENDED, ladder=UNTIL_SEEN), True, id="the next would be taken"),
        pytest.param(case(step="H2", clocks=clocks(step=("H3", 60))), False, id="the next is set"),
        pytest.param(case(step="H4", clocks=ENDED), False, id="the ladder has ended"),
        pytest.param(close(case(step="H2"), "signal", at(9)), False, id="closed"),
        pytest.param(case(step="H0", clocks=ENDED, ladder=ON_EVENT), False, id="the next waits for an event"),
        pytest.param(
            case(step="H0", clocks=ENDED, ladder=UNTIL_SEEN, acknowledged=SEEN), False, id="the next has its exit"
        ),
        pytest.param(of_town("O0", ENDED), False, id="a body waits for the close of a month"),
        pytest.param(of_town("O0", clocks(reply=("O0", 60))), False, id="what is overdue stands behind that close"),
        pytest.param(of_town("O1", clocks(reply=("O1", 60))), True, id="what is overdue is the next of a body"),
        pytest.param(of_town("O4", ENDED), False, id="a body waits for a condition"),
        pytest.param(of_town(None, ENDED, (FIRST, *ORGANISATION)), True, id="time makes the first of a body due"),
    ],
)
async def test_open_case_that_nothing_would_happen_to_is_found(pool: Pool, one: Case, forgotten: bool) -> None:
    async with PostgresCaseStore(pool).transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one}))
    assert (await PostgresAuditor(pool).overview(at(60), at(0))).no_next_step == forgotten


async def test_a_case_of_a_body_comes_back_with_its_closes_and_guarded_times(pool: Pool) -> None:
    one = of_town("O0", ENDED)
    async with PostgresCaseStore(pool).transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one}))
    revised = replace(one, closes=one.closes[:1])
    async with PostgresCaseStore(pool).transaction() as transaction:
        assert await transaction.case(one.case_id) == one
        await transaction.save(Changes(updated={one.case_id: revised}))
    async with PostgresCaseStore(pool).transaction() as transaction:
        found = await transaction.case(one.case_id)
    assert found is not None
    assert (found.closes, found.guarded, found.ladder) == (revised.closes, GUARDED, ORGANISATION)


async def test_step_that_is_far_overdue_is_found(pool: Pool) -> None:
    one = case(clocks=clocks(step=("H1", 10), reply=("H1", 1)))
    async with PostgresCaseStore(pool).transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one}))
    auditor = PostgresAuditor(pool)
    in_time, late = await auditor.overview(at(60), at(10)), await auditor.overview(at(60), at(11))
    assert (in_time.overdue_steps, in_time.oldest_due, late.overdue_steps) == (0, at(10), 1)


COUNTED_BEFORE = """
INSERT INTO alerts.cases (case_id, kind, subject_kind, subject_id, district, finding_id, state, effective_at,
    detected_at, opened_at, last_sighting_at, pack_id, pack_version, clause, evidence, ladder)
VALUES ('C1', 'fault', 'unit', 'U1', 'gulou', 'f', 'open', now(), %s, now(), now(), 'sample', 1, 'c',
    '{"topic": "t", "partition": 0, "offset": 1}', '[]');
INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, told)
VALUES ('C1', 'H3', now(), now(), 'd', 'c', '{}'), ('C1', 'H4', now(), %s, 'd', 'c', '{}');
INSERT INTO alerts.clocks (case_id, kind, due_at, step, calendar_version)
VALUES ('C1', 'step', now(), 'H5', 'CN 1'), ('C1', 'reply', now(), 'H4', 'CN 1'), ('C1', 'receipt', now(), 'H3', NULL);
"""


async def test_from_when_clocks_were_counted_is_known_of_those_of_before(database: str, tmp_path: Path) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < "0038":
            shutil.copy(file, tmp_path)
    migrate(database, tmp_path)
    execute(database, COUNTED_BEFORE, at(10), at(20))
    migrate(database)
    found = execute(database, "SELECT kind, counted_from FROM alerts.clocks ORDER BY 1")
    assert found == [("receipt", None), ("reply", at(20)), ("step", at(10))]
