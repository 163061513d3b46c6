"""Page and JSON API of listings for supervision (挂牌督办): which there are, their history, and what people do."""

from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_OFFSET, Api, as_json, one_text
from services.console.adapters.web.documents import Uploads, attachment
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import Session
from services.console.domain.listings import ListingOrder, ListingPage
from services.console.metrics import Metrics
from services.console.ports.district import ReadModel
from services.console.ports.documents import Listings
from services.kernel.words import ListingAct, ListingLevel, ListingState
from services.runtime.logging import get_logger

MAX_TEXT = 1000
ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
ListingId = Annotated[str, Path(pattern=r"^L[0-9a-f]{16}$")]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(one_text)]


class ListingParameters(BaseModel):
    """An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    state: list[ListingState] = Field(default=[], max_length=len(ListingState))
    town: str | None = Field(default=None, pattern=ID)
    department: str | None = Field(default=None, pattern=ID)
    case: str | None = Field(default=None, pattern=ID)
    overdue: bool = False
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)


class ProposeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case_id: str = Field(pattern=ID)
    reason: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(one_text)]


class ActBody(BaseModel):
    """`act` is no proposal and no evidence: these have ways of their own."""

    model_config = ConfigDict(extra="forbid")

    act: ListingAct
    revision: int = Field(ge=1)
    text: Text = ""
    level: ListingLevel | None = None
    number: Annotated[str, Field(max_length=100), AfterValidator(one_text)] = ""
    on: date | None = None
    until: date | None = None
    inspector: Annotated[str, Field(max_length=60), AfterValidator(one_text)] = ""

    def order(self) -> ListingOrder:
        return ListingOrder(**self.model_dump())


class TakeOverBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1)
    submission_id: str = Field(pattern=ID)


class ListingsApi:
    """The handlers. Who may is decided by the worker behind the port, for each of them."""

    def __init__(self, api: Api, listings: Listings, read: ReadModel, uploads: Uploads, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._listings = listings
        self._read = read
        self._uploads = uploads
        self._metrics = metrics

    async def page(self, request: Request, asked: Annotated[ListingParameters, Query()]) -> Response:
        page = ListingPage(
            tuple(asked.state), asked.town, asked.department, asked.case, asked.overdue, asked.offset, asked.limit
        )
        found = await self._listings.page(session_of(request).viewer, page)
        return as_json(found | {"bridges": (await self._read.names()).bridges})

    async def one(self, request: Request, listing_id: ListingId) -> Response:
        return as_json(await self._listings.one(session_of(request).viewer, listing_id))

    async def file(self, request: Request, listing_id: ListingId, digest: Digest) -> Response:
        return attachment(await self._listings.file(session_of(request).viewer, listing_id, digest))

    async def propose(self, request: Request, body: ProposeBody) -> Response:
        async with self._acting(request, ListingAct.PROPOSE, body.case_id) as session:
            return as_json(await self._listings.propose(session.viewer, body.case_id, body.reason))

    async def act(self, request: Request, listing_id: ListingId, body: ActBody) -> Response:
        async with self._acting(request, body.act, listing_id) as session:
            return as_json(await self._listings.act(session.viewer, listing_id, body.order()))

    async def hand_in(self, request: Request, listing_id: ListingId, revision: Annotated[int, Query(ge=1)]) -> Response:
        acting_ = self._acting(request, ListingAct.HAND_IN, listing_id)
        async with acting_ as session, self._uploads.form_of(request) as form:
            return as_json(await self._listings.hand_in(session.viewer, listing_id, revision, form))

    async def replies(self, request: Request, listing_id: ListingId) -> Response:
        return as_json(await self._listings.replies(session_of(request).viewer, listing_id))

    async def take_over(self, request: Request, listing_id: ListingId, body: TakeOverBody) -> Response:
        acting_ = self._acting(request, ListingAct.HAND_IN, listing_id)
        async with acting_ as session, self._uploads.place():
            viewer = session.viewer
            return as_json(await self._listings.take_over(viewer, listing_id, body.revision, body.submission_id))

    def _acting(self, request: Request, act: ListingAct, about: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.listing_acts.labels(act, "ok" if outcome == "ok" else "refused").inc()
            get_logger().info("listing_act", act=act, about=about, username=username, outcome=outcome)

        return acting(request, tell)


def listing_routes(api: ListingsApi, pages: SignedInPages) -> APIRouter:
    """Return the page, and the routes that ask for a session first."""
    router = APIRouter()

    async def page(request: Request) -> Response:
        return await pages.show(request, "listings.html")

    router.add_api_route("/listings", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/listings", dependencies=[Depends(api.signed_in)])
    for path, handler in (("", api.page), ("/{listing_id}", api.one), ("/{listing_id}/files/{digest}", api.file)):
        ours.add_api_route(path, handler, methods=["GET"])
    ours.add_api_route("/{listing_id}/replies", api.replies, methods=["GET"])
    for path, act in (
        ("", api.propose),
        ("/{listing_id}/acts", api.act),
        ("/{listing_id}/evidence", api.hand_in),
        ("/{listing_id}/evidence/reply", api.take_over),
    ):
        ours.add_api_route(path, act, methods=["POST"])
    router.routes.extend(ours.routes)
    return router
