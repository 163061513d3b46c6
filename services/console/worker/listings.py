"""Listings for supervision in the console: who may is asked before anything is handed on."""

from hashlib import sha256
from typing import Any

from services.console.domain.documents import File, RawForm, party_of
from services.console.domain.errors import ListingRefused, NotFound
from services.console.domain.listings import ListingOrder, ListingPage, acts_of, require_act
from services.console.domain.viewer import Viewer
from services.console.ports.documents import DocumentsService, ListingsService
from services.kernel.words import ListingAct


class ListingUseCases:
    """Implements the port `Listings`."""

    def __init__(self, listings: ListingsService, documents: DocumentsService) -> None:
        self._listings = listings
        self._documents = documents

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

    async def replies(self, viewer: Viewer, listing_id: str) -> Any:
        require_act(viewer, ListingAct.HAND_IN)
        return {"rows": await self._replies(viewer, listing_id)}

    async def take_over(self, viewer: Viewer, listing_id: str, revision: int, submission_id: str) -> Any:
        require_act(viewer, ListingAct.HAND_IN)
        replies = await self._replies(viewer, listing_id)
        reply = next((one for one in replies if one["submission_id"] == submission_id), None)
        if reply is None:
            raise NotFound
        files = []
        for digest in dict.fromkeys(one["sha256"] for one in reply["files"]):
            file = await self._documents.file(party_of(viewer), reply["document_id"], digest)
            if sha256(file.content).hexdigest() != digest:  # what was signed is not what came: never evidence
                raise ListingRefused("file_changed")
            files.append(file)
        source = f"{reply['number']} {reply['party']} {submission_id}"
        return await self._listings.hand_on(viewer, listing_id, revision, files, source)

    async def _replies(self, viewer: Viewer, listing_id: str) -> Any:
        """Return those that the viewer may read, of the case of a listing that he may see."""
        listing = await self._listings.one(viewer.slice.department, listing_id)
        return (await self._documents.replies(party_of(viewer), listing["case_id"]))["rows"]
