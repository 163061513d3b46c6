"""Documents come into the notices that wait for them, which are due at once then; what becomes of them moves clocks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Case, Receipt
from services.alerts.domain.delivery.documents import DocumentChange, IssuedDocument, request_id_of
from services.alerts.domain.escalation.ladder import clock_from
from services.alerts.domain.ids import BodyCode
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, CaseTransaction, Changes, LetterWriter, PartitionClaim
from services.alerts.worker.acknowledgement import may_touch
from services.alerts.worker.notice_composer import ACTOR, NoticeComposer
from services.kernel.words import ClockKind, DocumentEvent
from services.runtime.clock import Clock

Event = IssuedDocument | DocumentChange

STOPS = {
    DocumentEvent.SIGNED: (ClockKind.RECEIPT,),
    DocumentEvent.REPLY_SUBMITTED: (ClockKind.REPLY,),
    # what the document demanded falls away
    DocumentEvent.APPEAL_UPHELD: (ClockKind.RECEIPT, ClockKind.REPLY),
}
"""Which clocks stand still when an addressee has done this; a reply that is returned sets its clock anew."""


class DocumentIntake:
    """See ports.Intake. A document whose notices have left, or were taken back, is written down and changes nothing."""

    def __init__(
        self,
        *,
        store: CaseStore,
        writer: LetterWriter,
        metrics: AlertsMetrics,
        clock: Clock,
        composer: NoticeComposer,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._composer = composer
        self._wake = wake

    async def take(self, claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> None:
        async with self._store.transaction() as transaction:
            ids = [event.event_id for event in events]
            case_ids = {event.case_id for event in events if isinstance(event, DocumentChange)}
            fresh, book = await transaction.begin(claim, next_offset, ids, (), case_ids, self._clock.now())
            changes = Changes()
            # of one that stands in the batch twice the first: both are the same
            news = {one.event_id: one for one in reversed(events) if one.event_id in fresh}
            changes.issued.extend(one for one in news.values() if isinstance(one, IssuedDocument))
            if changes.issued:
                await self._attach(transaction, changes)
            cases = dict(book.by_id)
            for one in reversed(news.values()):  # in the order in which they came
                if isinstance(one, DocumentChange):
                    self._follow(changes, cases.get(one.case_id), one)
                    cases |= changes.updated
            await transaction.save(changes)
        used = len({one.number for one in changes.attached})
        self._metrics.duplicates.labels(claim.topic).inc(len(events) - len(news))
        self._metrics.documents.labels("attached").inc(used)
        self._metrics.documents.labels("unused").inc(len(changes.issued) - used)
        if changes.attached or changes.updated:
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

    def _follow(self, changes: Changes, case: Case | None, event: DocumentChange) -> None:
        """Write down what became of a document, and move the clocks that wait for it; an unknown case has none."""
        detail = {
            "document": event.document_id,
            "party": event.party,
            "by": event.by,
            "via": event.via,
            "at": event.at.isoformat(),
            "reasons": event.reasons,
        }
        # never as the actor: whoever has a link signs with any name
        entry = AuditEntry(self._clock.now(), "documents", f"document_{event.what}", event.case_id, {**detail})
        changes.audit.append(entry)
        if case is None:
            return
        after = self._with_receipt(changes, case, event)
        if event.is_addressee:
            after = self._with_clocks(after, event)
        if after is not case:
            # a later step may hang on one of these clocks, or end by the reply
            again = clock_from(after, self._clock.now(), timedelta(0), self._composer.pace)
            changes.put(again if after.is_open else after)

    def _with_clocks(self, case: Case, event: DocumentChange) -> Case:
        now = self._clock.now()
        for kind in STOPS.get(event.what, ()):
            clock = case.clocks.running.get(kind)
            # of a later letter's clock nothing is known by this one
            if clock is not None and request_id_of(case.case_id, clock.step) == event.request_id:
                case = replace(case, clocks=case.clocks.set(kind, None))
        if event.what is DocumentEvent.REPLY_RETURNED and ClockKind.REPLY not in case.clocks.running:
            steps = (one for one in case.ladder if request_id_of(case.case_id, one.code) == event.request_id)
            step = next(steps, None)
            if step is not None and step.reply_working_days:
                case = self._composer.with_clock(case, ClockKind.REPLY, step.code, step.reply_working_days, now)
        return case

    def _with_receipt(self, changes: Changes, case: Case, event: DocumentChange) -> Case:
        """Sign the case too: a body that has signed for the document of a step is not reminded of that step."""
        step = case.step or ""
        body = BodyCode(event.party)
        signed = any(one.body_code == body and one.step == step for one in case.receipts)
        if event.what is not DocumentEvent.SIGNED or signed or not case.is_open or not may_touch(case, body):
            return case
        changes.signed[case.case_id] = body
        return replace(case, receipts=(*case.receipts, Receipt(body, step, event.at, event.by, event.via, "")))
