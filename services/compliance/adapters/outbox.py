"""Figures and findings about bodies from the outbox to their topics, in order, removed after Kafka has them."""

from services.compliance.adapters.statements import SQL
from services.compliance.ports import Unavailable
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record
from services.runtime.postgres import AWAY, Pool

MAX_AT_ONCE = 1000


class PostgresOutbox:
    """Implements ports.Outbox. Connects to Kafka when there is the first thing to send."""

    def __init__(self, pool: Pool, producer: BatchProducer) -> None:
        self._pool = pool
        self._producer = producer
        self._started = False

    async def send(self) -> int:
        try:
            return await self._send()
        except (*AWAY, KafkaUnavailable) as error:
            raise Unavailable(f"{type(error).__name__}: {str(error).strip()[:200]}") from error

    async def _send(self) -> int:
        async with self._pool.connection() as connection:
            waiting = await (await connection.execute(SQL["waiting"], (MAX_AT_ONCE,))).fetchall()
        if not waiting:
            return 0
        if not self._started:
            await self._producer.start()
            self._started = True
        await self._producer.send_many([Record(topic, key.encode(), payload) for _, topic, key, payload in waiting])
        async with self._pool.connection() as connection:
            await connection.execute(SQL["sent"], ([position for position, *_ in waiting],))
        return len(waiting)
