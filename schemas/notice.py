"""`firenet.notices.v1`: documents to one recipient each, and what became of them."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from schemas.base import Event, Identifier, PackRef, ShortText, Wire
from services.kernel.words import Channel, Purpose


class NoticeState(StrEnum):
    """`accepted` by the channel; `dead` after the last attempt; `cancelled` because it was no longer due."""

    ACCEPTED = "accepted"
    DEAD = "dead"
    CANCELLED = "cancelled"


class NoticeData(Wire):
    """One notice after its delivery came to an end. No address, no secret: those stay in the database.

    `document_number` is that of the document it brought; null: a short text. `digest_id` is the mail for many that it
    left in; null: it left alone.
    """

    notice_id: Identifier
    case_id: Identifier
    unit_id: Identifier | None
    step: Identifier
    purpose: Purpose
    body_code: Identifier
    contact_id: Identifier
    channel: Channel
    template: ShortText
    clause: ShortText
    pack: PackRef
    created_at: AwareDatetime
    state: NoticeState
    attempts: int
    reason: ShortText | None = None
    document_number: ShortText | None = None
    digest_id: Identifier | None = None


class Notice(Event[NoticeData]):
    """source `/alerts`, subject = unit id (or the case id of a common case) = record key."""

    type: Literal["cn.firenet.notice.v1"] = "cn.firenet.notice.v1"
