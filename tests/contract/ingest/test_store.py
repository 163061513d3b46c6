"""What the worker may expect of a SignalStore and TickStore, from memory and from Kafka alike."""

from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from schemas.topics import ALARMS, REFUSALS, SIGNALS
from services.ingest.adapters.kafka_store import KafkaStore
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import decide
from services.ingest.domain.values import Accepted, Message, Outcome, Tick
from services.ingest.metrics import Metrics
from services.kernel.words import RefusalReason
from services.runtime.lifecycle import Stop
from tests.fakes.ingest import MemoryStore
from tests.integration.ingest.log import create_topics
from tests.unit.ingest.build import DECODERS, NOON, arrival, directory

TICK = Tick(1, 1, leaving=False, proven_until=NOON, sent_at=NOON)


class StoreHarness(Protocol):
    """A store and a look at what was stored since the test began."""

    @property
    def store(self) -> KafkaStore | MemoryStore: ...

    async def stored(self, topic: str) -> list[bytes]: ...


class ShelfInMemory:
    def __init__(self) -> None:
        self.store = MemoryStore()

    async def stored(self, topic: str) -> list[bytes]:
        return {SIGNALS: self.store.signals, ALARMS: self.store.alarms, REFUSALS: self.store.refusals}[topic]


class KafkaShelf:
    def __init__(self, bootstrap: str, store: KafkaStore, starts: dict[TopicPartition, int]) -> None:
        self.store = store
        self._bootstrap = bootstrap
        self._starts = starts

    async def stored(self, topic: str) -> list[bytes]:
        found: list[bytes] = []
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap) as consumer:
            places = [place for place in self._starts if place.topic == topic]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, self._starts[place])
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getone(place),):
                        found.append(record.value)
        return found


@pytest.fixture(params=["memory", "kafka"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[StoreHarness]:
    if request.param == "memory":
        yield ShelfInMemory()
        return
    bootstrap = request.getfixturevalue("kafka_broker")
    await create_topics(bootstrap)
    store = KafkaStore(bootstrap, "contract", Encoder("ingest-1"), Metrics(CollectorRegistry()))
    assert await store.start(Stop())
    async with AIOKafkaConsumer(SIGNALS, ALARMS, REFUSALS, bootstrap_servers=bootstrap) as consumer:
        starts = await consumer.end_offsets(sorted(consumer.assignment()))
    try:
        yield KafkaShelf(bootstrap, store, starts)
    finally:
        await store.close()


def outcome(payload: bytes) -> Outcome:
    return decide(arrival(payload), directory(), DECODERS)


async def test_signals_stand_in_order_and_only_once(harness: StoreHarness) -> None:
    outcomes = [outcome(b'{"v":1,"kind":"heartbeat","seq":%d}' % seq) for seq in range(300)]
    assert list(await harness.store.put(outcomes)) == outcomes
    stored = await harness.stored(SIGNALS)
    assert [f'"seq":{seq},'.encode() in value for seq, value in enumerate(stored)] == [True] * 300


async def test_fire_stands_on_both_topics_with_the_same_bytes(harness: StoreHarness) -> None:
    await harness.store.put([outcome(b'{"v":1,"kind":"fire","seq":1}'), outcome(b'{"v":1,"kind":"fault","seq":2}')])
    signals = await harness.stored(SIGNALS)
    assert len(signals) == 2
    assert await harness.stored(ALARMS) == [value for value in signals if b'"fire"' in value]


async def test_a_refusal_stands_on_its_topic_even_with_two_million_bytes(harness: StoreHarness) -> None:
    await harness.store.put([outcome(b"x" * 2_000_000), outcome(b"")])
    refusals = await harness.stored(REFUSALS)
    assert sorted(b'"too_large"' in value for value in refusals) == [False, True]
    assert await harness.stored(SIGNALS) == []


async def test_what_cannot_be_written_comes_back_as_refused(harness: StoreHarness) -> None:
    good = outcome(b'{"v":1,"kind":"heartbeat"}')
    assert isinstance(good, Accepted)
    broken = good._replace(signals=(good.signals[0]._replace(message=Message("x", point=5)),))  # type: ignore[arg-type]
    (became, kept) = await harness.store.put([broken, good])
    assert getattr(became, "reason", None) is RefusalReason.UNEXPECTED
    assert kept == good
    assert len(await harness.stored(SIGNALS)) == 1
    assert len(await harness.stored(REFUSALS)) == 1


async def test_a_tick_is_confirmed(harness: StoreHarness) -> None:
    assert await harness.store.tick(TICK)
