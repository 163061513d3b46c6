"""The topics of orders and of exchanges to the dispatcher, and orders to replay to whoever does that.

Both topics are read by every ingest process, without a group, from a day ago on. First what exchanges there were, to
the end of the log, and only then the orders: an order that was carried out must be known before it is met again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from schemas import codec
from schemas.command import Replay
from schemas.topics import COMMANDS, EXCHANGES
from services.ingest.adapters.exchange_wire import event_of, order_of
from services.ingest.domain.replays import LogPosition, ReplayOrder
from services.ingest.metrics import ExchangeMetrics
from services.ingest.ports import OrderDispatcher
from services.runtime.clock import Clock
from services.runtime.kafka import LateFollower
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

LOOK_BACK = timedelta(days=1)
"""Much longer than any exchange can last."""
REPLAYS_WITHIN = timedelta(minutes=10)
"""An order to replay that is older was given to a process that is gone; a person sees that nothing came of it."""
MAX_REPLAYS = 100


class CommandsFeed:
    """A record that cannot be read changes nothing and is counted."""

    def __init__(
        self,
        bootstrap: str,
        dispatcher: OrderDispatcher,
        replay: Callable[[ReplayOrder], Awaitable[object]] | None,
        metrics: ExchangeMetrics,
        clock: Clock,
    ) -> None:
        """`replay` gets the orders that are not for the dispatcher, one after the other."""
        since = clock.now() - LOOK_BACK
        self._dispatcher = dispatcher
        self._replay = replay
        self._metrics = metrics
        self._clock = clock
        self._exchanges = LateFollower(bootstrap, EXCHANGES, self.on_exchange, since)
        self._commands = LateFollower(bootstrap, COMMANDS, self.on_command, since)
        self._replays: asyncio.Queue[ReplayOrder] = asyncio.Queue(MAX_REPLAYS)

    async def run(self, stop: Stop) -> None:
        """Follow both topics until stop."""
        tasks = [asyncio.create_task(self._exchanges.run(stop)), asyncio.create_task(self._follow_commands(stop))]
        if self._replay is not None:
            tasks.append(asyncio.create_task(self._carry_out_replays(self._replay)))
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)

    async def _follow_commands(self, stop: Stop) -> None:
        await self._exchanges.caught_up(None)
        self._dispatcher.resume()
        get_logger().info("exchanges_read", open=self._dispatcher.open)
        await self._commands.run(stop)

    async def _carry_out_replays(self, replay: Callable[[ReplayOrder], Awaitable[object]]) -> None:
        while True:
            order = await self._replays.get()
            try:
                await replay(order)
            except Exception:  # noqa: BLE001 - one order that meets our bug must not stop all others
                self._metrics.failed.inc()
                get_logger().exception("replay_failed", command_id=order.command_id)

    def on_exchange(self, key: str, value: bytes | None) -> None:
        try:
            self._dispatcher.read(event_of(value or b""), live=self._exchanges.is_caught_up)
        except codec.BadRecord as bad:
            self._bad("exchanges", key, bad)
        except Exception:  # noqa: BLE001 - one record that meets our bug must not stop all others
            self._metrics.failed.inc()
            get_logger().exception("exchange_met_a_bug", key=key[:100])

    def on_command(self, key: str, value: bytes | None) -> None:
        try:
            self._take(value or b"", live=self._commands.is_caught_up)
        except codec.BadRecord as bad:
            self._bad("commands", key, bad)
        except Exception:  # noqa: BLE001 - one record that meets our bug must not stop all others
            self._metrics.failed.inc()
            get_logger().exception("command_met_a_bug", key=key[:100])

    def _take(self, value: bytes, *, live: bool) -> None:
        command = codec.commands.decode(value)
        order = order_of(command)
        if order is not None:
            self._dispatcher.ordered(order, live=live)
            return
        asked = command.data.order
        if not isinstance(asked, Replay) or self._clock.now() - command.time > REPLAYS_WITHIN:
            return
        positions = tuple(LogPosition(one.id, one.partition, one.offset) for one in asked.refusals)
        try:
            self._replays.put_nowait(ReplayOrder(command.id, command.data.by, command.time, positions))
        except asyncio.QueueFull:
            self._metrics.failed.inc()
            get_logger().error("too_many_replays", command_id=command.id)

    def _bad(self, topic: str, key: str, bad: codec.BadRecord) -> None:
        self._metrics.bad_records.labels(topic).inc()
        get_logger().error("record_bad", topic=topic, key=key[:100], detail=bad.detail)
