"""The log as Kafka has it: all partitions of some topics, read by one consumer from offsets that we say.

No group shares the partitions, since one process archives them all. The group's name serves for the note alone.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from services.compliance.ports import Bounds, LogRecord, Place, Trouble, Waits
from services.runtime.kafka import stop_consumer
from services.runtime.logging import get_logger
from services.runtime.topic_ids import topic_id

FETCH_BYTES = 1024 * 1024
"""Per partition: with 18 of them, some 20 MB wait for us at most. A larger record comes alone."""
FETCH_RECORDS = 5000
FETCH_MS = 200
NOTE_S = 5


class KafkaSource:
    def __init__(self, bootstrap: str, group: str, topics: Mapping[str, int], client_id: str) -> None:
        """`topics`: how many partitions each has; one with fewer is not there yet."""
        self._bootstrap = bootstrap
        self._group = group
        self._topics = topics
        self._client_id = client_id
        self._consumer: AIOKafkaConsumer | None = None
        self._places: list[TopicPartition] = []

    async def open(self) -> Mapping[Place, Bounds]:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            client_id=self._client_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_MS,
        )
        try:
            await self._consumer.start()
            places = self._places = await self._existing(self._consumer)
            firsts = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
            ids = {topic: await topic_id(self._bootstrap, topic) for topic in self._topics}
            return {
                Place(place.topic, place.partition): Bounds(
                    firsts[place], ends[place], await self._consumer.committed(place), ids[place.topic]
                )
                for place in places
            }
        except (KafkaError, OSError, TimeoutError) as error:
            raise Waits(Trouble.KAFKA, type(error).__name__) from error

    async def _existing(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        # what the consumer itself says covers the topics it is assigned, and it is assigned none yet
        cluster = await consumer._client.fetch_all_metadata()
        for topic, partitions in self._topics.items():
            found = cluster.partitions_for_topic(topic) or set()
            if found != set(range(partitions)):
                raise Waits(Trouble.KAFKA, f"topic {topic} has {len(found)} partitions, not {partitions}")
        return [TopicPartition(topic, number) for topic, many in self._topics.items() for number in range(many)]

    def seek(self, positions: Mapping[Place, int]) -> None:
        # assigned here and not before: the client looks for offsets of its own as soon as it may wait
        self._running.assign(self._places)
        for place, offset in positions.items():
            self._running.seek(TopicPartition(*place), offset)

    async def fetch(self, places: Collection[Place] = ()) -> Mapping[Place, Sequence[LogRecord]]:
        wanted = [TopicPartition(*place) for place in places]
        try:
            fetched = await self._running.getmany(*wanted, timeout_ms=FETCH_MS, max_records=FETCH_RECORDS)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Waits(Trouble.KAFKA, type(error).__name__) from error
        return {
            Place(place.topic, place.partition): [LogRecord(r.offset, r.timestamp, r.key, r.value) for r in records]
            for place, records in fetched.items()
        }

    async def newest(self, places: Collection[Place]) -> Mapping[Place, int]:
        try:
            ends = await self._running.end_offsets([TopicPartition(*place) for place in places])
        except (KafkaError, OSError, TimeoutError) as error:
            raise Waits(Trouble.KAFKA, type(error).__name__) from error
        return {Place(place.topic, place.partition): end for place, end in ends.items()}

    def ends(self) -> Mapping[Place, int]:
        found = {Place(place.topic, place.partition): self._running.highwater(place) for place in self._places}
        return {place: end for place, end in found.items() if end is not None}

    async def note(self, positions: Mapping[Place, int]) -> None:
        try:
            async with asyncio.timeout(NOTE_S):
                await self._running.commit({TopicPartition(*place): offset for place, offset in positions.items()})
        except (KafkaError, ConsumerStoppedError, OSError, TimeoutError) as error:
            # the files say where we are; a note that is behind them is made good by the next
            get_logger().info("archive_note_not_left", error=type(error).__name__)

    async def close(self) -> None:
        if self._consumer is not None:
            await stop_consumer(self._consumer)
            self._consumer = None

    @property
    def _running(self) -> AIOKafkaConsumer:
        assert self._consumer is not None, "open() comes first"
        return self._consumer
