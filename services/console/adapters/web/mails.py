"""Page and JSON API of mails that came as answers: what waits, one with its text and files, join, take, refuse."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_NOTE, MAX_OFFSET, Api, as_json, one_text
from services.console.adapters.web.documents import attachment
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import Session
from services.console.domain.documents import MailPage, may_handle_mails
from services.console.metrics import Metrics
from services.console.ports.documents import Mails
from services.runtime.logging import get_logger

MAX_DOCUMENT = 100
ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
MailId = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,64}$")]
Place = Annotated[int, Path(ge=0, le=1000)]


Seen = Annotated[int, Field(ge=0, le=1_000_000)]
"""How many acts the mail was shown with: whoever acts now has seen what others did before."""


class MailParameters(BaseModel):
    """An unknown parameter is an error. `everything`: also what is decided, and what is no answer."""

    model_config = ConfigDict(extra="forbid")

    everything: bool = False
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JoinBody(Body):
    document: Annotated[str, Field(min_length=1, max_length=MAX_DOCUMENT), AfterValidator(one_text)]
    seen: Seen


class TakeBody(Body):
    party: str = Field(pattern=ID)
    document_id: str = Field(pattern=ID)
    """The document that the mail was shown with."""


class RefuseBody(Body):
    reason: Annotated[str, Field(min_length=1, max_length=MAX_NOTE), AfterValidator(one_text)]
    seen: Seen


class MailsApi:
    """The handlers. Who may is decided by the worker behind the port, for each of them."""

    def __init__(self, api: Api, mails: Mails, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._mails = mails
        self._metrics = metrics

    async def list(self, request: Request, asked: Annotated[MailParameters, Query()]) -> Response:
        page = MailPage(asked.everything, asked.offset, asked.limit)
        return as_json(await self._mails.page(session_of(request).viewer, page))

    async def one(self, request: Request, mail_id: MailId) -> Response:
        return as_json(await self._mails.one(session_of(request).viewer, mail_id))

    async def file(self, request: Request, mail_id: MailId, place: Place) -> Response:
        return attachment(await self._mails.file(session_of(request).viewer, mail_id, place))

    async def join(self, request: Request, mail_id: MailId, body: JoinBody) -> Response:
        async with self._acting(request, "join", mail_id) as session:
            return as_json(await self._mails.join(session.viewer, mail_id, body.document, body.seen))

    async def take(self, request: Request, mail_id: MailId, body: TakeBody) -> Response:
        async with self._acting(request, "take", mail_id) as session:
            return as_json(await self._mails.take(session.viewer, mail_id, body.party, body.document_id))

    async def refuse(self, request: Request, mail_id: MailId, body: RefuseBody) -> Response:
        async with self._acting(request, "refuse", mail_id) as session:
            return as_json(await self._mails.refuse(session.viewer, mail_id, body.reason, body.seen))

    def _acting(self, request: Request, act: str, mail_id: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.mail_acts.labels(act, "ok" if outcome == "ok" else "refused").inc()
            get_logger().info("mail_act", act=act, mail_id=mail_id, username=username, outcome=outcome)

        return acting(request, tell)


def mail_routes(api: MailsApi, pages: SignedInPages) -> APIRouter:
    """Return the page, and the routes that ask for a session first."""
    router = APIRouter()

    async def page(request: Request) -> Response:
        return await pages.show(request, "mails.html", may_handle_mails)

    router.add_api_route("/mails", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/mails", dependencies=[Depends(api.signed_in)])
    for path, handler in (("", api.list), ("/{mail_id}", api.one), ("/{mail_id}/files/{place}", api.file)):
        ours.add_api_route(path, handler, methods=["GET"])
    for path, act in (
        ("/{mail_id}/join", api.join),
        ("/{mail_id}/take", api.take),
        ("/{mail_id}/refuse", api.refuse),
    ):
        ours.add_api_route(path, act, methods=["POST"])
    router.routes.extend(ours.routes)
    return router
