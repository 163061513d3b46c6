"""The whole console on free ports, with a stand-in for the API of alerts, in the loop of the test.

The database is shared and emptied for each test; the console is each test's own, since it keeps locks and caches.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.responses import JSONResponse

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.console import app
from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords
from services.console.domain.accounts import Account
from services.console.domain.viewer import BodyCode, Role, Username
from services.console.settings import ConsoleSettings
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.runtime.postgres import open_pool
from services.runtime.status import Readiness, StatusServer
from tests.integration.alerts.scenario import fresh_topics
from tests.integration.console.scenario import Scenario, opened
from tests.parts import fresh_database

LIMIT_S = 60.0
"""A busy machine is no database that is away."""

PASSWORD = "correct horse battery"
ACCOUNTS = (
    ("brigade", "brigade", None),
    ("centre", "centre", None),
    ("health", "department", "health"),
    ("dongjie", "department", "dongjie"),
)
# Nothing here is encrypted: the authorities of the machine would be read anew for every client.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture(scope="session")
def console_database(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    """The address of a database with a pack, towns and partitions: `empty_scenario` gives it to one test at a time."""
    with fresh_database(postgres_server, migrated_template) as name, opened(postgres_server.dsn(name)) as scenario:
        scenario.create()
        yield scenario.dsn


@pytest.fixture
def empty_scenario(console_database: str) -> Iterator[Scenario]:
    """A district without units, cases or accounts."""
    with opened(console_database) as scenario:
        scenario.clear()
        yield scenario


@pytest.fixture(scope="module")
def refusals_broker(kafka_broker: str) -> str:
    """Kafka with topics that are new and empty: the page shows the ten gateways with the most refusals only."""
    with ThreadPoolExecutor(1) as thread:  # apart from the loop that tests of this module may share
        thread.submit(asyncio.run, fresh_topics(kafka_broker)).result()
    return kafka_broker


async def until(condition: Callable[[], Awaitable[bool]], limit_s: float = 90) -> None:
    """Return as soon as `condition` holds; fail after `limit_s` seconds."""
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - the condition lives in another process or connection
            await asyncio.sleep(0.02)


@dataclass
class Alerts:
    """Answers with `status` and keeps what it was asked: acknowledgements in `asked`, other work in `acts`."""

    url: str
    status: int = 200
    asked: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    then: Callable[[str], None] | None = None
    acts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    worked: Callable[[str, str, dict[str, Any]], None] | None = None

    def routes(self) -> FastAPI:
        api = FastAPI()

        @api.post("/v1/cases/{case_id}/acknowledge")
        async def acknowledge(case_id: str, request: Request) -> JSONResponse:
            self.asked.append((case_id, request.headers.get("authorization"), await request.json()))
            if self.then and self.status == 200:
                self.then(case_id)
            return JSONResponse({}, status_code=self.status)

        @api.post("/v1/cases/acknowledge")
        async def acknowledge_all(request: Request) -> JSONResponse:
            asked = await request.json()
            self.asked.append(("", request.headers.get("authorization"), asked))
            for case_id in asked["case_ids"]:
                if self.then:
                    self.then(case_id)
            return JSONResponse({"replies": dict.fromkeys(asked["case_ids"], "done")}, status_code=self.status)

        @api.post("/v1/cases/{case_id}/{act}")
        async def work(case_id: str, act: str, request: Request) -> JSONResponse:
            self.acts.append((act, case_id, await request.json()))
            if self.worked and self.status == 200:
                self.worked(act, case_id, self.acts[-1][2])
            return JSONResponse({"reply": "done"}, status_code=self.status)

        @api.get("/v1/listings")
        async def no_listings() -> JSONResponse:
            return JSONResponse({"rows": [], "more": False})

        @api.post("/v1/owners/release")
        async def sign_off(request: Request) -> JSONResponse:
            self.acts.append(("sign_off", "", await request.json()))
            return JSONResponse({"released": 0}, status_code=self.status)

        return api


@dataclass
class Console:
    url: str
    status_url: str
    alerts: Alerts
    settings: ConsoleSettings
    stop: Stop
    task: asyncio.Task[None]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, trust_env=False, verify=NO_TLS, timeout=60)

    @asynccontextmanager
    async def signed_in(self, username: str) -> AsyncIterator["Browser"]:
        async with self.client() as client:
            yield await sign_in(client, username)


@dataclass
class Browser:
    """A signed-in client with its CSRF token."""

    http: httpx.AsyncClient
    csrf: str

    async def json(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    async def order(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"X-CSRF-Token": self.csrf} | headers)

    async def acknowledge(self, case_id: str, note: str = "", **headers: str) -> httpx.Response:
        return await self.http.post(
            f"/api/v1/cases/{case_id}/acknowledge", json={"note": note}, headers={"X-CSRF-Token": self.csrf} | headers
        )


async def login(
    client: httpx.AsyncClient, username: str, password: str, then: str | None = None, code: str = "", **headers: str
) -> httpx.Response:
    page = await client.get("/login")
    (token,) = re.findall(r'name="form_token" value="([^"]+)"', page.text)
    form = {"username": username, "password": password, "code": code, "form_token": token} | (
        {} if then is None else {"next": then}
    )
    return await client.post("/login", data=form, headers=headers)


async def sign_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> Browser:
    answer = await login(client, username, password)
    assert answer.status_code == 303, answer.text
    page = await client.get("/")
    (csrf,) = re.findall(r'data-csrf="([^"]+)"', page.text)
    return Browser(client, csrf)


@asynccontextmanager
async def served(server: StatusServer, port: int, stop: Stop) -> AsyncIterator[None]:
    """Let a stand-in serve at its port inside the block."""
    task = asyncio.create_task(server.serve(stop))

    async def up() -> bool:
        if task.done():
            await task
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(up)
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def console(dsn: str, **settings: Any) -> AsyncIterator[Console]:
    """Yield a ready console on the (already migrated) database, with an account of each role."""
    port, status_port, alerts_port = free_ports(3)
    alerts = Alerts(f"http://127.0.0.1:{alerts_port}")
    chosen = ConsoleSettings.model_validate(
        {
            "database_dsn": SecretStr(dsn),
            "http_port": port,
            "status_port": status_port,
            "alerts_url": alerts.url,
            "alerts_token": SecretStr("alerts-secret"),
            "alerts_deadline_s": 30,
        }
        | settings
    )
    await add_accounts(dsn)
    stop = Stop()
    stub = StatusServer("127.0.0.1", alerts_port, lambda: Readiness(True), CollectorRegistry(), alerts.routes())
    tasks = [asyncio.create_task(stub.serve(stop)), asyncio.create_task(app.run(chosen, stop))]
    running = Console(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{status_port}", alerts, chosen, stop, tasks[1])

    async def ready() -> bool:
        for task in tasks:
            if task.done():
                await task
        try:
            return (await http.get(f"{running.status_url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        async with running.client() as http:
            await until(ready)
        yield running
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def add_accounts(dsn: str) -> None:
    """One hash for all of them: making it is slow on purpose."""
    hashed = await Argon2Passwords(memory_kib=1024, passes=1).hash(PASSWORD)
    async with open_pool(dsn, "test-accounts", max_size=1) as pool:
        for username, role, department in ACCOUNTS:
            body = BodyCode(department) if department else None
            account = Account(Username(username), Role(role), body, f"值班 {username}", hashed)
            await PostgresAccounts(pool, LIMIT_S).save(account, SystemClock().now())


async def events(browser: Browser, **headers: str) -> AsyncGenerator[dict[str, str], None]:
    """Yield the events of the live stream as their fields; comments come as `{"comment": ...}`."""
    async with browser.http.stream("GET", "/api/v1/stream", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, answer.status_code
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                yield {"comment": line[1:].strip()}
            elif line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event:
                yield event
                event = {}
