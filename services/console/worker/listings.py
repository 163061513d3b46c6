"""Listings for supervision in the console: who may is asked before anything is handed on."""

from typing import Any

from services.console.domain.documents import File, RawForm
from services.console.domain.listings import ListingOrder, ListingPage, acts_of, require_act
from services.console.domain.viewer import Viewer
from services.console.ports import ListingsService
from services.kernel.words import ListingAct


class ListingDesk:
    """Implements the port `Listings`."""

    def __init__(self, listings: ListingsService) -> None:
        self._listings = listings

    async def page(self, viewer: Viewer, page: ListingPage) -> Any:
        return await self._listings.page(viewer.slice.department, page) | {"may": sorted(acts_of(viewer))}

    async def one(self, viewer: Viewer, listing_id: str) -> Any:
        found = await self._listings.one(viewer.slice.department, listing_id)
        return found | {"may": sorted(acts_of(viewer))}

    async def file(self, viewer: Viewer, listing_id: str, digest: str) -> File:
        return await self._listings.file(viewer.slice.department, listing_id, digest)

    async def propose(self, viewer: Viewer, case_id: str, reason: str) -> Any:
        require_act(viewer, ListingAct.PROPOSE)
        return await self._listings.propose(viewer, case_id, reason)

    async def act(self, viewer: Viewer, listing_id: str, order: ListingOrder) -> Any:
        require_act(viewer, order.act)
        return await self._listings.act(viewer, listing_id, order)

    async def hand_in(self, viewer: Viewer, listing_id: str, revision: int, form: RawForm) -> Any:
        require_act(viewer, ListingAct.HAND_IN)
        return await self._listings.hand_in(viewer, listing_id, revision, form)
