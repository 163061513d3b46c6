"""documents is killed between any two statements: no document twice, no number twice, none left out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
from prometheus_client import CollectorRegistry

from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.errors import StoreUnavailable
from services.documents.metrics import DocumentsMetrics
from services.documents.worker.issuing import IssuingService
from services.runtime.clock import SystemClock
from services.runtime.postgres import Connection, Pool, open_pool
from tests.unit.documents.build import request

TOPIC = "firenet.requests.v1"
EACH = 3


class Killer:
    """A pool whose connections lose their server process right after the statement of that number, counted from 1."""

    def __init__(self, pool: Pool, dsn: str, after: int) -> None:
        self._pool = pool
        self._dsn = dsn
        self._after = after
        self.statements = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self._pool.connection() as connection:
            execute = connection.execute

            async def counted(*arguments: Any, **more: Any) -> Any:
                found = await execute(*arguments, **more)
                self.statements += 1
                if self.statements == self._after:
                    with psycopg.connect(self._dsn, autocommit=True) as other:
                        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
                return found

            connection.execute = counted  # type: ignore[method-assign] # the driver's own is what we stand in for
            try:
                yield connection
            finally:
                connection.execute = execute  # type: ignore[method-assign] # as above


def service(store: PostgresDocuments) -> IssuingService:
    return IssuingService(
        store=store,
        renderer=TemplateRenderer(),
        metrics=DocumentsMetrics(CollectorRegistry()),
        clock=SystemClock(),
        marks={"centre": "消监"},
        wake=lambda: None,
    )


async def test_killed_after_any_statement_it_issues_each_document_once_and_without_a_gap(
    migrated_database: str,
) -> None:
    async with open_pool(migrated_database, "test", 1, 2) as pool:
        whole = PostgresDocuments(pool)
        number, killed = 0, True
        while killed:
            number += 1
            wanted = [request(f"R{number}-{n}") for n in range(EACH)]
            killer = Killer(pool, migrated_database, after=number)
            faulty = PostgresDocuments(cast("Pool", killer))
            claim, offset = await whole.claim(TOPIC, 0, f"life-{number}")
            try:
                await service(faulty).take(claim, wanted, offset + EACH)
                killed = killer.statements >= number  # the kill came after the commit: nothing was lost by it
            except StoreUnavailable:
                pass
            # what Kafka gives again, to the next life of the process
            claim, again = await whole.claim(TOPIC, 0, f"next-{number}")
            assert again in (offset, offset + EACH)
            await service(whole).take(claim, wanted, offset + EACH)
        rounds = number
        assert rounds > EACH * 3, "there were that many statements to be killed after"
        rows = await _rows(pool, "SELECT serial, request_id FROM documents.documents ORDER BY serial")
        assert [serial for serial, _ in rows] == list(range(1, EACH * rounds + 1))
        assert len({request_id for _, request_id in rows}) == EACH * rounds
        assert await _rows(pool, "SELECT last FROM documents.series") == [(EACH * rounds,)]
        assert await _rows(pool, "SELECT count(*) FROM documents.renditions") == [(EACH * rounds,)]


async def test_two_processes_that_issue_at_once_leave_no_gap(migrated_database: str) -> None:
    async with open_pool(migrated_database, "test", 2, 4) as pool:
        store = PostgresDocuments(pool)
        claims = [(await store.claim(TOPIC, partition, "p"))[0] for partition in range(3)]
        await asyncio.gather(
            *(
                service(store).take(claim, [request(f"R{claim.partition}-{n}-{k}") for k in range(5)], 5 * (n + 1))
                for n in range(3)
                for claim in claims
            )
        )
        rows = await _rows(pool, "SELECT serial FROM documents.documents ORDER BY serial")
        assert [serial for (serial,) in rows] == list(range(1, 46))


async def _rows(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()
