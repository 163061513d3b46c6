"""Page and JSON API of adjustments: what waits, what is in force, ask for one, decide about one."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_OFFSET, Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import Session
from services.console.domain.adjustments import AdjustmentQuery, Decision, NewAdjustment
from services.console.metrics import Metrics
from services.console.ports.register import Adjustments
from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, SignalKind
from services.runtime.logging import get_logger

MAX_TEXT = 500
MAX_NAME = 64
UnitId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
AdjustmentId = Annotated[str, Path(pattern=r"^A[0-9]{4}-[0-9]{6,9}$")]


class AdjustmentParameters(BaseModel):
    """Filters; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    state: AdjustmentState | None = None
    unit: UnitId | None = None
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)

    def query(self) -> AdjustmentQuery:
        return AdjustmentQuery(self.state, self.unit, self.offset, self.limit)


class AdjustmentBody(BaseModel):
    """What is asked for, over [starts_at, ends_at); RFC 3339 with an offset."""

    model_config = ConfigDict(extra="forbid")

    unit_id: UnitId
    what: AdjustmentKind
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field(min_length=1, max_length=MAX_TEXT)
    evidence: str | None = Field(default=None, max_length=MAX_TEXT)
    counted_as: CountedAs | None = None
    system: str | None = Field(default=None, max_length=MAX_NAME)
    address: str | None = Field(default=None, max_length=MAX_NAME)
    trouble: SignalKind | None = None

    def asked(self) -> NewAdjustment:
        return NewAdjustment(**self.model_dump())


class DecisionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=MAX_TEXT)


class AdjustmentApi:
    """The handlers. Whose slice it is and who asks comes from the session, never from the request."""

    def __init__(self, api: Api, adjustments: Adjustments, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._adjustments = adjustments
        self._metrics = metrics

    async def page(self, request: Request, asked: Annotated[AdjustmentParameters, Query()]) -> Response:
        return as_json(await self._adjustments.page(session_of(request).viewer, asked.query()))

    async def in_force(self, request: Request) -> Response:
        return as_json({"rows": await self._adjustments.in_force(session_of(request).viewer)})

    async def ask(self, request: Request, body: AdjustmentBody) -> Response:
        async with self._acting(request, "request", body.unit_id) as session:
            return as_json({"adjustment_id": await self._adjustments.request(session.viewer, body.asked())})

    async def decide(
        self, request: Request, adjustment_id: AdjustmentId, decision: Decision, body: DecisionBody
    ) -> Response:
        async with self._acting(request, decision.value, adjustment_id) as session:
            state = await self._adjustments.decide(session.viewer, decision, adjustment_id, body.note)
            return as_json({"state": state})

    def _acting(self, request: Request, action: str, about: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.adjustments.labels(action, outcome).inc()
            get_logger().info("adjustment_ordered", username=username, action=action, about=about, outcome=outcome)

        return acting(request, tell)


def adjustment_routes(api: AdjustmentApi, pages: SignedInPages) -> APIRouter:
    """Return the routes; those of the API ask for a session first. What may be done on the page is said row by row."""
    kinds, counted = [kind.value for kind in AdjustmentKind], [word.value for word in CountedAs]

    async def page(request: Request) -> Response:
        return await pages.show(request, "adjustments.html", kinds=kinds, counted=counted)

    router = APIRouter()
    router.add_api_route("/adjustments", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/adjustments", dependencies=[Depends(api.signed_in)])
    ours.add_api_route("", api.page, methods=["GET"])
    ours.add_api_route("", api.ask, methods=["POST"])
    ours.add_api_route("/in-force", api.in_force, methods=["GET"])
    ours.add_api_route("/{adjustment_id}/{decision}", api.decide, methods=["POST"])
    router.routes.extend(ours.routes)
    return router
