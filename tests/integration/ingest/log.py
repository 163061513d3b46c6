"""Kafka as the tests see it: the topics, the registry's rows, and everything that was written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from aiokafka import AIOKafkaConsumer

from schemas import codec
from schemas.refusal import Refusal, Replayed
from schemas.registry import GatewayRecord, GatewayVersion, RegistryData, RegistryEvent
from schemas.signal import Signal, Tick, UnregisteredAlarm
from schemas.topics import ALARMS, REFUSALS, REGISTRY, SIGNALS, all_topics
from services.kernel.ids import DELIVERY_DIGITS
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics


async def create_topics(bootstrap: str) -> None:
    await ensure_topics(
        bootstrap,
        [
            TopicSpec(
                topic.name,
                topic.partitions,
                topic.cleanup == "compact",
                None,
                topic.max_message_bytes,
                compression=topic.compression,
            )
            for topic in all_topics().values()
        ],
    )


async def register(bootstrap: str, gateways: Mapping[str, str], **device: object) -> None:
    """Register gateway id -> unit id, valid since 2020; `device` are further columns of all of them."""
    producer = BatchProducer(bootstrap, "registry-of-test", headers=codec.HEADERS)
    await producer.start()
    now = datetime.now(UTC)  # noqa: TID251 - the registry's own clock; nothing is asserted about it
    records = []
    for gateway_id, unit_id in gateways.items():
        row = {"gateway_id": gateway_id, "unit_id": unit_id, "carrier": "any"} | device
        version = GatewayVersion.model_validate({"valid_from": date(2020, 1, 1), "recorded_at": now} | row)
        data = RegistryData(record=GatewayRecord(id=gateway_id, versions=(version,)))
        key = f"gateway:{gateway_id}"
        event = RegistryEvent(id=key, source="/registry", subject=key, time=now, data=data)
        records.append(Record(REGISTRY, key.encode(), codec.registry.encode(event)))
    await producer.send_many(records)
    await producer.stop()


@dataclass(frozen=True)
class Written:
    """Everything on ingest's topics, in the order of the log per partition."""

    signals: list[tuple[int, int, Signal]]
    ticks: list[tuple[int, int, Tick]]
    alarms: list[Signal]
    refusals: list[Refusal]
    replayed: list[Replayed] = field(default_factory=list)
    unregistered: list[UnregisteredAlarm] = field(default_factory=list)

    def numbers(self, gateway_id: str) -> list[int]:
        """Return the sequence numbers of a gateway's signals, in the order of the log."""
        found = [signal.data for _, _, signal in self.signals if signal.data.gateway_id == gateway_id]
        return [data.seq for data in found if data.seq is not None]

    def assert_no_tick_lies(self, *, marked: bool = True) -> int:
        """Whatever an instance received before the `proven_until` of a tick stands before the tick.

        A process that stood still may write once more what another has stored under its name meanwhile (decision 95):
        behind the tick stands only a delivery that stands before it too. Where the broker does not mark what it
        delivers again (not `marked`), the message is known by its gateway's number. Returns how many there were of
        these.
        """
        first: dict[tuple[int, str, str], int] = {}  # the offset of each delivery, or of each message
        ticks: dict[tuple[int, str], list[tuple[int, Tick]]] = {}
        furthest: dict[tuple[int, str], datetime] = {}
        again = 0
        events: list[tuple[int, int, Signal | Tick]] = [*self.signals, *self.ticks]
        for partition, offset, event in sorted(events, key=lambda one: one[:2]):
            writer = partition, event.data.instance
            if isinstance(event, Tick):
                ticks.setdefault(writer, []).append((offset, event))
                furthest[writer] = max(event.data.proven_until, furthest.get(writer, event.data.proven_until))
                continue
            known_by = event.id[:DELIVERY_DIGITS] if marked else f"{event.data.gateway_id} {event.data.seq}"
            place = first.setdefault((partition, event.source, known_by), offset)
            if writer in furthest and event.time < furthest[writer]:
                at, tick = next(one for one in ticks[writer] if one[1].data.proven_until > event.time)
                assert place < at, f"tick {tick.data.number} at {partition}/{at} passed a signal of {event.time}"
                again += 1
        return again


async def read_all(bootstrap: str, since: datetime | None = None) -> Written:
    """Return everything on ingest's topics, or what was written at `since` and later."""
    written = Written([], [], [], [])
    async with AIOKafkaConsumer(  # named here, it knows all of their partitions once it has started
        *(SIGNALS, ALARMS, REFUSALS),
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=16 * 2**20,
    ) as consumer:
        places = sorted(consumer.assignment())
        ends = await consumer.end_offsets(places)
        waiting = {place for place in places if ends[place] > 0}
        if since is not None:
            firsts = await consumer.offsets_for_times(dict.fromkeys(waiting, int(since.timestamp() * 1000)))
            for place, first in firsts.items():
                consumer.seek(place, ends[place] if first is None else first.offset)
            waiting = {place for place in waiting if await consumer.position(place) < ends[place]}
        while waiting:
            for place, records in (await consumer.getmany(*waiting, timeout_ms=1000)).items():
                _sort(written, place.topic, records)
                if await consumer.position(place) >= ends[place]:
                    waiting.discard(place)
    return written


def _sort(written: Written, topic: str, records: Iterable[object]) -> None:
    for record in records:
        value = record.value  # type: ignore[attr-defined] # aiokafka ships no types
        if topic == ALARMS:
            alarm = codec.alarms.decode(value)
            if isinstance(alarm, Signal):
                written.alarms.append(alarm)
            else:
                written.unregistered.append(alarm)
        elif topic == REFUSALS:
            told = codec.refusals.decode(value)
            if isinstance(told, Refusal):
                written.refusals.append(told)
            else:
                written.replayed.append(told)
        else:
            event = codec.signals.decode(value)
            place = (record.partition, record.offset)  # type: ignore[attr-defined]
            if isinstance(event, Tick):
                written.ticks.append((*place, event))
            else:
                written.signals.append((*place, event))
