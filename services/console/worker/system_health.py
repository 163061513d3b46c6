"""Brings together what can be seen of FireNet itself; one look serves everybody who asks within some seconds."""

import asyncio

from services.console.domain.errors import DataUnavailable
from services.console.domain.system_health import Seen, Stored, SystemHealth, judged, may_see_system
from services.console.domain.viewer import Viewer
from services.console.ports.health import SystemProbe, SystemStore
from services.runtime.clock import Clock

KEEP_S = 5.0


class SystemHealthService:
    """See ports.SystemHealths."""

    def __init__(self, store: SystemStore, probe: SystemProbe, clock: Clock) -> None:
        self._store = store
        self._probe = probe
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: tuple[float, SystemHealth] | None = None

    async def now(self, viewer: Viewer) -> SystemHealth:
        may_see_system(viewer)
        async with self._turn:
            at = self._clock.monotonic()
            if self._last is None or at - self._last[0] > KEEP_S:
                self._last = (at, await self._look())
            return self._last[1]

    async def _look(self) -> SystemHealth:
        services, broker_end, stored = await asyncio.gather(
            self._probe.services(), self._probe.broker_end(), self._stored()
        )
        return judged(Seen(services, stored, broker_end), self._clock.now())

    async def _stored(self) -> Stored | None:
        try:
            return await self._store.stored(self._clock.now())
        except DataUnavailable:
            return None
