"""Two consoles on one database behind one address: a browser may be led to either, with every request."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx
import psycopg
import pytest

from tests.integration.console.harness import NO_TLS, Browser, Console, console, events, sign_in
from tests.integration.console.scenario import Scenario, district


@pytest.fixture
async def both(empty_scenario: Scenario) -> AsyncIterator[tuple[Console, Console]]:
    empty_scenario.put(district(4))
    empty_scenario.stay_fresh()
    async with console(empty_scenario.dsn) as first, console(empty_scenario.dsn) as second:
        yield first, second


@asynccontextmanager
async def at_the_other(browser: Browser, other: Console) -> AsyncIterator[Browser]:
    """The same browser, which a proxy leads to the other console."""
    async with httpx.AsyncClient(
        base_url=other.url, trust_env=False, timeout=60, cookies=dict(browser.http.cookies)
    ) as http:
        yield Browser(http, browser.csrf)


async def test_a_session_of_one_is_good_at_the_other_and_ends_at_both(both: tuple[Console, Console]) -> None:
    first, second = both
    async with first.client() as client:
        browser = await sign_in(client, "centre")
        async with at_the_other(browser, second) as led:
            assert await led.json("/api/v1/me") == await browser.json("/api/v1/me")
            assert (await led.http.post("/logout", data={"csrf": led.csrf})).status_code == 303
            assert (await browser.http.get("/api/v1/me")).status_code == 401


async def test_a_case_is_acknowledged_at_either(both: tuple[Console, Console], empty_scenario: Scenario) -> None:
    first, second = both
    empty_scenario.open_case("C1", "U00000")
    async with first.signed_in("health") as browser, at_the_other(browser, second) as led:
        assert (await browser.acknowledge("C1", origin=first.url)).json() == {"acknowledged": True}
        assert (await led.acknowledge("C1", origin=second.url)).json() == {"acknowledged": True}
    assert [asked[2]["account"] for one in both for asked in one.alerts.asked] == ["health", "health"]


async def test_a_stream_goes_on_at_the_other_with_all_that_it_may_have_missed(
    both: tuple[Console, Console], empty_scenario: Scenario
) -> None:
    first, second = both
    async with first.signed_in("brigade") as browser:
        async with aclosing(events(browser)) as stream:
            whole = await anext(stream)
        empty_scenario.open_case("F1", "U00001", "fire")
        async with at_the_other(browser, second) as led, asyncio.timeout(60):
            headers = {"Last-Event-ID": whole["id"]}
            async with aclosing(events(led, **headers)) as stream:
                came = await anext(stream)
                assert came["event"] == whole["event"], "the whole picture: the other does not know what was seen"
                while '"F1"' not in came.get("data", ""):
                    came = await anext(stream)


@asynccontextmanager
async def one_address(*consoles: Console) -> AsyncIterator[tuple[str, list[int]]]:
    """Yield one address that leads each connection to the next console, and how many each one got."""
    calls = [0] * len(consoles)
    ports = [httpx.URL(one.url).port or 0 for one in consoles]
    turns = itertools.cycle(range(len(ports)))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = next(turns)
        calls[turn] += 1
        to = await asyncio.open_connection("127.0.0.1", ports[turn])
        await asyncio.gather(copy(reader, to[1]), copy(to[0], writer))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
    finally:
        server.close()


async def test_behind_one_address_a_person_signs_in_looks_and_works_at_whichever_answers(
    both: tuple[Console, Console], empty_scenario: Scenario
) -> None:
    empty_scenario.open_case("C1", "U00000")
    empty_scenario.open_case("C2", "U00000", "fault")
    each_for_itself = httpx.Limits(max_keepalive_connections=0)
    async with (
        one_address(*both) as (url, calls),
        httpx.AsyncClient(base_url=url, trust_env=False, verify=NO_TLS, timeout=60, limits=each_for_itself) as client,
    ):
        browser = await sign_in(client, "health")
        async with aclosing(events(browser)) as stream, asyncio.timeout(60):
            await anext(stream)
            for case_id in ("C1", "C2"):
                answer = await browser.acknowledge(case_id, origin=url)
                assert answer.json() == {"acknowledged": True}
            empty_scenario.open_case("C3", "U00000", "isolation")
            while '"C3"' not in (await anext(stream)).get("data", ""):
                pass
        assert min(calls) > 2, "every other request is another one's"
    assert sorted(asked[0] for one in both for asked in one.alerts.asked) == ["C1", "C2"]


async def test_each_has_a_name_of_its_own(both: tuple[Console, Console], empty_scenario: Scenario) -> None:
    with psycopg.connect(empty_scenario.dsn) as connection:
        held = connection.execute(
            "SELECT count(*) FROM pg_locks, (VALUES (%s), (%s)) AS name (key) WHERE locktype = 'advisory'"
            " AND (classid::bigint << 32 | objid::bigint) = hashtextextended(name.key, 0)",
            [f"firenet name console/console-{socket.gethostname()}{more}" for more in ("", "-2")],
        ).fetchone()
    assert held == (2,)
