"""JSON API of the inbox: look at documents, sign, answer; for the brigade decide. Forms with files go on unread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import MAX_OFFSET, Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.domain.accounts import Session
from services.console.domain.documents import File, InboxPage, Only, RawForm
from services.console.domain.errors import TooBusy
from services.console.metrics import Metrics
from services.console.ports.documents import Documents
from services.kernel.words import Language
from services.runtime.logging import get_logger

MAX_NAME = 60
MAX_REASONS = 4000
UPLOADS_AT_ONCE = 4
"""Each holds its files in memory on the way: some forty megabytes together."""
PAPER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox"
"""For a document as it is printed: it brings its own form along, and can do nothing."""
FILE_POLICY = "default-src 'none'; sandbox"

DocumentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
PaperLanguage = Annotated[Language, Query()]


class InboxParameters(BaseModel):
    """An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    only: Only = "all"
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=50, ge=1, le=200)


class SignBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME)


class DecisionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Literal["accepted", "returned", "upheld", "dismissed"]
    reasons: str = Field(default="", max_length=MAX_REASONS)


class RevokeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Uploads:
    """Places for forms with files: so many at a time, whoever comes beyond that is told so before anything is read."""

    def __init__(self, places: int = UPLOADS_AT_ONCE) -> None:
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def form_of(self, request: Request) -> AsyncIterator[RawForm]:
        """Yield the form. Raises TooBusy."""
        async with self.place():
            yield RawForm(request.headers.get("content-type", ""), await request.body())

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises TooBusy."""
        if self._places.locked():
            raise TooBusy("too many uploads at once")
        async with self._places:
            yield


class DocumentsApi:
    """The handlers. Who may is decided by the worker behind the port, for each of them."""

    def __init__(self, api: Api, documents: Documents, uploads: Uploads, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._documents = documents
        self._uploads = uploads
        self._metrics = metrics

    async def inbox(self, request: Request, asked: Annotated[InboxParameters, Query()]) -> Response:
        page = InboxPage(asked.only, asked.offset, asked.limit)
        return as_json(await self._documents.inbox(session_of(request).viewer, page))

    async def one(self, request: Request, document_id: DocumentId) -> Response:
        return as_json(await self._documents.one(session_of(request).viewer, document_id))

    async def paper(self, request: Request, document_id: DocumentId, lang: PaperLanguage = Language.ZH) -> Response:
        return paper_of(await self._documents.one(session_of(request).viewer, document_id), lang)

    async def file(self, request: Request, document_id: DocumentId, digest: Digest) -> Response:
        return attachment(await self._documents.file(session_of(request).viewer, document_id, digest))

    async def sign(self, request: Request, document_id: DocumentId, body: SignBody) -> Response:
        async with self._acting(request, "sign", document_id) as session:
            return as_json(await self._documents.sign(session.viewer, document_id, body.name))

    async def submit(self, request: Request, document_id: DocumentId) -> Response:
        async with self._acting(request, "submit", document_id) as session, self._uploads.form_of(request) as form:
            return as_json(await self._documents.submit(session.viewer, document_id, form))

    async def decide(
        self, request: Request, document_id: DocumentId, submission_id: DocumentId, body: DecisionBody
    ) -> Response:
        async with self._acting(request, "decide", document_id) as session:
            viewer = session.viewer
            return as_json(await self._documents.decide(viewer, document_id, submission_id, body.verdict, body.reasons))

    async def revoke(
        self, request: Request, document_id: DocumentId, contact_id: DocumentId, body: RevokeBody
    ) -> Response:
        async with self._acting(request, "revoke", document_id) as session:
            return as_json(await self._documents.revoke(session.viewer, document_id, contact_id))

    def _acting(self, request: Request, act: str, document_id: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.document_acts.labels(act, "ok" if outcome == "ok" else "refused").inc()
            get_logger().info("document_act", act=act, document_id=document_id, username=username, outcome=outcome)

        return acting(request, tell)


def paper_of(document: Any, lang: Language) -> Response:
    """Return the document as it is printed, in this language or in Chinese. It is shown, and can do nothing."""
    texts = {one["language"]: one["html"] for one in document["texts"]}
    page = texts.get(lang) or texts.get(Language.ZH, "")
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAPER_POLICY})


def attachment(file: File) -> Response:
    """Return a file to be saved. Whatever it is, no page of ours ever shows it."""
    disposition = f"attachment; filename=\"file\"; filename*=UTF-8''{quote(file.name, safe='')}"
    headers = {"Content-Disposition": disposition, "Content-Security-Policy": FILE_POLICY}
    return Response(file.content, media_type=file.media_type, headers=headers)


def document_routes(api: DocumentsApi) -> APIRouter:
    """Return the routes; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1/documents", dependencies=[Depends(api.signed_in)])
    one = "/{document_id}"
    for path, handler in (
        ("", api.inbox),
        (one, api.one),
        (f"{one}/paper", api.paper),
        (f"{one}/files/{{digest}}", api.file),
    ):
        router.add_api_route(path, handler, methods=["GET"])
    for path, act in (
        (f"{one}/sign", api.sign),
        (f"{one}/submissions", api.submit),
        (f"{one}/submissions/{{submission_id}}/decision", api.decide),
        (f"{one}/links/{{contact_id}}/revoke", api.revoke),
    ):
        router.add_api_route(path, act, methods=["POST"])
    return router
