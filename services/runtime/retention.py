"""What has aged leaves the database in bounded batches; what is still needed stays, however old it is.

Where a table is a hypertable, a chunk goes as a whole once nothing in it is needed; everywhere else, and for the rest
of a chunk, rows are deleted some at a time. The Apache-2 edition of TimescaleDB has neither policies nor jobs, and
plain PostgreSQL has no chunks: so the clock of this is our own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.postgres import Connection, Pool
from services.runtime.queries import load_queries

SQL = load_queries(Path(__file__).with_name("sql"))
EVERY_S = 3600.0
FIRST_AFTER_S = 60.0
"""A service that has just started has better things to do."""
BETWEEN_BATCHES_S = 0.2
"""Room for everybody else between two batches."""
ROWS_AT_ONCE = 2000
BATCHES_A_TURN = 500
CHUNKS_A_TURN = 20
UNREADY = (psycopg.Error, PoolTimeout, OSError)


@dataclass(frozen=True, slots=True)
class Aged:
    """A table whose rows age.

    `delete` removes at most %(rows)s rows from before %(before)s that nobody needs, and %(before)s is all it knows of
    time. `needed` says whether a row from %(first)s up to %(last)s must stay; without it none must.
    `carry` writes down at %(before)s what older rows say and later ones rest on.
    """

    table: str
    delete: str
    needed: str | None = None
    carry: str | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What was removed, and what could not be, each with the label `table`."""

    rows: Counter
    chunks: Counter
    failures: Counter

    def start_at_zero(self, tables: Sequence[str]) -> None:
        for counter in (self.rows, self.chunks, self.failures):
            for table in tables:
                counter.labels(table)


async def edition(pool: Pool) -> Mapping[str, Any]:
    """Return what the server is, for one line of the log: its releases, the licence, and what is a hypertable."""
    async with pool.connection() as connection:
        ((server, extension, licence),) = await _all(connection, SQL["server"])
        hypertables = [row[0] for row in await _all(connection, SQL["hypertables"])] if extension else []
    named = "plain PostgreSQL" if extension is None else f"TimescaleDB {extension} ({licence or 'licence not told'})"
    return {"edition": named, "postgresql": server, "hypertables": hypertables}


class Retention:
    """Removes what is older than `before()` says, table by table. Any number of processes may run it."""

    def __init__(
        self,
        pool: Pool,
        tables: Sequence[Aged],
        before: Callable[[], Awaitable[datetime]],
        counters: Counters,
        *,
        rows: int = ROWS_AT_ONCE,
        batches: int = BATCHES_A_TURN,
        pause_s: float = BETWEEN_BATCHES_S,
    ) -> None:
        self._pool = pool
        self._tables = tables
        self._before = before
        self._counters = counters
        self._rows = rows
        self._batches = batches
        self._pause_s = pause_s
        counters.start_at_zero([each.table for each in tables])

    async def run(self, stop: Stop) -> None:
        """Look every hour until stop. What fails is counted, said and tried again an hour later."""
        await stop.wait_for(FIRST_AFTER_S)
        while not stop.is_set():
            await self.turn(stop)
            await stop.wait_for(EVERY_S)

    async def turn(self, stop: Stop) -> None:
        """Remove what may go, up to a bound per table."""
        try:
            before = await self._before()
        except UNREADY as error:
            get_logger().warning("retention_waits", error=type(error).__name__)
            return
        for aged in self._tables:
            try:
                if not await self._carried(aged, before):
                    continue  # another process is at it; without what is carried over nothing may go
                chunks = await self._chunks(aged, before)
                rows = await self._batchwise(aged, before, stop)
            except UNREADY as error:
                self._counters.failures.labels(aged.table).inc()
                get_logger().warning("retention_failed", table=aged.table, error=str(error).strip()[:200])
                continue
            if rows or chunks:
                get_logger().info("retention_removed", table=aged.table, before=before, rows=rows, chunks=chunks)

    async def _carried(self, aged: Aged, before: datetime) -> bool:
        if aged.carry is None:
            return True
        async with self._pool.connection() as connection:
            if not await self._alone(connection, aged):
                return False
            await connection.execute(aged.carry.encode(), {"before": before})
        return True

    async def _chunks(self, aged: Aged, before: datetime) -> int:
        """Drop whole chunks, the oldest first; those that hold something needed are passed over."""
        async with self._pool.connection() as connection:
            ((_, extension, _),) = await _all(connection, SQL["server"])
            if extension is None:
                return 0
            found = await _all(connection, SQL["chunks"], {"table": aged.table, "before": before})
        dropped = 0
        for first, last in found:
            if dropped >= CHUNKS_A_TURN:
                break
            dropped += await self._drop(aged, {"table": aged.table, "first": first, "last": last, "before": before})
        return dropped

    async def _drop(self, aged: Aged, chunk: Mapping[str, Any]) -> int:
        async with self._pool.connection() as connection:
            if not await self._alone(connection, aged):
                return 0
            if aged.needed is not None and (await _all(connection, aged.needed, chunk))[0][0]:
                return 0
            await connection.execute(SQL["hurried"].encode())
            ((dropped,),) = await _all(connection, SQL["drop_chunk"], chunk)
        self._counters.chunks.labels(aged.table).inc(dropped)
        return int(dropped)

    async def _batchwise(self, aged: Aged, before: datetime, stop: Stop) -> int:
        removed = 0
        for _ in range(self._batches):
            async with self._pool.connection() as connection:
                if not await self._alone(connection, aged):
                    break
                cursor = await connection.execute(aged.delete.encode(), {"before": before, "rows": self._rows})
                gone = cursor.rowcount
            self._counters.rows.labels(aged.table).inc(gone)
            removed += gone
            if not gone or await stop.wait_for(self._pause_s):
                break
        return removed

    async def _alone(self, connection: Connection, aged: Aged) -> bool:
        ((mine,),) = await _all(connection, SQL["alone"], {"table": aged.table})
        return bool(mine)


async def _all(connection: Connection, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
    cursor = await connection.execute(statement.encode(), parameters)
    return await cursor.fetchall()
