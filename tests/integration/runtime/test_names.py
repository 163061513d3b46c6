"""Names of processes, held at a real PostgreSQL."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from pydantic import SecretStr

from deploy.stack.ports import HOST, free_ports
from services.runtime.lifecycle import Stop
from services.runtime.names import NameHolder, NameLost, Pace, Session, names_of, under_a_name
from services.runtime.settings import NamedSettings
from tests.freezing import frozen
from tests.proxy import Proxy, proxy
from tests.system import wait_for

QUICK = Pace(every_s=0.1, frozen_s=5, answer_s=60, away_s=1)
ONLY_ENDED = Pace(every_s=0.1, frozen_s=3600, answer_s=60, away_s=1)
"""A name is free when its session has ended, not before."""
AWAY = Pace(every_s=0.1, frozen_s=3600, answer_s=0.5)
ALONE = """
import asyncio, sys
from services.runtime.lifecycle import Stop
from services.runtime.names import NameHolder, Pace

async def main():
    stop = Stop()
    holder = NameHolder(sys.argv[1], "rules", ["a"], stop, Pace(every_s=0.1, answer_s=60))
    holder.start()
    print(await holder.name(), flush=True)
    await stop.wait()
    print("lost" if holder.lost else "stopped", flush=True)

asyncio.run(main())
"""


HELD = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"


def end_sessions(admin: psycopg.Connection[Any]) -> None:
    """End the sessions that hold names, as whoever takes over from a frozen process does."""
    query = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'firenet-name%' AND pid <> pg_backend_pid()"
    )
    admin.execute(query).fetchall()


@asynccontextmanager
async def hop_to(dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Yield a proxy before the server, and the DSN that leads through it."""
    port = psycopg.conninfo.conninfo_to_dict(dsn)["port"]
    async with proxy(int(str(port))) as hop:
        yield hop, dsn.replace(f":{port}/", f":{hop.port}/")


class Pooled:
    """A client of a pooler: each of its statements goes to the session that the pooler chose just before."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> "Pooled":
        return self

    def __exit__(self, *_: object) -> None:
        """The client is gone; the sessions stay."""

    def execute(self, query: bytes, values: dict[str, Any] | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.session.execute(query, values)


@contextmanager
def pooler(dsn: str, last_client: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[Session], list[Pooled]]]:
    """Yield the sessions of a pooler, and those who call it from now on: the second while the first session is busy."""
    clients: list[Pooled] = []
    with (
        psycopg.connect(dsn, autocommit=True, application_name=last_client) as first,
        psycopg.connect(dsn, autocommit=True, application_name=last_client) as second,
    ):

        def connect(*_: object, **__: object) -> Pooled:
            clients.append(Pooled((first, second)[len(clients) % 2]))
            return clients[-1]

        monkeypatch.setattr(psycopg, "connect", connect)
        yield [first, second], clients


@dataclass
class Process:
    """One that wants a name: as a thread of the test, which is how every service has it."""

    stop: Stop
    holder: NameHolder

    async def name(self) -> str | None:
        async with asyncio.timeout(30):
            return await self.holder.name()


@contextmanager
def process(dsn: str, given: str = "", pace: Pace = QUICK) -> Iterator[Process]:
    stop = Stop()
    holder = NameHolder(dsn, "rules", names_of("rules", given), stop, pace)
    holder.start()
    try:
        yield Process(stop, holder)
    finally:
        holder.close()


@contextmanager
def alone(dsn: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that holds the name `a`, to be frozen and killed."""
    one = subprocess.Popen([sys.executable, "-c", ALONE, dsn], stdout=subprocess.PIPE, text=True)
    try:
        assert one.stdout is not None
        assert one.stdout.readline() == "a\n"
        yield one
    finally:
        one.kill()
        one.wait()


async def in_use(waiting: Process) -> str:
    """Return who has the name that this one waits for, as soon as it knows."""
    async with asyncio.timeout(60):
        assert await waiting.holder.name(even_if_in_use=False) is None
    assert waiting.holder.held_by is not None
    return waiting.holder.held_by


async def test_without_a_given_name_each_process_of_a_host_has_its_own_and_has_it_again(database: str) -> None:
    host = f"rules-{socket.gethostname()}"
    with process(database) as first, process(database) as second:
        names = {await first.name(), await second.name()}
        assert names == {host, f"{host}-2"}
        await asyncio.to_thread(first.holder.close)
        with process(database) as again:
            assert {await again.name(), await second.name()} == names


async def test_a_name_in_use_is_waited_for_and_the_same_of_another_service_is_not(database: str) -> None:
    with process(database, "a") as first:
        assert await first.name() == "a"
        with process(database, "a") as second:
            assert f"process {os.getpid()}" in await in_use(second)
            await asyncio.to_thread(first.holder.close)
            assert await second.name() == "a"
            assert not first.holder.lost
            other = NameHolder(database, "alerts", ["a"], Stop(), QUICK)
            other.start()
            assert await other.name() == "a"
            other.close()


async def test_the_name_of_a_killed_process_is_free_at_once(database: str) -> None:
    with alone(database) as killed, process(database, "a", ONLY_ENDED) as next_one:
        await in_use(next_one)
        killed.send_signal(signal.SIGKILL)
        assert await next_one.name() == "a"


async def test_a_frozen_holder_is_replaced_and_ends_itself_when_it_goes_on(database: str) -> None:
    with alone(database) as holder, process(database, "a") as next_one:
        await in_use(next_one)
        with frozen([holder.pid]):
            assert await next_one.name() == "a"
        assert holder.stdout is not None
        assert "lost\n" in await asyncio.to_thread(holder.stdout.readlines)
        assert not next_one.holder.lost


async def test_a_holder_whose_session_was_ended_takes_its_name_again(database: str) -> None:
    with process(database, "a") as holder, psycopg.connect(database, autocommit=True) as admin:
        assert await holder.name() == "a"
        end_sessions(admin)
        wait_for("the lock taken again", lambda: bool(admin.execute(HELD).fetchall()))
        assert not holder.holder.lost


async def test_a_cut_line_leaves_a_session_behind_and_the_process_keeps_its_name(database: str) -> None:
    held_by = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    async with hop_to(database) as (hop, away):
        with process(away, "a", ONLY_ENDED) as holder, psycopg.connect(database, autocommit=True) as admin:
            assert await holder.name() == "a"
            before = admin.execute(held_by).fetchall()
            await hop.cut_line()
            await asyncio.to_thread(
                wait_for,
                "the lock at another session, or the process ended",
                lambda: holder.stop.is_set() or admin.execute(held_by).fetchall() not in ([], before),
            )
            assert not holder.holder.lost
            assert not holder.stop.is_set()


async def test_who_comes_back_takes_its_name_from_one_that_is_frozen(database: str) -> None:
    sessions = "SELECT 1 FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND granted"
    silent = f"{sessions} AND clock_timestamp() - state_change > '1 s'"
    spoken = f"{sessions} AND clock_timestamp() - state_change < '1 s'"
    async with hop_to(database) as (hop, away):
        await hop.refuse()
        with (
            alone(database) as first,
            process(away, "a", Pace(every_s=0.1, frozen_s=1, answer_s=0.1)) as second,
            psycopg.connect(database, autocommit=True) as admin,
        ):
            assert await second.name() == "a", "it cannot know"
            with frozen([first.pid]):
                wait_for("the first says nothing any more", lambda: bool(admin.execute(silent).fetchall()))
                await hop.start()
                await asyncio.to_thread(
                    wait_for,
                    "the lock taken, or lost",
                    lambda: second.stop.is_set() or bool(admin.execute(spoken).fetchall()),
                )
                assert not second.holder.lost
            assert first.stdout is not None
            assert "lost\n" in await asyncio.to_thread(first.stdout.readlines)


async def test_behind_a_pooler_who_holds_a_name_goes_on_and_says_so(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pooler(database, "firenet-name other, process 1/a", monkeypatch) as (sessions, clients),
        structlog.testing.capture_logs() as said,
        process(database, "a") as holder,
    ):
        assert await holder.name() == "a"
        clients[0].session = sessions[1]
        await asyncio.to_thread(wait_for, "it says so", lambda: bool(said))
        assert said[0]["event"] == "instance_name_not_asked_for"
        assert "pooler" in said[0]["why"]
        assert not holder.holder.lost


async def test_behind_a_pooler_nobody_waits_for_a_lock_on_a_session_that_others_use(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pooler(database, "firenet-rules", monkeypatch):
        with process(database, "a", ONLY_ENDED) as dead:
            assert await dead.name() == "a"
        with process(database, "a", ONLY_ENDED) as again:
            assert await again.name() == "a"
            assert not again.holder.lost


async def test_a_start_waits_for_no_database_and_gives_way_when_it_can_be_asked(database: str) -> None:
    async with hop_to(database) as (hop, away):
        await hop.refuse()
        with (
            process(database, "a") as there,
            process(away, "a", AWAY) as second,
            process(away, "b", AWAY) as alone_with_it,
        ):
            assert await there.name() == "a"
            assert await second.name() == "a", "it cannot know"
            assert await alone_with_it.name() == "b"
            await hop.start()
            async with asyncio.timeout(30):
                await second.stop.wait()
            assert second.holder.lost
            with process(database, "b") as waits:
                await in_use(waits)
            assert not there.holder.lost
            assert not alone_with_it.holder.lost


async def test_who_waits_when_the_database_goes_works_under_a_name_that_nobody_has(database: str) -> None:
    async with hop_to(database) as (hop, away):
        with process(database, "a") as there:
            assert await there.name() == "a"
            with process(away, "a") as second:
                await in_use(second)
                await hop.refuse()
                await hop.cut()
                name = await second.name()
                assert name is not None
                assert name.startswith("a-")


async def test_one_that_waits_says_so_on_its_page_and_begins_when_the_name_is_free(database: str) -> None:
    (port,) = free_ports(1)
    settings = NamedSettings(database_dsn=SecretStr(database), instance="a", http_host=HOST)
    stop, begun = Stop(), asyncio.Event()

    async def work(named: NamedSettings) -> None:
        assert named.instance == "a"
        begun.set()
        await stop.wait()

    with process(database, "a") as holder:
        assert await holder.name() == "a"
        running = asyncio.create_task(under_a_name("rules", settings, port, stop, work, QUICK))
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(30):
            answer = None
            while answer is None:
                try:
                    answer = await http.get(f"http://{HOST}:{port}/readyz")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            assert answer.status_code == 503
            assert f"process {os.getpid()}); waiting until it is free" in answer.json()["checks"]["name"]
            metrics = await http.get(f"http://{HOST}:{port}/metrics")
            assert "firenet_name_waiting 1.0" in metrics.text
        assert not begun.is_set()
    async with asyncio.timeout(30):
        await begun.wait()
        stop.set()
        await running


async def test_who_loses_its_name_stops_in_order_and_says_why(database: str) -> None:
    settings = NamedSettings(database_dsn=SecretStr(database), instance="a")
    stop, begun, drained = Stop(), asyncio.Event(), asyncio.Event()

    async def work(named: NamedSettings) -> None:
        begun.set()
        await stop.wait()
        drained.set()

    slow = Pace(every_s=2)
    running = asyncio.create_task(under_a_name("rules", settings, 1, stop, work, slow))
    async with asyncio.timeout(30):
        await begun.wait()
        with psycopg.connect(database, autocommit=True, application_name="firenet-name other, process 1/a") as other:
            end_sessions(other)
            other.execute("SELECT pg_advisory_lock(hashtextextended('firenet name rules/a', 0))")
            with pytest.raises(NameLost, match="the name a"):
                await running
    assert drained.is_set()
