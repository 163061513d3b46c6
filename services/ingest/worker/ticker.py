"""The ticks that prove how far everything was stored."""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.metrics import Metrics
from services.ingest.ports import Source, TickStore
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

TICK_EVERY_S = 0.5
"""A deadline can be declared only once a tick has passed it: this is half of the second that it may be late."""


class Ticker:
    """Probes every lane twice a second and tells all partitions what came of it."""

    def __init__(
        self,
        sources: Sequence[Source],
        watermark: InstanceWatermark,
        store: TickStore,
        metrics: Metrics,
        clock: Clock,
        stamp: Callable[[], datetime],
        every_s: float = TICK_EVERY_S,
        look_every_s: float = 0.02,
    ) -> None:
        """`stamp` gives the instants that arrivals get; `look_every_s`: how soon after the probes the tick goes out."""
        self._stamp = stamp
        self._sources = sources
        self._watermark = watermark
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._every_s = every_s
        self._look_every_s = look_every_s

    async def run(self, stop: Stop) -> None:
        """Tick until stop. Without an answer from broker or Kafka there is no tick: nothing was proven."""
        due = self._clock.monotonic()
        while not stop.is_set():
            sent_at = self._stamp()
            for source in self._sources:
                source.probe()
            due = max(due + self._every_s, self._clock.monotonic())
            while not stop.is_set():
                proven = self._watermark.proven_until()
                if (proven is not None and proven >= sent_at) or self._clock.monotonic() >= due:
                    break
                await stop.wait_for(self._look_every_s)
            await self._tick()
            await stop.wait_for(max(0.0, due - self._clock.monotonic()))

    async def leave(self) -> None:
        """Say that this instance leaves on purpose. To be called when everything received is settled."""
        tick = self._watermark.leaving_tick(self._stamp())
        if tick is not None and not await self._store.tick(tick):
            get_logger().warning("leaving_tick_not_confirmed")

    async def _tick(self) -> None:
        tick = self._watermark.tick(self._stamp())
        if tick is None:
            return
        if await self._store.tick(tick):
            self._metrics.ticks.inc()
            self._metrics.proven_until.set(tick.proven_until.timestamp())
        else:
            self._metrics.ticks_failed.inc()
