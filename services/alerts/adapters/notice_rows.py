"""Rows of alerts.notices, joined with their cases, to domain values; and what is written of one that may not go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from services.alerts.adapters.rows import about_of
from services.alerts.adapters.statements import SQL
from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.delivery_reports import ASKED_FIRST
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId, RequestId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Refused
from services.kernel.words import Channel, Purpose
from services.runtime.postgres import Connection


def address_of(row: Mapping[str, Any]) -> Address:
    return Address(
        ContactId(row["contact_id"]),
        BodyCode(row["body_code"]),
        Channel(row["channel"]),
        row["address"],
        row["secret_ref"],
        row["lang"],
    )


def notice_of(row: Mapping[str, Any], case: Case) -> Notice:
    """Return the notice of a row of `claim_notices` or `digest_members`."""
    return Notice(
        notice_id=NoticeId(row["notice_id"]),
        case_id=case.case_id,
        step=row["notice_step"],
        purpose=Purpose(row["purpose"]),
        to=address_of(row),
        template=row["template"],
        subject=row["subject"],
        body=row["body"],
        clause=row["notice_clause"],
        created_at=row["created_at"],
        caused_at=row["caused_at"] or row["created_at"],
        about=about_of(row["about"], case.proof),
        fire=row["fire"],
        first=row["first"],
        request_id=RequestId(row["request_id"]) if row["request_id"] else None,
        document_number=row["document_number"],
        signed_document_id=row["document_id"],
        html=row["html"] or "",
        is_copy=bool(row["is_copy"]),
    )


async def put_off(connection: Connection, refused: Refused, now: datetime) -> None:
    """Have a notice wait, or cancel it and say why."""
    reason, until = str(refused.consent.stop), refused.consent.wait_until
    if until is not None:
        await connection.execute(SQL["wait"], (until, reason, refused.notice_id))
        return
    await connection.execute(SQL["cancel"], (reason, now, refused.notice_id))
    detail = {"notice": refused.notice_id, "reason": reason}
    await connection.execute(SQL["insert_cancelled"], (now, refused.case_id, Jsonb(detail)))


async def note_message(connection: Connection, to: Address, message_id: str, notice_id: str, sent_at: datetime) -> None:
    """Keep by which name a provider took a notice, or digest: its delivery reports will name it so."""
    if message_id:
        values = (str(to.channel), message_id, notice_id, sent_at, sent_at + ASKED_FIRST)
        await connection.execute(SQL["insert_provider_message"], values)
