"""Requests become documents: number, text and row in one transaction, each request once."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import Document, File, document_id_of
from services.documents.domain.errors import BadForm, Fenced, FilesUnavailable, NotIssuable, StoreUnavailable
from services.documents.domain.form import breaches, is_too_long
from services.documents.domain.numbering import series_of
from services.documents.domain.reasons import FilesMissing, FormRule, RefusedBecause
from services.documents.domain.request import Request
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import DocumentStore, IssuingTransaction, PartitionClaim, Rendered, Renderer, Typesetter
from services.kernel.words import DocumentState, Instrument
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

LATER = frozenset({FilesMissing.TOO_LATE, FilesMissing.TOO_SLOW})
"""Of these another try may end otherwise, when there is time."""


@dataclass(slots=True)
class _Batch:
    """What a transaction did, told of once it is committed."""

    issued: list[Document] = field(default_factory=list)
    refused: list[tuple[Request, NotIssuable | Exception]] = field(default_factory=list)
    without_files: list[FilesMissing] = field(default_factory=list)
    duplicates: int = 0


class IssuingService:
    """Takes requests of one partition in.

    `marks` are the issuers' codes for the number (机关代字), by body; of the kinds in `drafts` the issuer makes its
    documents itself. A request that is older than `files_within` gets no files any more: its notices do not wait
    for long, and those behind it neither. `numbers_known`: whether numbers may be given out, see `NumbersWatch`;
    whoever calls `take` waits for it.
    """

    def __init__(
        self,
        *,
        store: DocumentStore,
        renderer: Renderer,
        typesetter: Typesetter | None = None,
        files_within: timedelta = timedelta(seconds=5),
        drafts: Collection[Instrument] = (),
        metrics: DocumentsMetrics,
        clock: Clock,
        marks: Mapping[str, str],
        wake: Callable[[], None],
        numbers_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._typesetter = typesetter
        self._files_within = files_within
        self._drafts = frozenset(drafts)
        self._metrics = metrics
        self._clock = clock
        self._marks = marks
        self._wake = wake
        self._numbers_known = numbers_known

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

    async def issue(self, request: Request) -> str:
        """Return the id of its document, once that is there: of a request that comes by itself, not by the topic.

        Raises NotIssuable, StoreUnavailable.
        """
        batch, document_id = _Batch(), document_id_of(request.source, request.request_id)
        if not self._numbers_known():
            raise StoreUnavailable("which numbers were given out is not known yet")
        try:
            async with self._store.transaction() as transaction:
                if await transaction.issued([document_id]):
                    batch.duplicates = 1
                else:
                    batch.issued.append(await self._issue(transaction, document_id, request, batch))
        except NotIssuable as error:
            batch.refused.append((request, error))
            raise
        finally:
            self._tell(batch)
        return document_id

    async def _try(self, transaction: IssuingTransaction, document_id: str, request: Request, batch: _Batch) -> None:
        """Issue one; what no document can be made of gives its number back and leaves the others alone."""
        try:
            async with transaction.attempt():
                document = await self._issue(transaction, document_id, request, batch)
        except (StoreUnavailable, Fenced, MemoryError):  # no room is no fault of the request: the next process reads it
            raise
        except Exception as error:  # noqa: BLE001 - our own bug meets a request: those behind it must not wait
            batch.refused.append((request, error))
        else:
            batch.issued.append(document)

    async def _issue(
        self, transaction: IssuingTransaction, document_id: str, request: Request, batch: _Batch
    ) -> Document:
        entry = entry_of(request)
        draft = entry.draft or request.instrument in self._drafts
        now = self._clock.now()
        number = None
        if not draft and (told := await transaction.told(document_id)) is not None:
            number, now = told.number, told.issued_at
        elif not draft:
            number = await transaction.next_number(series_of(request.issuer.code, entry.word, now, self._marks))
        rendered = checked(self._renderer.render(request, number.text if number else "", entry, now, draft=draft))
        files, missing = await self._files(request, rendered)
        if missing is not None:
            batch.without_files.append(missing)
        document = Document(
            document_id=document_id,
            request=request,
            number=number,
            template=entry.template,
            issued_at=now,
            renditions=tuple(one.rendition for one in rendered),
            state=DocumentState.DRAFT if draft else DocumentState.ISSUED,
            files=files,
            files_due=missing in LATER,
        )
        await transaction.add(document)
        return document

    async def _files(
        self, request: Request, rendered: Sequence[Rendered]
    ) -> tuple[tuple[File, ...], FilesMissing | None]:
        """Return the files; none and why when they cannot be made, or not in time: the text is the document."""
        if self._typesetter is None:
            return (), None
        try:
            if self._clock.now() > request.requested_at + self._files_within:
                raise FilesUnavailable(FilesMissing.TOO_LATE)
            return await self._typesetter.files([one.letter for one in rendered]), None
        except FilesUnavailable as error:
            get_logger().warning("document_without_files", reason=error.reason, detail=str(error))
            return (), error.reason

    def _tell(self, batch: _Batch) -> None:
        self._metrics.duplicates.inc(batch.duplicates)
        for instrument, count in Counter(one.request.instrument for one in batch.issued).items():
            self._metrics.issued.labels(instrument).inc(count)
        for missing in batch.without_files:
            self._metrics.without_files.labels(missing).inc()
        for request, error in batch.refused:
            reason = error.reason if isinstance(error, NotIssuable) else RefusedBecause.UNEXPECTED
            self._metrics.refused.labels(reason).inc()
            for rule in error.rules if isinstance(error, BadForm) else ():
                self._metrics.form_breaches.labels(rule).inc()
            exc_info = error if reason is RefusedBecause.UNEXPECTED else None
            get_logger().error(
                "request_refused", reason=reason, request_id=request.request_id, detail=str(error), exc_info=exc_info
            )
        if batch.issued:
            self._wake()


def checked(rendered: Sequence[Rendered]) -> Sequence[Rendered]:
    """Return what was rendered. Raises BadForm when a rule of the form is broken in any language."""
    broken = [rule for one in rendered for rule in breaches(one.letter, one.rendition.text)]
    if any(is_too_long(one.rendition.text, one.rendition.html) for one in rendered):
        broken.append(FormRule.TOO_LONG)
    if broken:
        raise BadForm(tuple(dict.fromkeys(broken)))
    return rendered
