"""Documents come into the notices that wait for them, which are due at once then."""

from collections.abc import Callable, Sequence

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.delivery.documents import IssuedDocument
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, CaseTransaction, Changes, LetterWriter, PartitionClaim
from services.alerts.worker.notice_composer import ACTOR
from services.runtime.clock import Clock


class DocumentIntake:
    """See ports.Intake. A document whose notices have left, or were taken back, is written down and changes nothing."""

    def __init__(
        self,
        *,
        store: CaseStore,
        writer: LetterWriter,
        metrics: AlertsMetrics,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._wake = wake

    async def take(self, claim: PartitionClaim, events: Sequence[IssuedDocument], next_offset: int) -> None:
        async with self._store.transaction() as transaction:
            ids = [document.event_id for document in events]
            fresh, _ = await transaction.begin(claim, next_offset, ids, (), (), self._clock.now())
            changes = Changes()
            # of one that stands in the batch twice the first: both are the same
            issued = {one.event_id: one for one in reversed(events) if one.event_id in fresh}
            changes.issued.extend(issued.values())
            if issued:
                await self._attach(transaction, changes)
                await transaction.save(changes)
        used = len({one.number for one in changes.attached})
        self._metrics.duplicates.labels(claim.topic).inc(len(events) - len(issued))
        self._metrics.documents.labels("attached").inc(used)
        self._metrics.documents.labels("unused").inc(len(issued) - used)
        if changes.attached:
            self._wake()

    async def _attach(self, transaction: CaseTransaction, changes: Changes) -> None:
        documents = {document.request_id: document for document in changes.issued}
        waiting = await transaction.awaiting(list(documents))
        changes.attached.extend(self._writer.attach(one, documents[one.request_id]) for one in waiting)
        for document in changes.issued:
            notices = sorted(one.notice_id for one in waiting if one.request_id == document.request_id)
            changes.audit.append(
                AuditEntry(
                    self._clock.now(),
                    ACTOR,
                    "document_issued",
                    document.case_id,
                    {
                        "document": document.document_id,
                        "number": document.number,
                        "notices": list(notices),
                        "files": [file.fingerprint for file in document.files],
                    },
                )
            )
