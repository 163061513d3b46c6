"""Kafka as ingest writes it: batches of signals, alarms and refusals, and ticks on every partition."""

import asyncio
from collections.abc import Sequence

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.codec import HEADERS
from schemas.refusal import MAX_RAW_BYTES
from schemas.topics import ALARMS, REFUSALS, SIGNALS
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import refusals_beside, refuse_unexpected
from services.ingest.domain.replays import ReplayNote
from services.ingest.domain.values import Accepted, Outcome, Refused, Tick
from services.ingest.metrics import Metrics
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record, partition_of
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s

TICK_DEADLINE_S = 5.0
RETRY_CAP_S = 5.0
SMALL_RAW_BYTES = 64 * 1024
UNBROKEN = 200
"""Messages written at a stretch, some 2 ms."""


class KafkaStore:
    """Ports SignalStore and TickStore over one producer of its own."""

    def __init__(self, bootstrap: str, client_id: str, encoder: Encoder, metrics: Metrics) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._encoder = encoder
        self._metrics = metrics
        self._producer: BatchProducer | None = None
        self._partitions: dict[str, int] = {}
        self._known_units: dict[str, tuple[bytes, int, int]] = {}

    async def start(self, stop: Stop) -> bool:
        """Connect and learn the topics' partitions, trying until it works; False when stop came first."""
        attempt = 0
        while not stop.is_set():
            try:
                await self._connect()
                return True
            except (KafkaUnavailable, KafkaError, OSError, TimeoutError) as error:
                attempt += 1
                get_logger().warning("kafka_not_ready", client=self._client_id, error=str(error)[:200])
                await self.close()
                await stop.wait_for(backoff_s(attempt))
        return False

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def put(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        written, records = await self._write(outcomes)
        attempt = 1
        while (why_not := await self._sent(records, attempt)) is not None:
            attempt += 1
            if isinstance(why_not, MessageSizeTooLargeError):  # the topic allows less than its file says
                written, records = await self._write(written, raw_limit=SMALL_RAW_BYTES)
        return written

    async def note(self, notes: Sequence[ReplayNote]) -> None:
        records = [
            Record(REFUSALS, _key(note.gateway_id), self._encoder.replayed(note), note.position.partition)
            for note in notes
        ]
        attempt = 1
        while await self._sent(records, attempt) is not None:
            attempt += 1

    async def tick(self, tick: Tick) -> bool:
        value = self._encoder.tick(tick)
        producer = self._producer
        if producer is None:
            return False
        records = [Record(SIGNALS, None, value, partition) for partition in range(self._partitions[SIGNALS])]
        try:
            await producer.send_many(records, deadline_s=TICK_DEADLINE_S)
        except KafkaUnavailable as error:
            get_logger().warning("tick_not_stored", error=str(error)[:200])
            return False
        return True

    async def _connect(self) -> None:
        producer = BatchProducer(self._bootstrap, self._client_id, linger_ms=0, headers=HEADERS)
        await producer.start()
        self._producer = producer
        for topic in (SIGNALS, ALARMS, REFUSALS):
            async with asyncio.timeout(15):
                self._partitions[topic] = await producer.partitions(topic)
        self._known_units.clear()

    async def _sent(self, records: Sequence[Record], attempt: int) -> BaseException | None:
        """Try once. Return None when everything is stored; otherwise wait a little and return why it is not."""
        try:
            await self._send(records)
        except (KafkaUnavailable, KafkaError, OSError, TimeoutError) as error:
            self._metrics.kafka_retries.inc()
            cause = error.__cause__ or error
            get_logger().error("batch_not_stored", attempt=attempt, records=len(records), error=repr(cause)[:200])
            await asyncio.sleep(min(RETRY_CAP_S, backoff_s(attempt)))
            await self.close()  # after an error the client's own state is in doubt: start it anew
            return cause
        return None

    async def _send(self, records: Sequence[Record]) -> None:
        if self._producer is None:
            await self._connect()
        assert self._producer is not None, "connected above"
        # No deadline: whoever waits is told of a batch that failed, and sends it again.
        await self._producer.send_many(records, deadline_s=None)

    async def _write(
        self, outcomes: Sequence[Outcome], raw_limit: int = MAX_RAW_BYTES
    ) -> tuple[list[Outcome], list[Record]]:
        written: list[Outcome] = []
        records: list[Record] = []
        pause_at = UNBROKEN
        for outcome in outcomes:
            if len(records) >= pause_at:
                await asyncio.sleep(0)  # the fire lane works in the same event loop
                pause_at = len(records) + UNBROKEN
            try:
                records.extend(self._records(outcome, raw_limit))
                written.append(outcome)
            except Exception as error:  # noqa: BLE001 - one message that we cannot write must not stop all others
                get_logger().exception("outcome_not_encoded", topic=outcome.arrival.topic[:200])
                refused = refuse_unexpected(outcome.arrival, error)
                records.extend(self._records(refused, raw_limit))
                written.append(refused)
        return written, records

    def _records(self, outcome: Outcome, raw_limit: int) -> list[Record]:
        if isinstance(outcome, Accepted):
            records = self._signal_records(outcome)
            if not outcome.undecodable:
                return records
            refused = refusals_beside(outcome)
        else:
            records, refused = [], [outcome]
        if outcome.arrival.replayed_at is None:  # else it stands on the topic already
            for one in refused:
                records += self._ring_records(one)
                records.append(self._refusal_record(one, raw_limit))
        return records

    def _ring_records(self, refused: Refused) -> list[Record]:
        unusable_alarm = refused.unusable_alarm
        if unusable_alarm is None or not unusable_alarm.reported:
            return []
        if unusable_alarm.unit_id:
            key, partition, alarm_partition = self._partitions_of(unusable_alarm.unit_id)
            value = self._encoder.unreadable(refused, unusable_alarm)
            return [Record(ALARMS, key, value, alarm_partition), Record(SIGNALS, key, value, partition)]
        name = _key(unusable_alarm.gateway_id)
        partition = 0 if name is None else partition_of(name, self._partitions[ALARMS])
        return [Record(ALARMS, name, self._encoder.unregistered(refused, unusable_alarm), partition)]

    def _refusal_record(self, refused: Refused, raw_limit: int) -> Record:
        key = _key(refused.gateway_id)
        partition = 0 if key is None else partition_of(key, self._partitions[REFUSALS])
        return Record(REFUSALS, key, self._encoder.refusal(refused, raw_limit), partition)

    def _signal_records(self, accepted: Accepted) -> list[Record]:
        records: list[Record] = []
        for signal in accepted.signals:
            key, partition, alarm_partition = self._partitions_of(signal.unit_id)
            value = self._encoder.signal(signal, accepted.arrival)
            if signal.message.concerns_fire:
                records.append(Record(ALARMS, key, value, alarm_partition))
            records.append(Record(SIGNALS, key, value, partition))
        return records

    def _partitions_of(self, unit_id: str) -> tuple[bytes, int, int]:
        known = self._known_units.get(unit_id)
        if known is None:
            key = unit_id.encode()
            known = key, partition_of(key, self._partitions[SIGNALS]), partition_of(key, self._partitions[ALARMS])
            self._known_units[unit_id] = known
        return known


def _key(gateway_id: str | None) -> bytes | None:
    return None if gateway_id is None else gateway_id.encode()
