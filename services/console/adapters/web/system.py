"""The page of the system's health and its JSON. Who may is decided by the domain, for both."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.system_health import may_see_system
from services.console.ports.health import SystemHealths


def system_routes(api: Api, healths: SystemHealths, pages: SignedInPages) -> APIRouter:
    async def page(request: Request) -> Response:
        return await pages.show(request, "system.html", may_see_system)

    async def json(request: Request) -> Response:
        return as_json(await healths.now(session_of(request).viewer))

    async def day(request: Request) -> Response:
        return as_json(await healths.day(session_of(request).viewer))

    router = APIRouter(include_in_schema=False)
    router.add_api_route("/health", page, methods=["GET"])
    router.add_api_route("/api/v1/health", json, methods=["GET"], dependencies=[Depends(api.signed_in)])
    router.add_api_route("/api/v1/health/day", day, methods=["GET"], dependencies=[Depends(api.signed_in)])
    return router
