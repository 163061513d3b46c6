"""Adjustments for the pages: within the viewer's slice, and decided about by the registry alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.console.domain.adjustments import (
    AdjustmentPage,
    AdjustmentQuery,
    Decision,
    InForceRow,
    NewAdjustment,
    may,
    may_ask,
)
from services.console.domain.viewer import Viewer
from services.console.ports.district import ReadModel
from services.console.ports.register import AdjustmentOrders, AdjustmentRepository
from services.runtime.clock import Clock


class AdjustmentUseCases:
    """Implements the port `Adjustments`."""

    def __init__(
        self, repository: AdjustmentRepository, orders: AdjustmentOrders, read: ReadModel, clock: Clock
    ) -> None:
        self._repository = repository
        self._orders = orders
        self._read = read
        self._clock = clock

    async def page(self, viewer: Viewer, query: AdjustmentQuery) -> AdjustmentPage:
        page, now = await self._repository.page(viewer.slice, query), self._clock.now()
        return replace(page, rows=tuple(replace(row, may=may(viewer, row, now)) for row in page.rows))

    async def in_force(self, viewer: Viewer) -> Sequence[InForceRow]:
        return await self._repository.in_force(viewer.slice, self._clock.now())

    async def request(self, viewer: Viewer, asked: NewAdjustment) -> str:
        may_ask(viewer)
        if not viewer.slice.whole:  # not in the slice: NotFound, like no unit at all
            await self._read.unit(viewer.slice, asked.unit_id, self._clock.now() - timedelta(minutes=1))
        return await self._orders.request(asked, viewer)

    async def decide(self, viewer: Viewer, decision: Decision, adjustment_id: str, note: str) -> str:
        await self._repository.one(viewer.slice, adjustment_id)
        return await self._orders.decide(decision, adjustment_id, viewer, note)
