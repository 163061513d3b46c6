"""Delivery reports of providers in memory: the same promises as in PostgreSQL, held by the same contract suite."""

from collections.abc import Sequence
from datetime import datetime

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.delivery.attempts import DeliveryState
from services.alerts.domain.delivery.delivery_reports import (
    ASKED_LAST,
    DeliveryReport,
    ReportOutcome,
    SentMessage,
    next_question,
    same_number,
)
from services.alerts.domain.delivery.telephony import number_of
from services.alerts.ports import AfterFailure, TakenReport
from services.kernel.words import Channel, Proof
from tests.fakes.alerts_store import MemoryStore


class MemoryDeliveryReports:
    """See ports.DeliveryReports, over the tables of a store. Of digests it knows nothing."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def take(
        self, channel: Channel, report: DeliveryReport, now: datetime, after_failure: AfterFailure
    ) -> Sequence[TakenReport]:
        message = self._store.tables.messages.get((channel, report.message_id))
        if message is None:
            return [TakenReport(ReportOutcome.UNKNOWN)]
        address = self._store.tables.notices[message.notice_id].notice.to.address
        if not same_number(number_of(address), report.number):
            return [TakenReport(ReportOutcome.OTHER_NUMBER)]
        message.ask_at = None
        return [self._take(channel, report, proof, now, after_failure) for proof in report.proofs]

    def _take(
        self, channel: Channel, report: DeliveryReport, proof: Proof, now: datetime, after_failure: AfterFailure
    ) -> TakenReport:
        tables, key = self._store.tables, (channel, report.message_id, proof)
        if key in tables.reports:
            return TakenReport(ReportOutcome.REPEATED)
        tables.reports[key] = report
        row = tables.notices[tables.messages[channel, report.message_id].notice_id]
        case, fate = tables.cases[row.notice.case_id], ReportOutcome(str(proof))
        tables.audit.append(AuditEntry(now, "alerts", f"notice_reported_{proof}", case.case_id, {"code": report.code}))
        copies = [one for one, each in tables.messages.items() if each.notice_id == row.notice.notice_id]
        pressed = any((*one, Proof.ACKNOWLEDGED) in tables.reports for one in copies)
        if proof is not Proof.FAILED or report.reason is None or row.state != "accepted":
            return TakenReport(fate)
        if pressed or copies[-1] != (channel, report.message_id):
            return TakenReport(fate)
        verdict = after_failure(row.notice, case, report.reason, len(copies))
        if verdict is None:
            return TakenReport(fate)
        row.reason, row.next_attempt_at = report.reason, verdict.next_attempt_at
        if verdict.state is DeliveryState.RETRY:
            row.state = "pending"
            return TakenReport(fate)
        row.state = str(verdict.state)
        tables.audit.append(AuditEntry(now, "alerts", "notice_dead", case.case_id, {"code": report.code}))
        return TakenReport(fate, given_up=True, first=row.notice.first)

    async def to_ask(self, channel: Channel, now: datetime, limit: int) -> Sequence[SentMessage]:
        tables = self._store.tables
        due = [
            (one.ask_at, message_id, one)
            for (of, message_id), one in tables.messages.items()
            if of is channel and one.ask_at is not None and one.ask_at <= now and one.sent_at > now - ASKED_LAST
        ]
        found = []
        for _, message_id, one in sorted(due, key=lambda each: each[:2])[:limit]:
            one.ask_at = next_question(one.sent_at, now)
            number = number_of(tables.notices[one.notice_id].notice.to.address)
            found.append(SentMessage(channel, message_id, number, one.sent_at))
        return found
