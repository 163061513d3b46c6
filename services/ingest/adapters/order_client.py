"""Kafka for whoever gives orders: today's registry, the commands topic, and what becomes of an order."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.topics import COMMANDS, EXCHANGES
from services.ingest.adapters.exchange_wire import command_of, event_of
from services.ingest.adapters.registry_feed import RegistryFeed
from services.ingest.domain.controls import ExchangeEvent, Order
from services.ingest.domain.directory import Directory, Sender
from services.ingest.domain.errors import LogUnavailable
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.kafka import BatchProducer, KafkaUnavailable, LateFollower, Record
from services.runtime.lifecycle import Stop

CONNECT_S = 15.0
AGO = timedelta(minutes=1)


class OrderClient:
    """Every method may raise LogUnavailable."""

    def __init__(self, bootstrap: str, directory: Directory, clock: Clock, stop: Stop) -> None:
        self.directory = directory
        self._producer = BatchProducer(bootstrap, "firenet-command-cli", headers=codec.HEADERS)
        self._steps: asyncio.Queue[ExchangeEvent] = asyncio.Queue()
        self._follower = LateFollower(bootstrap, EXCHANGES, self._read, clock.now() - AGO)
        self._following = asyncio.create_task(self._follower.run(stop))

    async def start(self) -> None:
        await self._producer.start()
        await self._follower.caught_up(CONNECT_S)

    async def close(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._producer.stop()

    def in_service(self, gateway_id: str, now: datetime) -> bool:
        return isinstance(self.directory.sender(gateway_id, now), Sender)

    async def submit(self, orders: Sequence[Order], source: str) -> None:
        """Return once all orders stand on the log."""
        records = [
            Record(COMMANDS, order.gateway_id.encode(), codec.commands.encode(command_of(order, source)))
            for order in orders
        ]
        try:
            await self._producer.send_many(records, deadline_s=CONNECT_S)
        except KafkaUnavailable as error:
            raise LogUnavailable(str(error)) from error

    async def steps(self, command_ids: Collection[str]) -> AsyncIterator[ExchangeEvent]:
        """Yield the steps of these orders, each once, up to the end of the last."""
        waiting = set(command_ids)
        seen: set[tuple[str, str, int | None]] = set()
        while waiting:
            event = await self._steps.get()
            key = (event.order.command_id, event.step, event.attempt)
            if event.order.command_id not in waiting or key in seen:
                continue
            seen.add(key)
            if event.ends:
                waiting.discard(event.order.command_id)
            yield event

    def _read(self, _: str, value: bytes | None) -> None:
        try:
            self._steps.put_nowait(event_of(value or b""))
        except codec.BadRecord:
            return  # ingest counts it


@asynccontextmanager
async def open_order_client(bootstrap: str, registry_deadline_s: float, clock: Clock) -> AsyncIterator[OrderClient]:
    """Yield an order book that knows today's registry. Raises LogUnavailable."""
    stop = Stop()
    directory = Directory()
    feed = RegistryFeed(bootstrap, directory, Metrics(CollectorRegistry()))
    following = asyncio.create_task(feed.run(stop))
    client = OrderClient(bootstrap, directory, clock, stop)
    try:
        try:
            async with asyncio.timeout(CONNECT_S + registry_deadline_s):
                await feed.wait_caught_up(registry_deadline_s)
                await client.start()
        except (KafkaUnavailable, TimeoutError) as error:
            raise LogUnavailable(str(error) or f"no answer from Kafka at {bootstrap}") from error
        yield client
    finally:
        stop.set()
        await client.close()
        await asyncio.gather(following, return_exceptions=True)
