"""What synthetic alarms passed: memory and PostgreSQL keep the same promises."""

from collections.abc import AsyncIterator

import pytest

from services.alerts.adapters.outside_watcher import PostgresChain
from services.alerts.adapters.postgres_synthetic import PostgresSyntheticRuns
from services.alerts.domain.heartbeat import ChainSeen
from services.alerts.domain.synthetic import Run, RunOutcome, Stage, Why
from services.alerts.ports import SyntheticRuns
from services.runtime.postgres import open_pool
from tests.fakes.alerts_synthetic import MemorySyntheticRuns
from tests.unit.alerts.build import at

FIRST = Run("0" * 16, Why.SCHEDULE, at(0), at(60), 7)
SECOND = Run("1" * 16, Why.COMMAND, at(10), at(70))


@pytest.fixture(params=["memory", "postgres"])
async def runs(request: pytest.FixtureRequest) -> AsyncIterator[SyntheticRuns]:
    if request.param == "memory":
        yield MemorySyntheticRuns()
        return
    async with open_pool(request.getfixturevalue("migrated_database"), "test", 1, 2) as pool:
        yield PostgresSyntheticRuns(pool)


async def test_a_slot_is_begun_once_and_commands_as_often_as_somebody_asks(runs: SyntheticRuns) -> None:
    assert await runs.begin(FIRST)
    assert not await runs.begin(Run("2" * 16, Why.SCHEDULE, at(1), at(61), 7))
    assert await runs.begin(SECOND)
    assert await runs.begin(Run("3" * 16, Why.COMMAND, at(11), at(71)))


async def test_what_passed_everything_in_time_has_arrived(runs: SyntheticRuns) -> None:
    await runs.begin(FIRST)
    assert await runs.open_case(FIRST.run_id, at(2))
    for number, stage in enumerate(Stage):
        await runs.passed(FIRST.run_id, stage, at(3 + number))
    (ended,) = await runs.end(at(20))
    assert (ended.run, ended.outcome, ended.missing, ended.took) == (FIRST, RunOutcome.ARRIVED, (), at(9) - at(0))
    assert ended.stages[Stage.CASE] == at(2), "the first time stands"
    assert list(await runs.end(at(20))) == []
    assert await runs.last() == await runs.last_arrived() == await runs.run(FIRST.run_id) == ended


async def test_what_lacks_a_stage_is_lost_at_its_deadline_and_no_earlier(runs: SyntheticRuns) -> None:
    await runs.begin(FIRST)
    await runs.passed(FIRST.run_id, Stage.SENT, at(1))
    await runs.failed(FIRST.run_id, "notice: connect")
    await runs.failed(FIRST.run_id, "what followed from it")
    assert list(await runs.end(at(60))) == []
    (ended,) = await runs.end(at(61))
    assert (ended.outcome, ended.detail) == (RunOutcome.LOST, "notice: connect")
    assert ended.missing == tuple(stage for stage in Stage if stage is not Stage.SENT)
    assert not await runs.open_case(FIRST.run_id, at(62)), "of one that has ended nobody is told"
    assert await runs.last_arrived() is None


async def test_what_came_after_its_deadline_is_late(runs: SyntheticRuns) -> None:
    await runs.begin(FIRST)
    for stage in Stage:
        await runs.passed(FIRST.run_id, stage, at(61))
    (ended,) = await runs.end(at(62))
    assert ended.outcome is RunOutcome.LATE


async def test_the_case_of_a_run_is_opened_once_and_of_an_unknown_run_never(runs: SyntheticRuns) -> None:
    await runs.begin(SECOND)
    assert await runs.open_case(SECOND.run_id, at(11))
    assert not await runs.open_case(SECOND.run_id, at(12))
    assert not await runs.open_case("f" * 16, at(12))
    await runs.passed("f" * 16, Stage.SENT, at(12))
    assert await runs.run("f" * 16) is None


async def test_what_is_proven_of_the_way_is_what_the_slowest_partition_proves(migrated_database: str) -> None:
    partition = "INSERT INTO rules.partitions (partition, watermark) VALUES (%s, %s)"
    async with open_pool(migrated_database, "test", 1, 2) as pool:
        chain = PostgresChain(pool)
        assert await chain.look() == ChainSeen(None, None, None, None)
        async with pool.connection() as connection:
            await connection.execute(partition, (0, at(5)))
            await connection.execute(partition, (1, at(3)))
        assert (await chain.look()).proven_until == at(3)
        async with pool.connection() as connection:
            await connection.execute(partition, (2, None))
        assert (await chain.look()).proven_until is None
