"""The page of the system's health and its JSON."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.console.adapters.web.api import Api, as_json, session_of
from services.console.adapters.web.guard import Cookies, mark_of
from services.console.adapters.web.pages import Pages, to_sign_in
from services.console.domain.errors import NotSignedIn
from services.console.domain.system_health import may_see_system
from services.console.ports import Authentication, SystemHealths


class SystemPages:
    """Who may is decided by the domain, for both."""

    def __init__(
        self, api: Api, healths: SystemHealths, pages: Pages, authenticator: Authentication, cookies: Cookies
    ) -> None:
        self.signed_in = api.signed_in
        self._healths = healths
        self._pages = pages
        self._authenticator = authenticator
        self._cookies = cookies

    async def json(self, request: Request) -> Response:
        return as_json(await self._healths.now(session_of(request).viewer))

    async def page(self, request: Request) -> Response:
        try:
            session = await self._authenticator.session(request.cookies.get(self._cookies.session))
        except NotSignedIn:
            return to_sign_in(request)
        may_see_system(session.viewer)
        return self._pages.render(
            request, "system.html", viewer=session.viewer, csrf=session.csrf, mark=mark_of(session)
        )


def system_routes(pages: SystemPages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/health", pages.page, methods=["GET"])
    router.add_api_route("/api/v1/health", pages.json, methods=["GET"], dependencies=[Depends(pages.signed_in)])
    return router
