"""Documents in PostgreSQL: offset, number and document in one transaction."""

import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from services.documents.adapters.statements import SQL
from services.documents.adapters.wire import request_of
from services.documents.domain.document import Document, File, Rendition
from services.documents.domain.errors import Fenced, StoreUnavailable
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.documents.ports import IssuingTransaction, PartitionClaim
from services.kernel.words import DocumentState, FileKind, Language
from services.runtime.partitions import PartitionTable
from services.runtime.postgres import AWAY, Connection, Pool, json_text

PARTITIONS = PartitionTable("documents")


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
            done = await PARTITIONS.advance(self._connection, claim.topic, claim.partition, claim.epoch, next_offset)
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

    async def told(self, document_id: str) -> ReportedNumber | None:
        with translated():
            found = await self._connection.execute(SQL["told"], (document_id,))
            row = await found.fetchone()
        if row is None:
            return None
        issuer, mark, year, serial, issued_at = row
        return ReportedNumber(document_id, Number(Series(issuer, mark, year), serial), issued_at)

    async def add(self, document: Document) -> None:
        request, number = document.request, document.number
        series = number.series if number else None
        values = (
            document.document_id,
            request.source,
            request.request_id,
            request.case_id,
            str(request.instrument),
            request.subject,
            request.issuer.code,
            series.mark if series else None,
            series.year if series else None,
            number.serial if number else None,
            document.template,
            str(document.state),
            request.requested_at,
            document.issued_at,
            json_text(json.loads(request.facts)),
            document.files_due,
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
            await _write_texts(self._connection, document)

    async def document(self, document_id: str) -> Document | None:
        with translated():
            async with self._connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(SQL["document"], (document_id,))
                row = await cursor.fetchone()
        return _document_of(row, (), ()) if row else None

    async def put_numbered(self, document: Document, by: str, at: datetime) -> None:
        values = (str(document.state), document.own_number, document.issued_at, by, at, document.document_id)
        with translated():
            await self._connection.execute(SQL["put_numbered"], values)
            await self._connection.execute(SQL["drop_files"], (document.document_id,))
            await _write_texts(self._connection, document)


class PostgresDocuments:
    """See ports.DocumentStore, ports.Outbox and ports.ReportedNumbers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[IssuingTransaction]:
        async with transaction_on(self._pool) as connection:
            yield PostgresIssuingTransaction(connection)

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        async with transaction_on(self._pool) as connection:
            epoch, next_offset = await PARTITIONS.claim(connection, topic, partition, owner)
        return PartitionClaim(topic, partition, epoch), next_offset

    async def unpublished(self, limit: int) -> Sequence[Document]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["unpublished"], (limit,))
            rows = await cursor.fetchall()
            renditions: dict[str, list[Rendition]] = defaultdict(list)
            ids = [row["document_id"] for row in rows]
            await cursor.execute(SQL["renditions"], (ids,))
            for row in await cursor.fetchall():
                one = Rendition(Language(row["language"]), row["title"], row["text"], row["html"], row["covering"])
                renditions[row["document_id"]].append(one)
            files: dict[str, list[File]] = defaultdict(list)
            await cursor.execute(SQL["files"], (ids,))
            for row in await cursor.fetchall():
                files[row["document_id"]].append(File(Language(row["language"]), FileKind(row["kind"]), row["content"]))
        return [_document_of(row, renditions[row["document_id"]], files[row["document_id"]]) for row in rows]

    async def newest_numbered(self) -> datetime:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["newest_numbered"])).fetchone()
        assert row is not None, "an aggregate returns its row"
        newest: datetime = row[0]
        return newest

    async def take_told(self, told: Sequence[ReportedNumber]) -> int:
        columns = {
            "ids": [one.document_id for one in told],
            "issuers": [one.number.series.issuer for one in told],
            "marks": [one.number.series.mark for one in told],
            "years": [one.number.series.year for one in told],
            "serials": [one.number.serial for one in told],
            "times": [one.issued_at for one in told],
        }
        async with transaction_on(self._pool) as connection:
            taken = (await connection.execute(SQL["take_told"], columns)).rowcount
            if taken:
                await connection.execute(SQL["pass_told"])
        return taken

    async def lacking(self, limit: int) -> Sequence[Document]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["lacking_files"], (limit,))
            return [_document_of(row, (), ()) for row in await cursor.fetchall()]

    async def put_files(self, document_id: str, files: Sequence[File]) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["files_tried"], (document_id,))
            await _write_files(connection, document_id, files)

    async def mark_published(self, document_ids: Sequence[str]) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["mark_published"], (list(document_ids),))


async def _write_texts(connection: Connection, document: Document) -> None:
    """Write the texts and files of a document, in the place of those it had as a draft."""
    for one in document.renditions:
        values = (document.document_id, str(one.language), one.title, one.text, one.html, one.covering)
        await connection.execute(SQL["put_rendition"], values)
    await _write_files(connection, document.document_id, document.files)


async def _write_files(connection: Connection, document_id: str, files: Sequence[File]) -> None:
    for file in files:
        digest = hashlib.sha256(file.content).hexdigest()
        values = (document_id, str(file.language), str(file.kind), file.content, digest)
        await connection.execute(SQL["put_file"], values)


def _document_of(row: dict[str, Any], renditions: Sequence[Rendition], files: Sequence[File]) -> Document:
    serial = row["serial"]
    return Document(
        document_id=row["document_id"],
        request=request_of(json_text(row["request"]).encode()),
        number=None if serial is None else Number(Series(row["issuer"], row["mark"], row["year"]), serial),
        template=row["template"],
        issued_at=row["issued_at"],
        renditions=tuple(renditions),
        state=DocumentState(row["state"]),
        files=tuple(files),
        own_number=row["own_number"] or "",
    )
