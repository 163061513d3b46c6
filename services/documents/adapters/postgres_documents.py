"""Documents in PostgreSQL: offset, number and document in one transaction."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from services.documents.adapters.statements import SQL
from services.documents.adapters.wire import request_of
from services.documents.domain.document import Document, Rendition
from services.documents.domain.errors import Fenced, StoreUnavailable
from services.documents.domain.numbering import Number, Series
from services.documents.ports import IssuingTransaction, PartitionClaim
from services.kernel.words import DocumentState, Language
from services.runtime.postgres import AWAY, Connection, Pool, json_text


@contextmanager
def translated() -> Iterator[None]:
    """Let out the domain's error for a driver's that another try may cure; any other is the statement's own fault."""
    try:
        yield
    except (*AWAY, psycopg.errors.UniqueViolation) as error:
        raise StoreUnavailable(type(error).__name__) from error


@asynccontextmanager
async def transaction_on(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction. Raises StoreUnavailable."""
    with translated():
        async with pool.connection() as connection, connection.transaction():
            yield connection


class PostgresIssuingTransaction:
    """See ports.IssuingTransaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def advance(self, claim: PartitionClaim, next_offset: int) -> None:
        with translated():
            done = await self._connection.execute(
                SQL["advance"], (next_offset, claim.topic, claim.partition, claim.epoch)
            )
        if done.rowcount != 1:
            raise Fenced(f"{claim.topic}[{claim.partition}] has another owner")

    async def issued(self, document_ids: Collection[str]) -> set[str]:
        with translated():
            found = await self._connection.execute(SQL["issued"], (list(document_ids),))
            return {row[0] for row in await found.fetchall()}

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        with translated():
            async with self._connection.transaction():  # within one: a savepoint
                yield

    async def next_number(self, series: Series) -> Number:
        with translated():
            found = await self._connection.execute(SQL["next_number"], (series.issuer, series.mark, series.year))
            row = await found.fetchone()
        assert row is not None, "an upsert returns its row"
        return Number(series, row[0])

    async def add(self, document: Document) -> None:
        request, number = document.request, document.number
        values = (
            document.document_id,
            request.source,
            request.request_id,
            request.case_id,
            str(request.instrument),
            request.unit.unit_id,
            number.series.issuer,
            number.series.mark,
            number.series.year,
            number.serial,
            document.template,
            str(document.state),
            request.requested_at,
            document.issued_at,
            json_text(json.loads(request.facts)),
            request.receipt_due_at,
            request.reply_due_at,
        )
        with translated():
            await self._connection.execute(SQL["insert_document"], values)
            if sent := request.recipients:
                await self._connection.execute(
                    SQL["insert_recipients"],
                    (
                        document.document_id,
                        [one.contact_id for one in sent],
                        [one.party for one in sent],
                        [one.is_addressee for one in sent],
                    ),
                )
            for one in document.renditions:
                await self._connection.execute(
                    SQL["insert_rendition"], (document.document_id, str(one.language), one.title, one.text, one.html)
                )


class PostgresDocuments:
    """See ports.DocumentStore and ports.Outbox."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[IssuingTransaction]:
        async with transaction_on(self._pool) as connection:
            yield PostgresIssuingTransaction(connection)

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["claim_partition"], (topic, partition, owner))).fetchone()
        assert row is not None, "an upsert returns its row"
        return PartitionClaim(topic, partition, row[0]), row[1]

    async def unpublished(self, limit: int) -> Sequence[Document]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["unpublished"], (limit,))
            rows = await cursor.fetchall()
            renditions: dict[str, list[Rendition]] = defaultdict(list)
            await cursor.execute(SQL["renditions"], ([row["document_id"] for row in rows],))
            for row in await cursor.fetchall():
                one = Rendition(Language(row["language"]), row["title"], row["text"], row["html"])
                renditions[row["document_id"]].append(one)
        return [_document_of(row, renditions[row["document_id"]]) for row in rows]

    async def mark_published(self, document_ids: Sequence[str]) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["mark_published"], (list(document_ids),))


def _document_of(row: dict[str, Any], renditions: Sequence[Rendition]) -> Document:
    return Document(
        document_id=row["document_id"],
        request=request_of(json_text(row["request"]).encode()),
        number=Number(Series(row["issuer"], row["mark"], row["year"]), row["serial"]),
        template=row["template"],
        issued_at=row["issued_at"],
        renditions=tuple(renditions),
        state=DocumentState(row["state"]),
    )
