"""Requests become documents: number, text and row in one transaction, each request once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import Document, document_id_of
from services.documents.domain.errors import Fenced, NotIssuable, StoreUnavailable
from services.documents.domain.numbering import series_of
from services.documents.domain.reasons import RefusedBecause
from services.documents.domain.request import Request
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import DocumentStore, IssuingTransaction, PartitionClaim, Renderer
from services.runtime.clock import Clock
from services.runtime.logging import get_logger


@dataclass(slots=True)
class _Batch:
    """What a transaction did, told of once it is committed."""

    issued: list[Document] = field(default_factory=list)
    refused: list[tuple[Request, RefusedBecause, Exception]] = field(default_factory=list)
    duplicates: int = 0


class IssuingService:
    """Takes requests of one partition in. `marks` are the issuers' codes for the number (机关代字), by body."""

    def __init__(
        self,
        *,
        store: DocumentStore,
        renderer: Renderer,
        metrics: DocumentsMetrics,
        clock: Clock,
        marks: Mapping[str, str],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._metrics = metrics
        self._clock = clock
        self._marks = marks
        self._wake = wake

    async def take(self, claim: PartitionClaim, requests: Sequence[Request], next_offset: int) -> None:
        """Return once all are issued or refused and the offset is saved. Raises StoreUnavailable, Fenced."""
        batch = _Batch()
        async with self._store.transaction() as transaction:
            # first of all: the row's lock keeps a former owner's transaction out until this one has ended
            await transaction.advance(claim, next_offset)
            wanted = {document_id_of(request.source, request.request_id): request for request in requests}
            known = await transaction.issued(list(wanted))
            batch.duplicates = len(requests) - len(wanted) + len(known)
            for document_id, request in wanted.items():
                if document_id not in known:
                    await self._try(transaction, document_id, request, batch)
        self._tell(batch)

    async def _try(self, transaction: IssuingTransaction, document_id: str, request: Request, batch: _Batch) -> None:
        """Issue one; what no document can be made of gives its number back and leaves the others alone."""
        try:
            async with transaction.attempt():
                document = await self._issue(transaction, document_id, request)
        except (StoreUnavailable, Fenced):
            raise
        except NotIssuable as error:
            batch.refused.append((request, error.reason, error))
        except Exception as error:  # noqa: BLE001 - our own bug meets a request: those behind it must not wait
            batch.refused.append((request, RefusedBecause.UNEXPECTED, error))
        else:
            batch.issued.append(document)

    async def _issue(self, transaction: IssuingTransaction, document_id: str, request: Request) -> Document:
        entry = entry_of(request.instrument)
        now = self._clock.now()
        number = await transaction.next_number(series_of(request.issuer.code, entry.word, now, self._marks))
        document = Document(
            document_id=document_id,
            request=request,
            number=number,
            template=entry.template,
            issued_at=now,
            renditions=self._renderer.render(request, number, entry.template, now),
        )
        await transaction.add(document)
        return document

    def _tell(self, batch: _Batch) -> None:
        self._metrics.duplicates.inc(batch.duplicates)
        for instrument, count in Counter(one.request.instrument for one in batch.issued).items():
            self._metrics.issued.labels(instrument).inc(count)
        for request, reason, error in batch.refused:
            self._metrics.refused.labels(reason).inc()
            exc_info = error if reason is RefusedBecause.UNEXPECTED else None
            get_logger().error(
                "request_refused", reason=reason, request_id=request.request_id, detail=str(error), exc_info=exc_info
            )
        if batch.issued:
            self._wake()
