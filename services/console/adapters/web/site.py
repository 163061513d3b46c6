"""The FastAPI application of the console, put together, and the server that runs it."""

import asyncio
import contextlib
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.console.adapters.web import texts
from services.console.adapters.web.accounts import AccountApi, account_routes
from services.console.adapters.web.adjustments import AdjustmentApi, adjustment_routes
from services.console.adapters.web.api import Api, api_routes
from services.console.adapters.web.case_work import CaseWorkApi, case_work_routes
from services.console.adapters.web.district_map import map_routes
from services.console.adapters.web.documents import DocumentsApi, Uploads, document_routes
from services.console.adapters.web.evaluation import EvaluationApi, evaluation_routes
from services.console.adapters.web.files import file_routes
from services.console.adapters.web.guard import Cookies, Guard
from services.console.adapters.web.history import HistoryApi, history_routes
from services.console.adapters.web.links import LinkPages, link_routes
from services.console.adapters.web.listings import ListingsApi, listing_routes
from services.console.adapters.web.mails import MailsApi, mail_routes
from services.console.adapters.web.oidc import ProviderPages, ProviderParts
from services.console.adapters.web.pages import RETRY_S, PageRoutes, Pages, SignedInPages
from services.console.adapters.web.parts import parts_routes
from services.console.adapters.web.refusals import RefusalApi, refusal_routes
from services.console.adapters.web.register import RegisterApi, register_routes
from services.console.adapters.web.reports import ReportsApi, report_routes
from services.console.adapters.web.system import system_routes
from services.console.domain.errors import (
    AccountExists,
    AdjustmentRefused,
    AlertsUnavailable,
    BadAccountOrder,
    BadAdjustment,
    BadLink,
    Conflict,
    ConsoleError,
    DataUnavailable,
    DocumentRefused,
    DocumentsUnavailable,
    FaultyFile,
    Forged,
    HasSecondFactor,
    IdentityTaken,
    LastAdministrator,
    ListingRefused,
    LockedOut,
    NotAllowed,
    NotFound,
    NotSignedIn,
    OrdersUnavailable,
    OtherSession,
    OwnAccount,
    RegistryUnavailable,
    SecondFactorUnavailable,
    Stopping,
    TooBusy,
    WrongCode,
    WrongPassword,
)
from services.console.metrics import Metrics
from services.console.ports import (
    AccountWork,
    Adjustments,
    Authentication,
    CaseCommands,
    DistrictMaps,
    Documents,
    DocumentsService,
    Evaluation,
    Histories,
    Listings,
    Live,
    Mails,
    ReadModel,
    Refusals,
    RegisterWork,
    Reports,
    SystemHealths,
    Throttle,
)
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop

STATUS: dict[type[ConsoleError], int] = {
    WrongPassword: 403,
    WrongCode: 403,
    HasSecondFactor: 409,
    IdentityTaken: 409,
    LastAdministrator: 409,
    SecondFactorUnavailable: 409,
    BadAccountOrder: 422,
    AccountExists: 409,
    OwnAccount: 409,
    NotSignedIn: 401,
    Forged: 403,
    NotAllowed: 403,
    NotFound: 404,
    BadLink: 404,
    DocumentRefused: 409,
    ListingRefused: 409,
    Conflict: 409,
    OtherSession: 409,
    LockedOut: 429,
    TooBusy: 429,
    AlertsUnavailable: 503,
    DocumentsUnavailable: 503,
    OrdersUnavailable: 503,
    RegistryUnavailable: 503,
    BadAdjustment: 422,
    FaultyFile: 422,
    AdjustmentRefused: 409,
    DataUnavailable: 503,
    Stopping: 503,
}
HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
GRACE_S = 3
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """`https`: cookies are Secure, HSTS is sent. `behind_proxy`: the client's address is the last X-Forwarded-For.

    `second_factor`: accounts may have one.
    """

    https: bool = False
    behind_proxy: bool = False
    mailbox_url: str | None = None
    parts_file: Path | None = None
    map_tiles: str | None = None
    map_tiles_credit: str = ""
    second_factor: bool = False


class Assets(StaticFiles):
    """Files under a path that names their content: they never change, so browsers keep them."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]  # handed through unchanged
        response.headers["Cache-Control"] = FOREVER
        return response


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What pages behind signed links need: where documents are, and how often one may ask."""

    documents: DocumentsService
    throttle: Throttle


def build_site(
    *,
    authenticator: Authentication,
    live: Live,
    read: ReadModel,
    commands: CaseCommands,
    refusals: Refusals,
    documents: Documents,
    mails: Mails,
    listings: Listings,
    links: LinkParts,
    histories: Histories,
    reports: Reports,
    adjustments: Adjustments,
    evaluation: Evaluation,
    register: RegisterWork,
    accounts: AccountWork,
    healths: SystemHealths,
    maps: DistrictMaps,
    provider: ProviderParts | None = None,
    clock: Clock,
    metrics: Metrics,
    options: SiteOptions,
) -> ASGIApp:
    """Return the guarded application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    cookies = Cookies(options.https)
    build = texts.build_id()
    pages = Pages(
        build, options.mailbox_url, second_factor=options.second_factor, provider=provider.name if provider else ""
    )

    def client_of(request: Request) -> str:
        forwarded = request.headers.get("x-forwarded-for") if options.behind_proxy else None
        peer = request.client.host if request.client else "unknown"
        return forwarded.rsplit(",", 1)[-1].strip()[:64] if forwarded else peer

    signed_in = SignedInPages(pages, authenticator, cookies)
    routes = PageRoutes(
        pages=pages,
        signed_in=signed_in,
        authenticator=authenticator,
        commands=commands,
        cookies=cookies,
        clock=clock,
        metrics=metrics,
        client_of=client_of,
    )
    app.include_router(routes.router())
    if provider is not None:
        app.include_router(ProviderPages(provider, routes, cookies, client_of).router())
    api = Api(
        authenticator=authenticator,
        live=live,
        read=read,
        commands=commands,
        cookies=cookies,
        clock=clock,
        metrics=metrics,
    )
    app.include_router(parts_routes(options.parts_file))
    app.include_router(case_work_routes(CaseWorkApi(api, read, commands, metrics)))
    app.include_router(api_routes(api))
    app.include_router(file_routes(api, read))
    app.include_router(refusal_routes(RefusalApi(api, refusals, metrics)))
    uploads = Uploads()
    app.include_router(document_routes(DocumentsApi(api, documents, uploads, metrics)))
    link_pages = LinkPages(
        pages=pages, documents=links.documents, uploads=uploads, throttle=links.throttle, client_of=client_of
    )
    app.include_router(link_routes(link_pages))
    app.include_router(mail_routes(MailsApi(api, mails, metrics), signed_in))
    app.include_router(listing_routes(ListingsApi(api, listings, read, uploads, metrics), signed_in))
    app.include_router(history_routes(HistoryApi(api, histories, read)))
    app.include_router(report_routes(ReportsApi(api, reports, read)))
    app.include_router(adjustment_routes(AdjustmentApi(api, adjustments, metrics), signed_in))
    app.include_router(evaluation_routes(EvaluationApi(api, evaluation, read, commands, metrics), signed_in))
    app.include_router(register_routes(RegisterApi(api, register, Uploads(), metrics), signed_in))
    app.include_router(account_routes(api, AccountApi(authenticator, accounts, cookies, metrics), signed_in))
    app.include_router(system_routes(api, healths, signed_in))
    app.include_router(map_routes(api, maps, signed_in, options.map_tiles, options.map_tiles_credit))
    mimetypes.add_type("text/javascript", ".js")
    app.mount(f"/static/{build}", Assets(directory=texts.STATIC))
    answer_error = _handle_errors(app, pages)

    async def stopping(scope: Scope, receive: Receive, send: Send) -> None:
        response = answer_error(Request(scope), Stopping())
        await response(scope, receive, send)

    return Guard(app, stopping, metrics, options.https)


def _handle_errors(app: FastAPI, pages: Pages) -> Callable[[Request, ConsoleError], Response]:
    """Return what answers an error of ours."""

    def answer(
        request: Request, status: int, code: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Response:
        if request.url.path.startswith(("/api/", "/static/")):
            return JSONResponse({"error": {"code": code, **more}}, status_code=status, headers=headers)
        page = pages.render(request, "problem.html", status, code=code)
        page.headers.update(headers or {})
        return page

    def answer_error(request: Request, error: ConsoleError) -> Response:
        wait = error.retry_after_s if isinstance(error, LockedOut) else RETRY_S
        status = next((found for kind, found in STATUS.items() if isinstance(error, kind)), 500)
        headers = {"Retry-After": str(wait)} if status in (429, 503) else None
        more: dict[str, Any] = {"detail": error.sentence} if isinstance(error, BadAdjustment | BadAccountOrder) else {}
        more |= {"report": error.report} if isinstance(error, FaultyFile) else {}
        return answer(request, status, error.code, headers, **more)

    async def on_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ConsoleError)
        return answer_error(request, error)

    async def on_bad_request(request: Request, error: Exception) -> Response:
        where = [
            ".".join(str(part) for part in problem["loc"])
            for problem in (error.errors() if isinstance(error, RequestValidationError) else [])
        ]
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": {"code": "bad_request", "fields": where[:20]}}, status_code=422)
        return answer(request, 422, "bad_request")

    async def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return answer(request, status, HTTP_CODES.get(status, "bad_request"))

    async def on_unexpected(request: Request, error: Exception) -> Response:
        return answer(request, 500, "internal")  # the server logs the stack

    app.add_exception_handler(ConsoleError, on_ours)
    app.add_exception_handler(RequestValidationError, on_bad_request)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_unexpected)
    return answer_error


class _Server(uvicorn.Server):
    """uvicorn would take over SIGINT and SIGTERM; the service handles them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Impatient(H11Protocol):
    """Cuts a caller whose request does not come: uvicorn would wait for ever for the first, and for the rest of a head.

    Else a few hundred silent connections would take all places.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        # Not the base class: there each byte would end the waiting. Here only a whole head does, in handle_events.
        self.conn.receive_data(data)
        self.handle_events()


class PageServer:
    """Serves the site on its own port: what is public here is apart from status and metrics."""

    def __init__(self, site: ASGIApp, host: str, port: int, connections: int, patience_s: int = 30) -> None:
        config = uvicorn.Config(
            site,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections,
            timeout_keep_alive=patience_s,
            http=Impatient,
            h11_max_incomplete_event_size=32 * 1024,
        )
        self._server = _Server(config)

    @property
    def started(self) -> bool:
        return self._server.started

    async def serve(self, stop: Stop) -> None:
        """Listen until stop. Raises OSError when the port is taken."""
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._server.should_exit = True
        if stop.is_set() and not serving.done():
            # Streams end by themselves once the hub has stopped; whoever still hangs after that is cut and told so.
            await asyncio.wait({serving}, timeout=GRACE_S)
            late = set(self._server.server_state.tasks)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=GRACE_S)
            self._server.force_exit = True
        await serving

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn exits the process when it cannot bind
            config = self._server.config
            raise OSError(f"cannot listen on {config.host}:{config.port}: the port is taken") from error
