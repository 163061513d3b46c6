"""The refusals topic as people read it: a stretch of it in the order of the log, or single positions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.refusal import Refusal, RefusalOrigin, Replayed, ReplayOutcome
from schemas.topics import REFUSALS
from services.ingest.domain.errors import LogUnavailable
from services.ingest.domain.replays import LogPosition, Query, ReplayNote, StoredRefusal
from services.ingest.domain.values import Arrival, Claim, Format, Route
from services.runtime.kafka import stop_consumer

DEADLINE_S = 15.0
"""How long Kafka may take for one answer."""
MAX_RECORD_BYTES = 8 * 1024 * 1024
NEAR = 200
"""A position so few records ahead is read up to; for a farther one a new request is cheaper."""

_REPLAYED = b'"cn.firenet.replayed.v1"'


class KafkaRefusalLog:
    """Reads without a group: whoever looks changes nothing. Every method may raise LogUnavailable."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.unreadable = 0
        """Records that are no event of this topic, of all readings so far."""

    async def refusals(self, query: Query) -> AsyncIterator[StoredRefusal]:
        """Yield what the query means and what stood there when the reading began, partition by partition."""
        wanted = [refusal_id.encode() for refusal_id in query.ids]

        def worth_decoding(value: bytes) -> bool:
            return _REPLAYED not in value and (not wanted or any(one in value for one in wanted))

        async for position, offset, value in self._read(query.since, worth_decoding):
            event = self._decoded(value)
            if isinstance(event, Refusal):
                refusal = stored_refusal(event, position, offset)
                if query.holds(refusal):
                    yield refusal

    async def notes(self, since: datetime | None, ids: Collection[str] = ()) -> dict[str, list[ReplayNote]]:
        """Return by refusal id what became of it in each replay, the oldest first."""
        found: dict[str, list[ReplayNote]] = {}
        async for position, offset, value in self._read(since, lambda value: _REPLAYED in value):
            event = self._decoded(value)
            if isinstance(event, Replayed) and (not ids or event.data.refusal_id in ids):
                note = _note(event, position, offset)
                found.setdefault(note.position.refusal_id, []).append(note)
        for notes in found.values():
            notes.sort(key=lambda note: note.at)
        return found

    async def at(self, positions: Sequence[LogPosition]) -> Sequence[StoredRefusal]:
        """Return the refusals at these positions; those that retention has taken, or that are others, are left out."""
        found: list[StoredRefusal] = []
        async with self._consumer() as (consumer, partitions):
            starts = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            for refusal_id, number, offset in sorted(positions, key=lambda position: position[1:]):
                partition = TopicPartition(REFUSALS, number)
                if partition not in ends or not starts[partition] <= offset < ends[partition]:
                    continue
                value = await _value_at(consumer, partition, offset)
                event = None if value is None else self._decoded(value)
                if isinstance(event, Refusal) and event.id == refusal_id:
                    found.append(stored_refusal(event, number, offset))
        return found

    async def _read(
        self, since: datetime | None, worth_having: Callable[[bytes], bool]
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield (partition, offset, value), one partition after the other, up to the ends that were there first."""
        async with self._consumer() as (consumer, partitions):
            ends = await consumer.end_offsets(partitions)
            starts = await _starts(consumer, partitions, since)
            for partition in partitions:
                consumer.assign([partition])
                consumer.seek(partition, starts[partition])
                while await consumer.position(partition) < ends[partition]:
                    async with asyncio.timeout(DEADLINE_S):
                        records = await _some(consumer, partition)
                    for record in records:
                        if record.offset < ends[partition] and record.value and worth_having(record.value):
                            yield partition.partition, record.offset, record.value

    def _decoded(self, value: bytes) -> Refusal | Replayed | None:
        try:
            return codec.refusals.decode(value)
        except codec.BadRecord:
            self.unreadable += 1
            return None

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
        """Yield a consumer with all partitions of the topic assigned."""
        consumer = AIOKafkaConsumer(
            REFUSALS,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_bytes=MAX_RECORD_BYTES,
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                await consumer.start()
            partitions = sorted(consumer.assignment())
            if not partitions:
                raise LogUnavailable(f"topic {REFUSALS} does not exist")
            consumer.unsubscribe()
            consumer.assign(partitions)
            yield consumer, partitions
        except (KafkaError, OSError, TimeoutError) as error:
            raise LogUnavailable(f"no answer from Kafka: {type(error).__name__}") from error
        finally:
            await stop_consumer(consumer)


async def _starts(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], since: datetime | None
) -> dict[TopicPartition, int]:
    """Return from where to read. A record is written after what it tells of was received, never before."""
    starts: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    if since is None:
        return starts
    ends = await consumer.end_offsets(partitions)
    at = await consumer.offsets_for_times(dict.fromkeys(partitions, int(since.timestamp() * 1000)))
    return {one: ends[one] if at[one] is None else max(starts[one], at[one].offset) for one in partitions}


async def _some(consumer: AIOKafkaConsumer, partition: TopicPartition) -> Sequence[Any]:
    while True:
        fetched = await consumer.getmany(partition, timeout_ms=1000, max_records=1000)
        if partition in fetched:
            return list(fetched[partition])


async def _value_at(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> bytes | None:
    """Return the record at `offset`, which the log holds, or None when it was compacted away."""
    ahead = offset - await consumer.position(partition)
    if not 0 <= ahead <= NEAR:
        consumer.seek(partition, offset)
    while True:
        async with asyncio.timeout(DEADLINE_S):
            record = await consumer.getone(partition)
        if record.offset >= offset:
            return record.value if record.offset == offset else None


def stored_refusal(event: Refusal, partition: int, offset: int) -> StoredRefusal:
    data = event.data
    claim = None if data.origin is None else _claim(data.gateway_id, data.origin)
    arrival = Arrival(
        0, 0, data.topic, data.raw, data.received_at, data.redelivered, data.retained, probe_sent_at=None, claim=claim
    )
    position = LogPosition(event.id, partition, offset)
    return StoredRefusal(
        position, arrival, data.reason.value, data.detail, data.gateway_id, data.instance, data.raw_bytes
    )


def _claim(gateway_id: str | None, origin: RefusalOrigin) -> Claim:
    route = Route(origin.lane, origin.carrier, Format.GB26875)
    return Claim(gateway_id or "", route, origin.peer, origin.certified)


def _note(event: Replayed, partition: int, offset: int) -> ReplayNote:
    data = event.data
    return ReplayNote(
        LogPosition(data.refusal_id, partition, offset),
        event.subject,
        data.command_id,
        data.by,
        event.time,
        data.signals,
        data.undecodable,
        None if data.outcome is ReplayOutcome.ACCEPTED else (data.reason or "unexpected"),
        data.detail,
    )
