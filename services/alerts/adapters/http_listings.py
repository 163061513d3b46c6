"""Listings for supervision (挂牌督办) over the API of alerts: what there are, and what people do with them."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.encoders import jsonable_encoder
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from services.alerts.adapters.http_work import ID, By, CaseIdPath
from services.alerts.adapters.postgres_listings import ListingQuery, ListingReader
from services.alerts.domain.case.who import Who
from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import Listing, ListingId, NoListing, NotPossible, Said
from services.alerts.ports import Listings
from services.kernel.uploads import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES, Unfit, checked_uploads
from services.kernel.words import ListingAct, ListingLevel, ListingState
from services.runtime.clock import Clock
from services.runtime.texts import one_line

MAX_TEXT = 1000
MAX_SOURCE = 200
MAX_BODY_BYTES = MAX_ALL_BYTES + 256 * 1024
MAX_FIELDS = 8
LISTING_ID = r"^L[0-9a-f]{16}$"
ListingIdPath = Annotated[str, Path(pattern=LISTING_ID)]
EVIDENCE = "/v1/listings/evidence"
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Body = Annotated[str | None, Query(pattern=ID)]
Account = Annotated[str, Query(min_length=1, max_length=100)]


class Propose(By):
    reason: str = Field(min_length=1, max_length=MAX_TEXT)


class Act(By):
    """`revision`: as the reader saw the listing. Which of the others is needed depends on the act."""

    act: Literal[
        ListingAct.WITHDRAW,
        ListingAct.DECLINE,
        ListingAct.LIST,
        ListingAct.ASK_EXTENSION,
        ListingAct.GRANT_EXTENSION,
        ListingAct.REFUSE_EXTENSION,
        ListingAct.PASS_RECHECK,
        ListingAct.FAIL_RECHECK,
        ListingAct.APPROVE_CLOSURE,
        ListingAct.REFUSE_CLOSURE,
    ]
    revision: int = Field(ge=1)
    text: str = Field(default="", max_length=MAX_TEXT)
    level: ListingLevel | None = None
    number: str = Field(default="", max_length=100)
    on: date | None = None
    until: date | None = None
    inspector: str = Field(default="", max_length=60)

    @property
    def said(self) -> Said:
        return Said(
            one_line(self.text), self.level, one_line(self.number), self.on, self.until, one_line(self.inspector)
        )


class ListingsApi:
    """The handlers. 404: no such listing, or another body's; 409 and 422 with a `reason`: not possible."""

    def __init__(self, listings: Listings, reader: ListingReader, clock: Clock) -> None:
        self._listings = listings
        self._reader = reader
        self._clock = clock

    async def page(
        self,
        body_code: Body = None,
        state: Annotated[list[ListingState] | None, Query(max_length=len(ListingState))] = None,
        town: Body = None,
        department: Body = None,
        case_id: Body = None,
        overdue: bool = False,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        states = None if state is None else tuple(str(one) for one in state)
        query = ListingQuery(
            body_code, self._clock.now(), states, town, department, case_id, overdue, limit + 1, offset
        )
        rows = await self._reader.page(query)
        return _json({"rows": rows[:limit], "more": len(rows) > limit})

    async def one(self, listing_id: ListingIdPath, body_code: Body = None) -> Response:
        found = await self._reader.one(listing_id, body_code, self._clock.now())
        if found is None:
            raise HTTPException(404, "no such listing")
        return _json(found)

    async def file(self, listing_id: ListingIdPath, digest: Digest, body_code: Body = None) -> Response:
        found = await self._reader.file(listing_id, digest, body_code)
        if found is None:
            raise HTTPException(404, "no such file")
        name, media_type, content = found
        return Response(content, media_type=media_type, headers={"X-File-Name": name.encode().hex()})

    async def propose(self, case_id: CaseIdPath, request: Propose) -> Response:
        try:
            return _said(await self._listings.propose(CaseId(case_id), request.who, one_line(request.reason)))
        except (NoListing, NotPossible) as error:
            return _refusal(error)

    async def act(self, listing_id: ListingIdPath, request: Act) -> Response:
        try:
            said = request.said
            listing = await self._listings.act(ListingId(listing_id), request.revision, request.act, request.who, said)
        except (NoListing, NotPossible) as error:
            return _refusal(error)
        return _said(listing)

    async def evidence(
        self,
        request: Request,
        listing_id: Annotated[str, Query(pattern=LISTING_ID)],
        account: Account,
        revision: Annotated[int, Query(ge=1)],
        body_code: Body = None,
        source: Annotated[str, Query(max_length=MAX_SOURCE)] = "",
    ) -> Response:
        """Take a form with `files` and `text`; its size was looked at before any of it was read.

        `source` is no field of the form: that is as a browser sent it, and only the console says what was taken over.
        """
        try:
            async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=64 * 1024) as form:
                uploads = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
                files = [(one.filename or "", await one.read(MAX_FILE_BYTES + 1)) for one in uploads]
                text = form.get("text", "")
            text = one_line(text if isinstance(text, str) else "")[:MAX_TEXT]
            said = Said(text, files=checked_uploads(files), source=one_line(source))
            who = Who(account, body_code, "console")
            listing = await self._listings.act(ListingId(listing_id), revision, ListingAct.HAND_IN, who, said)
        except Unfit as error:
            return JSONResponse({"reason": error.reason}, 422)
        except HTTPException as error:  # of the parser of forms
            return JSONResponse({"reason": "too_many_files" if "files" in str(error.detail) else "bad_field"}, 422)
        except (NoListing, NotPossible) as error:
            return _refusal(error)
        return _said(listing)


def listing_routes(api: ListingsApi) -> APIRouter:
    router = APIRouter(prefix="/v1")
    one = "/listings/{listing_id}"
    for path, handler in (("/listings", api.page), (one, api.one), (f"{one}/files/{{digest}}", api.file)):
        router.add_api_route(path, handler, methods=["GET"])
    for path, act in (
        ("/cases/{case_id}/listings", api.propose),
        (f"{one}/acts", api.act),
        (EVIDENCE.removeprefix("/v1"), api.evidence),
    ):
        router.add_api_route(path, act, methods=["POST"])
    return router


def _said(listing: Listing) -> Response:
    return _json({"listing_id": listing.listing_id, "state": listing.state, "revision": listing.revision})


def _refusal(error: NoListing | NotPossible) -> Response:
    if isinstance(error, NoListing):
        return JSONResponse({"reason": "not_found"}, 404)
    return JSONResponse({"reason": error.reason}, 409)


def _json(value: Any) -> Response:
    return JSONResponse(jsonable_encoder(value))
