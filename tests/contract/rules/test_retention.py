"""What has aged goes and what is needed stays: alike on plain PostgreSQL and with TimescaleDB's Apache-2 edition."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter

from services.rules.adapters.retention import TABLES, Horizon
from services.runtime.lifecycle import Stop
from services.runtime.postgres import Connection, Pool, open_pool
from services.runtime.retention import Aged, Counters, Retention, edition

BEFORE = datetime(2025, 10, 24, 16, tzinfo=UTC)
OLD, OLDER, NEW = BEFORE - timedelta(days=40), BEFORE - timedelta(days=200), BEFORE + timedelta(days=40)
UNCLOSED = datetime(2025, 12, 31, 16, tzinfo=UTC)


@dataclass
class Store:
    pool: Pool
    connection: psycopg.Connection[Any]
    hypertables: bool
    counters: Counters

    def put(self, statement: str, *rows: tuple[Any, ...]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)

    def all(self, statement: str) -> list[Any]:
        return self.connection.execute(statement.encode()).fetchall()

    def transition(self, name: str, unit: str, aspect: str, at: datetime) -> None:
        self.put(
            "INSERT INTO rules.transitions VALUES (%s, %s, %s, 'a', 'b', %s, %s, %s, 'silence', 't', 0, 0)",
            (name, unit, aspect, at, at, at),
        )

    def component(self, name: str, at: datetime, *, is_open: bool, unit: str = "U1", address: str = "1") -> None:
        self.put(
            "INSERT INTO rules.component_transitions"
            " VALUES (%s, %s, 'fault', 's', %s, %s, %s, %s, %s, 'signal', 't', 0, 0)",
            (name, unit, address, is_open, at, at, at),
        )

    def signal(self, name: str, at: datetime, unit: str = "U1") -> None:
        self.put(
            "INSERT INTO rules.signals VALUES (%s, %s, %s, 'G', 'fault', NULL, NULL, '{}', 0, 0)", (name, at, unit)
        )

    def case(self, unit: str, effective: datetime, closed: datetime | None) -> None:
        self.put(
            "INSERT INTO alerts.cases (case_id, kind, subject_kind, subject_id, unit_id, finding_id, state,"
            " effective_at, detected_at, opened_at, closed_at, last_sighting_at, pack_id, pack_version, clause,"
            " evidence, ladder)"
            " VALUES (%s, 'fault', 'unit', %s, %s, 'f', %s, %s, %s, %s, %s, %s, 'p', 1, 'c', '{}', '[]')",
            (f"C{unit}", unit, unit, "closed" if closed else "open", *[effective] * 3, closed, effective),
        )

    def sample(self, at: datetime, connected: int, value: str = "sample") -> None:
        self.put(
            "INSERT INTO rules.rate_samples VALUES (%s, 0, 'S1', 'district', %s, 9, %s, 0, 0)", (at, value, connected)
        )

    def retention(self, **bounds: Any) -> Retention:
        async def horizon() -> datetime:
            return BEFORE

        return Retention(self.pool, TABLES, horizon, self.counters, pause_s=0, **bounds)

    async def forget(self, stop: Stop | None = None, **bounds: Any) -> None:
        await self.retention(**bounds).turn(stop or Stop())

    def removed(self, table: str) -> tuple[float, float]:
        """Return rows and chunks."""
        rows, chunks = (each.labels(f"rules.{table}") for each in (self.counters.rows, self.counters.chunks))
        return rows._value.get(), chunks._value.get()


def counters() -> Counters:
    registry = CollectorRegistry()
    return Counters(*[Counter(name, name, ["table"], registry=registry) for name in ("rows", "chunks", "failures")])


@pytest.fixture(
    params=[
        pytest.param("migrated_database", id="plain"),
        pytest.param("migrated_timescaledb_database", id="timescaledb", marks=pytest.mark.container),
    ]
)
def dsn(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        async with open_pool(dsn, "test", max_size=2) as pool:
            has = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
            yield Store(pool, connection, has is not None, counters())


async def test_what_a_unit_is_stays_however_old_and_what_it_was_goes(store: Store) -> None:
    store.transition("was", "U1", "connection", OLDER)
    store.transition("is", "U1", "connection", OLD)
    store.transition("healthy", "U1", "health", OLDER)
    store.transition("other", "U2", "connection", OLDER)
    store.transition("changed", "U2", "connection", NEW)
    await store.forget()
    kept = {name for (name,) in store.all("SELECT transition_id FROM rules.transitions")}
    assert kept == {"is", "healthy", "other", "changed"}, "what held at the new beginning is known still"


async def test_a_trouble_that_goes_on_stays_and_one_that_ended_goes_whole(store: Store) -> None:
    store.component("began", OLDER, is_open=True)
    store.component("ended", OLD, is_open=False)
    store.component("goes on", OLDER, is_open=True, address="2")
    store.component("ends later", OLDER, is_open=True, address="3")
    store.component("later", NEW, is_open=False, address="3")
    await store.forget()
    kept = {name for (name,) in store.all("SELECT transition_id FROM rules.component_transitions")}
    assert kept == {"goes on", "ends later", "later"}


@pytest.mark.parametrize("table", ["signals", "transitions", "component_transitions"])
async def test_what_a_case_tells_of_stays_while_it_is_open_or_was_closed_of_late(store: Store, table: str) -> None:
    write: dict[str, Callable[[str, datetime], None]] = {
        "signals": lambda unit, at: store.signal(f"{unit}{at}", at, unit),
        "transitions": lambda unit, at: store.transition(f"{unit}{at}", unit, "health", at),
        "component_transitions": lambda unit, at: store.component(f"{unit}{at}", at, is_open=True, unit=unit),
    }
    for unit in ("open", "late", "closed", "none"):
        for at in (OLDER - timedelta(days=9), OLDER, OLD, NEW):
            write[table](unit, at)
    store.case("open", OLDER, None)
    store.case("late", OLDER, NEW)
    store.case("closed", OLDER, OLD)
    await store.forget()
    kept = dict(store.all(f"SELECT unit_id, count(*) FROM rules.{table} GROUP BY unit_id"))
    last = 0 if table == "signals" else 1
    assert kept == {"open": 3, "late": 3, "closed": 1 + last, "none": 1 + last}


async def test_a_rate_that_has_not_changed_is_known_after_its_sample_has_gone(store: Store) -> None:
    store.put("INSERT INTO rules.rate_counts VALUES (0, 'S1', 'district', %s, 9, 7, 0, 2, 0, 0, 0, 0)", ("sample",))
    store.sample(OLDER, 5)
    store.sample(OLD, 7)
    await store.forget()
    assert store.all("SELECT sampled_at, connected, exempt FROM rules.rate_samples") == [(BEFORE, 7, 0)]
    await store.forget()
    assert store.all("SELECT count(*) FROM rules.rate_samples") == [(1,)]


async def test_counts_of_heartbeats_go_by_the_chunk_where_there_are_chunks(store: Store) -> None:
    store.put(
        "INSERT INTO rules.heartbeats_hourly VALUES (%s, %s, 60)",
        *[
            (f"U{unit}", at + timedelta(hours=hour))
            for unit in range(3)
            for at in (OLDER, OLD, NEW)
            for hour in range(5)
        ],
    )
    await store.forget()
    assert store.all("SELECT count(*) FROM rules.heartbeats_hourly") == [(15,)]
    assert store.removed("heartbeats_hourly") == ((0, 2) if store.hypertables else (30, 0))


async def test_no_batch_is_larger_than_its_bound_and_a_turn_has_an_end(store: Store) -> None:
    store.case("U1", OLDER, None)  # of the last days before the bound: no chunk there may go
    store.signal("needed", BEFORE - timedelta(hours=5))
    for number in range(7):
        store.signal(str(number), BEFORE - timedelta(hours=number + 1), "U2")
    await store.forget(rows=2, batches=2)
    assert store.all("SELECT count(*) FROM rules.signals") == [(4,)]
    await store.forget(rows=2)
    assert store.all("SELECT signal_id FROM rules.signals") == [("needed",)]
    assert store.removed("signals") == (7, 0)


async def test_one_process_at_a_time_and_one_that_is_told_to_stop_stops(store: Store) -> None:
    for number in range(5):
        store.signal(str(number), BEFORE - timedelta(hours=number + 1))
    with store.connection.transaction():
        store.all("SELECT pg_advisory_xact_lock(hashtext('firenet retention'), hashtext('rules.signals'))")
        await store.forget()
        assert store.all("SELECT count(*) FROM rules.signals") == [(5,)]
    stop = Stop()
    stop.set()
    await store.forget(stop, rows=2)
    assert store.all("SELECT count(*) FROM rules.signals") == [(3,)]


async def test_no_sample_goes_that_was_not_carried_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.sample(OLD, 7)

    async def taken(connection: Connection, aged: Aged) -> bool:
        """Another process is at it just when ours would carry over, and has gone a moment later."""
        asked.append(aged.table)
        return asked.count(aged.table) > 1

    asked: list[str] = []
    retention = store.retention()
    monkeypatch.setattr(retention, "_alone", taken)
    await retention.turn(Stop())
    assert store.all("SELECT count(*) FROM rules.rate_samples") == [(1,)]


async def test_what_fails_is_counted_and_keeps_nothing_else_from_its_turn(store: Store) -> None:
    store.signal("old", OLD)
    store.put("INSERT INTO rules.heartbeats_hourly VALUES ('U1', %s, 1)", (BEFORE - timedelta(hours=1),))
    store.connection.execute("ALTER TABLE rules.signals RENAME TO moved")
    await store.forget()
    assert store.counters.failures.labels("rules.signals")._value.get() == 1
    assert store.all("SELECT count(*) FROM rules.heartbeats_hourly") == [(0,)]


async def test_facts_are_as_old_as_the_log_has_come_and_wait_for_the_close_of_their_year(store: Store) -> None:
    assert await Horizon(store.pool, 366)() > datetime(2020, 1, 1, tzinfo=UTC)
    store.put(
        "INSERT INTO rules.partitions (partition, watermark) VALUES (0, %s)", (datetime(2026, 11, 29, 4, tzinfo=UTC),)
    )
    assert await Horizon(store.pool, 400)() == BEFORE
    figure = (
        "INSERT INTO compliance.figures VALUES ('m', 'S1', 'district', 'd', %s, %s, %s, 1, now(), now(), 1, 1, 0, 0,"
        " '100.0', '100.0', '100.0', 'compliant', 'r', 'p', 1, '{}', '{}')"
    )
    store.put(figure, ("day", BEFORE - timedelta(days=9), BEFORE - timedelta(days=8)))
    assert await Horizon(store.pool, 400)() == BEFORE - timedelta(days=9), "no year is closed yet"
    store.put(figure, ("year", UNCLOSED - timedelta(days=365), UNCLOSED))
    assert await Horizon(store.pool, 400)() == BEFORE, "2025 is closed"


async def test_the_edition_and_its_hypertables_are_told(store: Store) -> None:
    told = await edition(store.pool)
    if store.hypertables:
        assert told["edition"].startswith("TimescaleDB 2.")
        assert told["edition"].endswith("(apache)")
        assert set(told["hypertables"]) == {aged.table for aged in TABLES}
    else:
        assert (told["edition"], told["hypertables"]) == ("plain PostgreSQL", [])
