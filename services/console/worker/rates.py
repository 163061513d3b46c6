"""Puts the live networking rate where Prometheus finds it, whether or not anybody looks at a page."""

import asyncio
from collections import defaultdict

from services.console.domain.errors import DataUnavailable
from services.console.metrics import Metrics, RateGauges
from services.console.ports.district import LiveCounts
from services.kernel.ratio import NOTHING, Ratio
from services.runtime.lifecycle import Stop


class RateExport:
    """Reads all counts every `every_s` seconds. A read that fails takes all figures away: none beats an old one."""

    def __init__(
        self, *, read: LiveCounts, gauges: RateGauges, metrics: Metrics, every_s: float, deadline_s: float = 5.0
    ) -> None:
        self._read = read
        self._gauges = gauges
        self._metrics = metrics
        self._every_s = every_s
        self._deadline_s = deadline_s

    async def run(self, stop: Stop) -> None:
        while not stop.is_set():
            await self.turn()
            await stop.wait_for(self._every_s)

    async def turn(self) -> None:
        scopes: dict[tuple[str, ...], Ratio] = defaultdict(lambda: NOTHING)
        departments: dict[tuple[str, ...], Ratio] = defaultdict(lambda: NOTHING)
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await self._read.live_counts()
        except (DataUnavailable, TimeoutError):
            self._metrics.read_failures.inc()
            found = ()
        for dimension, row in found:
            if dimension == "district":  # one installation may serve several
                scopes[(row.scope,)] += row.ratio
            elif dimension == "department":
                departments[row.scope, row.value] += row.ratio
        self._gauges.show(scopes, departments)
