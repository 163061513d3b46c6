"""The documents that stand on firenet.documents.v1, for the numbers that they have."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from schemas import codec
from schemas.document import DocumentIssued
from schemas.topics import DOCUMENTS
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.runtime.kafka import LateFollower
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger


async def numbers_told(bootstrap: str, since: datetime, stop: Stop) -> Sequence[ReportedNumber]:
    """Return the numbers of our own series on all documents that were told of since then; waits for Kafka."""
    found: dict[str, ReportedNumber] = {}

    def on_record(key: str, value: bytes | None) -> None:
        try:
            event = codec.documents.decode(value or b"")
        except codec.BadRecord as error:
            get_logger().error("record_rejected", detail=error.detail, topic=DOCUMENTS)
            return
        if isinstance(event, DocumentIssued) and (told := _told(event)) is not None:
            found[told.document_id] = told

    enough = Stop()
    follower = LateFollower(bootstrap, DOCUMENTS, on_record, since)
    following = asyncio.create_task(follower.run(enough))
    caught_up, stopped = asyncio.create_task(follower.caught_up(None)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((following, caught_up, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        enough.set()
        for task in (caught_up, stopped):
            task.cancel()
        await following
    return list(found.values())


def _told(event: DocumentIssued) -> ReportedNumber | None:
    data, number = event.data, event.data.number
    if number is None or number.year is None or number.serial is None:
        return None  # a draft, or a number that an authority gave by itself
    series = Series(data.issuer_code, number.mark, number.year)
    return ReportedNumber(data.document_id, Number(series, number.serial), data.issued_at)
