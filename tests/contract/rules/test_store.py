"""What a store of rules promises: fenced, whole or nothing, safe to repeat. Memory and PostgreSQL alike."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from services.rules.adapters.pg_store import PostgresStore
from services.rules.domain.effects import Effects, HourCount, Moment
from services.rules.domain.snapshot import snapshot_head, snapshot_unit
from services.rules.domain.time.instants import instant
from services.rules.ports import Checkpoint, Fenced, Saved, StateDamaged, Store
from services.rules.worker import row_of
from services.runtime.postgres import open_pool
from tests.fakes.rules import MemoryStore
from tests.unit.rules.scenario import Scenario, when

Facts = Callable[[], Awaitable[dict[str, Any]]]


async def _memory_facts(store: MemoryStore) -> dict[str, Any]:
    return {
        "transitions": sorted(store.transitions),
        "components": sorted(store.components),
        "findings": sorted(store.findings),
        "hours": sorted(store.hours.values()),
        "units": {name: (row.connection.value, row.open_fires) for name, row in store.units.items()},
        "rates": sum(row.in_scope for (_, key), row in store.rates.items() if key.dimension == "town"),
    }


async def _postgres_facts(dsn: str) -> dict[str, Any]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:

        async def rows(statement: str) -> list[Any]:
            return await (await connection.execute(statement.encode())).fetchall()

        rates = "SELECT coalesce(sum(in_scope), 0) FROM rules.rate_counts WHERE dimension = 'town'"
        return {
            "transitions": sorted(row[0] for row in await rows("SELECT transition_id FROM rules.transitions")),
            "components": sorted(row[0] for row in await rows("SELECT transition_id FROM rules.component_transitions")),
            "findings": sorted(row[0] for row in await rows("SELECT event_id FROM rules.outbox")),
            "hours": sorted(row[0] for row in await rows("SELECT count FROM rules.heartbeats_hourly")),
            "units": {u: (c, f) for u, c, f in await rows("SELECT unit_id, connection, open_fires FROM rules.units")},
            "rates": (await rows(rates))[0][0],
        }


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Store, Facts]]:
    if request.param == "memory":
        memory = MemoryStore()
        yield memory, lambda: _memory_facts(memory)
        return
    dsn = request.getfixturevalue("migrated_database")
    async with open_pool(dsn, "test") as pool:
        yield PostgresStore(pool), lambda: _postgres_facts(dsn)


def story() -> Scenario:
    scenario = Scenario(2)
    scenario.tick(0)
    scenario.beat(1)
    scenario.signal(2, "fire", '["", "p1"]', body='{"point":{"address":"p1","label":"三层\\u0000"}}')
    return scenario


def checkpoint(scenario: Scenario, epoch: int, seq: int = 1, partition: int = 0) -> Checkpoint:
    engine = scenario.engine
    return Checkpoint(
        partition=partition,
        owner_epoch=epoch,
        seq=seq,
        next_offset=scenario.offset,
        base=seq == 1,
        head=snapshot_head(engine),
        units=[snapshot_unit(unit) for unit in engine.units.values()],
        watermark=engine.watch.watermark,
        visibility=engine.watch.visibility,
        blind_after_s=10,
        effects=Effects(
            transitions=scenario.said.transitions,
            components=scenario.said.components,
            findings=scenario.said.findings,
            signals=scenario.said.signals,
            hours=[HourCount("U1", when(0), 5)],
            samples=scenario.said.samples,
        ),
        rows=[row_of(unit) for unit in engine.units.values()],
        rates=list(engine.counters.rates.rows()),
        rates_whole=True,
    )


async def test_a_first_claim_finds_nothing_and_reads_from_the_beginning(store: tuple[Store, Facts]) -> None:
    saved = await store[0].claim(3, "a")
    assert (saved.owner_epoch, saved.next_offset, saved.seq, saved.head) == (1, 0, 0, None)


async def test_what_was_saved_is_what_the_next_owner_finds(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    scenario = story()
    epoch = (await keeper.claim(0, "a")).owner_epoch
    assert await keeper.save([checkpoint(scenario, epoch)]) > 0
    saved = await keeper.claim(0, "b")
    assert (saved.owner_epoch, saved.next_offset, saved.seq) == (epoch + 1, scenario.offset, 1)
    assert saved.head == snapshot_head(scenario.engine)
    assert [unit[0] for unit in saved.units] == ["U1", "U2"]
    assert sorted(saved.rates) == sorted(scenario.engine.counters.rates.rows())
    held = await facts()
    assert held["units"] == {"U1": ("online", 1), "U2": ("never_connected", 0)}
    assert held["transitions"] == sorted(t.transition_id for t in scenario.said.transitions)
    assert held["components"] == [scenario.said.components[0].transition_id]
    assert held["findings"] == [scenario.said.findings[0].event_id]
    assert (held["hours"], held["rates"]) == ([5], 6)


async def test_losses_of_a_gateway_are_counted_day_by_day_in_china(migrated_database: str) -> None:
    scenario = story()
    for second, missing in ((3, 4), (4, 5), (86_400, 6)):
        scenario.signal(second, "gap", body=json.dumps({"missing": missing}))
    async with open_pool(migrated_database, "test") as pool:
        keeper = PostgresStore(pool)
        await keeper.save([checkpoint(scenario, (await keeper.claim(0, "a")).owner_epoch)])
        async with pool.connection() as connection:
            found = await connection.execute("SELECT day::text, gaps, missing FROM rules.losses ORDER BY day")
            assert await found.fetchall() == [("2026-03-02", 2, 9), ("2026-03-03", 1, 6)]


@pytest.mark.parametrize(("back", "left"), [(-3, [("2026-03-02", 1, 1)]), (-4, [])])
async def test_a_loss_that_was_none_is_taken_back_on_the_day_on_which_it_was_told(
    migrated_database: str, back: int, left: list[tuple[str, int, int]]
) -> None:
    scenario = story()
    told_at = "2026-03-02T11:00:00+00:00"
    for second, body in (
        (3, {"missing": 4}),
        (86_400, {"missing": 6}),
        (86_401, {"missing": back, "first_received_at": told_at}),
    ):
        scenario.signal(second, "gap", body=json.dumps(body))
    async with open_pool(migrated_database, "test") as pool:
        keeper = PostgresStore(pool)
        await keeper.save([checkpoint(scenario, (await keeper.claim(0, "a")).owner_epoch)])
        async with pool.connection() as connection:
            found = await connection.execute("SELECT day::text, gaps, missing FROM rules.losses ORDER BY day")
            assert await found.fetchall() == [*left, ("2026-03-03", 1, 6)]


async def test_a_repeated_save_changes_nothing(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    epoch = (await keeper.claim(0, "a")).owner_epoch
    await keeper.save([checkpoint(story(), epoch)])
    before = await facts()
    assert await keeper.save([checkpoint(story(), epoch)]) == 0
    assert await facts() == before


async def test_a_former_owner_is_fenced_and_leaves_no_trace(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    old = (await keeper.claim(0, "zombie")).owner_epoch
    await keeper.claim(0, "new")
    with pytest.raises(Fenced):
        await keeper.save([checkpoint(story(), old)])
    assert ((await facts())["transitions"], (await facts())["components"]) == ([], [])
    assert (await keeper.claim(0, "new")).head is None


async def test_one_fenced_partition_keeps_all_of_the_transaction_out(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    mine = (await keeper.claim(0, "a")).owner_epoch
    lost = (await keeper.claim(1, "a")).owner_epoch
    await keeper.claim(1, "b")
    with pytest.raises(Fenced) as fenced:
        await keeper.save([checkpoint(story(), mine), checkpoint(story(), lost, partition=1)])
    assert fenced.value.partition == 1
    assert (await facts())["units"] == {}


async def test_a_row_names_system_and_address_and_the_whole_unit_has_neither(migrated_database: str) -> None:
    scenario = story()
    scenario.signal(3, "isolation")
    scenario.signal(4, "fault", '["A\\"1", "p\\u0000"]', unit_id="U2")
    scenario.signal(5, "restore", restores="fault", unit_id="U2")
    async with open_pool(migrated_database, "test") as pool:
        keeper = PostgresStore(pool)
        await keeper.save([checkpoint(scenario, (await keeper.claim(0, "a")).owner_epoch)])
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT unit_id, kind, system, address, open, effective_at, cause, evidence_topic, evidence_offset"
                " FROM rules.component_transitions ORDER BY evidence_offset"
            )
            rows = await found.fetchall()
    assert [row[:5] for row in rows] == [
        ("U1", "fire", "", "p1", True),
        ("U1", "isolation", "", "", True),
        ("U2", "fault", 'A"1', "p\ufffd", True),
        ("U2", "fault", 'A"1', "p\ufffd", False),
    ]
    assert rows[-1][5:] == (instant(when(5)), "signal", "firenet.signals.v1", scenario.offset - 1)


async def test_a_storm_of_components_is_whole_in_one_save(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    scenario = Scenario(10)
    for number in range(10_000):
        unit, address = f"U{number % 10 + 1}", f"p{number // 10}"
        scenario.signal(1, "fault", json.dumps(["", address]), unit_id=unit)
    assert await keeper.save([checkpoint(scenario, (await keeper.claim(0, "a")).owner_epoch)]) > 0
    assert len((await facts())["components"]) == 10_000


def healths(saved: Saved) -> dict[str, str]:
    return {unit.unit_id: json.loads(unit.state)["condition"]["health"] for unit in saved.units}


async def test_deltas_are_laid_over_their_base_and_a_new_base_replaces_both(store: tuple[Store, Facts]) -> None:
    keeper, _ = store
    scenario = story()
    epoch = (await keeper.claim(0, "a")).owner_epoch
    await keeper.save([checkpoint(scenario, epoch)])
    scenario.signal(3, "restore", restores="all")
    delta = checkpoint(scenario, epoch, seq=2)
    await keeper.save([replace(delta, units=[snapshot_unit(scenario.engine.units["U1"])], effects=Effects())])
    saved = await keeper.claim(0, "a")
    assert saved.seq == 2
    assert healths(saved) == {"U1": "normal", "U2": "unknown"}
    scenario.beat(4, "U2")
    base = replace(checkpoint(scenario, saved.owner_epoch, seq=3), base=True, effects=Effects())
    await keeper.save([base])
    saved = await keeper.claim(0, "a")
    assert healths(saved) == {"U1": "normal", "U2": "normal"}


async def test_hours_add_up_over_checkpoints(store: tuple[Store, Facts]) -> None:
    keeper, facts = store
    scenario = story()
    epoch = (await keeper.claim(0, "a")).owner_epoch
    await keeper.save([checkpoint(scenario, epoch)])
    more = Effects(hours=[HourCount("U1", when(0), 2), HourCount("U1", when(0), 1)])
    await keeper.save([replace(checkpoint(scenario, epoch, seq=2), effects=more)])
    assert (await facts())["hours"] == [8]


async def test_text_that_a_database_cannot_hold_is_no_obstacle(store: tuple[Store, Facts]) -> None:
    keeper, _ = store
    scenario = story()
    epoch = (await keeper.claim(0, "a")).owner_epoch
    odd = scenario.said.signals[0]._replace(body='{"text":"\ufffd \\"quote\\" \\\\ 火"}', signal_id="odd")
    moment = Moment(when(1), when(1), scenario.said.findings[0].moment.cause, scenario.said.findings[0].moment.evidence)
    finding = scenario.said.findings[0]._replace(event_id="odd", moment=moment, clause='条文 \\ "一"')
    await keeper.save([replace(checkpoint(scenario, epoch), effects=Effects(signals=[odd], findings=[finding]))])


async def test_a_state_that_cannot_be_read_is_refused(migrated_database: str) -> None:
    async with open_pool(migrated_database, "test") as pool:
        keeper = PostgresStore(pool)
        epoch = (await keeper.claim(0, "a")).owner_epoch
        await keeper.save([checkpoint(story(), epoch)])
        async with pool.connection() as connection:
            await connection.execute("UPDATE rules.snapshots SET body = 'garbage'")
        with pytest.raises(StateDamaged):
            await keeper.claim(0, "a")
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM rules.snapshots")
        with pytest.raises(StateDamaged, match="no saved state"):
            await keeper.claim(0, "a")


async def test_views_lay_blindness_over_what_is_stored(migrated_database: str) -> None:
    """The watermark of this story lies months back: online reads as unknown, a fire stays a fire."""
    async with open_pool(migrated_database, "test") as pool:
        keeper = PostgresStore(pool)
        epoch = (await keeper.claim(0, "a")).owner_epoch
        await keeper.save([checkpoint(story(), epoch)])
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT connection, connection_now, health_now FROM rules.units_now"
                                              " WHERE unit_id = 'U1'")  # fmt: skip
            assert await cursor.fetchone() == ("online", "unknown", "fire")
            cursor = await connection.execute("SELECT watermark FROM rules.partitions")
            row = await cursor.fetchone()
            assert row is not None
            assert row[0] == instant(when(0))
            cursor = await connection.execute(
                "SELECT in_scope, connected, unknown FROM rules.rates_now WHERE scope = 'S1' AND dimension = 'town'"
            )
            assert await cursor.fetchone() == (2, 0, 1)
