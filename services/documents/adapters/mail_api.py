"""Mails that came as answers over the API of documents: looked at, joined to a document, taken or refused by a person.

The console asks for brigade and centre alone. What a mail says is text, whoever shows it; a file of it is only saved.
"""

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from services.documents.domain.errors import NotFound, NotPossible
from services.documents.ports import MailStore
from services.runtime.texts import one_line

ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
MAX_REASON = 500
MAX_DOCUMENT = 100

MailId = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,64}$")]
Place = Annotated[int, Path(ge=0, le=1000)]
Account = Annotated[str, Query(min_length=1, max_length=100)]


class JoinBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    document: str = Field(min_length=1, max_length=MAX_DOCUMENT)
    seen: int | None = Field(default=None, ge=0)
    """How many acts the mail was shown with."""


class TakeBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    party: str = Field(pattern=ID)
    document_id: str = Field(pattern=ID)
    """The document that the mail was shown with."""


class RefuseBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(max_length=MAX_REASON)
    seen: int | None = Field(default=None, ge=0)


class MailHandling(Protocol):
    """What a person does with mails. See worker.mail_intake.MailUseCases."""

    async def join(self, mail_id: str, document: str, by: str, seen: int | None) -> None: ...

    async def take(self, mail_id: str, party: str, by: str, document_id: str) -> None: ...

    async def set_aside(self, mail_id: str, by: str, reason: str, seen: int | None) -> None: ...


class MailApi:
    """The handlers. Each act answers with the mail as it stands then."""

    def __init__(self, store: MailStore, desk: MailHandling) -> None:
        self._store = store
        self._desk = desk

    async def list(
        self,
        everything: bool = False,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        rows = await self._store.mails(everything=everything, limit=limit + 1, offset=offset)
        shown = [{name: value for name, value in row.items() if name != "text"} for row in rows[:limit]]
        return _json({"waiting": await self._store.waiting(), "rows": shown, "more": len(rows) > limit})

    async def one(self, mail_id: MailId) -> Response:
        found = await self._store.mail(mail_id)
        if found is None:
            raise NotFound
        return _json(found)

    async def file(self, mail_id: MailId, place: Place) -> Response:
        found = await self._store.file(mail_id, place)
        if found is None:
            raise NotFound
        # the name travels apart, as ASCII: whoever shows it writes the header that browsers read
        return Response(found.content, media_type=found.media_type, headers={"X-File-Name": found.name.encode().hex()})

    async def join(self, mail_id: MailId, body: JoinBody, account: Account) -> Response:
        await self._desk.join(mail_id, one_line(body.document), account, body.seen)
        return await self.one(mail_id)

    async def take(self, mail_id: MailId, body: TakeBody, account: Account) -> Response:
        await self._desk.take(mail_id, body.party, account, body.document_id)
        return await self.one(mail_id)

    async def refuse(self, mail_id: MailId, body: RefuseBody, account: Account) -> Response:
        reason = one_line(body.reason)
        if not reason:
            raise NotPossible("no_reasons")
        await self._desk.set_aside(mail_id, account, reason, body.seen)
        return await self.one(mail_id)


def _json(value: Any) -> Response:
    return JSONResponse(jsonable_encoder(value))


def mail_routes(api: MailApi) -> APIRouter:
    router = APIRouter(prefix="/v1/mails")
    for path, handler in (("", api.list), ("/{mail_id}", api.one), ("/{mail_id}/files/{place}", api.file)):
        router.add_api_route(path, handler, methods=["GET"])
    for path, act in (
        ("/{mail_id}/join", api.join),
        ("/{mail_id}/take", api.take),
        ("/{mail_id}/refuse", api.refuse),
    ):
        router.add_api_route(path, act, methods=["POST"])
    return router
