"""The producer behind ports.DocumentStream."""

from collections.abc import Sequence

from schemas.topics import DOCUMENTS
from services.documents.adapters.wire import issued_event
from services.documents.domain.document import Document
from services.documents.ports import StreamUnavailable
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record


class KafkaDocumentStream:
    """Connects when there is the first thing to send."""

    def __init__(self, producer: BatchProducer) -> None:
        self._producer = producer
        self._started = False

    async def send(self, documents: Sequence[Document]) -> None:
        await self.send_changes([issued_event(document) for document in documents])

    async def send_changes(self, records: Sequence[tuple[str, bytes]]) -> None:
        try:
            if not self._started:
                await self._producer.start()
                self._started = True
            await self._producer.send_many([Record(DOCUMENTS, key.encode(), value) for key, value in records])
        except KafkaUnavailable as error:
            raise StreamUnavailable(str(error)) from error
