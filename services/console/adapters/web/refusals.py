"""JSON API of the refusals page: look, filter, order a replay."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_OFFSET, Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.domain.refusals import RefusalQuery, State
from services.console.metrics import Metrics
from services.console.ports.refusals import Refusals
from services.runtime.logging import get_logger

MAX_AT_ONCE = 100
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class RefusalParameters(BaseModel):
    """Filters; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,40}$")
    gateway: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    state: State | None = None
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)

    def query(self) -> RefusalQuery:
        return RefusalQuery(self.reason, self.gateway, self.state, self.offset, self.limit)


class ReplayBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    refusals: list[Id] = Field(min_length=1, max_length=MAX_AT_ONCE)


class RefusalApi:
    """The handlers. Who may is decided by the worker behind the port, for each of them."""

    def __init__(self, api: Api, refusals: Refusals, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._refusals = refusals
        self._metrics = metrics

    async def page(self, request: Request, asked: Annotated[RefusalParameters, Query()]) -> Response:
        return as_json(await self._refusals.page(session_of(request).viewer, asked.query()))

    async def one(self, request: Request, refusal_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]) -> Response:
        return as_json(await self._refusals.one(session_of(request).viewer, refusal_id))

    async def replay(self, request: Request, body: ReplayBody) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.replay_orders.labels(outcome).inc()
            get_logger().info("replay_ordered", username=username, refusals=len(body.refusals), outcome=outcome)

        async with acting(request, tell) as session:
            return as_json({"ordered": await self._refusals.replay(session.viewer, body.refusals)})


def refusal_routes(api: RefusalApi) -> APIRouter:
    """Return the routes; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1/refusals", dependencies=[Depends(api.signed_in)])
    router.add_api_route("", api.page, methods=["GET"])
    router.add_api_route("/replay", api.replay, methods=["POST"])
    router.add_api_route("/{refusal_id}", api.one, methods=["GET"])
    return router
