"""What becomes of documents, in PostgreSQL: the document's row is locked, all else follows it."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from services.documents.adapters.postgres_documents import transaction_on, translated
from services.documents.adapters.statements import SQL
from services.documents.adapters.wire import changed_event
from services.documents.domain.correspondence import (
    Attachment,
    Change,
    Correspondence,
    Receipt,
    Recipient,
    Submission,
    change_id_of,
)
from services.documents.domain.numbering import Number, Series
from services.documents.domain.uploads import Upload
from services.documents.ports import CorrespondenceTransaction, InboxQuery, Opening
from services.kernel.words import DocumentState, SubmissionKind, SubmissionState
from services.runtime.postgres import Connection, Pool, json_text

Row = dict[str, Any]


class PostgresCorrespondenceTransaction:
    """See ports.CorrespondenceTransaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def load(self, document_id: str) -> Correspondence | None:
        with translated():
            async with self._connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(SQL["correspondence"], (document_id,))
                row = await cursor.fetchone()
                return None if row is None else await _whole(cursor, row)

    async def save(self, after: Correspondence, change: Change, files: Sequence[Upload]) -> None:
        key, event = changed_event(after, change)
        run = self._connection.execute
        document_id = after.document_id
        with translated():
            for receipt in after.receipts:
                await run(
                    SQL["insert_receipt"],
                    (document_id, receipt.party, receipt.at, receipt.name, receipt.by, receipt.via),
                )
            of_it = next((one for one in after.submissions if one.submission_id == change.submission_id), None)
            if of_it is not None:
                await self._save_submission(document_id, of_it, files)
            await run(
                SQL["change_state"],
                {"state": str(after.state), "what": str(change.what), "document_id": document_id},
            )
            change_id = change_id_of(document_id, change)
            await run(SQL["insert_change"], (change_id, document_id, key, change.at, event.decode()))

    async def _save_submission(self, document_id: str, one: Submission, files: Sequence[Upload]) -> None:
        run = self._connection.execute
        if one.state is not SubmissionState.SUBMITTED:
            await run(
                SQL["decide_submission"],
                (str(one.state), one.decided_at, one.decided_by, one.reasons, one.submission_id),
            )
            return
        await run(
            SQL["insert_submission"],
            (
                one.submission_id,
                document_id,
                str(one.kind),
                str(one.state),
                one.party,
                one.text,
                one.measures,
                one.done_by,
                one.name,
                one.by,
                one.via,
                one.at,
            ),
        )
        for place, file in enumerate(files):
            await run(SQL["insert_file"], (file.sha256, file.media_type, file.content, one.at))
            await run(SQL["insert_attachment"], (one.submission_id, place, file.sha256, file.name, file.size))


class PostgresCorrespondences:
    """See ports.CorrespondenceStore and ports.ChangeOutbox."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[CorrespondenceTransaction]:
        async with transaction_on(self._pool) as connection:
            yield PostgresCorrespondenceTransaction(connection)

    async def party_of_link(self, document_id: str, contact_id: str) -> str | None:
        row = await self._one(SQL["party_of_link"], (document_id, contact_id))
        return None if row is None else str(row["party"])

    async def opened(self, opening: Opening, now: datetime) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["opened"], {**asdict(opening), "at": now})

    async def revoke(self, document_id: str, contact_id: str, by: str, now: datetime) -> bool:
        async with transaction_on(self._pool) as connection:
            done = await connection.execute(SQL["revoke_link"], (now, by, document_id, contact_id))
            return done.rowcount == 1

    async def inbox(self, query: InboxQuery) -> tuple[dict[str, int], Sequence[Row]]:
        values = _values(query)
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            found = await (await connection.execute(SQL["inbox_counts"], values)).fetchone()
            assert found is not None, "a count is always there"
            await cursor.execute(SQL["inbox"], values)
            rows = [_with_number(row) for row in await cursor.fetchall()]
        return dict(zip(("all", "todo", "overdue", "undecided"), found, strict=True)), rows

    async def view(self, query: InboxQuery) -> tuple[Row, Correspondence, Sequence[Row]] | None:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["inbox"], _values(query))
            row = await cursor.fetchone()
            if row is None:
                return None
            ids = {"request_id": "", **{name: row[name] for name in ("document_id", "case_id", "unit_id", "state")}}
            whole = await _whole(cursor, ids)
            await cursor.execute(SQL["renditions"], ([row["document_id"]],))
            return _with_number(row), whole, await cursor.fetchall()

    async def replies(self, case_id: str, party: str | None) -> Sequence[Row]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["replies_of_case"], {"case_id": case_id, "party": party})
            return [_with_number(row) for row in await cursor.fetchall()]

    async def file(self, document_id: str, digest: str, party: str | None) -> tuple[str, str, bytes] | None:
        row = await self._one(SQL["file"], (document_id, digest, party, party))
        return None if row is None else (row["name"], row["media_type"], row["bytes"])

    async def unpublished_changes(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["unpublished_changes"], (limit,))
            rows = await cursor.fetchall()
        return [(row["change_id"], row["key"], json_text(row["event"]).encode()) for row in rows]

    async def mark_changes_published(self, change_ids: Sequence[str]) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["mark_changes_published"], (list(change_ids),))

    async def _one(self, statement: str, parameters: Sequence[object]) -> Row | None:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, parameters)
            return await cursor.fetchone()


async def _whole(cursor: psycopg.AsyncCursor[Row], row: Mapping[str, Any]) -> Correspondence:
    async def rows(statement: str) -> list[Row]:
        await cursor.execute(statement, (row["document_id"],))
        return await cursor.fetchall()

    recipients, receipts = await rows(SQL["recipients"]), await rows(SQL["receipts"])
    submissions = await rows(SQL["submissions"])
    attachments: dict[str, list[Attachment]] = defaultdict(list)
    for one in await rows(SQL["attachments"]):
        attachments[one.pop("submission_id")].append(Attachment(**one))
    return Correspondence(
        document_id=row["document_id"],
        request_id=row["request_id"],
        case_id=row["case_id"],
        unit_id=row["unit_id"],
        state=DocumentState(row["state"]),
        recipients=tuple(Recipient(**one) for one in recipients),
        receipts=tuple(Receipt(**one) for one in receipts),
        submissions=tuple(_submission_of(one, attachments[one["submission_id"]]) for one in submissions),
    )


def _submission_of(row: Row, attachments: Sequence[Attachment]) -> Submission:
    kind, state = SubmissionKind(row["kind"]), SubmissionState(row["state"])
    return Submission(**row | {"kind": kind, "state": state, "attachments": tuple(attachments)})


def _values(query: InboxQuery) -> Row:
    return {
        "party": query.party,
        "document_id": query.document_id,
        "only": query.only,
        "offset": query.offset,
        "limit": query.limit,
        "now": query.now,
    }


def _with_number(row: Row) -> Row:
    own, mark, year, serial = (row.pop(name) for name in ("own_number", "mark", "year", "serial"))
    return {"number": own or Number(Series("", mark, year), serial).text, **row}
