"""The API of documents on its status server: look at documents, sign, answer, decide. The console is its caller.

A document is asked for in one of two ways: by a party that the console has signed in, or by a signed link (header
`X-Link`), which says document and party itself. Whoever has no token learns nothing, not even which documents
there are.
"""

import contextlib
import hmac
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Path, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from services.documents.adapters.circular_api import MAX_CIRCULAR_BYTES, CircularApi, circular_routes
from services.documents.adapters.circular_api import PATH as CIRCULARS
from services.documents.adapters.mail_api import MailApi, mail_routes
from services.documents.adapters.report_api import MAX_REPORT_BYTES, PATH, ReportApi, report_routes
from services.documents.domain.correspondence import Actor, Correspondence, Written
from services.documents.domain.errors import BadUpload, NotFound, NotPossible, StoreUnavailable
from services.documents.domain.uploads import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES, checked_uploads
from services.documents.ports import Correspondences, CorrespondenceStore, InboxQuery, Opening
from services.kernel.words import DocumentState, SubmissionKind, SubmissionState
from services.runtime.clock import Clock
from services.runtime.texts import one_line

MAX_BODY_BYTES = 16 * 1024
MAX_UPLOAD_BYTES = MAX_ALL_BYTES + 64 * 1024
"""Files, and the fields and boundaries around them."""
MAX_FIELDS = 12
MAX_TEXT = 4000
MAX_NAME = 60
ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

DocumentId = Annotated[str, Path(pattern=ID)]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
PartyQuery = Annotated[str | None, Query(pattern=ID)]
Account = Annotated[str, Query(min_length=1, max_length=100)]
LinkHeader = Annotated[str, Header(max_length=1000)]


class SignBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", max_length=MAX_NAME)


class DecisionBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: SubmissionState
    reasons: str = Field(default="", max_length=MAX_TEXT)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One document as somebody may see it: `party` None sees all of it."""

    party: str | None
    row: dict[str, Any]
    stands: Correspondence
    texts: Any

    def json(self) -> dict[str, Any]:
        stands, party = self.stands, self.party
        whole = party is None or stands.addresses(party)
        open_ = stands.state is not DocumentState.CLOSED
        answers = party is not None and stands.addresses(party) and stands.has_signed(party) and open_
        return {
            **self.row,
            "party": party,
            "texts": self.texts,
            "recipients": [asdict(one) for one in stands.recipients] if party is None else [],
            "receipts": [asdict(one) for one in stands.receipts if whole or one.party == party],
            "submissions": [asdict(one) for one in stands.submissions] if whole else [],
            "seen": len(stands.submissions),
            "may": {
                "sign": party is not None and not stands.has_signed(party),
                "reply": answers and stands.undecided(SubmissionKind.REPLY) is None,
                "appeal": answers and stands.undecided(SubmissionKind.APPEAL) is None,
            },
        }


class DocumentsApi:
    """The handlers."""

    def __init__(self, store: CorrespondenceStore, service: Correspondences, clock: Clock) -> None:
        self._store = store
        self._service = service
        self._clock = clock

    async def inbox(
        self,
        party: PartyQuery = None,
        only: Literal["all", "todo", "overdue", "undecided"] = "all",
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        query = InboxQuery(party, self._clock.now(), None, only, offset, limit)
        counts, rows = await self._store.inbox(query)
        return _json({"counts": counts, "rows": rows})

    async def one(self, document_id: DocumentId, party: PartyQuery = None) -> Response:
        seen = await self._seen(document_id, party)
        if party is not None:
            await self._opened(Opening(document_id, party, "console"))
        return _json(seen)

    async def replies(self, case_id: DocumentId, party: PartyQuery = None) -> Response:
        return _json({"rows": await self._store.replies(case_id, party)})

    async def file(self, document_id: DocumentId, digest: Digest, party: PartyQuery = None) -> Response:
        return await self._file(document_id, digest, party)

    async def sign(
        self, document_id: DocumentId, body: SignBody, party: Annotated[str, Query(pattern=ID)], account: Account
    ) -> Response:
        await self._service.sign(document_id, Actor(party, account, one_line(body.name), "console"))
        return _json(await self._seen(document_id, party))

    async def submit(
        self, request: Request, document_id: DocumentId, party: Annotated[str, Query(pattern=ID)], account: Account
    ) -> Response:
        await self._submit(request, document_id, party, account, via_link=False)
        return _json(await self._seen(document_id, party))

    async def decide(
        self, document_id: DocumentId, submission_id: DocumentId, body: DecisionBody, account: Account
    ) -> Response:
        await self._service.decide(document_id, submission_id, body.verdict, account, _text(body.reasons))
        return _json(await self._seen(document_id, None))

    async def revoke(self, document_id: DocumentId, contact_id: DocumentId, account: Account) -> Response:
        await self._service.revoke(document_id, contact_id, account)
        return _json(await self._seen(document_id, None))

    async def link(self, x_link: LinkHeader) -> Response:
        document_id, contact, party = await self._service.open_link(x_link)
        seen = await self._seen(document_id, party)
        await self._opened(Opening(document_id, party, "link", contact))
        return _json(seen)

    async def link_file(self, digest: Digest, x_link: LinkHeader) -> Response:
        document_id, _, party = await self._service.open_link(x_link)
        return await self._file(document_id, digest, party)

    async def link_sign(self, body: SignBody, x_link: LinkHeader) -> Response:
        document_id, contact, party = await self._service.open_link(x_link)
        await self._service.sign(document_id, Actor(party, contact, one_line(body.name), "link"))
        return _json(await self._seen(document_id, party))

    async def link_submit(self, request: Request, x_link: LinkHeader) -> Response:
        document_id, contact, party = await self._service.open_link(x_link)
        await self._submit(request, document_id, party, contact, via_link=True)
        return _json(await self._seen(document_id, party))

    async def _submit(self, request: Request, document_id: str, party: str, by: str, *, via_link: bool) -> None:
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_BODY_BYTES) as form:
            name, written = await _written(form)
        await self._service.submit(document_id, Actor(party, by, name, "link" if via_link else "console"), written)

    async def _opened(self, opening: Opening) -> None:
        """Write down that it was read; a page that can be shown is shown, whether or not that could be written."""
        with contextlib.suppress(StoreUnavailable):
            await self._store.opened(opening, self._clock.now())

    async def _seen(self, document_id: str, party: str | None) -> dict[str, Any]:
        found = await self._store.view(InboxQuery(party, self._clock.now(), document_id))
        if found is None:
            raise NotFound
        return _Seen(party, *found).json()

    async def _file(self, document_id: str, digest: str, party: str | None) -> Response:
        found = await self._store.file(document_id, digest, party)
        if found is None:
            raise NotFound
        name, media_type, content = found
        # the name travels apart, as ASCII: whoever shows it writes the header that browsers read
        return Response(content, media_type=media_type, headers={"X-File-Name": name.encode().hex()})


async def _written(form: FormData) -> tuple[str, Written]:
    """Return who signs and what is handed in. Raises NotPossible."""
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    uploads = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
    files = [(one.filename or "", await one.read(MAX_FILE_BYTES + 1)) for one in uploads]
    try:
        kind = SubmissionKind(fields.get("kind", ""))
        done_by = date.fromisoformat(fields["done_by"]) if fields.get("done_by") else None
        seen = int(fields.get("seen", ""))
    except ValueError as error:
        raise NotPossible("bad_field") from error
    text, measures = _text(fields.get("text", "")), _text(fields.get("measures", ""))
    if max(len(text), len(measures)) > MAX_TEXT:
        raise NotPossible("text_too_long")
    name = one_line(fields.get("name", ""))[:MAX_NAME]
    return name, Written(kind, seen, text, measures, done_by, checked_uploads(files))


def _text(said: str) -> str:
    """Return text of several lines without other control characters: it is kept, shown and told of."""
    lines = said.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("".join(one for one in line if one.isprintable()).rstrip() for line in lines).strip()


def _json(value: Any) -> Response:
    return JSONResponse(jsonable_encoder(value))


def _refusal(request: Request, token: bytes) -> JSONResponse | None:
    """Return what refuses a request before any of its body is read."""
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, b"Bearer " + token):
        return JSONResponse({"reason": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
    length = request.headers.get("content-length", "0" if request.method == "GET" else "")
    most = MAX_UPLOAD_BYTES if request.url.path.endswith("/submissions") else MAX_BODY_BYTES
    most = MAX_REPORT_BYTES if request.url.path == f"/v1{PATH}" else most
    most = MAX_CIRCULAR_BYTES if request.url.path == f"/v1{CIRCULARS}" else most
    if not length.isdigit() or int(length) > most:
        return JSONResponse({"reason": "too_large"}, 413)
    return None


def build_api(
    token: SecretStr, api: DocumentsApi, reports: ReportApi, mails: MailApi, circulars: CircularApi
) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    secret = token.get_secret_value().encode()

    @app.middleware("http")
    async def guard(request: Request, go_on: RequestResponseEndpoint) -> Response:
        refused = _refusal(request, secret) if request.url.path.startswith("/v1/") else None
        return refused or await go_on(request)

    @app.exception_handler(NotFound)
    async def not_found(request: Request, error: NotFound) -> JSONResponse:
        return JSONResponse({"reason": "not_found"}, 404)

    @app.exception_handler(NotPossible)
    async def not_possible(request: Request, error: NotPossible) -> JSONResponse:
        return JSONResponse({"reason": error.reason}, 422 if isinstance(error, BadUpload) else 409)

    @app.exception_handler(StoreUnavailable)
    async def unavailable(request: Request, error: StoreUnavailable) -> JSONResponse:
        return JSONResponse({"reason": "unavailable"}, 503)

    @app.exception_handler(HTTPException)
    async def bad_form(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code != 400:
            return JSONResponse({"reason": "not_found"}, error.status_code)
        # of the parser of forms; what it says is for who wrote the form
        return JSONResponse({"reason": "too_many_files" if "files" in str(error.detail) else "bad_field"}, 422)

    app.include_router(_routes(api))
    app.include_router(report_routes(reports))
    app.include_router(mail_routes(mails))
    app.include_router(circular_routes(circulars))
    return app


def _routes(api: DocumentsApi) -> APIRouter:
    router = APIRouter(prefix="/v1")
    one = "/documents/{document_id}"
    for path, handler in (
        ("/documents", api.inbox),
        (one, api.one),
        (f"{one}/files/{{digest}}", api.file),
        ("/cases/{case_id}/replies", api.replies),
        ("/link", api.link),
        ("/link/files/{digest}", api.link_file),
    ):
        router.add_api_route(path, handler, methods=["GET"])
    for path, act in (
        (f"{one}/sign", api.sign),
        (f"{one}/submissions", api.submit),
        (f"{one}/submissions/{{submission_id}}/decision", api.decide),
        (f"{one}/links/{{contact_id}}/revoke", api.revoke),
        ("/link/sign", api.link_sign),
        ("/link/submissions", api.link_submit),
    ):
        router.add_api_route(path, act, methods=["POST"])
    return router
