"""Migrations, pool and LISTEN against a real PostgreSQL."""

import asyncio

import psycopg

from services.runtime.lifecycle import Stop
from services.runtime.migrate import MIGRATIONS, migrate
from services.runtime.postgres import listen, open_pool


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
