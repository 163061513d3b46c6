"""firenet.notices.v1: rows of ended notices to events, and the producer behind ports.NoticeStream."""

from collections.abc import Sequence
from typing import Any

from schemas import codec
from schemas.base import PackRef
from schemas.notice import Notice, NoticeData, NoticeState
from schemas.topics import NOTICES
from services.alerts.domain.case.subject import UNREGISTERED, SubjectKind
from services.alerts.ports import StreamUnavailable
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record


def notice_event(row: dict[str, Any]) -> tuple[str, bytes]:
    """Return (key, encoded event) of a notices row joined with its case. No address leaves the database."""
    unit_id = row["subject_id"] if row["subject_kind"] == SubjectKind.UNIT else None
    if unit_id is not None and unit_id.startswith(UNREGISTERED):
        unit_id = None  # no unit, and no identifier of the wire either
    key = unit_id or row["case_id"]
    data = NoticeData(
        notice_id=row["notice_id"],
        case_id=row["case_id"],
        unit_id=unit_id,
        step=row["step"],
        purpose=row["purpose"],
        body_code=row["body_code"],
        contact_id=row["contact_id"],
        channel=row["channel"],
        template=row["template"],
        clause=row["clause"][:200],
        pack=PackRef(pack_id=row["pack_id"], version=row["pack_version"]),
        created_at=row["created_at"],
        state=NoticeState(row["state"]),
        attempts=row["attempts"],
        reason=row["reason"],
        document_number=row["document_number"],
        digest_id=row["digest_id"],
    )
    event = Notice(id=row["notice_id"], source="/alerts", subject=key, time=row["ended_at"], data=data)
    return key, codec.notices.encode(event)


class KafkaNoticeStream:
    """See ports.NoticeStream."""

    def __init__(self, producer: BatchProducer, topic: str = NOTICES) -> None:
        self._producer = producer
        self._topic = topic
        self._started = False

    async def start(self) -> None:
        """Connect, once. Raises StreamUnavailable when no broker answers."""
        if not self._started:
            try:
                await self._producer.start()
            except KafkaUnavailable as error:
                raise StreamUnavailable(str(error)) from error
            self._started = True

    async def send(self, records: Sequence[tuple[str, bytes]]) -> None:
        try:
            await self._producer.send_many([Record(self._topic, key.encode(), value) for key, value in records])
        except KafkaUnavailable as error:
            raise StreamUnavailable(str(error)) from error
