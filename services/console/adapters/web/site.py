"""The FastAPI application of the console, put together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.console.adapters.web import texts
from services.console.adapters.web.accounts import AccountApi, account_routes
from services.console.adapters.web.adjustments import AdjustmentApi, adjustment_routes
from services.console.adapters.web.api import Api, api_routes
from services.console.adapters.web.assets import Assets
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
from services.console.adapters.web.report_schedules import SchedulesApi, StopPages, schedule_routes, stop_routes
from services.console.adapters.web.reports import ReportsApi, report_routes
from services.console.adapters.web.system import system_routes
from services.console.adapters.web.what_ifs import WhatIfApi, what_if_routes
from services.console.domain.errors import (
    AccountExists,
    AdjustmentRefused,
    AlertsUnavailable,
    BadAccountOrder,
    BadAdjustment,
    BadLink,
    BadRecipients,
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
    ScheduleExists,
    SecondFactorUnavailable,
    Stopping,
    TooBusy,
    WhatIfPeriod,
    WhatIfRunning,
    WhatIfsWaiting,
    WrongCode,
    WrongPassword,
)
from services.console.metrics import Metrics
from services.console.ports.accounts import AccountWork, Authentication, Throttle
from services.console.ports.district import CaseCommands, DistrictMaps, Live, ReadModel
from services.console.ports.documents import Documents, DocumentsService, Listings, Mails
from services.console.ports.evaluation import Evaluation
from services.console.ports.health import SystemHealths
from services.console.ports.refusals import Refusals
from services.console.ports.register import Adjustments, RegisterWork, WhatIfWork
from services.console.ports.reports import Histories, Reports, ReportSchedules
from services.runtime.clock import Clock

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
    BadRecipients: 422,
    ScheduleExists: 409,
    WhatIfRunning: 409,
    WhatIfsWaiting: 429,
    WhatIfPeriod: 422,
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
    schedules: ReportSchedules,
    adjustments: Adjustments,
    evaluation: Evaluation,
    register: RegisterWork,
    what_ifs: WhatIfWork,
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

    def take(router: APIRouter) -> None:
        # `include_router` would work every handler's parameters out once more, at the first request: half a second of
        # each start. With no prefix and no dependency to add, a router's own routes are what it would make.
        app.router.routes.extend(router.routes)

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
        live=live,
        commands=commands,
        cookies=cookies,
        clock=clock,
        metrics=metrics,
        client_of=client_of,
    )
    take(routes.router())
    if provider is not None:
        take(ProviderPages(provider, routes, cookies, client_of).router())
    api = Api(
        authenticator=authenticator,
        live=live,
        read=read,
        commands=commands,
        cookies=cookies,
        clock=clock,
        metrics=metrics,
    )
    take(parts_routes(options.parts_file))
    take(case_work_routes(CaseWorkApi(api, read, commands, metrics)))
    take(api_routes(api))
    take(file_routes(api, read))
    take(refusal_routes(RefusalApi(api, refusals, metrics)))
    uploads = Uploads()
    take(document_routes(DocumentsApi(api, documents, uploads, metrics)))
    link_pages = LinkPages(
        pages=pages, documents=links.documents, uploads=uploads, throttle=links.throttle, client_of=client_of
    )
    take(link_routes(link_pages))
    take(mail_routes(MailsApi(api, mails, metrics), signed_in))
    take(listing_routes(ListingsApi(api, listings, read, uploads, metrics), signed_in))
    take(history_routes(HistoryApi(api, histories, read)))
    take(report_routes(ReportsApi(api, reports, read)))
    take(schedule_routes(SchedulesApi(api, schedules, metrics), signed_in))
    take(stop_routes(StopPages(pages, schedules, read, links.throttle, client_of)))
    take(adjustment_routes(AdjustmentApi(api, adjustments, metrics), signed_in))
    take(evaluation_routes(EvaluationApi(api, evaluation, read, commands, metrics), signed_in))
    files = Uploads()
    take(register_routes(RegisterApi(api, register, files, metrics), signed_in))
    take(what_if_routes(WhatIfApi(api, what_ifs, files, metrics)))
    take(account_routes(api, AccountApi(authenticator, accounts, cookies, metrics), signed_in))
    take(system_routes(api, healths, signed_in))
    take(map_routes(api, maps, signed_in, options.map_tiles, options.map_tiles_credit))
    answer_error = _handle_errors(app, pages)

    async def stopping(scope: Scope, receive: Receive, send: Send) -> None:
        response = answer_error(Request(scope), Stopping())
        await response(scope, receive, send)

    return Guard(Assets(texts.STATIC, build, app), stopping, metrics, options.https)


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
