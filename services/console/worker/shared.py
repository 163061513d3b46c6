"""Reads that many browsers ask for at once are done once: a short-lived, bounded cache around the read model."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from typing import TypeVar, cast

from services.console.domain.case_list import CaseQuery
from services.console.domain.cases import CaseDetail, CaseList, Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.errors import DataUnavailable, TooBusy
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.units import UnitDetail, UnitPage, UnitQuery
from services.console.domain.viewer import Slice
from services.console.ports.district import ReadModel
from services.kernel.words import FileKind, Language
from services.runtime.clock import Clock

T = TypeVar("T")


class SharedReads:
    """Implements `ReadModel`. Equal questions within `keep_s` share one answer; at most `waiting` wait for a turn."""

    def __init__(
        self,
        read: ReadModel,
        clock: Clock,
        *,
        keep_s: float = 0.25,
        entries: int = 256,
        parallel: int = 3,
        waiting: int = 64,
        deadline_s: float = 5.0,
    ) -> None:
        self._read = read
        self._clock = clock
        self._keep_s = keep_s
        self._entries = entries
        self._waiting_bound = waiting
        self._deadline_s = deadline_s
        self._turns = asyncio.Semaphore(parallel)
        self._waiting = 0
        self._kept: OrderedDict[Hashable, tuple[float, asyncio.Task[object]]] = OrderedDict()

    async def visibility(self) -> Sequence[PartitionVisibility]:
        return await self._once(("visibility",), self._read.visibility)

    async def names(self) -> Names:
        return await self._once(("names",), self._read.names)

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        return await self._once(("picture", slice_), lambda: self._read.snapshot(slice_))

    async def fires(self, slice_: Slice) -> tuple[Fire, ...]:
        return await self._once(("fires", slice_), lambda: self._read.fires(slice_))

    async def units(self, slice_: Slice, query: UnitQuery) -> UnitPage:
        return await self._once(("units", slice_, query), lambda: self._read.units(slice_, query))

    async def unit(self, slice_: Slice, unit_id: str, since: datetime) -> UnitDetail:
        return await self._once(("unit", slice_, unit_id), lambda: self._read.unit(slice_, unit_id, since))

    async def cases(self, slice_: Slice, query: CaseQuery) -> CaseList:
        return await self._once(("cases", slice_, query), lambda: self._read.cases(slice_, query))

    async def case(self, slice_: Slice, case_id: str) -> CaseDetail:
        return await self._once(("case", slice_, case_id), lambda: self._read.case(slice_, case_id))

    async def document_file(
        self, slice_: Slice, case_id: str, document_id: str, language: Language, kind: FileKind
    ) -> bytes:
        if self._waiting >= self._waiting_bound:
            raise TooBusy("too many reads wait already")
        # not kept for others: two hundred files would fill the memory
        return await self._in_turn(lambda: self._read.document_file(slice_, case_id, document_id, language, kind))

    async def _once(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is None or now - kept[0] > self._keep_s:
            if self._waiting >= self._waiting_bound:
                raise TooBusy("too many reads wait already")
            self._waiting += 1
            task = asyncio.create_task(self._in_turn(ask))
            task.add_done_callback(self._one_done)
            self._kept[key] = (now, cast("asyncio.Task[object]", task))
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
            kept = self._kept[key]
        # One reader's disconnect must not cancel the answer of the others.
        return cast("T", await asyncio.shield(kept[1]))

    async def _in_turn(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._deadline_s), self._turns:
                return await ask()
        except TimeoutError as error:
            raise DataUnavailable("the database did not answer in time") from error

    def _one_done(self, task: asyncio.Task[T]) -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()  # every reader may have left: then nobody else looks at it
