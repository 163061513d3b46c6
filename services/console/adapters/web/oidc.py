"""The way to an identity provider and back. What a sign-in needs meanwhile is a cookie of the browser that began it.

So an answer is good once, in that browser, for ten minutes; whoever is sent the address of another's answer signs in as
nobody.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from services.console.adapters.web.guard import Cookies
from services.console.adapters.web.pages import PageRoutes, wanted_page
from services.console.domain.errors import ConsoleError, ProviderDenied, SignInOver
from services.console.domain.identity import Answer, Asked
from services.console.ports.accounts import ByProvider, Throttle

UNDER_WAY_S = 600
MAX_CODE = 4096
Text = Annotated[str, Query(max_length=MAX_CODE)]


@dataclass(frozen=True, slots=True)
class ProviderParts:
    """`name` is what the provider is called on the page of the sign-in."""

    sign_in: ByProvider
    throttle: Throttle
    name: str


class ProviderPages:
    """The handlers. Every refusal is the page of the sign-in, where a password opens as ever."""

    def __init__(
        self, parts: ProviderParts, doors: PageRoutes, cookies: Cookies, client_of: Callable[[Request], str]
    ) -> None:
        self._by = parts.sign_in
        self._throttle = parts.throttle
        self._doors = doors
        self._cookies = cookies
        self._client_of = client_of

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/oidc", include_in_schema=False)
        router.add_api_route("/start", self.start, methods=["GET"])
        router.add_api_route("/callback", self.callback, methods=["GET"])
        router.add_api_route("/sign-out", self.sign_out, methods=["GET"])
        return router

    async def start(self, request: Request) -> Response:
        wanted = wanted_page(request.query_params.get("next"))
        try:
            self._throttle.count(self._client_of(request))
            asked = await self._by.begin()
        except ConsoleError as error:
            return self._doors.refused(request, error, wanted)
        response = RedirectResponse(asked.address, status_code=303)
        kept = ".".join((asked.state, asked.nonce, asked.verifier, urlsafe_b64encode(wanted.encode()).decode()))
        self._cookies.set(response, self._cookies.provider, kept, UNDER_WAY_S)
        return response

    async def callback(
        self, request: Request, code: Text = "", state: Text = "", error: Text = "", iss: Text | None = None
    ) -> Response:
        asked, wanted = _kept(request.cookies.get(self._cookies.provider, ""))
        try:
            self._throttle.count(self._client_of(request))
            if asked is None or not secrets.compare_digest(asked.state.encode(), state.encode()):
                raise SignInOver
            if error or not code:
                raise ProviderDenied
            token, session = await self._by.complete(asked, Answer(code, iss))
            response = await self._doors.admit(request, token, session, wanted)
        except ConsoleError as refused:
            response = self._doors.refused(request, refused, wanted)
        self._cookies.clear(response, self._cookies.provider)
        return response

    async def sign_out(self, request: Request) -> Response:
        try:
            where = await self._by.leave()
        except ConsoleError as error:
            return self._doors.refused(request, error, "/")
        return RedirectResponse(where or "/login", status_code=303)


def _kept(cookie: str) -> tuple[Asked | None, str]:
    """Return the sign-in that this browser began, and the page that it is for."""
    parts = cookie.split(".")
    if len(parts) != 4 or not all(parts):
        return None, "/"
    state, nonce, verifier, page = parts
    try:
        wanted = wanted_page(urlsafe_b64decode(page).decode())
    except ValueError:
        wanted = "/"
    return Asked("", state, nonce, verifier), wanted
