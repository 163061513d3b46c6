"""Page and JSON API of the register: look, try a form or a file, hand it in, decide, take files out."""

from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_OFFSET, Api, as_json
from services.console.adapters.web.documents import Uploads
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import Session
from services.console.domain.register import (
    EntityQuery,
    HandedIn,
    ProposalDecision,
    Taken,
    may_propose,
    may_read_register,
)
from services.console.metrics import Metrics
from services.console.ports.register import RegisterWork
from services.kernel.words import AdjustmentState, EntityKind, Language, ProposalKind
from services.runtime.logging import get_logger

MAX_TEXT = 500
MAX_CONTENT = 4 * 1024 * 1024 * 4 // 3 + 4
MAX_PROBLEMS = 20
FILE_POLICY = "default-src 'none'; sandbox"
EntityId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
ProposalId = Annotated[str, Path(pattern=r"^R[0-9]{4}-[0-9]{6,9}$")]
PackVersion = Annotated[int, Path(ge=1, le=1_000_000)]
Cell = Annotated[str, StringConstraints(max_length=500)]


class EntityParameters(BaseModel):
    """Filters; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(default="", max_length=64)
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)


class ProposalParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: AdjustmentState | None = None
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)


class HandedBody(BaseModel):
    """A file (`content`, base64) or a form (`row`); which of them makes sense the registry says."""

    model_config = ConfigDict(extra="forbid")

    kind: ProposalKind
    file_name: str = Field(default="", max_length=120)
    content: str | None = Field(default=None, max_length=MAX_CONTENT)
    row: dict[str, Cell] | None = Field(default=None, max_length=64)
    reason: str = Field(default="", max_length=MAX_TEXT)
    valid_from: date | None = None
    meant: bool = False

    def handed(self) -> HandedIn:
        return HandedIn(**self.model_dump())


class DecisionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=MAX_TEXT)


class RegisterApi:
    """The handlers. Who may is decided by the worker behind the port, and for what is changed by the registry."""

    def __init__(self, api: Api, register: RegisterWork, uploads: Uploads, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._register = register
        self._uploads = uploads
        self._metrics = metrics

    async def page(self, request: Request, kind: EntityKind, asked: Annotated[EntityParameters, Query()]) -> Response:
        query = EntityQuery(kind, asked.q.strip().lower().replace("\0", ""), asked.offset, asked.limit)
        return as_json(await self._register.page(session_of(request).viewer, query))

    async def one(self, request: Request, kind: EntityKind, entity_id: EntityId) -> Response:
        return as_json(await self._register.one(session_of(request).viewer, kind, entity_id))

    async def form(
        self,
        request: Request,
        kind: EntityKind,
        id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None,  # noqa: A002
    ) -> Response:
        return as_json(await self._register.form(session_of(request).viewer, kind, id))

    async def preview(self, request: Request) -> Response:
        async with self._acting(request, "preview", "handed_in") as session, self._uploads.place():
            return as_json(await self._register.preview(session.viewer, await _handed(request, session)))

    async def propose(self, request: Request) -> Response:
        async with self._acting(request, "request", "handed_in") as session, self._uploads.place():
            return as_json(await self._register.propose(session.viewer, await _handed(request, session)))

    async def proposals(self, request: Request, asked: Annotated[ProposalParameters, Query()]) -> Response:
        viewer = session_of(request).viewer
        return as_json(await self._register.proposals(viewer, asked.state, asked.offset, asked.limit))

    async def preview_of(self, request: Request, proposal_id: ProposalId) -> Response:
        async with self._acting(request, "preview", proposal_id) as session, self._uploads.place():
            return as_json(await self._register.preview_of(session.viewer, proposal_id))

    async def decide(
        self, request: Request, proposal_id: ProposalId, decision: ProposalDecision, body: DecisionBody
    ) -> Response:
        async with self._acting(request, decision.value, proposal_id) as session:
            state = await self._register.decide(session.viewer, decision, proposal_id, body.note)
            return as_json({"state": state})

    async def file(self, request: Request, proposal_id: ProposalId) -> Response:
        return attachment(await self._register.file(session_of(request).viewer, proposal_id))

    async def export(
        self, request: Request, kind: EntityKind, form: Literal["csv", "xlsx"], lang: Language = Language.ZH
    ) -> Response:
        return attachment(await self._register.export(session_of(request).viewer, kind, form, lang))

    async def packs(self, request: Request) -> Response:
        return as_json({"rows": await self._register.packs(session_of(request).viewer)})

    async def pack(self, request: Request, pack_id: EntityId, version: PackVersion) -> Response:
        return attachment(await self._register.pack(session_of(request).viewer, pack_id, version))

    async def pack_changes(
        self, request: Request, pack_id: EntityId, version: PackVersion, former: PackVersion
    ) -> Response:
        return as_json(await self._register.pack_changes(session_of(request).viewer, pack_id, version, former))

    def _acting(self, request: Request, act: str, about: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.proposals.labels(act, outcome).inc()
            get_logger().info("register_act", act=act, about=about, username=username, outcome=outcome)

        return acting(request, tell)


async def _handed(request: Request, session: Session) -> HandedIn:
    """Read what is handed in; of who may not, nothing. Raises NotAllowed, RequestValidationError.

    Not a parameter of the handler: that would be read whole before anybody asks who sends it, from strangers too.
    """
    may_propose(session.viewer)
    try:
        return HandedBody.model_validate_json(await request.body()).handed()
    except ValidationError as error:
        many = error.error_count() > MAX_PROBLEMS
        told = [] if many else error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([problem | {"loc": ("body", *problem["loc"])} for problem in told]) from None


def attachment(file: Taken) -> Response:
    """Return a file to be kept, never to be shown by the browser."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": FILE_POLICY,
    }
    return Response(file.content, media_type=file.media_type, headers=headers)


def register_routes(api: RegisterApi, pages: SignedInPages) -> APIRouter:
    """Return the routes; those of the API ask for a session first. A department finds its own units on the page."""

    async def page(request: Request) -> Response:
        return await pages.show(request, "registry.html", may_read_register)

    router = APIRouter()
    router.add_api_route("/registry", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/registry", dependencies=[Depends(api.signed_in)])
    ours.add_api_route("/entities/{kind}", api.page, methods=["GET"])
    ours.add_api_route("/entities/{kind}/{entity_id}", api.one, methods=["GET"])
    ours.add_api_route("/forms/{kind}", api.form, methods=["GET"])
    ours.add_api_route("/preview", api.preview, methods=["POST"])
    ours.add_api_route("/proposals", api.proposals, methods=["GET"])
    ours.add_api_route("/proposals", api.propose, methods=["POST"])
    ours.add_api_route("/proposals/{proposal_id}/file", api.file, methods=["GET"])
    ours.add_api_route("/proposals/{proposal_id}/preview", api.preview_of, methods=["POST"])
    ours.add_api_route("/proposals/{proposal_id}/{decision}", api.decide, methods=["POST"])
    ours.add_api_route("/export/{kind}.{form}", api.export, methods=["GET"])
    ours.add_api_route("/packs", api.packs, methods=["GET"])
    ours.add_api_route("/packs/{pack_id}/{version}", api.pack, methods=["GET"])
    ours.add_api_route("/packs/{pack_id}/{version}/since/{former}", api.pack_changes, methods=["GET"])
    router.routes.extend(ours.routes)
    return router
