"""Who may ask what a pack would have said, of which periods, and from which of the three kinds of packs."""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.responses import JSONResponse

from services.console.adapters.web.api import Api
from services.console.adapters.web.documents import Uploads
from services.console.adapters.web.guard import MAX_REGISTER_BYTES, Cookies, Guard, bounds_of
from services.console.adapters.web.what_ifs import WhatIfApi, what_if_routes
from services.console.domain.accounts import Account
from services.console.domain.errors import ConsoleError, FaultyFile, NotAllowed, WhatIfPeriod
from services.console.domain.register import Taken
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.domain.what_if import PackSource, first_day
from services.console.metrics import Metrics
from services.console.worker.authentication import Authenticator, LoginLimits
from services.console.worker.what_ifs import WhatIfUseCases
from services.kernel.words import Period
from tests.fakes.clock import ManualClock
from tests.fakes.console import FakeAccounts, FakeCodes, FakePasswords, FakeSecrets
from tests.fakes.console_what_ifs import FakeWhatIfs

NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 10)
PATH = "/api/v1/registry/what-ifs"
DRAFT = PackSource(file_name="draft.yaml", content=b64encode(b"of a file").decode())
BRIGADE = Viewer(Username("wang"), Role.BRIGADE, None, "王")
OTHERS = (
    Viewer(Username("c"), Role.CENTRE, None, "监"),
    Viewer(Username("h"), Role.DEPARTMENT, BodyCode("health"), "卫"),
    Viewer(Username("s"), Role.SCREEN, None, "屏"),
    replace(BRIGADE, administers=True),
)


class Registry:
    """Has one proposal and one version, and takes every file that does not say `faulty`."""

    async def file(self, proposal_id: str) -> bytes:
        return f"of {proposal_id}".encode()

    async def pack(self, pack_id: str, version: int) -> Taken:
        return Taken("p.yaml", "application/yaml", f"of {pack_id} {version}".encode())

    async def checked_pack(self, content: str, viewer: Viewer) -> str:
        text = b64decode(content).decode()
        if "faulty" in text:
            raise FaultyFile({"total_errors": 1})
        return f"checked, {text}"


class Book(FakeWhatIfs):
    """Remembers the packs."""

    async def ask(self, new: Any, by: str, now: datetime) -> int:
        self.packs = [*getattr(self, "packs", []), (new.source, new.pack)]
        return await super().ask(new, by, now)


def desk(book: Book) -> WhatIfUseCases:
    return WhatIfUseCases(book, cast("Any", Registry()), ManualClock(NOW))


@pytest.mark.parametrize(
    ("source", "label", "pack"),
    [
        (DRAFT, "draft.yaml", "checked, of a file"),
        (PackSource(proposal_id="R2026-000001"), "R2026-000001", "checked, of R2026-000001"),
        (PackSource(pack_id="sample-2026", version=3), "sample-2026 3", "checked, of sample-2026 3"),
    ],
)
async def test_a_draft_a_proposal_and_a_version_are_checked_and_kept(source: PackSource, label: str, pack: str) -> None:
    book = Book()
    assert await desk(book).ask(BRIGADE, Period.DAY, DAY, source) == {"what_if_id": 1}
    assert book.packs == [(label, pack)]
    assert (await desk(book).rows(BRIGADE))[0].source == label


async def test_of_a_pack_that_is_none_the_errors_come_back_and_nothing_waits() -> None:
    book = Book()
    faulty = PackSource(file_name="f.yaml", content=b64encode(b"faulty").decode())
    assert await desk(book).ask(BRIGADE, Period.DAY, DAY, faulty) == {"report": {"total_errors": 1}}
    assert book.kept == []


@pytest.mark.parametrize("viewer", OTHERS, ids=lambda viewer: viewer.username)
async def test_nobody_but_the_brigade_asks_or_reads(viewer: Viewer) -> None:
    book = Book()
    await desk(book).ask(BRIGADE, Period.DAY, DAY, DRAFT)
    with pytest.raises(NotAllowed):
        await desk(book).ask(viewer, Period.DAY, DAY, DRAFT)
    with pytest.raises(NotAllowed):
        await desk(book).rows(viewer)
    with pytest.raises(NotAllowed):
        await desk(book).one(viewer, 1)


def test_a_period_is_over_and_no_longer_than_a_month() -> None:
    assert first_day(Period.WEEK, DAY, NOW) == date(2026, 3, 9)
    assert first_day(Period.MONTH, date(2026, 2, 28), NOW) == date(2026, 2, 1)
    assert first_day(Period.DAY, date(2026, 3, 19), NOW) == date(2026, 3, 19)
    for kind, day in (
        (Period.DAY, date(2026, 3, 20)),
        (Period.WEEK, date(2026, 3, 20)),
        (Period.MONTH, DAY),
        (Period.QUARTER, date(2025, 3, 1)),
        (Period.YEAR, date(2025, 3, 1)),
    ):
        with pytest.raises(WhatIfPeriod):
            first_day(kind, day, NOW)


class Site:
    """The routes behind the guard, with accounts of all rights."""

    def __init__(self) -> None:
        nothing, metrics, cookies = cast("Any", None), Metrics(CollectorRegistry()), Cookies(https=False)
        accounts, clock = FakeAccounts(), ManualClock(NOW)
        wang = Account(Username("wang"), Role.BRIGADE, None, "王", "hash:right")
        centre = Account(Username("centre"), Role.CENTRE, None, "监", "hash:right")
        accounts.accounts = {each.username: each for each in (wang, centre)}
        self.book = Book()
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
        app.include_router(what_if_routes(WhatIfApi(api, desk(self.book), Uploads(), metrics)))
        self.cookie = cookies.session
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(Guard(app, nothing, metrics, https=False)), base_url="http://console"
        )

    async def headers(self, name: str = "wang", *, csrf: bool = True) -> dict[str, str]:
        token, session = await self.door.sign_in(name, "right", "10.0.0.1")
        return {"Cookie": f"{self.cookie}={token}"} | ({"X-CSRF-Token": session.csrf} if csrf else {})


ASKED = {"kind": "day", "day": "2026-03-10", "file_name": "d.yaml", "content": b64encode(b"x").decode()}


class Body:
    """Notes whether anybody reads it."""

    def __init__(self) -> None:
        self.begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        yield json.dumps(ASKED).encode()


async def test_nothing_is_read_from_a_stranger_another_site_or_who_may_not() -> None:
    site, body = Site(), Body()

    async def refused(headers: dict[str, str]) -> str:
        answer = await site.http.post(PATH, content=aiter(body), headers=headers)
        return str(answer.json()["code"])

    assert await refused({}) == "not_signed_in"
    assert await refused(await site.headers(csrf=False)) == "forged"
    assert await refused(await site.headers() | {"Origin": "https://evil.example"}) == "forged"
    assert await refused(await site.headers("centre")) == "not_allowed"
    assert not body.begun
    assert (await site.http.get(PATH, headers=await site.headers("centre"))).json()["code"] == "not_allowed"


async def test_the_body_is_bounded_and_names_one_pack() -> None:
    site = Site()
    headers = await site.headers()
    version = {"pack_id": "p", "version": 1}
    period = {"kind": "day", "day": "2026-03-10"}
    for sent in (
        period, period | {"pack_id": "p"}, ASKED | version, ASKED | {"kind": "year"}, ASKED | {"more": 1},
        period | {"proposal_id": "../R2026-000001"}, ASKED | {"day": "1999-12-31"},
    ):  # fmt: skip
        assert (await site.http.post(PATH, json=sent, headers=headers)).status_code == 422, sent
    assert bounds_of(PATH)[0] == MAX_REGISTER_BYTES
    large = headers | {"Content-Length": str(MAX_REGISTER_BYTES + 1)}
    assert (await site.http.post(PATH, content="{}", headers=large)).status_code == 413
    assert site.book.kept == []
    assert (await site.http.post(PATH, json=ASKED, headers=headers)).json() == {"what_if_id": 1}
    assert (await site.http.post(PATH, json=ASKED, headers=headers)).json() == {"code": "what_if_running"}
    told = (await site.http.get(f"{PATH}/1", headers=headers)).json()
    assert (told["state"], told["first"], told["source"]) == ("waiting", "2026-03-10", "d.yaml")
