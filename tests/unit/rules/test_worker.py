"""The loop around the engines: nothing lost or doubled when saving fails, restarts or is fenced."""

import asyncio
import gc
import json
import weakref
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from services.rules.adapters.pg_store import pack, unpack
from services.rules.domain.facts import GatewayVersion
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.snapshot import SavedUnit, snapshot_head
from services.rules.domain.time.instants import SECOND, day_start
from services.rules.metrics import LiveCollector, RulesMetrics
from services.rules.ports import Fenced, Refused, Rows, StateDamaged, StoreUnavailable
from services.rules.worker import MAX_UNEXPECTED, OutOfPlace, RulesWorker, TooManyUnexpected, publish_findings
from tests.fakes.rules import MemoryStore
from tests.unit.rules.scenario import LISTED, PACK, Scenario, unit_version, when


class Record(NamedTuple):
    offset: int
    value: bytes = b""


@dataclass
class Clock:
    at_s: float = 100.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at_s


@dataclass
class FixedRegistry:
    news: dict[int, Rows] = field(default_factory=dict)

    def rows(self, partition: int) -> Rows:
        units = {f"U{n}": (unit_version(),) for n in range(1, 4)}
        gateways = {f"G{n}": (GatewayVersion(LISTED, day_start(LISTED), f"U{n}", "c"),) for n in range(1, 4)}
        return Rows(units, gateways, {"sample-2026": (PACK,)}) if partition == 0 else Rows({}, {}, {})

    def take_news(self) -> Mapping[int, Rows]:
        news, self.news = self.news, {}
        return news


@dataclass
class Log:
    """Records by offset; a string stands for one that is unusable, None for one on which the engine breaks."""

    items: list[Input | str | None]

    def decode(self, value: bytes, offset: int) -> Input:
        item = self.items[offset]
        if isinstance(item, str):
            raise Refused("undecodable", item)
        assert item is not None
        return item._replace(offset=offset)

    def records(self, first: int, last: int) -> list[Record]:
        return [Record(offset) for offset in range(first, last)]


@dataclass
class Failing(Log):
    """Reading the record at one offset fails with no fault of the record."""

    at: int = 0
    error: Exception = field(default_factory=MemoryError)

    def decode(self, value: bytes, offset: int) -> Input:
        if offset == self.at:
            raise self.error
        return super().decode(value, offset)


def log_of_a_day() -> Log:
    items: list[Input | str | None] = []
    for second in range(0, 320, 2):
        items.append(Tick("i1", 1, second + 1, False, when(second), when(second), 0))
        if second in (10, 12):
            items.append(Heartbeat("U1", "G1", f"h{second}", when(second), 0))
        if second == 20:
            items.append(Signal("U2", "G2", "f1", "fire", when(second), 0, point="p"))
        if second == 40:
            items += ["not json", Signal("U2", "G2", "r1", "restore", when(second), 0, restores="all")]
    return Log(items)


def worker(store: MemoryStore, log: Log, clock: Clock, registry: FixedRegistry | None = None) -> RulesWorker:
    return RulesWorker(
        store=store,
        registry=registry or FixedRegistry(),
        decoder=log,
        metrics=RulesMetrics(CollectorRegistry()),
        clock=clock,
        owner="test",
        never_grace=60 * SECOND,
        log=lambda *_, **__: None,
    )


async def turn(one: RulesWorker, clock: Clock, seconds: float = 1.0) -> None:
    """Let a turn pass and whatever it began come to its end."""
    clock.at_s += seconds
    await one.idle()
    if one.checkpoints.saving is not None:
        await asyncio.wait({one.checkpoints.saving})
        await one.idle()


async def run_through(store: MemoryStore, log: Log, stops: Sequence[int] = ()) -> MemoryStore:
    """Work the log off in lots of 7; at each of `stops` the process dies without a word."""
    clock = Clock()
    one = worker(store, log, clock)
    position = await one.assigned(0)
    deaths = list(stops)
    while position < len(log.items):
        if deaths and position >= deaths[0]:
            deaths.pop(0)
            one = worker(store, log, clock)
            position = await one.assigned(0)
        end = min(position + 7, len(log.items))
        await one.handle({0: log.records(position, end)})
        position = end
        await turn(one, clock, 0.5)
    await one.revoked([0])
    return store


@pytest.mark.thorough
async def test_dying_at_any_point_gives_the_same_facts() -> None:
    whole = await run_through(MemoryStore(), log_of_a_day())
    assert {f.kind.value for f in whole.findings.values()} == {"connection_lost", "never_connected", "fire"}
    for step in (5, 11, 23):
        deaths = list(range(step, 170, step))
        torn = await run_through(MemoryStore(), log_of_a_day(), deaths)
        assert torn.transitions == whole.transitions
        assert torn.findings == whole.findings
        assert torn.signals == whole.signals
        assert torn.hours == whole.hours
        assert torn.units == whole.units
        assert torn.rates == whole.rates


async def test_an_answer_that_was_lost_does_not_double_anything() -> None:
    store, clock = MemoryStore(lose_answer=True), Clock()
    one = worker(store, log_of_a_day(), clock)
    await one.assigned(0)
    await one.handle({0: log_of_a_day().records(0, 160)})
    for _ in range(5):
        await turn(one, clock)
    await one.revoked([0])
    whole = await run_through(MemoryStore(), log_of_a_day())
    assert store.hours == whole.hours
    assert set(store.transitions) == {t.transition_id for t in whole.transitions.values() if t.evidence.offset < 160}


async def test_an_outage_is_waited_for_and_the_same_checkpoint_is_repeated() -> None:
    store, clock = MemoryStore(), Clock()
    one = worker(store, log_of_a_day(), clock)
    await one.assigned(0)
    store.outages = 3
    await one.handle({0: log_of_a_day().records(0, 30)})
    for _ in range(3):
        await turn(one, clock, 5)
        assert store.saves == 0
        assert one.progress.last_error == "down"
    await turn(one, clock, 5)
    assert store.saves == 1
    assert one.progress.waiting_since is None


async def test_much_that_a_claim_brings_is_saved_before_the_next_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.worker.loop.MANY_AT_ONCE", 2)
    store, clock = MemoryStore(), Clock()
    one = worker(store, log_of_a_day(), clock)
    await one.assigned(0)
    assert set(store.units) == {"U1", "U2", "U3"}
    assert store.transitions
    assert one.held[0].engine.effects.size() == 0


async def test_no_more_records_are_taken_while_too_much_is_unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.worker.loop.MAX_UNSAVED", 6)
    store, clock = MemoryStore(), Clock()
    one = worker(store, log_of_a_day(), clock)
    await one.assigned(0)
    store.outages = 5
    await one.handle({0: log_of_a_day().records(0, 30)})
    await turn(one, clock)
    await one.handle({0: log_of_a_day().records(30, 60)})
    with pytest.raises(StoreUnavailable):
        await one.handle({0: log_of_a_day().records(60, 90)})
    assert one.held[0].next_offset == 60


async def test_a_zombie_throws_its_partition_away() -> None:
    store, clock = MemoryStore(), Clock()
    zombie = worker(store, log_of_a_day(), clock)
    await zombie.assigned(0)
    await zombie.handle({0: log_of_a_day().records(0, 30)})
    await worker(store, log_of_a_day(), clock).assigned(0)
    with pytest.raises(Fenced):
        await turn(zombie, clock)
    assert zombie.held == {}
    assert store.transitions == {}


async def test_a_state_of_a_format_before_is_replaced_by_the_first_checkpoint_so_that_none_is_laid_over_it() -> None:
    store, log, clock = MemoryStore(), log_of_a_day(), Clock()
    one = worker(store, log, clock)
    await one.assigned(0)
    await one.handle({0: log.records(0, 7)})
    await one.revoked([0])
    (seq,) = store.partitions[0].snapshots
    old = {
        **snapshot_head(Scenario().engine),
        "format": 2,
        "instances": {"i1": [1, 7, when(12), when(12)]},
        "unsampled": [],
    }
    body = zlib.compress(json.dumps([old, []]).encode())
    store.partitions[0].snapshots[seq] = (True, body)
    one = worker(store, log, clock)
    await one.assigned(0)
    await one.handle({0: log.records(7, 9)})
    await turn(one, clock)
    assert [is_base for is_base, _ in store.partitions[0].snapshots.values()] == [True]
    assert body not in [each for _, each in store.partitions[0].snapshots.values()]
    await one.handle({0: log.records(9, 11)})
    await turn(one, clock)
    assert [is_base for is_base, _ in store.partitions[0].snapshots.values()] == [True, False]


async def test_an_unusable_record_is_counted_and_the_next_one_is_handled() -> None:
    log, clock = Log(["not json", Heartbeat("U1", "G1", "h", when(0), 0)]), Clock()
    one = worker(MemoryStore(), log, clock)
    await one.assigned(0)
    await one.handle({0: log.records(0, 2)})
    assert one.held[0].engine.units["U1"].connection.shown == "online"
    assert one.metrics.refused.labels("undecodable")._value.get() == 1


async def test_a_record_that_breaks_the_engine_is_passed_over_but_not_a_row_of_them() -> None:
    log, clock = Log([None, Heartbeat("U1", "G1", "h", when(0), 0), *[None] * MAX_UNEXPECTED]), Clock()
    one = worker(MemoryStore(), log, clock)
    await one.assigned(0)
    await one.handle({0: log.records(0, 2)})
    assert one.held[0].engine.units["U1"].connection.shown == "online"
    with pytest.raises(TooManyUnexpected):
        await one.handle({0: log.records(2, len(log.items))})


@pytest.mark.parametrize("error", [None, MemoryError()])
async def test_garbage_is_looked_for_after_records_whatever_became_of_them(error: Exception | None) -> None:
    looked: list[bool] = []

    class Watched(Log):
        def decode(self, value: bytes, offset: int) -> Input:
            looked.append(gc.isenabled())
            if error is not None:
                raise error
            return super().decode(value, offset)

    log = Watched([Heartbeat("U1", "G1", "h", when(0), 0)])
    one = worker(MemoryStore(), log, Clock())
    await one.assigned(0)
    with nullcontext() if error is None else pytest.raises(MemoryError):
        await one.handle({0: log.records(0, 1)})
    assert (looked, gc.isenabled()) == ([False], True)


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError()])
async def test_what_a_batch_did_before_it_ended_half_way_is_not_saved_and_counts_once(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("services.rules.worker.loop.MAX_UNEXPECTED", 1)
    whole = await run_through(MemoryStore(), log_of_a_day())
    store, log = MemoryStore(), log_of_a_day()
    one = worker(store, Failing(log.items, at=23, error=error), Clock())
    await one.assigned(0)
    await one.handle({0: log.records(0, 10)})
    with pytest.raises((MemoryError, TooManyUnexpected)):
        await one.handle({0: log.records(10, 40)})
    await one.revoked([0])
    saved = store.partitions[0].next_offset
    assert all(one.evidence.offset < saved for one in store.transitions.values())
    torn = await run_through(store, log)
    assert torn.transitions == whole.transitions
    assert torn.signals == whole.signals
    assert torn.units == whole.units
    assert torn.rates == whole.rates


async def test_records_that_come_a_second_time_are_passed_over_and_a_gap_is_refused() -> None:
    one = worker(MemoryStore(), log_of_a_day(), Clock())
    await one.assigned(0)
    await one.handle({0: log_of_a_day().records(0, 20)})
    said = one.held[0].engine.effects.size()
    await one.handle({0: log_of_a_day().records(5, 20)})
    assert one.held[0].engine.effects.size() == said
    with pytest.raises(OutOfPlace):
        await one.handle({0: log_of_a_day().records(21, 30)})


async def test_a_damaged_state_is_refused_loudly() -> None:
    store, clock = MemoryStore(), Clock()
    await run_through(store, log_of_a_day())
    seq = max(store.partitions[0].snapshots)
    store.partitions[0].snapshots[seq] = (True, b"garbage")
    with pytest.raises(StateDamaged):
        await worker(store, log_of_a_day(), clock).assigned(0)


@pytest.mark.parametrize("state", ["", "{},{}", '{"registration":{}},{"registration":{}}'])
async def test_a_state_that_is_not_exactly_one_shifts_no_other(state: str) -> None:
    store, clock = MemoryStore(), Clock()
    await run_through(store, log_of_a_day())
    seq = max(store.partitions[0].snapshots)
    head, units = unpack(0, [body for _, (_, body) in sorted(store.partitions[0].snapshots.items())])
    store.partitions[0].snapshots = {seq: (True, pack(head, [SavedUnit("U0", state), *units]))}
    with pytest.raises(StateDamaged, match="saved state of partition 0"):
        await worker(store, log_of_a_day(), clock).assigned(0)


async def test_news_of_the_registry_reach_the_partition_they_concern() -> None:
    store, clock, registry = MemoryStore(), Clock(), FixedRegistry()
    one = worker(store, log_of_a_day(), clock, registry)
    await one.assigned(0)
    await one.assigned(1)
    registry.news = {1: Rows({"X": (unit_version(),)}, {}, {}), -1: Rows({}, {}, {"sample-2026": (PACK,)})}
    await turn(one, clock)
    assert "X" in one.held[1].engine.units
    assert "X" not in one.held[0].engine.units
    assert store.units["X"].scopes == ("S1",)


async def test_deltas_are_folded_into_a_base_before_they_outgrow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.worker.owned_partition.REBASE_BYTES", 1000)
    store, clock = MemoryStore(), Clock()
    one = worker(store, log_of_a_day(), clock)
    await one.assigned(0)
    for position in range(0, 160, 4):
        await one.handle({0: log_of_a_day().records(position, position + 4)})
        await turn(one, clock)
    assert len(store.partitions[0].snapshots) < 30


class Stop:
    def __init__(self) -> None:
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    async def wait_for(self, seconds: float) -> bool:
        return self.stopped


class FlakyPublisher:
    def __init__(self, stop: Stop) -> None:
        self.answers: list[int | Exception] = [StoreUnavailable("kafka"), 5, 2]
        self._stop = stop

    async def publish(self, partitions: Sequence[int]) -> int:
        answer = self.answers.pop(0)
        self._stop.stopped = not self.answers
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_publishing_goes_on_after_an_outage() -> None:
    one, stop = worker(MemoryStore(), Log([]), Clock()), Stop()
    publisher = FlakyPublisher(stop)
    await publish_findings(one, publisher, stop)
    assert one.metrics.published._value.get() == 7


async def test_gauges_show_unknown_while_the_watermark_stands_still() -> None:
    clock = Clock()
    one = worker(MemoryStore(), log_of_a_day(), clock)
    await one.assigned(0)
    await one.handle({0: log_of_a_day().records(0, 20)})
    await turn(one, clock)
    watermark = one.held[0].engine.watch.watermark
    assert watermark is not None
    now = [watermark]
    registry = CollectorRegistry()
    registry.register(LiveCollector(lambda: one.views, lambda: now[0]))

    def shown() -> str:
        return generate_latest(registry).decode()

    assert 'firenet_rules_units{connection="online",department="health"} 2.0' in shown()
    now[0] = watermark + 11 * SECOND
    assert 'firenet_rules_units{connection="unknown",department="health"} 2.0' in shown()
    assert 'firenet_rules_units_health{department="health",health="fire"} 1.0' in shown()


async def test_a_partition_where_only_time_passes_is_saved_while_another_presses_without_end() -> None:
    """Else its stored watermark stands still, and readers take its units for unknown."""
    times = range(1, 40)
    signals = [Signal("U2", "G2", f"s{second}", "test", when(second), 0, point="p") for second in times]
    ticks = [Tick("i1", 1, second, False, when(second), when(second), 0) for second in times]
    clock = Clock()
    one = worker(MemoryStore(), Log([*signals, *ticks]), clock)
    assert (await one.assigned(0), await one.assigned(1)) == (0, 0)
    for offset in range(len(times)):
        await one.handle({0: [Record(offset)], 1: [Record(len(times) + offset)]})
        await turn(one, clock, 0.2)
    quiet = one.views[1].watermark
    assert quiet is not None
    assert quiet >= when(30)


class Given:
    """A consumer that was given up: it holds itself, and buffers with it."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_was_garbage_when_a_partition_is_loaded_does_not_stay_for_ever() -> None:
    gc.disable()  # as between two collections
    given_up = weakref.ref(Given())
    one = worker(MemoryStore(), Log([]), Clock())
    assert given_up() is not None
    await one.assigned(0)
    gc.collect()
    assert given_up() is None, "frozen with the heap, never looked at again"
