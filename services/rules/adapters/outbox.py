"""Findings from the outbox to firenet.findings.v1, in order, removed after Kafka has them."""

from collections.abc import Sequence

from schemas.topics import FINDINGS
from services.rules.adapters.statements import SQL
from services.rules.ports import StoreUnavailable
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record
from services.runtime.postgres import AWAY, Pool

MAX_AT_ONCE = 1000


class OutboxPublisher:
    """Implements ports.FindingPublisher."""

    def __init__(self, pool: Pool, producer: BatchProducer, topic: str = FINDINGS) -> None:
        self._pool = pool
        self._producer = producer
        self._topic = topic

    async def publish(self, partitions: Sequence[int]) -> int:
        try:
            return await self._publish(list(partitions))
        except (*AWAY, KafkaUnavailable) as error:
            raise StoreUnavailable(f"{type(error).__name__}: {str(error).strip()[:200]}") from error

    async def _publish(self, partitions: list[int]) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["waiting"], {"partitions": partitions, "most": MAX_AT_ONCE})
            waiting = await cursor.fetchall()
        if not waiting:
            return 0
        await self._producer.send_many([Record(self._topic, key.encode(), payload) for _, key, payload in waiting])
        async with self._pool.connection() as connection:
            await connection.execute(SQL["sent"], {"positions": [position for position, _, _ in waiting]})
        return len(waiting)
