"""Brings together what can be seen of FireNet itself; one look serves everybody who asks within some seconds."""

import asyncio

from services.console.domain.errors import DataUnavailable
from services.console.domain.health_charts import KEPT, HealthDay, day_begins, day_of, sampled
from services.console.domain.system_health import Seen, Stored, SystemHealth, judged, may_see_system
from services.console.domain.viewer import Viewer
from services.console.metrics import Metrics
from services.console.ports.health import HealthSamples, SystemProbe, SystemStore
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop

KEEP_S = 5.0
KEEP_DAY_S = 30.0
EVERY_S = 60.0


class SystemHealthService:
    """See ports.SystemHealths."""

    def __init__(self, store: SystemStore, probe: SystemProbe, samples: HealthSamples, clock: Clock) -> None:
        self._store = store
        self._probe = probe
        self._samples = samples
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: tuple[float, Seen, SystemHealth] | None = None
        self._day_turn = asyncio.Lock()
        self._day: tuple[float, HealthDay] | None = None

    async def now(self, viewer: Viewer) -> SystemHealth:
        may_see_system(viewer)
        _, health = await self._look()
        return health

    async def day(self, viewer: Viewer) -> HealthDay:
        may_see_system(viewer)
        async with self._day_turn:
            at, now = self._clock.monotonic(), self._clock.now()
            if self._day is None or at - self._day[0] > KEEP_DAY_S:
                first = day_begins(now)
                samples, refused = await self._samples.since(first), await self._samples.refused(first)
                self._day = (at, day_of(samples, refused, now))
            return self._day[1]

    async def sample(self) -> None:
        """Store what is seen now as the sample of this minute. Raises DataUnavailable."""
        seen, health = await self._look(fresh=True)
        await self._samples.keep(sampled(seen, health.at), health.at - KEPT)

    async def _look(self, *, fresh: bool = False) -> tuple[Seen, SystemHealth]:
        async with self._turn:
            at = self._clock.monotonic()
            if fresh or self._last is None or at - self._last[0] > KEEP_S:
                services, broker_end, stored = await asyncio.gather(
                    self._probe.services(), self._probe.broker_end(), self._stored()
                )
                seen = Seen(services, stored, broker_end)
                self._last = (at, seen, judged(seen, self._clock.now()))
            return self._last[1], self._last[2]

    async def _stored(self) -> Stored | None:
        try:
            return await self._store.stored(self._clock.now())
        except DataUnavailable:
            return None


class HealthSampler:
    """Takes a sample each minute. One that could not be stored is counted, and is a gap in the charts."""

    def __init__(self, service: SystemHealthService, metrics: Metrics, clock: Clock) -> None:
        self._service = service
        self._metrics = metrics
        self._clock = clock

    async def run(self, stop: Stop) -> None:
        while not stop.is_set():
            await self.turn()
            await stop.wait_for(EVERY_S - self._clock.now().timestamp() % EVERY_S)

    async def turn(self) -> None:
        try:
            await self._service.sample()
        except DataUnavailable:
            self._metrics.health_samples.labels("failed").inc()
        else:
            self._metrics.health_samples.labels("stored").inc()
