"""Kafka without business words: topics, batch producer, and a reader that follows a compacted topic."""

import asyncio
import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.murmur2 import murmur2
from services.runtime.patience import backoff_s

BATCH_BYTES = 512 * 1024
STORED_WITHIN_MS = 3000
"""A broker that leaves records without a word for so long is left, and they are sent to whoever leads by then.

A process that is killed closes its connections; a machine without power says nothing, and a fire has 10 s.
"""
ANSWERED_WITHIN_MS = 5000
"""The same for whoever reads (40 s by default). A group that waits longer for a member is joined again meanwhile."""
UNBROKEN = 200
"""Records that a follower hands over at a stretch."""


class KafkaUnavailable(Exception):
    """The cluster did not answer in time; what was being sent may or may not be stored."""


class TopicMismatch(Exception):
    """A topic exists with another number of partitions: keys would change place, so nothing is altered."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """`retention_ms` None keeps for ever; `compact` keeps the last record of each key.

    `compression`: in what form the broker keeps records; `producer`: as they came.
    With several copies (`replication`) a record is confirmed when all but one have it: one broker may be away.
    """

    name: str
    partitions: int
    compact: bool
    retention_ms: int | None
    max_message_bytes: int
    replication: int = 1
    compression: str = "producer"

    @property
    def min_in_sync(self) -> int:
        return max(1, self.replication - 1)


@dataclass(frozen=True, slots=True)
class KeptTopic:
    """How a topic is kept: of its partitions the one with the fewest copies, and the one with the fewest up to date."""

    name: str
    copies: int
    in_sync: int
    min_in_sync: int


class Record(NamedTuple):
    """One record to send. Without `partition` the key chooses it, as Java's default partitioner would."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` among `partitions` (murmur2, the same as every Kafka client's default)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


async def ensure_topics(bootstrap: str, specs: Sequence[TopicSpec]) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises:  TopicMismatch when one exists with another number of partitions; KafkaUnavailable without an answer, or
             with one that makes no topic.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="firenet-topics", request_timeout_ms=15000)
    try:
        await admin.start()
        try:
            existing = set(await admin.list_topics())
            present = [spec for spec in specs if spec.name in existing]
            described = await admin.describe_topics([spec.name for spec in present]) if present else []
            found = {topic["topic"]: len(topic["partitions"]) for topic in described}
            for spec in present:
                if found[spec.name] != spec.partitions:
                    raise TopicMismatch(f"topic {spec.name} has {found[spec.name]} partitions, not {spec.partitions}")
            missing = [spec for spec in specs if spec.name not in existing]
            if not missing:
                return []
            answer = await admin.create_topics([_new_topic(spec) for spec in missing])
            # a young broker lists a topic a moment after it has made it: the answer alone says what is new
            errors = {name: for_code(code) for name, code, *_ in answer.topic_errors if code}
            for name, error in errors.items():
                if error is not TopicAlreadyExistsError:
                    raise KafkaUnavailable(f"Kafka at {bootstrap} does not create topic {name}: {error.__name__}")
            return [spec.name for spec in missing if spec.name not in errors]
        finally:
            await admin.close()
    except TopicAlreadyExistsError:
        return []  # somebody else was faster with the same files
    except (TimeoutError, KafkaError, OSError) as error:
        raise KafkaUnavailable(f"no answer from Kafka at {bootstrap}: {type(error).__name__}") from error


async def describe_copies(bootstrap: str, names: Sequence[str]) -> tuple[int, list[KeptTopic]]:
    """Return how many brokers serve now, and how each of these topics that is there is kept.

    Raises:  KafkaUnavailable.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="firenet-copies", request_timeout_ms=15000)
    try:
        await admin.start()
        try:
            brokers = len((await admin.describe_cluster())["brokers"])
            present = sorted(set(await admin.list_topics()) & set(names))
            asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"min.insync.replicas": ""}) for name in present]
            answers = await admin.describe_configs(asked) if present else []
            least = {name: int(rows[0][1]) for answer in answers for _, _, _, name, rows in answer.resources if rows}
            return brokers, [
                KeptTopic(
                    topic["topic"],
                    min(len(one["replicas"]) for one in topic["partitions"]),
                    min(len(one["isr"]) for one in topic["partitions"]),
                    least.get(topic["topic"], 1),
                )
                for topic in (await admin.describe_topics(present) if present else [])
                if topic["partitions"]
            ]
        finally:
            await admin.close()
    except (TimeoutError, KafkaError, OSError) as error:
        raise KafkaUnavailable(f"no answer from Kafka at {bootstrap}: {type(error).__name__}") from error


def _new_topic(spec: TopicSpec) -> NewTopic:
    configs = {
        "cleanup.policy": "compact" if spec.compact else "delete",
        "retention.ms": str(-1 if spec.retention_ms is None else spec.retention_ms),
        "max.message.bytes": str(spec.max_message_bytes),
        "message.timestamp.type": "CreateTime",
        "compression.type": spec.compression,
        "min.insync.replicas": str(spec.min_in_sync),
    }
    return NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=configs)


class BatchProducer:
    """Stores records on all in-sync replicas, in order per partition, in few large requests.

    Idempotent: a retry inside the client never doubles or reorders. What is sent again after KafkaUnavailable may be
    stored twice. Safe to call from several tasks.
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        linger_ms: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
        max_request_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._headers = list(headers)
        self._max_request_bytes = max_request_bytes
        self._partitions: dict[str, int] = {}
        self._arguments = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": linger_ms,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": max_request_bytes,
            "request_timeout_ms": STORED_WITHIN_MS,
            "metadata_max_age_ms": 60000,
        }
        self._producer: AIOKafkaProducer | None = None
        self._broken = False
        """A batch of it failed: it sends nothing any more, and another one takes its place."""
        self._stopped = False
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises KafkaUnavailable when no broker answers."""
        self._stopped = False
        await self._connect()

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(**self._arguments)
        try:
            await producer.start()
        except BaseException as error:
            await producer.stop()
            if isinstance(error, KafkaError | OSError):
                raise KafkaUnavailable(f"no answer from Kafka: {type(error).__name__}") from error
            raise
        if self._stopped:
            await producer.stop()
            raise KafkaUnavailable("stopped meanwhile")
        self._producer, self._broken = producer, False

    async def stop(self, limit_s: float = 10) -> None:
        """Flush and disconnect; after `limit_s` seconds without an answer give up, and send nothing any more."""
        self._stopped = True
        producer = self._producer
        if producer is None or self._broken:
            return
        try:
            async with asyncio.timeout(limit_s):
                await producer.stop()
        except TimeoutError:
            get_logger().warning("producer_stop_gave_up")
            await _abandon(producer)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` has (asked once)."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await (await self._working()).partitions_for(topic))
        return self._partitions[topic]

    async def send_many(self, records: Iterable[Record], deadline_s: float | None = 30) -> list[tuple[int, int]]:
        """Return (partition, offset) of each record, in order, once all are stored on all in-sync replicas.

        After a batch that failed the next call connects anew: aiokafka counts the batch's sequence numbers although
        the broker never got them, and the broker refuses all that comes behind. What other tasks were sending at that
        moment fails as well.

        Raises:  KafkaUnavailable after `deadline_s` seconds (None waits for ever): some may be stored, some not.
        """
        wanted = list(records)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._send(await self._working(), wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            raise KafkaUnavailable(f"{len(wanted)} records not confirmed: {type(error).__name__}") from error

    async def _working(self) -> AIOKafkaProducer:
        async with self._connecting:
            assert self._producer is not None, "start() comes first"
            if self._broken and self._stopped:
                raise KafkaUnavailable("stopped")
            if self._broken:
                await self._connect()
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer, error: KafkaError) -> None:
        if producer is not self._producer or self._broken:
            return  # somebody else did
        self._broken = True
        get_logger().warning("producer_made_anew", client=self._arguments["client_id"], error=repr(error)[:200])
        await _abandon(producer)

    async def _send(self, producer: AIOKafkaProducer, records: list[Record]) -> list[tuple[int, int]]:
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            partition = record.partition
            if partition is None:
                partition = partition_of(record.key or b"", await self.partitions(record.topic))
            groups[record.topic, partition].append(index)
        places: list[tuple[int, int]] = [(-1, -1)] * len(records)
        await asyncio.gather(
            *(
                self._send_group(producer, topic, partition, indexes, records, places)
                for (topic, partition), indexes in groups.items()
            )
        )
        return places

    async def _send_group(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        indexes: list[int],
        records: list[Record],
        places: list[tuple[int, int]],
    ) -> None:
        position = 0
        waiting: list[tuple[asyncio.Future[object], list[int]]] = []
        while position < len(indexes):
            batch = producer.create_batch()
            packed: list[int] = []
            while position < len(indexes):
                record = records[indexes[position]]
                if batch.append(key=record.key, value=record.value, timestamp=None, headers=self._headers) is None:
                    break
                packed.append(indexes[position])
                position += 1
            if not packed:
                raise KafkaUnavailable(f"a record for {topic} is larger than {BATCH_BYTES} bytes")
            batch.close()
            try:
                waiting.append((await producer.send_batch(batch, topic, partition=partition), packed))
            except (KafkaTimeoutError, UnknownTopicOrPartitionError):
                raise  # the batch was not taken, and nothing was counted
            except KafkaError as error:
                await self._give_up(producer, error)
                raise
        for future, packed in waiting:
            try:
                stored = await future
            except KafkaError as error:
                await self._give_up(producer, error)
                raise
            base = stored.offset  # type: ignore[attr-defined] # aiokafka ships no types
            for step, index in enumerate(packed):
                places[index] = (partition, base + step)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Have `producer` send nothing more.

    Left alone it would go on trying in the background, and store what it holds when Kafka is back: behind what its
    successor has stored by then, and behind the ticks that say that nothing of before is missing.
    """
    sending = producer._sender.sender_task
    if sending is not None:
        sending.cancel()
    producer._message_accumulator.fail_all(
        KafkaConnectionError("given up")
    )  # nobody else would answer who waits for it
    producer._closed = True
    await producer.client.close()


class CompactedFollower:
    """Reads a compacted topic from its beginning and goes on following it; no group, all partitions.

    `on_record` gets (key, value or None for a deletion) in order per key, in the event loop; it must not raise.
    """

    def __init__(self, bootstrap: str, topic: str, on_record: Callable[[str, bytes | None], None]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._on_record = on_record
        self._caught_up = asyncio.Event()

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that stood in the topic at the start was read."""
        return self._caught_up.is_set()

    async def caught_up(self, deadline_s: float | None) -> None:
        """Return once everything that stood in the topic at the start was read. None waits for ever.

        Raises:  KafkaUnavailable.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._caught_up.wait()
        except TimeoutError as error:
            raise KafkaUnavailable(f"topic {self._topic} was not read within {deadline_s:g} s") from error

    async def run(self, stop: Stop) -> None:
        """Follow until stop; a lost connection is made anew and read on from where it was."""
        attempt = 0
        positions: dict[TopicPartition, int] = {}
        while not stop.is_set():
            try:
                await self._follow(stop, positions)
            except (KafkaError, OSError, TimeoutError) as error:
                attempt += 1
                get_logger().warning("follower_lost", topic=self._topic, error=type(error).__name__)
                await stop.wait_for(backoff_s(attempt))

    async def _follow(self, stop: Stop, positions: dict[TopicPartition, int]) -> None:
        consumer = AIOKafkaConsumer(  # without a group the client takes all partitions of the topic
            self._topic,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=ANSWERED_WITHIN_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            await consumer.start()
            partitions = sorted(consumer.assignment())
            if not partitions:
                raise KafkaError(f"topic {self._topic} does not exist")
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                if partition in positions:
                    consumer.seek(partition, positions[partition])
                else:
                    await self._seek_start(consumer, partition, ends[partition])
            if not self._caught_up.is_set():
                gc.collect()  # garbage that is frozen stays for ever: consumers of tries before this one
                gc.disable()  # what is read now lives on: looking through it again and again would be half of a start
            while not stop.is_set():
                if not self._caught_up.is_set() and await _reached(consumer, ends):
                    gc.freeze()
                    gc.enable()
                    self._caught_up.set()
                timeout_ms = 200 if self._caught_up.is_set() else 20
                for partition, records in (await consumer.getmany(timeout_ms=timeout_ms)).items():
                    for number, record in enumerate(records):
                        if number % UNBROKEN == UNBROKEN - 1:
                            await asyncio.sleep(0)  # others work in the same event loop
                        self._on_record((record.key or b"").decode("utf-8", "replace"), record.value)
                    positions[partition] = records[-1].offset + 1
        finally:
            gc.enable()
            await stop_consumer(consumer)

    async def _seek_start(self, consumer: AIOKafkaConsumer, partition: TopicPartition, end: int) -> None:
        await consumer.seek_to_beginning(partition)


class LateFollower(CompactedFollower):
    """The same for a topic that only grows, from what was written at `since` on."""

    def __init__(
        self, bootstrap: str, topic: str, on_record: Callable[[str, bytes | None], None], since: datetime
    ) -> None:
        super().__init__(bootstrap, topic, on_record)
        self._since_ms = max(0, int(since.timestamp() * 1000))  # Kafka knows no time before 1970

    async def _seek_start(self, consumer: AIOKafkaConsumer, partition: TopicPartition, end: int) -> None:
        found = (await consumer.offsets_for_times({partition: self._since_ms}))[partition]
        consumer.seek(partition, end if found is None else found.offset)


async def stop_consumer(consumer: AIOKafkaConsumer, limit_s: float = 10) -> None:
    """Stop `consumer`, whatever it is busy with; gives up after `limit_s` seconds.

    aiokafka cancels its fetches when it stops, and lets the cancellation of one that waits to try again out to the
    caller. There it would pass for the cancellation of whoever stops the consumer, and end the service. In other places
    it keeps a cancellation of the caller to itself: then whoever stops the consumer would never end.
    """
    try:
        async with asyncio.timeout(limit_s):
            await _stop(consumer)
    except TimeoutError:
        get_logger().warning("consumer_stop_gave_up")


async def _stop(consumer: AIOKafkaConsumer) -> None:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    cancelled = task.cancelling()
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await consumer._client.close()  # which was left out
    if task.cancelling() > cancelled:
        raise asyncio.CancelledError


async def _reached(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if end > 0 and await consumer.position(partition) < end:
            return False
    return True
