"""The HTML pages: sign-in and the live page. Everything that changes something is a POST."""

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any
from urllib.parse import quote

import jinja2
from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.console.adapters.web import texts
from services.console.adapters.web.guard import Cookies, check_csrf, check_origin, mark_of
from services.console.domain.accounts import MAX_PASSWORD, Session, SignIn
from services.console.domain.errors import (
    BadCredentials,
    ConsoleError,
    DataUnavailable,
    Forged,
    LockedOut,
    NotAllowed,
    NotLinked,
    NotSignedIn,
    OtherSession,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
    SignInOver,
    TooBusy,
)
from services.console.domain.looks import LOOKS
from services.console.domain.refusals import may_work_refusals
from services.console.domain.second_factor import MAX_CODE
from services.console.domain.viewer import Viewer
from services.console.metrics import Metrics
from services.console.ports.accounts import Authentication
from services.console.ports.district import CaseCommands, Live
from services.kernel.calendar import CHINA
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

LOGIN_SECONDS = 3600
NOT_OF_THE_PAGE = (
    "account.js",
    "adjustments.js",
    "chart_theme.js",
    "day_chart.js",
    "documents.js",
    "evaluation.js",
    "list_drawer.js",
    "login.js",
    "mails.js",
    "map.js",
    "map_ground.js",
    "rate_chart.js",
    "rate_history.js",
    "refusals.js",
    "registry.js",
    "report.js",
    "report_schedules.js",
    "reports.js",
    "shared.js",
    "system.js",
    "system_day.js",
    "wall.js",
    "what_if.js",
)
"""Modules that the live page does not import: those of other pages, and the shared worker."""
MAX_NEXT = 1000
READABLE = (
    "/",
    "/account",
    "/adjustments",
    "/documents",
    "/evaluation",
    "/health",
    "/history",
    "/listings",
    "/mails",
    "/map",
    "/refusals",
    "/registry",
    "/reports",
    "/reports/one",
    "/reports/schedules",
    "/wall",
)
"""Pages that a sign-in may lead back to."""
RETRY_S = 15
SENT_HERE = {"ended": NotSignedIn.code, "other": OtherSession.code}
STATUS: dict[type[ConsoleError], int] = {
    BadCredentials: 401,
    LockedOut: 429,
    TooBusy: 503,
    Forged: 403,
    DataUnavailable: 503,
    ProviderUnavailable: 503,
    ProviderRefused: 403,
    ProviderDenied: 403,
    NotLinked: 403,
    SignInOver: 403,
}


class Pages:
    """Renders templates in the reader's language and theme; both are preferences kept in plain cookies."""

    def __init__(self, build: str, mailbox_url: str | None, *, second_factor: bool = False, provider: str = "") -> None:
        self._catalogue = texts.load()
        self._build = build
        # a module is asked for when the one that imports it has come: thirty in a chain are seconds on a bad day
        self._modules = sorted(path.name for path in texts.STATIC.glob("*.js") if path.name not in NOT_OF_THE_PAGE)
        self._mailbox_url = mailbox_url
        self._second_factor = second_factor
        self._provider = provider

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        lang = _chosen(request.query_params.get("lang"), request.cookies.get("firenet_lang"), texts.LANGUAGES)
        theme = _chosen(request.query_params.get("theme"), request.cookies.get("firenet_theme"), texts.THEMES)

        def t(key: str) -> str:
            return self._catalogue[key][lang]

        found = _environment().get_template(template)
        page = found.render(
            t=t,
            lang=lang,
            theme=theme,
            static=f"/static/{self._build}",
            modules=self._modules,
            mailbox_url=self._mailbox_url,
            second_factor_offered=self._second_factor,
            provider=self._provider,
            here=request.url.path,
            **values,
        )
        return HTMLResponse(page, status_code=status)


@cache
def _environment() -> jinja2.Environment:
    """One for all sites of a process, which thus compile each template once."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(texts.TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,  # else it asks the disk about each file of a page, each time
    )
    environment.filters["beijing"] = _beijing
    return environment


def wanted_page(text: str | None) -> str:
    """Return the address within this site that a reader wanted before the sign-in; "/" for anything else.

    Only a page of ours with a query: no other site, no path that does something.
    """
    if text is None or len(text) > MAX_NEXT or not text.isascii() or not text.isprintable():
        return "/"
    path, _, query = text.partition("?")
    return f"{path}?{query}" if path in READABLE and query else path if path in READABLE else "/"


def to_sign_in(request: Request) -> Response:
    """Send a reader to the sign-in, and from there back to where he wanted to go."""
    wanted = wanted_page(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    return RedirectResponse("/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}", status_code=303)


def _beijing(instant: str) -> str:
    """Return an instant of JSON as a reader without JavaScript has it, in China's time."""
    return f"{datetime.fromisoformat(instant).astimezone(CHINA):%Y-%m-%d %H:%M} (UTC+8)"


def _chosen(first: str | None, second: str | None, allowed: tuple[str, ...]) -> str:
    return next((choice for choice in (first, second) if choice in allowed), allowed[0])


def _anybody(_viewer: Viewer) -> None:
    """Of a page that every person may open: whose facts it shows its API decides."""


class SignedInPages:
    """Shows a page to who is signed in; everybody else signs in first, and comes back."""

    def __init__(self, pages: Pages, authenticator: Authentication, cookies: Cookies) -> None:
        self._pages = pages
        self._authenticator = authenticator
        self._cookies = cookies

    async def show(
        self,
        request: Request,
        template: str,
        may: Callable[[Viewer], object] = _anybody,
        *,
        takes_due: bool = False,
        **values: Any,
    ) -> Response:
        """Return the page. `may` raises NotAllowed; `takes_due`: also to who has to mend his account first."""
        try:
            session = await self.session(request, takes_due=takes_due)
        except NotSignedIn:
            return to_sign_in(request)
        may(session.viewer)
        return self.render(request, template, session, **values)

    async def session(self, request: Request, *, takes_due: bool = False) -> Session:
        """Raises NotSignedIn."""
        return await self._authenticator.session(request.cookies.get(self._cookies.session), takes_due=takes_due)

    def render(self, request: Request, template: str, session: Session, **values: Any) -> Response:
        """Raises NotAllowed."""
        if session.viewer.is_screen and template != "wall.html":
            raise NotAllowed("a screen shows the wall only")
        return self._pages.render(
            request,
            template,
            viewer=session.viewer,
            csrf=session.csrf,
            mark=mark_of(session),
            session=session,
            **values,
        )


class PageRoutes:
    """The handlers of the pages."""

    def __init__(
        self,
        *,
        pages: Pages,
        signed_in: SignedInPages,
        authenticator: Authentication,
        live: Live,
        commands: CaseCommands,
        cookies: Cookies,
        clock: Clock,
        metrics: Metrics,
        client_of: Callable[[Request], str],
    ) -> None:
        self._pages = pages
        self._signed_in = signed_in
        self._authenticator = authenticator
        self._live = live
        self._commands = commands
        self._cookies = cookies
        self._clock = clock
        self._metrics = metrics
        self._client_of = client_of

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.live_page, methods=["GET"])
        router.add_api_route("/documents", self.documents, methods=["GET"])
        router.add_api_route("/history", self.history, methods=["GET"])
        router.add_api_route("/reports", self.reports, methods=["GET"])
        router.add_api_route("/reports/one", self.report, methods=["GET"])
        router.add_api_route("/refusals", self.refusals, methods=["GET"])
        router.add_api_route("/wall", self.wall, methods=["GET"])
        router.add_api_route("/login", self.login, methods=["GET"])
        router.add_api_route("/login", self.sign_in, methods=["POST"])
        router.add_api_route("/logout", self.sign_out, methods=["POST"])
        return router

    async def live_page(self, request: Request) -> Response:
        try:
            session = await self._signed_in.session(request)
        except NotSignedIn:
            return to_sign_in(request)
        if session.viewer.is_screen:
            return RedirectResponse("/wall", status_code=303)
        self._live.expect(session.viewer.slice)
        return self._signed_in.render(request, "live.html", session, look=LOOKS[session.viewer.role])

    async def wall(self, request: Request, key: Annotated[str, Query(max_length=MAX_NEXT)] = "") -> Response:
        """Show the wall. With the key of a screen it is opened once, and the key leaves the address bar.

        Who is signed in already stays who he is.
        """
        try:
            session = await self._signed_in.session(request)
        except NotSignedIn:
            return await self._open_screen(key) if key else to_sign_in(request)
        if key:
            return RedirectResponse("/wall", status_code=303)
        self._live.expect(session.viewer.slice)
        return self._signed_in.render(request, "wall.html", session)

    async def _open_screen(self, key: str) -> Response:
        session = await self._authenticator.session(key)
        if not session.viewer.is_screen:  # a person's session is not for links
            raise NotSignedIn
        get_logger().info("screen_opened", username=session.viewer.username)
        response = RedirectResponse("/wall", status_code=303)
        self._keep_session(response, key, session)
        return response

    def _keep_session(self, response: Response, token: str, session: Session) -> None:
        seconds = int((session.expires_at - self._clock.now()).total_seconds())
        self._cookies.set(response, self._cookies.session, token, max(1, seconds))

    async def documents(self, request: Request) -> Response:
        return await self._signed_in.show(request, "documents.html")

    async def history(self, request: Request) -> Response:
        return await self._signed_in.show(request, "history.html")

    async def reports(self, request: Request) -> Response:
        return await self._signed_in.show(request, "reports.html")

    async def report(self, request: Request) -> Response:
        return await self._signed_in.show(request, "report.html")

    async def refusals(self, request: Request) -> Response:
        return await self._signed_in.show(request, "refusals.html", may_work_refusals)

    async def login(self, request: Request) -> Response:
        # The page sends a reader here whose session ended or was replaced meanwhile: say so.
        problem = next((code for name, code in SENT_HERE.items() if name in request.query_params), "")
        return self._login_page(request, problem=problem, wanted=wanted_page(request.query_params.get("next")))

    async def sign_in(
        self,
        request: Request,
        username: Annotated[str, Form(max_length=200)] = "",
        password: Annotated[str, Form(max_length=4 * MAX_PASSWORD)] = "",
        code: Annotated[str, Form(max_length=2 * MAX_CODE)] = "",
        form_token: Annotated[str, Form(max_length=100)] = "",
        wanted: Annotated[str, Form(alias="next", max_length=MAX_NEXT)] = "/",
    ) -> Response:
        wanted = wanted_page(wanted)
        try:
            self._check_login_form(request, form_token)
            token, session = await self._authenticator.sign_in(username, password, self._client_of(request), code)
        except ConsoleError as error:
            return self.refused(request, error, wanted)
        return await self.admit(request, token, session, wanted)

    async def admit(self, request: Request, token: str, session: Session, wanted: str) -> Response:
        """Open the session in the browser, in the place of the one that it had, and lead to the wanted page."""
        get_logger().info(
            "signed_in",
            username=session.viewer.username,
            role=session.viewer.role.value,
            by="provider" if session.by_provider else "password",
        )
        response = RedirectResponse("/account" if session.due else wanted, status_code=303)
        self._keep_session(response, token, session)
        self._cookies.clear(response, self._cookies.login)
        await self._end_former(request)
        return response

    async def sign_out(self, request: Request, csrf: Annotated[str, Form(max_length=100)] = "") -> Response:
        token = request.cookies.get(self._cookies.session, "")
        response = RedirectResponse("/login", status_code=303)
        try:
            session = await self._authenticator.session(token, takes_due=True)
        except NotSignedIn:
            return response
        if session.by_provider:  # there he is still signed in
            response = RedirectResponse("/login?left", status_code=303)
        check_origin(request)
        check_csrf(session, csrf)
        await self._authenticator.sign_out(token)
        if session.viewer.department is None:
            with contextlib.suppress(ConsoleError):  # what is not given back now is free when its time has run out
                await self._commands.sign_off(session.viewer)
        self._cookies.clear(response, self._cookies.session)
        return response

    async def _end_former(self, request: Request) -> None:
        """End the session that the new one takes the place of: no tab of this browser can use it any more."""
        former = request.cookies.get(self._cookies.session)
        if former:
            with contextlib.suppress(ConsoleError):  # then it ends by its own time
                await self._authenticator.sign_out(former)

    def _login_page(
        self,
        request: Request,
        status: int = 200,
        *,
        problem: str = "",
        wait: int = 0,
        wanted: str = "/",
        subject: str = "",
    ) -> Response:
        token = secrets.token_urlsafe(24)
        response = self._pages.render(
            request,
            "login.html",
            status,
            form_token=token,
            problem=problem,
            wait=wait,
            wanted=wanted,
            subject=subject,
            left="left" in request.query_params,
        )
        self._cookies.set(response, self._cookies.login, token, LOGIN_SECONDS)
        return response

    def refused(self, request: Request, error: ConsoleError, wanted: str) -> Response:
        """Return the page of the sign-in, which says what went wrong."""
        if isinstance(error, Forged):
            self._metrics.logins.labels(SignIn.FORGED).inc()
        get_logger().info("sign_in_refused", reason=error.code)
        wait = error.retry_after_s if isinstance(error, LockedOut) else 0
        status = STATUS.get(type(error), 500)
        subject = error.subject if isinstance(error, NotLinked) else ""
        response = self._login_page(request, status, problem=error.code, wait=wait, wanted=wanted, subject=subject)
        if response.status_code in (429, 503):
            response.headers["Retry-After"] = str(wait or RETRY_S)
        return response

    def _check_login_form(self, request: Request, form_token: str) -> None:
        """A form that we handed to this very browser; else a stranger could sign a reader in as somebody else."""
        check_origin(request)
        expected = request.cookies.get(self._cookies.login, "")
        if not expected or not secrets.compare_digest(expected.encode(), form_token.encode()):
            raise Forged("login form")
