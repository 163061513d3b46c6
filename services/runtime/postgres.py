"""Connections to PostgreSQL: a checked pool with deadlines, and LISTEN that survives a restart of the server."""

import json
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]


AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # we were frozen in the middle of a transaction
    psycopg.errors.TransactionTimeout,  # so were we, or the server was
    PoolTimeout,
    OSError,
)
"""What the driver raises when the server cannot be reached or has ended the session: try again, nothing was written."""


class AdvisoryLock(IntEnum):
    """All keys of advisory locks that are numbers, of all services, for the server knows one set of them only.

    Keys made of names (`hashtext`) are of other kinds: two halves, or 64 bits without order.
    """

    REGISTER = 7_302_118_001
    """Imports and publishing take turns."""
    GROUPING = 7_261_003
    """One process at a time works on common causes."""
    SEALING = 7_261_004
    """One process at a time appends to the chain of the audit."""
    GROUPS = 7_261_005
    """One process at a time puts notices together."""
    QUOTA = 7_261_006
    """One process at a time counts what it takes of a quota. No fire waits for it."""
    REPORT_MAILS = 7_261_007
    """One process at a time takes a mail with a report, and so counts what an hour has had."""


KNOWS_TRANSACTION_TIMEOUT = 170000
"""The first release of PostgreSQL, as drivers count, that has `transaction_timeout`."""


def connect_arguments(name: str, statement_timeout_s: float = 30) -> dict[str, Any]:
    """Return driver arguments that put a deadline on everything a connection does, at either end.

    Where the line is cut the server hears nothing of it: it asks as we do, and keeps session and locks no longer.
    """
    options = f"-c statement_timeout={int(statement_timeout_s * 1000)} -c lock_timeout=20000 -c timezone=UTC"
    options += " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    return {
        "application_name": f"firenet-{name}",
        "connect_timeout": 5,
        "options": options,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15000,  # where the line is cut, what was sent is never acknowledged and no keepalive asked
    }


def json_text(rows: object, default: Callable[[object], object] | None = None) -> str:
    """Return `rows` as JSON that PostgreSQL takes; `default` is that of `json.dumps`.

    PostgreSQL has no NUL in text: U+FFFD stands for it. Its escape is replaced by an escape, for where JSON stands as
    text inside this JSON another backslash comes before it.
    """
    return json.dumps(rows, ensure_ascii=False, default=default).replace("\\u0000", "\\ufffd")


async def _check(connection: Connection) -> None:
    """Raise OperationalError when the server has ended the session.

    On an idle connection nothing waits to be read: what does is its end, or a notice before that. So a question to the
    server, which costs a round trip on a fire's way too, is asked only then.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def open_pool(
    dsn: str,
    name: str,
    min_size: int = 1,
    max_size: int = 4,
    transaction_timeout_s: float = 60,
    reconnect_s: float = 30,
) -> AsyncIterator[Pool]:
    """Yield a pool whose connections are checked before use. A checkout waits at most 10 seconds (PoolTimeout).

    The server ends a transaction that takes longer than `transaction_timeout_s`, so that a process which is frozen in
    the middle of one keeps its locks no longer than that. It is the only limit that sees a pipeline: between two of its
    statements a session counts as busy, not as idle. A server before PostgreSQL 17 does not know it.

    The pool tries to connect at growing intervals for `reconnect_s`, then anew when somebody asks: with a small one it
    sees sooner that the server is back.
    """

    async def limit(connection: Connection) -> None:
        if connection.info.server_version >= KNOWS_TRANSACTION_TIMEOUT:
            # not in the options of the connection: an older server would refuse it for a word it does not know
            await connection.execute(f"SET transaction_timeout = {int(transaction_timeout_s * 1000)}".encode())
            await connection.commit()

    pool: Pool = AsyncConnectionPool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        open=False,
        timeout=10,
        max_lifetime=1800,
        reconnect_timeout=reconnect_s,
        configure=limit,
        check=_check,
        kwargs=connect_arguments(name),
        name=name,
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


async def listen(dsn: str, channel: str, stop: Stop) -> AsyncIterator[str]:
    """Yield the payload of each NOTIFY on `channel` until stop.

    Yields "" after each connect: notifications sent while nobody listened are gone, so the reader must look anew.
    """
    attempt = 0
    while not stop.is_set():
        try:
            async with await AsyncConnection.connect(
                dsn, autocommit=True, **connect_arguments(f"listen-{channel}")
            ) as connection:
                await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
                attempt = 0
                yield ""
                while not stop.is_set():
                    async for notification in connection.notifies(timeout=1.0):
                        yield notification.payload
        except (TimeoutError, psycopg.Error, OSError) as error:
            attempt += 1
            get_logger().warning("listen_lost", channel=channel, attempt=attempt, error=type(error).__name__)
            await stop.wait_for(backoff_s(attempt))
