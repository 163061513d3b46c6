"""Looking at refusals and ordering replays: who may, once at a time, and written down before it is sent."""

from collections.abc import Sequence
from uuid import uuid4

from services.console.domain.errors import Conflict, OrdersUnavailable
from services.console.domain.refusals import (
    COUNTED,
    ORDER_LAPSES,
    RefusalDetail,
    RefusalPage,
    RefusalQuery,
    ReplayOrder,
    may_work_refusals,
)
from services.console.domain.viewer import Viewer
from services.console.ports.refusals import RefusalRepository, ReplayOrders
from services.runtime.clock import Clock


class RefusalService:
    """Implements the port `Refusals`."""

    def __init__(self, repository: RefusalRepository, orders: ReplayOrders, clock: Clock) -> None:
        self._repository = repository
        self._orders = orders
        self._clock = clock

    async def page(self, viewer: Viewer, query: RefusalQuery) -> RefusalPage:
        may_work_refusals(viewer)
        now = self._clock.now()
        hour = (now - COUNTED).replace(minute=0, second=0, microsecond=0)
        return await self._repository.page(query, hour, now - ORDER_LAPSES)

    async def one(self, viewer: Viewer, refusal_id: str) -> RefusalDetail:
        may_work_refusals(viewer)
        return await self._repository.one(refusal_id, self._clock.now() - ORDER_LAPSES)

    async def replay(self, viewer: Viewer, refusal_ids: Sequence[str]) -> int:
        may_work_refusals(viewer)
        now = self._clock.now()
        order_id = uuid4().hex
        places = await self._repository.claim(order_id, refusal_ids, viewer, now, now - ORDER_LAPSES)
        if not places:
            raise Conflict
        try:
            await self._orders.send(ReplayOrder(order_id, viewer.username, now, places))
        except OrdersUnavailable:
            await self._repository.release(order_id)
            raise
        await self._repository.sent(order_id, self._clock.now())
        return len(places)
