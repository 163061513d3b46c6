"""The page of the map and its JSON. Tiles come from the operator's own server, when it is named."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import CONTENT_SECURITY_POLICY, session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.district_map import MapQuery
from services.console.ports.district import DistrictMaps


class MapParameters(BaseModel):
    """An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    town: str | None = Field(default=None, max_length=64)
    community: str | None = Field(default=None, max_length=200)

    def query(self) -> MapQuery:
        # PostgreSQL knows no NUL in a text: nobody has it in a name
        return MapQuery(*(None if not value or "\0" in value else value for value in (self.town, self.community)))


def policy_with(tiles: str | None) -> str:
    """Return the policy of the page: pictures of that server too, and nothing else of it."""
    if tiles is None:
        return CONTENT_SECURITY_POLICY
    parts = urlsplit(tiles)
    return CONTENT_SECURITY_POLICY.replace("img-src 'self'", f"img-src 'self' {parts.scheme}://{parts.netloc}")


def map_routes(api: Api, maps: DistrictMaps, pages: SignedInPages, tiles: str | None, credit: str) -> APIRouter:
    async def page(request: Request) -> Response:
        response = await pages.show(request, "map.html", tiles=tiles or "", credit=credit)
        response.headers["Content-Security-Policy"] = policy_with(tiles)
        return response

    async def json(request: Request, asked: Annotated[MapParameters, Query()]) -> Response:
        return as_json(await maps.now(session_of(request).viewer, asked.query()))

    router = APIRouter(include_in_schema=False)
    router.add_api_route("/map", page, methods=["GET"])
    router.add_api_route("/api/v1/map", json, methods=["GET"], dependencies=[Depends(api.signed_in)])
    return router
