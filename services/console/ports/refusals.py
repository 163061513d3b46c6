"""What ingest could not use, and its replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.console.domain.refusals import Place, RefusalDetail, RefusalPage, RefusalQuery, ReplayOrder
from services.console.domain.viewer import Viewer


class RefusalRepository(Protocol):
    """The console's own copy of the refusals. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, query: RefusalQuery, counted_since: datetime, lapsed: datetime) -> RefusalPage:
        """Return what the query means, the newest first. An order given before `lapsed` is not waited for."""
        ...

    async def one(self, refusal_id: str, lapsed: datetime) -> RefusalDetail:
        """Raises NotFound."""
        ...

    async def claim(
        self, order_id: str, refusal_ids: Sequence[str], viewer: Viewer, now: datetime, lapsed: datetime
    ) -> tuple[Place, ...]:
        """Write down who orders what, and return the places of those that are open and not ordered since `lapsed`."""
        ...

    async def sent(self, order_id: str, now: datetime) -> None:
        """The order is on its way."""
        ...

    async def release(self, order_id: str) -> None:
        """The order was not given: whoever asks next may."""
        ...


class ReplayOrders(Protocol):
    """Orders to the service that decides about messages."""

    async def send(self, order: ReplayOrder) -> None:
        """Return once the order is stored. Raises OrdersUnavailable: it may nevertheless be carried out."""
        ...


class Refusals(Protocol):
    """What the pages may do with refusals. Every method raises NotAllowed for departments, and DataUnavailable."""

    async def page(self, viewer: Viewer, query: RefusalQuery) -> RefusalPage: ...

    async def one(self, viewer: Viewer, refusal_id: str) -> RefusalDetail:
        """Raises NotFound."""
        ...

    async def replay(self, viewer: Viewer, refusal_ids: Sequence[str]) -> int:
        """Return how many were ordered. Raises Conflict when none is open, OrdersUnavailable."""
        ...
