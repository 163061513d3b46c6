"""JSON API of questions what a pack would have said of a closed period."""

from datetime import date
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.documents import Uploads
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.register import MAX_CONTENT, MAX_PROBLEMS
from services.console.domain.what_if import PackSource, may_suppose
from services.console.metrics import Metrics
from services.console.ports.register import WhatIfWork
from services.kernel.words import Period
from services.runtime.logging import get_logger

WhatIfId = Annotated[int, Path(ge=1, le=2**62)]


class AskedBody(BaseModel):
    """The period of a kind that holds `day`, and one pack: a file (base64), a proposal, or a version."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[Period.DAY, Period.WEEK, Period.MONTH]
    day: date = Field(ge=date(2000, 1, 1), le=date(2999, 1, 1))
    file_name: str = Field(default="", max_length=120)
    content: str | None = Field(default=None, max_length=MAX_CONTENT)
    proposal_id: str | None = Field(default=None, pattern=r"^R[0-9]{4}-[0-9]{6,9}$")
    pack_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    version: int | None = Field(default=None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _one_pack(self) -> Self:
        given = [self.content is not None, self.proposal_id is not None, self.pack_id is not None]
        if sum(given) != 1 or (self.pack_id is None) != (self.version is None):
            raise ValueError("one pack: a file, a proposal or a version")
        return self

    def source(self) -> PackSource:
        return PackSource(**self.model_dump(exclude={"kind", "day"}))


class WhatIfApi:
    """The handlers; who may is decided by the worker behind the port."""

    def __init__(self, api: Api, what_ifs: WhatIfWork, uploads: Uploads, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._what_ifs = what_ifs
        self._uploads = uploads
        self._metrics = metrics

    async def ask(self, request: Request) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.proposals.labels("what_if", outcome).inc()
            get_logger().info("register_act", act="what_if", about="pack", username=username, outcome=outcome)

        async with acting(request, tell) as session, self._uploads.place():
            may_suppose(session.viewer)  # of who may not, nothing is read
            body = _read(await request.body())
            return as_json(await self._what_ifs.ask(session.viewer, body.kind, body.day, body.source()))

    async def rows(self, request: Request) -> Response:
        return as_json({"rows": await self._what_ifs.rows(session_of(request).viewer)})

    async def one(self, request: Request, what_if_id: WhatIfId) -> Response:
        return as_json(await self._what_ifs.one(session_of(request).viewer, what_if_id))


def _read(raw: bytes) -> AskedBody:
    """Raises RequestValidationError."""
    try:
        return AskedBody.model_validate_json(raw)
    except ValidationError as error:
        many = error.error_count() > MAX_PROBLEMS
        told = [] if many else error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([problem | {"loc": ("body", *problem["loc"])} for problem in told]) from None


def what_if_routes(api: WhatIfApi) -> APIRouter:
    """Return the routes; all ask for a session first."""
    router = APIRouter(prefix="/api/v1/registry/what-ifs", dependencies=[Depends(api.signed_in)])
    router.add_api_route("", api.ask, methods=["POST"])
    router.add_api_route("", api.rows, methods=["GET"])
    router.add_api_route("/{what_if_id}", api.one, methods=["GET"])
    return router
