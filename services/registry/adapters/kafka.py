"""firenet.registry.v1 and the creation of all topics."""

from collections.abc import Sequence
from datetime import datetime

from schemas import codec
from schemas.registry import RegistryEvent
from schemas.topics import REGISTRY, SIGNALS, Topic, all_topics
from services.kernel.ids import derive
from services.registry.adapters.wire import record
from services.registry.domain.copies import TopicCopies
from services.registry.domain.entities import Facts, History
from services.registry.domain.errors import BusUnavailable, RecordTooLarge, TopicRefused
from services.runtime.kafka import (
    BATCH_BYTES,
    BatchProducer,
    KafkaUnavailable,
    Record,
    TopicMismatch,
    TopicSpec,
    describe_copies,
    ensure_topics,
)

DAY_MS = 24 * 3600 * 1000
ENVELOPE_BYTES = 1024


class KafkaBus:
    """Connects with the first publish. Close it when done."""

    def __init__(
        self, *, bootstrap: str, replication: int = 1, topic: str = REGISTRY, signals_days: int | None = None
    ) -> None:
        """`signals_days`: how long Kafka keeps signals; None: as their topic file says."""
        self._bootstrap = bootstrap
        self._replication = replication
        self._topic = topic
        self._signals_days = signals_days
        self._producer: BatchProducer | None = None

    async def create_topics(self) -> Sequence[str]:
        specs = [topic_spec(topic, self._replication, self._signals_days) for topic in all_topics().values()]
        try:
            return await ensure_topics(self._bootstrap, specs)
        except TopicMismatch as error:
            raise TopicRefused(str(error)) from error
        except KafkaUnavailable as error:
            raise BusUnavailable(str(error)) from error

    async def copies(self) -> tuple[int, Sequence[TopicCopies]]:
        try:
            brokers, kept = await describe_copies(self._bootstrap, [topic.name for topic in all_topics().values()])
        except KafkaUnavailable as error:
            raise BusUnavailable(str(error)) from error
        return brokers, [TopicCopies(one.name, one.copies, one.in_sync, one.min_in_sync) for one in kept]

    async def publish(self, histories: Sequence[History[Facts]], now: datetime) -> None:
        records = [self._record(history, now) for history in histories]
        try:
            producer = await self._connected()
            await producer.send_many(records)
        except KafkaUnavailable as error:
            raise BusUnavailable(str(error)) from error

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _connected(self) -> BatchProducer:
        if self._producer is None:
            producer = BatchProducer(self._bootstrap, "firenet-registry", headers=codec.HEADERS)
            await producer.start()
            self._producer = producer
        return self._producer

    def _record(self, history: History[Facts], now: datetime) -> Record:
        key = f"{history.kind.value}:{history.id}"
        value = codec.registry.encode(to_event(history, now))
        if len(value) > BATCH_BYTES - ENVELOPE_BYTES:
            raise RecordTooLarge(
                f"{key} has {len(history.versions)} versions, {len(value)} bytes: more than one record may hold"
            )
        return Record(self._topic, key.encode(), value)


def to_event(history: History[Facts], now: datetime) -> RegistryEvent:
    """Return the record of one entity. Its id depends on what we know, so a repeated publish repeats it."""
    newest = max(version.recorded_at for version in history.versions)
    key = f"{history.kind.value}:{history.id}"
    return RegistryEvent(
        id=derive("registry", key, newest.isoformat()),
        source="/registry",
        subject=key,
        time=now,
        data=record(history),
    )


def topic_spec(topic: Topic, replication: int, signals_days: int | None = None) -> TopicSpec:
    """Return what Kafka is told of a topic file; `signals_days` goes before what that of the signals says."""
    days = topic.retention_days if signals_days is None or topic.name != SIGNALS else signals_days
    return TopicSpec(
        name=topic.name,
        partitions=topic.partitions,
        compact=topic.cleanup == "compact",
        retention_ms=None if days is None else days * DAY_MS,
        max_message_bytes=topic.max_message_bytes,
        replication=replication,
        compression=topic.compression,
    )
