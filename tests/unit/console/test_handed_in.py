"""What is handed in for the register is read once it is known who sends it, and a few at a time."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.responses import JSONResponse

from services.console.adapters.web.api import Api
from services.console.adapters.web.documents import UPLOADS_AT_ONCE, Uploads
from services.console.adapters.web.guard import MAX_REGISTER_BYTES, Cookies, Guard, bounds_of
from services.console.adapters.web.pages import SignedInPages
from services.console.adapters.web.register import RegisterApi, register_routes
from services.console.domain.accounts import Account
from services.console.domain.errors import ConsoleError
from services.console.domain.register import HandedIn
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.metrics import Metrics
from services.console.worker.authentication import Authenticator, LoginLimits
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0, FakeAccounts, FakeCodes, FakePasswords, FakeSecrets

PATHS = ("/api/v1/registry/preview", "/api/v1/registry/proposals")
SENT = {"kind": "unit", "file_name": "u.csv", "content": b64encode(b"a,b").decode(), "reason": "登记更正"}


class Register:
    """Keeps what came to it."""

    def __init__(self) -> None:
        self.handed: list[HandedIn] = []

    async def preview(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]:
        self.handed.append(handed)
        return {"by": viewer.username}

    propose = preview


class Site:
    """The routes of the register behind the guard, with accounts of all rights."""

    def __init__(self) -> None:
        nothing, metrics, cookies = cast("Any", None), Metrics(CollectorRegistry()), Cookies(https=False)
        accounts, clock = FakeAccounts(), ManualClock(T0)
        li = Account(Username("li"), Role.BRIGADE, None, "李", "hash:right")
        adm = Account(Username("adm"), Role.CENTRE, None, "管", "hash:right", administers=True)
        health = Account(Username("h"), Role.DEPARTMENT, BodyCode("health"), "卫", "hash:right")
        accounts.accounts = {each.username: each for each in (li, adm, health)}
        self.register = Register()
        self.door = Authenticator(
            accounts=accounts, passwords=FakePasswords(), secrets=FakeSecrets(), clock=clock, metrics=metrics,
            rules=LoginLimits(), codes=FakeCodes(),
        )  # fmt: skip
        api = Api(
            authenticator=self.door, live=nothing, read=nothing, commands=nothing, cookies=cookies, clock=clock,
            metrics=metrics,
        )  # fmt: skip
        app = FastAPI()

        async def refuse(request: Request, error: Exception) -> JSONResponse:
            assert isinstance(error, ConsoleError)
            return JSONResponse({"code": error.code}, status_code=400)

        app.add_exception_handler(ConsoleError, refuse)
        work = RegisterApi(api, cast("Any", self.register), Uploads(), metrics)
        app.include_router(register_routes(work, SignedInPages(nothing, self.door, cookies)))
        self.cookie = cookies.session
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(Guard(app, nothing, metrics, https=False)), base_url="http://console"
        )

    async def headers(self, name: str = "li", *, csrf: bool = True) -> dict[str, str]:
        token, session = await self.door.sign_in(name, "right", "10.0.0.1")
        return {"Cookie": f"{self.cookie}={token}"} | ({"X-CSRF-Token": session.csrf} if csrf else {})


class Body:
    """A body that notes when somebody begins to read it, and comes to an end once it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun.set()
        yield b" "
        await self.may_end.wait()
        yield json.dumps(SENT).encode()


async def code_of(site: Site, path: str, body: Body, headers: dict[str, str]) -> str:
    answer = await site.http.post(path, content=aiter(body), headers=headers)
    return str(answer.json()["code"])


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_read_from_a_stranger_from_another_site_or_from_who_may_not(path: str) -> None:
    site, body = Site(), Body()
    body.may_end.set()
    assert await code_of(site, path, body, {}) == "not_signed_in"
    assert await code_of(site, path, body, await site.headers(csrf=False)) == "forged"
    assert await code_of(site, path, body, await site.headers() | {"Origin": "https://evil.example"}) == "forged"
    for name in ("h", "adm"):
        assert await code_of(site, path, body, await site.headers(name)) == "not_allowed"
    assert not body.begun.is_set()
    assert site.register.handed == []


async def test_more_at_once_than_there_are_places_are_not_read() -> None:
    site = Site()
    headers = await site.headers()
    coming = [Body() for _ in range(UPLOADS_AT_ONCE)]
    tasks = [asyncio.create_task(site.http.post(PATHS[0], content=aiter(body), headers=headers)) for body in coming]
    for body in coming:
        await body.begun.wait()
    late = Body()
    assert await code_of(site, PATHS[1], late, headers) == "too_busy"
    assert not late.begun.is_set()
    for body in coming:
        body.may_end.set()
    assert [(await task).status_code for task in tasks] == [200] * UPLOADS_AT_ONCE
    assert len(site.register.handed) == UPLOADS_AT_ONCE


async def test_a_body_that_makes_no_sense_or_is_too_large_is_refused() -> None:
    site = Site()
    headers = await site.headers()
    for sent in ("", "[", "[]", "{}", '{"kind": "unit", "more": 1}', '{"kind": "king"}',
                 json.dumps({f"more{number}": number for number in range(10_000)})):  # fmt: skip
        assert (await site.http.post(PATHS[1], content=sent, headers=headers)).status_code == 422, sent[:40]
    answer = await site.http.post(PATHS[1], content="{}", headers=headers | {"Content-Length": "5767169"})
    assert (answer.status_code, site.register.handed) == (413, [])


def test_a_file_of_four_mebibytes_fits_and_not_much_more() -> None:
    whole = json.dumps(SENT | {"content": b64encode(bytes(4 * 1024 * 1024)).decode(), "reason": "由" * 500})
    assert len(whole.encode()) < MAX_REGISTER_BYTES == bounds_of(PATHS[0])[0] == bounds_of(PATHS[1])[0] == 5_767_168
