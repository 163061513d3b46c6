"""Migrations, pool and LISTEN against a real PostgreSQL."""

import asyncio

import psycopg
import pytest

from services.runtime import postgres
from services.runtime.lifecycle import Stop
from services.runtime.migrate import MIGRATIONS, migrate
from services.runtime.postgres import AWAY, Pool, listen, open_pool


def test_migrations_apply_once_and_leave_nothing_to_do(database: str) -> None:
    names = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    assert migrate(database) == names
    assert migrate(database) == []
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM rules.rates_now").fetchone() == (0,)


async def test_listen_says_when_to_look_anew_and_then_hands_over_each_payload(database: str) -> None:
    stop = Stop()
    got: list[str] = []
    async with open_pool(database, "test") as pool, asyncio.timeout(60):
        async for payload in listen(database, "firenet_live", stop):
            got.append(payload)
            if payload == "":
                async with pool.connection() as connection:
                    await connection.execute("NOTIFY firenet_live, 'units'")
            else:
                stop.set()
    assert got == ["", "units"]


async def test_pool_replaces_connections_that_the_server_dropped(database: str) -> None:
    async with open_pool(database, "test", max_size=2) as pool:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")
        with psycopg.connect(database, autocommit=True) as killer:
            ended = killer.execute(  # with a limit in ms it returns only once the session has really ended
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'firenet-test'"
            ).fetchall()
            assert set(ended) == {(True,)}
        async with pool.connection() as connection:
            row = await (await connection.execute("SELECT 2")).fetchone()
        assert row == (2,)


async def test_the_server_asks_as_well_whether_the_line_is_there(database: str) -> None:
    async with open_pool(database, "test") as pool, pool.connection() as connection:
        answer = await connection.execute("SELECT current_setting('tcp_keepalives_idle')::int")  # asks the socket
        assert await answer.fetchone() == (10,)


async def test_frozen_in_the_middle_of_a_pipeline_keeps_its_locks_only_so_long(database: str) -> None:
    """What a frozen process does for the server: it says nothing more, and its session counts as busy."""
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("CREATE TABLE things (id int)")
        other.execute("SET lock_timeout = '20s'")
        async with open_pool(database, "test", transaction_timeout_s=0.5) as pool:
            locked = asyncio.Event()
            resume = asyncio.Event()
            frozen = asyncio.create_task(_lock_and_freeze(pool, locked, resume))
            async with asyncio.timeout(20):
                await locked.wait()
            await asyncio.to_thread(_lock, other)
            resume.set()
            with pytest.raises(AWAY):
                await frozen
            async with pool.connection() as connection:
                assert await (await connection.execute("SELECT 2")).fetchone() == (2,)


async def _lock_and_freeze(pool: Pool, locked: asyncio.Event, resume: asyncio.Event) -> None:
    async with pool.connection() as connection, connection.pipeline(), connection.transaction():
        await connection.execute("LOCK TABLE things")
        await (await connection.execute("SELECT 1")).fetchone()
        locked.set()
        await resume.wait()
        await connection.execute("SELECT 1")


def _lock(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE things")


async def test_server_that_does_not_know_the_limit_is_not_asked_for_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "KNOWS_TRANSACTION_TIMEOUT", 10**9)
    async with open_pool(database, "test") as pool, pool.connection() as connection:
        assert await (await connection.execute("SHOW transaction_timeout")).fetchone() == ("0",)
