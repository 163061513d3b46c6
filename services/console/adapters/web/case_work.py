"""JSON API of work on cases: many acknowledged at once, ownership, comments, whether an alarm was one, shelving, the
next step now, a case put to its common cause."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_NOTE, Api, CaseId, as_json, one_text
from services.console.domain.accounts import Session
from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Viewer
from services.console.metrics import Metrics
from services.console.ports.district import CaseCommands, ReadModel
from services.kernel.words import AlarmCause, Verification, check_cause
from services.runtime.logging import get_logger

MAX_AT_ONCE = 100
CaseIdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")]
Note = Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(one_text)]


def _said(text: str) -> str:
    if not text:
        raise ValueError("nothing but spaces")
    return text


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcknowledgeAllBody(Body):
    case_ids: list[CaseIdText] = Field(min_length=1, max_length=MAX_AT_ONCE)
    note: Note = ""


class CommentBody(Body):
    text: Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(one_text), AfterValidator(_said)]


class VerifyBody(Body):
    finding: Verification
    note: Note = ""
    cause: AlarmCause | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_cause(self.finding, self.cause)
        return self


class ShelveBody(Body):
    minutes: int = Field(ge=1, le=24 * 60)
    note: Note = ""


class EscalateBody(Body):
    """`step`: the next one as the reader saw it."""

    step: CaseIdText
    note: Note = ""


class MergeBody(Body):
    into: CaseIdText


class CaseWorkApi:
    """The handlers. Whatever is done to one case asks first whether the reader's slice has it."""

    def __init__(self, api: Api, read: ReadModel, commands: CaseCommands, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._read = read
        self._commands = commands
        self._metrics = metrics

    async def acknowledge_all(self, request: Request, body: AcknowledgeAllBody) -> Response:
        async with self._acting(request, "acknowledge_all") as session:
            # alerts itself looks whose each case is: a question for each of a hundred would take as long as the work
            replies = await self._commands.acknowledge_all(body.case_ids, session.viewer, body.note)
        return as_json({"replies": dict(replies)})

    async def own(self, request: Request, case_id: CaseId) -> Response:
        return await self._act(request, "own", case_id, self._commands.own, working=True)

    async def release(self, request: Request, case_id: CaseId) -> Response:
        return await self._act(request, "release", case_id, self._commands.release, working=True)

    async def comment(self, request: Request, case_id: CaseId, body: CommentBody) -> Response:
        async def write(case_id: str, viewer: Viewer) -> None:
            await self._commands.comment(case_id, viewer, body.text)

        return await self._act(request, "comment", case_id, write)

    async def verify(self, request: Request, case_id: CaseId, body: VerifyBody) -> Response:
        async def write(case_id: str, viewer: Viewer) -> None:
            await self._commands.verify(case_id, viewer, body.finding, body.note, body.cause)

        return await self._act(request, "verify", case_id, write, working=True)

    async def shelve(self, request: Request, case_id: CaseId, body: ShelveBody) -> Response:
        async def put(case_id: str, viewer: Viewer) -> None:
            await self._commands.shelve(case_id, viewer, body.minutes, body.note)

        return await self._act(request, "shelve", case_id, put, working=True)

    async def unshelve(self, request: Request, case_id: CaseId) -> Response:
        return await self._act(request, "unshelve", case_id, self._commands.unshelve, working=True)

    async def escalate(self, request: Request, case_id: CaseId, body: EscalateBody) -> Response:
        async def hurry(case_id: str, viewer: Viewer) -> None:
            await self._commands.escalate(case_id, viewer, body.step, body.note)

        return await self._act(request, "escalate", case_id, hurry, working=True)

    async def merge(self, request: Request, case_id: CaseId, body: MergeBody) -> Response:
        async def put(case_id: str, viewer: Viewer) -> None:
            await self._commands.merge(case_id, viewer, body.into)

        return await self._act(request, "merge", case_id, put, working=True)

    async def _act(
        self,
        request: Request,
        act: str,
        case_id: str,
        order: Callable[[str, Viewer], Awaitable[None]],
        *,
        working: bool = False,
    ) -> Response:
        """Give an order about one case. `working`: brigade and centre alone."""
        async with self._acting(request, act, case_id) as session:
            viewer = session.viewer
            await self._read.case(viewer.slice, case_id)  # not in the slice: NotFound, like no case at all
            if working and viewer.department is not None:
                raise NotAllowed
            await order(case_id, viewer)
        return as_json({"done": True})

    def _acting(self, request: Request, act: str, case_id: str | None = None) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.case_acts.labels(act, outcome).inc()
            get_logger().info("case_act", act=act, case_id=case_id, username=username, outcome=outcome)

        return acting(request, tell)


def case_work_routes(api: CaseWorkApi) -> APIRouter:
    """Return the routes; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1/cases", dependencies=[Depends(api.signed_in)])
    for path, handler in (
        ("/acknowledge", api.acknowledge_all),
        ("/{case_id}/own", api.own),
        ("/{case_id}/release", api.release),
        ("/{case_id}/comments", api.comment),
        ("/{case_id}/verify", api.verify),
        ("/{case_id}/shelve", api.shelve),
        ("/{case_id}/unshelve", api.unshelve),
        ("/{case_id}/escalate", api.escalate),
        ("/{case_id}/merge", api.merge),
    ):
        router.add_api_route(path, handler, methods=["POST"])
    return router
