"""Work on cases over the API of alerts: many acknowledged at once, ownership, comments, verification; and what changes
their place in the queue: shelved, next step now, put to a common cause."""

from datetime import timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import SHELVED_AT_MOST
from services.alerts.domain.ids import CaseId
from services.alerts.ports import CaseWork, GraveResults
from services.kernel.words import AlarmCause, Verification, check_cause
from services.runtime.texts import one_line

ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
BODY_ID = r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
CaseIdPath = Annotated[str, Path(pattern=ID)]
CaseIdText = Annotated[str, Field(pattern=ID)]
MAX_AT_ONCE = 100
REFUSED = {
    Reply.NOT_FOUND: 404,
    **dict.fromkeys((Reply.CLOSED, Reply.FULL, Reply.ALONE, Reply.NOTHING_NEXT, Reply.UNFIT), 409),
}


class By(BaseModel):
    """Who does it. `body_code`: of a department or street."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(min_length=1, max_length=100)
    body_code: str | None = Field(default=None, pattern=ID)
    via: str = Field(default="api", pattern=r"^[a-z][a-z0-9_-]{0,31}$")

    @property
    def who(self) -> Who:
        return Who(self.account, self.body_code, self.via)


class AcknowledgeAll(By):
    case_ids: list[CaseIdText] = Field(min_length=1, max_length=MAX_AT_ONCE)
    note: str = Field(default="", max_length=500)


class Write(By):
    text: str = Field(min_length=1, max_length=500)


class Verify(By):
    """`cause`: why it burned, or why the alarm came without a fire; one of those of the finding."""

    finding: Verification
    note: str = Field(default="", max_length=500)
    cause: AlarmCause | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_cause(self.finding, self.cause)
        return self


class Shelve(By):
    """`minutes` from now on; a day at most."""

    minutes: int = Field(ge=1, le=SHELVED_AT_MOST // timedelta(minutes=1))
    note: str = Field(default="", max_length=500)


class Escalate(By):
    """`step`: which one was next when it was asked for."""

    step: CaseIdText
    note: str = Field(default="", max_length=500)


class Merge(By):
    into: CaseIdText


def work_routes(work: CaseWork) -> APIRouter:
    """Return the routes. 404: no case, another body's, or not this body's to do; 409: closed, or full."""
    router = APIRouter(prefix="/v1")

    @router.post("/cases/acknowledge")
    async def acknowledge_all(request: AcknowledgeAll) -> dict[str, Any]:
        """Answer what became of each; a fire is refused as `alone`."""
        replies = await work.acknowledge_all([CaseId(one) for one in request.case_ids], request.who, request.note)
        return {"replies": {case_id: str(reply) for case_id, reply in replies.items()}}

    @router.post("/cases/{case_id}/own")
    async def own(case_id: CaseIdPath, request: By) -> dict[str, Any]:
        return _answer(await work.own(CaseId(case_id), request.who))

    @router.post("/cases/{case_id}/release")
    async def release(case_id: CaseIdPath, request: By) -> dict[str, Any]:
        return _answer(await work.release(CaseId(case_id), request.who))

    @router.post("/cases/{case_id}/comments")
    async def comment(case_id: CaseIdPath, request: Write) -> dict[str, Any]:
        return _answer(await work.comment(CaseId(case_id), request.who, request.text))

    @router.post("/cases/{case_id}/verify")
    async def verify(case_id: CaseIdPath, request: Verify) -> dict[str, Any]:
        return _answer(await work.verify(CaseId(case_id), request.who, request.finding, request.note, request.cause))

    @router.post("/owners/release")
    async def sign_off(request: By) -> dict[str, Any]:
        return {"released": await work.sign_off(request.who)}

    _queue_routes(router, work)
    return router


class GraveResult(By):
    """`begins` false: the inquiry is over."""

    body_id: str = Field(pattern=BODY_ID)
    begins: bool = True
    text: str = Field(min_length=1, max_length=150)


def grave_result_routes(results: GraveResults) -> APIRouter:
    """Return the route by which a person enters a grave result of a body, or that its inquiry is over."""
    router = APIRouter(prefix="/v1")

    @router.post("/grave-results")
    async def enter(request: GraveResult) -> dict[str, Any]:
        act = results.enter if request.begins else results.end
        return _answer(await act(request.body_id, request.who, one_line(request.text)))

    return router


def _queue_routes(router: APIRouter, work: CaseWork) -> None:
    @router.post("/cases/{case_id}/shelve")
    async def shelve(case_id: CaseIdPath, request: Shelve) -> dict[str, Any]:
        span = timedelta(minutes=request.minutes)
        return _answer(await work.shelve(CaseId(case_id), request.who, span, request.note))

    @router.post("/cases/{case_id}/unshelve")
    async def unshelve(case_id: CaseIdPath, request: By) -> dict[str, Any]:
        return _answer(await work.unshelve(CaseId(case_id), request.who))

    @router.post("/cases/{case_id}/escalate")
    async def escalate(case_id: CaseIdPath, request: Escalate) -> dict[str, Any]:
        return _answer(await work.escalate(CaseId(case_id), request.who, request.step, request.note))

    @router.post("/cases/{case_id}/merge")
    async def merge(case_id: CaseIdPath, request: Merge) -> dict[str, Any]:
        return _answer(await work.merge(CaseId(case_id), CaseId(request.into), request.who))


def _answer(reply: Reply) -> dict[str, Any]:
    if reply in REFUSED:
        raise HTTPException(REFUSED[reply], str(reply))
    return {"reply": str(reply)}
