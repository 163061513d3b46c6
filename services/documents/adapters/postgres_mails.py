"""Mails that answer documents, in PostgreSQL: each mail and how far the mailbox is read in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.documents.adapters.postgres_correspondence import PostgresCorrespondenceTransaction
from services.documents.adapters.postgres_documents import transaction_on
from services.documents.adapters.statements import SQL
from services.documents.domain.errors import NotFound, NotPossible
from services.documents.domain.mails import JOINABLE, Mail, MailSort, numbers_in
from services.documents.domain.uploads import Upload
from services.documents.ports import Position, TakeReply, WaitingMail
from services.runtime.postgres import Connection, Pool


class PostgresMails:
    """See ports.MailStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def position(self, mailbox: str) -> Position | None:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["mailbox_position"], (mailbox,))).fetchone()
            return None if row is None else Position(row[0], row[1])

    async def keep(self, mail: Mail, now: datetime) -> MailSort | None:
        async with transaction_on(self._pool) as connection:
            document_id = await _document_of(connection, mail) if mail.sort is MailSort.REPLY else None
            sort = MailSort.UNKNOWN if mail.sort is MailSort.REPLY and document_id is None else mail.sort
            done = await connection.execute(
                SQL["insert_mail"],
                {
                    "mail_id": mail.mail_id,
                    "sort": str(sort),
                    "state": "waiting" if sort is MailSort.REPLY else "aside",
                    "document_id": document_id,
                    "reason": mail.reason,
                    "message_id": mail.message_id,
                    "sender": mail.sender,
                    "sender_name": mail.sender_name,
                    "subject": mail.subject,
                    "text": mail.text,
                    "size": mail.size,
                    "at": now,
                },
            )
            if done.rowcount != 1:
                return None
            if mail.report is not None:
                await connection.execute(SQL["insert_delivery_report"], (*mail.report, now, mail.mail_id))
            for place, file in enumerate(mail.files):
                await connection.execute(SQL["insert_file"], (file.sha256, file.media_type, file.content, now))
                await connection.execute(
                    SQL["insert_mail_file"], (mail.mail_id, place, file.sha256, file.name, file.size)
                )
            return sort

    async def begin(self, mailbox: str, position: Position) -> int:
        async with transaction_on(self._pool) as connection:
            values = {"mail": _named(mailbox, position), "validity": position.uid_validity}
            row = await (await connection.execute(SQL["begin_mail"], values)).fetchone()
            assert row is not None
            return int(row[0])

    async def advance(self, mailbox: str, position: Position) -> None:
        async with transaction_on(self._pool) as connection:
            values = {"mailbox": mailbox, "validity": position.uid_validity, "uid": position.last_uid}
            await connection.execute(SQL["advance_mailbox"], values)
            await connection.execute(SQL["end_mail"], (_named(mailbox, position),))

    async def mails(self, *, everything: bool, limit: int, offset: int = 0) -> Sequence[dict[str, Any]]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["mails"], {"all": everything, "limit": limit, "offset": offset})
            return await cursor.fetchall()

    async def waiting(self) -> int:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["mails_waiting"])).fetchone()
            return 0 if row is None else int(row[0])

    async def mail(self, mail_id: str) -> dict[str, Any] | None:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["mail_seen"], (mail_id,))
            row = await cursor.fetchone()
            if row is None:
                return None
            for name, statement, key in (
                ("files", SQL["mail_files_seen"], mail_id),
                ("acts", SQL["mail_acts"], mail_id),
                ("parties", SQL["mail_parties"], row["document_id"]),
            ):
                await cursor.execute(statement, (key,))
                row[name] = await cursor.fetchall()
            row["parties"] = [one["party"] for one in row["parties"]]
            return row

    async def file(self, mail_id: str, place: int) -> Upload | None:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["mail_file"], (mail_id, place))).fetchone()
            return None if row is None else Upload(*row)

    async def join(self, mail_id: str, document: str, by: str, now: datetime, seen: int | None) -> None:
        async with transaction_on(self._pool) as connection:
            row = await _locked(connection, mail_id, seen)
            if row["state"] == "taken" or row["sort"] not in JOINABLE:
                raise NotPossible("mail_decided")
            document_id = await _document_named(connection, document)
            await connection.execute(SQL["join_mail"], (document_id, mail_id))
            await _write_act(connection, mail_id, now, by, "joined", document_id=document_id)

    async def take(self, mail_id: str, party: str, by: str, now: datetime, step: TakeReply) -> None:
        async with transaction_on(self._pool) as connection:
            mail = await _waiting(connection, mail_id)
            correspondence = PostgresCorrespondenceTransaction(connection)
            stands = await correspondence.load(mail.document_id)
            if stands is None:
                raise NotFound
            for after, change, files in step(mail, stands):
                await correspondence.save(after, change, files)
            await connection.execute(SQL["decide_mail"], ("taken", now, by, mail_id))
            await _write_act(connection, mail_id, now, by, "taken", document_id=mail.document_id, party=party)

    async def set_aside(self, mail_id: str, by: str, now: datetime, reason: str, seen: int | None) -> None:
        async with transaction_on(self._pool) as connection:
            mail = await _waiting(connection, mail_id, seen)
            await connection.execute(SQL["decide_mail"], ("aside", now, by, mail_id))
            await _write_act(connection, mail_id, now, by, "refused", document_id=mail.document_id, reason=reason)


async def _write_act(
    connection: Connection,
    mail_id: str,
    at: datetime,
    by: str,
    act: str,
    *,
    document_id: str,
    party: str = "",
    reason: str = "",
) -> None:
    values = {"mail_id": mail_id, "at": at, "by": by, "act": act, "document_id": document_id}
    await connection.execute(SQL["insert_mail_act"], values | {"party": party, "reason": reason})


def _named(mailbox: str, position: Position) -> str:
    """Return what a mail is called in the table of mailboxes while it is read."""
    return f"{mailbox} {position.uid_validity}/{position.last_uid}"


async def _locked(connection: Connection, mail_id: str, seen: int | None) -> dict[str, Any]:
    """Return the mail, which is ours alone until the end; of two people at once the second is told of the first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["mail"], (mail_id,))
        row = await cursor.fetchone()
        if row is None:
            raise NotFound
        # counted behind the lock: what an act that we waited for has written is seen by a new statement only
        await cursor.execute(SQL["mail_acts_done"], (mail_id,))
        acts = await cursor.fetchone()
    if seen is not None and acts is not None and acts["done"] != seen:
        raise NotPossible("mail_changed")
    return row


async def _waiting(connection: Connection, mail_id: str, seen: int | None = None) -> WaitingMail:
    row = await _locked(connection, mail_id, seen)
    if row["state"] != "waiting":
        raise NotPossible("mail_decided")
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["files_of_mail"], (mail_id,))
        files = tuple(Upload(one["name"], one["media_type"], one["bytes"]) for one in await cursor.fetchall())
    return WaitingMail(row["document_id"], row["sender"], row["sender_name"], row["subject"], row["text"], files)


async def _document_named(connection: Connection, name: str) -> str:
    """Return the id of the one issued document that somebody names by id or number. Raises NotPossible."""
    row = await (await connection.execute(SQL["document_of_mail"], {"documents": [name]})).fetchone()
    if row is not None:
        return str(row[0])
    for number in numbers_in(name):
        found = await connection.execute(SQL["documents_of_number"], (number.mark, number.year, number.serial))
        rows = await found.fetchall()
        if len(rows) == 1:
            return str(rows[0][0])
    raise NotPossible("no_such_document")


async def _document_of(connection: Connection, mail: Mail) -> str | None:
    """Return the document that the mail's thread names, else the only one that a number in its subject names."""
    if mail.documents:
        row = await (await connection.execute(SQL["document_of_mail"], {"documents": list(mail.documents)})).fetchone()
        if row is not None:
            return str(row[0])
    for number in mail.numbers:
        found = await connection.execute(SQL["documents_of_number"], (number.mark, number.year, number.serial))
        rows = await found.fetchall()
        if len(rows) == 1:
            return str(rows[0][0])
    return None
