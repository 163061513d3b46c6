"""Answers for the map: who sees which units, where they are, and never more than a few readings at a time."""

import asyncio
from collections.abc import Callable, Mapping

from services.console.domain.district_map import DistrictMap, MapQuery, Position, map_of
from services.console.domain.errors import DataUnavailable
from services.console.domain.viewer import Slice, Viewer
from services.console.ports.district import MapReads
from services.runtime.clock import Clock

KEPT_S = 1.0
"""One answer serves all browsers that look at the same part within this time."""
POSITIONS_S = 60.0
"""The register changes rarely, and reading all of it takes as long as all states together."""
MAX_KEPT = 64


class MapService:
    """Implements the port `DistrictMaps`. `shift` turns a position of the register into one of the map below it."""

    def __init__(self, reads: MapReads, clock: Clock, shift: Callable[[float, float], Position] | None = None) -> None:
        self._reads = reads
        self._clock = clock
        self._shift = shift
        self._turns = asyncio.Semaphore(2)
        self._positions: Mapping[str, Position] = {}
        self._positions_at = float("-inf")
        self._kept: dict[tuple[Slice, MapQuery], tuple[float, DistrictMap]] = {}

    async def now(self, viewer: Viewer, query: MapQuery) -> DistrictMap:
        key = (viewer.slice, query)
        async with self._turns:
            kept = self._kept.get(key)
            if kept is not None and self._clock.monotonic() - kept[0] < KEPT_S:
                return kept[1]
            positions = await self._known_positions()
            units = await self._reads.map_units(viewer.slice, query)
            found = await asyncio.to_thread(map_of, units, positions, query)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = (self._clock.monotonic(), found)
            return found

    async def _known_positions(self) -> Mapping[str, Position]:
        """Return the positions of the register. When it cannot be read anew those of before stay: nobody moves."""
        if self._clock.monotonic() - self._positions_at >= POSITIONS_S:
            try:
                found = await self._reads.positions()
            except DataUnavailable:
                if self._positions:
                    return self._positions
                raise
            self._positions = {unit_id: self._shift(*at) for unit_id, at in found.items()} if self._shift else found
            self._positions_at = self._clock.monotonic()
        return self._positions
