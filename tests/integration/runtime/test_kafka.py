"""Runtime's Kafka plumbing against a real broker."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NodeNotReadyError

from services.runtime.clock import SystemClock
from services.runtime.kafka import (
    BatchProducer,
    CompactedFollower,
    KafkaUnavailable,
    LateFollower,
    Record,
    TopicMismatch,
    TopicSpec,
    ensure_topics,
    stop_consumer,
)
from services.runtime.kafka_group import leave_group
from services.runtime.kafka_loop import ConsumedRecord, KafkaLoop, LogGap, Unavailable
from services.runtime.lifecycle import Stop, TaskDied, supervise


def spec(partitions: int = 3, *, compact: bool = False) -> TopicSpec:
    return TopicSpec(f"t-{secrets.token_hex(5)}", partitions, compact, None, 1 << 20)


async def produce(bootstrap: str, records: Sequence[Record]) -> list[tuple[int, int]]:
    producer = BatchProducer(bootstrap, "test", headers=[("content-type", b"x")])
    await producer.start()
    try:
        return await producer.send_many(records)
    finally:
        await producer.stop()


async def test_topics_are_created_once_and_another_partition_count_is_refused(kafka_broker: str) -> None:
    topic = spec(2)
    assert await ensure_topics(kafka_broker, [topic]) == [topic.name]
    assert await ensure_topics(kafka_broker, [topic]) == []
    with pytest.raises(TopicMismatch, match="2 partitions, not 4"):
        await ensure_topics(
            kafka_broker, [TopicSpec(topic.name, 4, compact=False, retention_ms=None, max_message_bytes=1 << 20)]
        )


async def test_a_topic_that_kafka_does_not_make_is_an_error_with_its_reason(kafka_broker: str) -> None:
    topics = [spec(1), replace(spec(1), replication=3)]  # on one broker
    with pytest.raises(KafkaUnavailable, match=f"topic {topics[1].name}: InvalidReplicationFactorError"):
        await ensure_topics(kafka_broker, topics)


async def test_a_topic_that_the_broker_compresses_is_read_like_any_other(kafka_broker: str) -> None:
    topic = replace(spec(1), compression="gzip")
    await ensure_topics(kafka_broker, [topic])
    values = [b"signal %d" % n for n in range(500)]
    await produce(kafka_broker, [Record(topic.name, b"k", value) for value in values])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    await admin.close()
    assert {entry[0]: entry[1] for entry in answer.resources[0][4]}["compression.type"] == "gzip"
    async with AIOKafkaConsumer(topic.name, bootstrap_servers=kafka_broker, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(90):
            assert [(await consumer.getone()).value for _ in values] == values


async def test_send_many_keeps_order_per_key_and_says_where_each_record_went(kafka_broker: str) -> None:
    topic = spec()
    await ensure_topics(kafka_broker, [topic])
    places = await produce(kafka_broker, [Record(topic.name, b"k%d" % (n % 7), b"%d" % n) for n in range(5000)])
    assert len(set(places)) == 5000
    for key in range(7):
        mine = [places[n] for n in range(5000) if n % 7 == key]
        assert mine == sorted(mine)
        assert len({partition for partition, _ in mine}) == 1


async def test_after_a_batch_that_never_reached_the_broker_the_next_is_stored(kafka_broker: str) -> None:
    topic = spec(1)
    await ensure_topics(kafka_broker, [topic])
    producer = BatchProducer(kafka_broker, "test")
    await producer.start()
    one = [Record(topic.name, b"k", b"v")]
    assert await producer.send_many(one) == [(0, 0)]
    # as aiokafka does with a batch that it gives up for want of a leader
    producer._producer._txn_manager.increment_sequence_number(TopicPartition(topic.name, 0), 1)  # type: ignore[union-attr] # connected above
    with pytest.raises(KafkaUnavailable, match="OutOfOrderSequenceNumber"):
        await producer.send_many(one)
    assert await producer.send_many(one) == [(0, 1)]
    await producer.stop()


async def test_a_consumer_that_waits_to_fetch_again_is_stopped_like_any_other(
    kafka_broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = spec(1)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k", b"v")])
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=kafka_broker, auto_offset_reset="earliest")
    failed = asyncio.Event()

    async def fail(*_: Any, **__: Any) -> None:
        failed.set()
        raise NodeNotReadyError("as when Kafka was frozen for 40 s")

    await consumer.start()
    async with asyncio.timeout(60):
        await consumer.getone()  # a partition so new may have no leader at first: from now on it has
    await consumer.getmany()  # what was read is taken, so it goes on fetching
    monkeypatch.setattr(consumer._fetcher, "_retry_backoff", 3600)
    monkeypatch.setattr(consumer._client, "send", fail)
    async with asyncio.timeout(60):
        await failed.wait()
    async with asyncio.timeout(60):
        await stop_consumer(consumer)
    assert all(not connection.connected() for connection in consumer._client._conns.values())


async def test_follower_reads_everything_before_it_says_caught_up_and_then_goes_on(kafka_broker: str) -> None:
    topic = spec(compact=True)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k%d" % n, b"v") for n in range(100)])
    seen: dict[str, bytes | None] = {}
    deleted = asyncio.Event()
    stop = Stop()

    def on_record(key: str, value: bytes | None) -> None:
        seen[key] = value
        if value is None:
            deleted.set()

    follower = CompactedFollower(kafka_broker, topic.name, on_record)

    async def check() -> None:
        await follower.caught_up(60)
        assert len(seen) == 100
        await produce(kafka_broker, [Record(topic.name, b"k1", None)])
        await deleted.wait()
        assert seen["k1"] is None
        stop.set()

    async with asyncio.timeout(120):
        await asyncio.gather(follower.run(stop), check())


@pytest.mark.parametrize(("days", "known"), [(-1, 3), (1, 0), (-30_000, 3)])
async def test_late_follower_begins_at_its_instant_and_goes_on(kafka_broker: str, days: int, known: int) -> None:
    topic = spec(partitions=2)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k%d" % n, b"old") for n in range(3)])
    seen: list[bytes | None] = []
    went_on = asyncio.Event()
    stop = Stop()

    def on_record(key: str, value: bytes | None) -> None:
        seen.append(value)
        if value == b"new":
            went_on.set()

    since = SystemClock().now() + timedelta(days=days)
    follower = LateFollower(kafka_broker, topic.name, on_record, since)

    async def check() -> None:
        await follower.caught_up(60)
        assert follower.is_caught_up
        assert seen == [b"old"] * known
        await produce(kafka_broker, [Record(topic.name, b"k1", b"new")])
        await went_on.wait()
        stop.set()

    async with asyncio.timeout(120):
        await asyncio.gather(follower.run(stop), check())


class DictHandler:
    """A handler whose database is a dictionary; fails once on demand."""

    def __init__(self, stop: Stop, wanted: int) -> None:
        self.offsets: dict[int, int] = {}
        self.values: list[bytes] = []
        self.fail_once = False
        self._stop = stop
        self._wanted = wanted

    async def assigned(self, partition: int) -> int:
        return self.offsets.get(partition, 0)

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        if self.fail_once:
            self.fail_once = False
            raise Unavailable("database away")
        for partition, records in batches.items():
            self.values += [record.value for record in records]
            self.offsets[partition] = records[-1].offset + 1

    async def idle(self) -> None:
        if len(self.values) >= self._wanted:
            self._stop.set()

    async def revoked(self, partitions: Sequence[int]) -> None:
        return None


async def test_loop_reads_on_from_the_handlers_own_offsets_and_repeats_what_was_not_taken(kafka_broker: str) -> None:
    topic = spec()
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"%d" % n, b"%d" % n) for n in range(300)])
    stop = Stop()
    handler = DictHandler(stop, 300)
    handler.fail_once = True
    async with asyncio.timeout(90):
        await KafkaLoop(kafka_broker, topic.name, topic.name, handler, "a").run(stop)
    assert sorted(handler.values, key=int) == [b"%d" % n for n in range(300)]

    await produce(kafka_broker, [Record(topic.name, b"x", b"next")])
    stop = Stop()
    second = DictHandler(stop, 1)
    second.offsets = handler.offsets
    async with asyncio.timeout(90):
        await KafkaLoop(kafka_broker, topic.name, topic.name, second, "b").run(stop)
    assert second.values == [b"next"]


class OwningHandler(DictHandler):
    """Says which partitions it has."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop, 1)
        self.owned: set[int] = set()

    async def assigned(self, partition: int) -> int:
        self.owned.add(partition)
        return await super().assigned(partition)

    async def revoked(self, partitions: Sequence[int]) -> None:
        self.owned -= set(partitions)

    async def until_it_has(self, count: int) -> None:
        async with asyncio.timeout(90):
            while len(self.owned) != count:  # noqa: ASYNC110 - nobody says it
                await asyncio.sleep(0.05)


async def members_of(bootstrap: str, group: str) -> set[str]:
    """Return the client ids of the members that the group knows."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group])
        return {member[1] for member in answer.groups[0][5]}
    finally:
        await admin.close()


async def test_a_static_member_that_is_stopped_leaves_its_partitions_to_the_others_at_once(kafka_broker: str) -> None:
    topic = spec(2)
    await ensure_topics(kafka_broker, [topic])
    stops = Stop(), Stop()
    goes, stays = (OwningHandler(stop) for stop in stops)
    running = [
        asyncio.create_task(KafkaLoop(kafka_broker, topic.name, topic.name, handler, name, static=True).run(stop))
        for name, handler, stop in zip(("goes", "stays"), (goes, stays), stops, strict=True)
    ]
    await goes.until_it_has(1)
    await stays.until_it_has(1)
    stops[0].set()
    async with asyncio.timeout(90):
        await running[0]
    assert goes.owned == set(), "saved before the others may begin"
    assert await members_of(kafka_broker, topic.name) == {"stays"}
    await stays.until_it_has(2)
    assert not await leave_group(kafka_broker, topic.name, "of-an-earlier-process", "stays")
    assert await members_of(kafka_broker, topic.name) == {"stays"}
    stops[1].set()
    async with asyncio.timeout(90):
        await running[1]


async def test_records_that_kafka_no_longer_keeps_stop_the_loop(kafka_broker: str) -> None:
    topic = spec(1)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k", b"%d" % n) for n in range(10)])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    await admin.delete_records({TopicPartition(topic.name, 0): RecordsToDelete(before_offset=8)})
    await admin.close()
    stop = Stop()
    handler = DictHandler(stop, 99)
    handler.offsets[0] = 3
    with pytest.raises(LogGap, match="saved offset 3, Kafka begins at 8"):
        async with asyncio.timeout(90):
            await KafkaLoop(kafka_broker, topic.name, topic.name, handler, "a").run(stop)


async def test_an_offset_beyond_the_end_stops_the_loop(kafka_broker: str) -> None:
    topic = spec(1)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k", b"v")])
    stop = Stop()
    handler = DictHandler(stop, 99)
    handler.offsets[0] = 7
    with pytest.raises(LogGap, match="saved offset 7, Kafka ends at 1"):
        async with asyncio.timeout(90):
            await KafkaLoop(kafka_broker, topic.name, topic.name, handler, "a").run(stop)


async def test_who_must_go_on_reads_what_a_log_that_was_made_anew_has_and_says_so(kafka_broker: str) -> None:
    topic = spec(1)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"k", b"%d" % n) for n in range(3)])
    stop = Stop()
    handler = DictHandler(stop, 3)
    handler.offsets[0] = 7
    began: list[tuple[int, int, int]] = []
    loop = KafkaLoop(kafka_broker, topic.name, topic.name, handler, "a", begins_at=lambda *place: began.append(place))
    async with asyncio.timeout(90):
        await loop.run(stop)
    assert handler.values == [b"0", b"1", b"2"]
    assert (began, loop.gaps) == ([(0, 0, 0)], 1)


async def test_a_group_that_met_while_its_topic_was_gone_shares_it_soon_after(kafka_broker: str) -> None:
    """Soon is 5 s; the client by itself looks every 5 minutes."""
    topic, stop = spec(1), Stop()
    await ensure_topics(kafka_broker, [topic])
    handler = DictHandler(stop, 1)
    loop = KafkaLoop(kafka_broker, topic.name, topic.name, handler, "a")
    running = asyncio.create_task(loop.run(stop))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    async with asyncio.timeout(90):
        while not loop.lags():  # noqa: ASYNC110 - the loop tells nobody
            await asyncio.sleep(0.05)
        await admin.delete_topics([topic.name])
        while loop.lags():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        while await ensure_topics(kafka_broker, [topic]) != [topic.name]:  # noqa: ASYNC110 - it goes in its own time
            await asyncio.sleep(0.05)
        await produce(kafka_broker, [Record(topic.name, b"k", b"v")])
        await running
    await admin.close()
    assert handler.values == [b"v"]


class SlowHandler(DictHandler):
    """Takes a while to load a partition, and writes down what it was handed in which order."""

    def __init__(self, stop: Stop, offsets: dict[int, int], taken: list[tuple[int, int]]) -> None:
        super().__init__(stop, 10**9)
        self.offsets = offsets
        self._taken = taken

    async def assigned(self, partition: int) -> int:
        await asyncio.sleep(0.1)  # as a state that is loaded; a rebalance may come in the middle of it
        return self.offsets.get(partition, 0)

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        self._taken += [(record.partition, record.offset) for records in batches.values() for record in records]
        await super().handle(batches)


async def test_members_that_come_and_go_while_others_load_lose_and_double_nothing(kafka_broker: str) -> None:
    topic = spec(6)
    await ensure_topics(kafka_broker, [topic])
    offsets: dict[int, int] = {}
    taken: list[tuple[int, int]] = []

    def member(name: str) -> tuple[KafkaLoop, Stop]:
        stop = Stop()
        return KafkaLoop(kafka_broker, topic.name, topic.name, SlowHandler(stop, offsets, taken), name), stop

    staying, over = member("staying")
    staying_task = asyncio.create_task(staying.run(over))
    async with asyncio.timeout(120):
        for number in range(4):
            await produce(kafka_broker, [Record(topic.name, b"%d" % n, b"%d" % n) for n in range(300)])
            loop, stop = member(f"guest-{number}")
            task = asyncio.create_task(loop.run(stop))
            if number % 2:  # every other one goes while it still loads
                while not loop.lags():  # noqa: ASYNC110 - the broker deals the partitions
                    await asyncio.sleep(0.02)
            stop.set()
            await task
        while len(taken) < 1200:  # noqa: ASYNC110 - the broker deals the partitions
            await asyncio.sleep(0.05)
    over.set()
    await staying_task
    assert len(taken) == len(set(taken)) == 1200
    for partition in range(6):
        mine = [offset for number, offset in taken if number == partition]
        assert mine == list(range(len(mine)))
    assert staying.rebalances > 1


async def test_a_restart_under_the_same_name_moves_nothing(kafka_broker: str) -> None:
    topic = spec(4)
    await ensure_topics(kafka_broker, [topic])
    await produce(kafka_broker, [Record(topic.name, b"%d" % n, b"%d" % n) for n in range(40)])

    def member(name: str, wanted: int, offsets: dict[int, int]) -> tuple[KafkaLoop, DictHandler, Stop]:
        stop = Stop()
        handler = DictHandler(stop, wanted)
        handler.offsets = offsets
        return KafkaLoop(kafka_broker, topic.name, topic.name, handler, name, static=True), handler, stop

    async def until_each_has_two(*loops: KafkaLoop) -> None:
        async with asyncio.timeout(90):
            while [len(loop.lags()) for loop in loops] != [2] * len(loops):  # noqa: ASYNC110 - the broker deals them
                await asyncio.sleep(0.05)

    offsets: dict[int, int] = {}
    staying, _, over = member("staying", 10**9, offsets)
    going, _, gone = member("going", 10**9, offsets)
    tasks = [asyncio.create_task(staying.run(over)), asyncio.create_task(going.run(gone))]
    await until_each_has_two(staying, going)
    before, had = staying.rebalances, sorted(going.lags())
    tasks[1].cancel()  # stopped in order it would leave the group, and the others would take over
    await asyncio.wait([tasks[1]])
    back, _, end = member("going", 10**9, offsets)
    tasks[1] = asyncio.create_task(back.run(end))
    await until_each_has_two(back)
    assert (staying.rebalances, sorted(back.lags())) == (before, had)
    async with asyncio.timeout(90):
        while sum(offsets.values()) < 40 or any(staying.lags().values()) or any(back.lags().values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    over.set()
    end.set()
    await asyncio.gather(*tasks)


async def test_a_task_that_ends_early_takes_the_service_down() -> None:
    stop = Stop()

    async def dies() -> None:
        raise ValueError("broken")

    with pytest.raises(TaskDied, match="dies"):
        await supervise(stop, {"dies": dies(), "other": stop.wait()})
    assert stop.is_set()
