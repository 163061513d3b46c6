"""`ReplayOrders` on firenet.commands.v1: an order has left when Kafka has it on all in-sync replicas."""

import asyncio

from schemas import codec
from schemas.command import Command, CommandData, RefusalPlace, Replay
from schemas.topics import COMMANDS
from services.console.domain.errors import OrdersUnavailable
from services.console.domain.refusals import ReplayOrder
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record
from services.runtime.logging import get_logger


class KafkaReplayOrders:
    """Connects with the first order: nobody waits for Kafka just to look at the page."""

    def __init__(self, bootstrap: str, deadline_s: float = 5.0) -> None:
        self._bootstrap = bootstrap
        self._deadline_s = deadline_s
        self._producer: BatchProducer | None = None
        self._turn = asyncio.Lock()

    async def send(self, order: ReplayOrder) -> None:
        record = Record(COMMANDS, None, codec.commands.encode(_command(order)))
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline_s):
                    producer = await self._connected()
                    await producer.send_many([record], deadline_s=None)
            except (KafkaUnavailable, TimeoutError) as error:
                get_logger().warning("order_not_sent", order_id=order.order_id, error=str(error)[:200])
                await self.close()
                raise OrdersUnavailable(str(error)) from error

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _connected(self) -> BatchProducer:
        if self._producer is None:
            producer = BatchProducer(self._bootstrap, "firenet-console", headers=codec.HEADERS)
            await producer.start()
            self._producer = producer
        return self._producer


def _command(order: ReplayOrder) -> Command:
    places = tuple(
        RefusalPlace(id=place.refusal_id, partition=place.partition, offset=place.offset) for place in order.places
    )
    return Command(
        id=order.order_id,
        source="/console",
        time=order.at,
        data=CommandData(by=order.by, order=Replay(refusals=places)),
    )
