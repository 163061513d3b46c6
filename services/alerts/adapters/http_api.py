"""The API of alerts on its status server: acknowledge a case or sign for it, look at one."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.http_listings import EVIDENCE, MAX_BODY_BYTES
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.errors import Conflict, NoPack, StoreUnavailable
from services.alerts.domain.ids import CaseId
from services.runtime.bearer import require_token

ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

CaseIdPath = Annotated[str, Path(pattern=ID)]
BodyCodeQuery = Annotated[str | None, Query(pattern=ID)]


class Acknowledge(BaseModel):
    """`body_code` null takes the case, and may every one; a department or street signs for its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(min_length=1, max_length=100)
    body_code: str | None = Field(default=None, pattern=ID)
    note: str = Field(default="", max_length=500)
    via: str = Field(default="api", pattern=r"^[a-z][a-z0-9_-]{0,31}$")


AcknowledgeCase = Callable[[CaseId, Acknowledge], Awaitable[Reply]]


LATER: dict[type[Exception], str] = {
    StoreUnavailable: "the database does not answer",
    Conflict: "somebody else did something with it at the same time",
    NoPack: "no policy pack is known yet",
}
"""What is worth trying again, whichever route raises it."""


async def _later(why: str, request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": why}, status_code=503)


def build_api(token: SecretStr, reader: CaseReader, acknowledge: AcknowledgeCase, *further: APIRouter) -> FastAPI:
    """Return the routes. Whoever has no token learns nothing, not even which cases there are."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    require_token(app, token, large={EVIDENCE: MAX_BODY_BYTES})

    async def show(case_id: str, body_code: str | None) -> dict[str, Any]:
        found = await reader.case(case_id, body_code)
        if found is None:
            raise HTTPException(404, "no such case")
        return found

    for kind, why in LATER.items():
        app.add_exception_handler(kind, partial(_later, why))

    @app.get("/v1/cases/{case_id}")
    async def get_case(case_id: CaseIdPath, body_code: BodyCodeQuery = None) -> dict[str, Any]:
        return await show(case_id, body_code)

    @app.post("/v1/cases/{case_id}/acknowledge")
    async def acknowledge_case(case_id: CaseIdPath, request: Acknowledge) -> dict[str, Any]:
        """Answer 200 with the case, also when it was done before, and of a fire that ended untaken.

        404: no case, or another body's; 409: closed, and nothing is left to take or to sign for.
        """
        reply = await acknowledge(CaseId(case_id), request)
        if reply is Reply.NOT_FOUND:
            raise HTTPException(404, "no such case")
        if reply is Reply.CLOSED:
            raise HTTPException(409, "the case is closed")
        return await show(case_id, request.body_code)

    for router in further:
        app.include_router(router)
    return app
