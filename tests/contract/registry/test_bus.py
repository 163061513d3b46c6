"""The bus in memory and the one in Kafka keep the newest record of each entity."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from schemas import codec
from schemas.topics import all_topics
from services.registry.adapters.kafka import DAY_MS, KafkaBus, topic_spec
from services.registry.adapters.wire import from_wire
from services.registry.domain.entities import Facts, History, Kind, Version
from services.registry.domain.errors import BusUnavailable, RecordTooLarge
from services.registry.ports import Bus
from services.runtime.kafka import CompactedFollower, TopicSpec, ensure_topics
from services.runtime.lifecycle import Stop
from tests.fakes.registry import MemoryBus
from tests.unit.registry.builders import DAY, T0, gateway, policy


@dataclass
class Readable:
    """A bus and a way to read what a newcomer would find on it."""

    bus: Bus
    bootstrap: str | None
    topic: str

    async def contents(self) -> dict[str, list[Version[Facts]]]:
        if isinstance(self.bus, MemoryBus):
            return {key: list(history.versions) for key, history in self.bus.records.items()}
        assert self.bootstrap is not None
        return await read_topic(self.bootstrap, self.topic)


async def read_topic(bootstrap: str, topic: str) -> dict[str, list[Version[Facts]]]:
    """Return every entity on a registry topic, by key, as a service that has just started sees it."""
    found: dict[str, list[Version[Facts]]] = {}

    def take(key: str, value: bytes | None) -> None:
        assert value is not None
        event = codec.registry.decode(value)
        assert event.subject == key
        found[key] = [from_wire(version) for version in event.data.record.versions]

    stop = Stop()
    follower = CompactedFollower(bootstrap, topic, take)
    running = asyncio.create_task(follower.run(stop))
    await follower.caught_up(60)
    stop.set()
    await running
    return found


@pytest.fixture(params=["memory", "kafka"])
async def readable(request: pytest.FixtureRequest) -> AsyncIterator[Readable]:
    if request.param == "memory":
        yield Readable(MemoryBus(), None, "")
        return
    bootstrap = request.getfixturevalue("kafka_broker")
    topic = f"registry-{secrets.token_hex(4)}"
    await ensure_topics(bootstrap, [TopicSpec(topic, 3, True, None, 1_048_576)])
    bus = KafkaBus(bootstrap=bootstrap, topic=topic)
    yield Readable(bus, bootstrap, topic)
    await bus.close()


def history(*facts: Facts) -> History[Facts]:
    kind = Kind.PACK if facts[0] == policy() else Kind.GATEWAY
    return History(kind, facts[0].id, [Version(each, DAY, T0 + timedelta(minutes=n)) for n, each in enumerate(facts)])


async def test_newest_record_of_each_entity_stands(readable: Readable) -> None:
    first, second = history(gateway()), history(gateway(), gateway(carrier="carrier-b"))
    await readable.bus.publish([first, history(policy())], T0)
    await readable.bus.publish([second], T0)
    assert await readable.contents() == {
        "gateway:G000001": list(second.versions), "pack:sample-2026": list(history(policy()).versions),
    }  # fmt: skip


async def test_many_records_all_arrive(readable: Readable) -> None:
    await readable.bus.publish([history(gateway(gateway_id=f"G{number}")) for number in range(2000)], T0)
    assert len(await readable.contents()) == 2000


async def test_no_broker_is_said_so() -> None:
    bus = KafkaBus(bootstrap="127.0.0.1:1")
    with pytest.raises(BusUnavailable):
        await bus.publish([history(gateway())], T0)
    with pytest.raises(BusUnavailable):
        await bus.create_topics()


async def test_entity_with_more_versions_than_a_record_holds_is_refused() -> None:
    with pytest.raises(RecordTooLarge, match="G000001"):
        await KafkaBus(bootstrap="127.0.0.1:1").publish([history(*[gateway(vendor="v" * 200)] * 3000)], T0)


def test_a_topic_is_made_as_its_file_says_and_signals_are_kept_for_as_long_as_is_set() -> None:
    files = all_topics()
    as_written = {name: topic_spec(topic, 3) for name, topic in files.items()}
    shorter = {name: topic_spec(topic, 3, signals_days=30) for name, topic in files.items()}
    assert as_written["signals"].retention_ms == 400 * DAY_MS
    assert {name for name, one in shorter.items() if one != as_written[name]} == {"signals"}
    assert shorter["signals"].retention_ms == 30 * DAY_MS
    assert {name for name, one in as_written.items() if one.compression != "producer"} == {"signals"}
