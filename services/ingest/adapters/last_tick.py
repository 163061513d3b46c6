"""What an earlier process of this instance said last, as it stands on the signals topic."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.signal import Tick as WireTick
from schemas.topics import SIGNALS
from services.ingest.domain.watermark import Predecessor
from services.runtime.kafka import stop_consumer
from services.runtime.logging import get_logger

DEADLINE_S = 15.0
WINDOWS = (1_000, 30_000)
"""So many records are read from the end of a partition; ticks stand in each of them twice a second."""
_TICK = b'"cn.firenet.tick.v1"'


async def find_predecessor(bootstrap: str, instance: str) -> Predecessor | None:
    """Return the last tick of `instance`; None where there is none, or where Kafka does not show it in time."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await consumer.start()
            for window in WINDOWS:
                found = await _look(consumer, instance, window)
                if found is not None:
                    return found
    except (KafkaError, OSError, TimeoutError) as error:
        get_logger().warning("last_tick_not_found", error=str(error)[:200])
    finally:
        await stop_consumer(consumer)
    return None


async def _look(consumer: AIOKafkaConsumer, instance: str, window: int) -> Predecessor | None:
    partition = TopicPartition(SIGNALS, 0)
    consumer.assign([partition])
    start = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    consumer.seek(partition, max(start, end - window))
    found: Predecessor | None = None
    while await consumer.position(partition) < end:
        for records in (await consumer.getmany(partition, timeout_ms=500)).values():
            for record in records:
                found = _predecessor(record.value, instance) or found
    return found


def _predecessor(value: bytes | None, instance: str) -> Predecessor | None:
    if value is None or _TICK not in value:
        return None
    try:
        event = codec.signals.decode(value)
    except codec.BadRecord:
        return None
    if not isinstance(event, WireTick) or event.data.instance != instance:
        return None
    return Predecessor(event.data.epoch, event.time)
