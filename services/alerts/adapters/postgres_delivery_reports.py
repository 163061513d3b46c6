"""Delivery reports of providers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.alerts.adapters.notice_rows import notice_of
from services.alerts.adapters.postgres_cases import LIVE_CHANNEL, WORK_CHANNEL, transaction_on
from services.alerts.adapters.rows import case_of
from services.alerts.adapters.statements import SQL
from services.alerts.domain.delivery.attempts import DeliveryState, Verdict
from services.alerts.domain.delivery.delivery_reports import (
    ASKED_LAST,
    DeliveryReport,
    ReportOutcome,
    SentMessage,
    next_question,
    proven_at,
    same_number,
)
from services.alerts.domain.delivery.telephony import number_of
from services.alerts.domain.ids import CaseId
from services.alerts.ports import AfterFailure, TakenReport
from services.kernel.words import Channel, Proof
from services.runtime.postgres import Connection, Pool


class PostgresDeliveryReports:
    """See ports.DeliveryReports."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(
        self, channel: Channel, report: DeliveryReport, now: datetime, after_failure: AfterFailure
    ) -> Sequence[TakenReport]:
        key = (str(channel), report.message_id)
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["reported_message"], key)
            message = await cursor.fetchone()
            if message is None:
                return [TakenReport(ReportOutcome.UNKNOWN)]
            await cursor.execute(SQL["reported_case"], (message["notice_id"],))
            await cursor.execute(SQL["reported_notice"], (message["notice_id"],))
            notice = await cursor.fetchone()
            if notice is None:
                await cursor.execute(SQL["reported_digest"], (message["notice_id"],))
            told = notice or await cursor.fetchone()
            if told is None:
                return [TakenReport(ReportOutcome.UNKNOWN)]
            if not same_number(number_of(told["address"]), report.number):
                return [TakenReport(ReportOutcome.OTHER_NUMBER)]
            at = proven_at(report, message["sent_at"], now)
            taken = []
            for proof in report.proofs:
                values = (*key, str(proof), report.code, at, now)
                if (await connection.execute(SQL["insert_delivery_report"], values)).rowcount != 1:
                    taken.append(TakenReport(ReportOutcome.REPEATED))
                    continue
                taken.append(await _follow(connection, notice, report, proof, now, after_failure))
            await connection.execute(SQL["ask_no_more"], key)
            if any(one.fate is not ReportOutcome.REPEATED for one in taken):
                await connection.execute(SQL["notify"], (LIVE_CHANNEL, "cases"))
            return taken

    async def to_ask(self, channel: Channel, now: datetime, limit: int) -> Sequence[SentMessage]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            which = {"channel": str(channel), "now": now, "since": now - ASKED_LAST, "limit": limit}
            await cursor.execute(SQL["messages_to_ask"], which)
            rows = await cursor.fetchall()
            for row in rows:
                again = next_question(row["sent_at"], now)
                await cursor.execute(SQL["ask_later"], (again, str(channel), row["message_id"]))
        return [
            SentMessage(channel, row["message_id"], number_of(row["address"]), row["sent_at"])
            for row in rows
            if row["address"] is not None
        ]


async def _follow(
    connection: Connection,
    row: dict[str, Any] | None,
    report: DeliveryReport,
    proof: Proof,
    now: datetime,
    after_failure: AfterFailure,
) -> TakenReport:
    fate = ReportOutcome(str(proof))
    if row is None:
        return TakenReport(fate)
    case = case_of(row)
    notice = notice_of(row, case)
    facts = {
        "notice": notice.notice_id,
        "contact": notice.to.contact_id,
        "channel": str(notice.to.channel),
        "code": report.code,
    }
    await _note(connection, f"notice_reported_{proof}", case.case_id, facts, now)
    if proof is not Proof.FAILED or report.reason is None or row["notice_state"] != "accepted":
        return TakenReport(fate)
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(SQL["copies_of_notice"], (notice.notice_id,))
    copies = await cursor.fetchone()
    if copies is None or copies["acknowledged"] or copies["last"] != report.message_id:
        return TakenReport(fate)
    verdict = after_failure(notice, case, report.reason, copies["copies"])
    if verdict is None:
        return TakenReport(fate)
    await _undelivered(connection, notice.notice_id, report, verdict, now)
    if verdict.state is DeliveryState.RETRY:
        await connection.execute(SQL["notify"], (WORK_CHANNEL, "fire" if notice.fire else "work"))
        return TakenReport(fate)
    await _note(connection, "notice_dead", case.case_id, {**facts, "reason": str(report.reason)}, now)
    return TakenReport(fate, given_up=True, first=notice.first)


async def _undelivered(
    connection: Connection, notice_id: str, report: DeliveryReport, verdict: Verdict, now: datetime
) -> None:
    again = verdict.state is DeliveryState.RETRY
    values = {
        "id": notice_id,
        "state": "pending" if again else str(verdict.state),
        "reason": str(report.reason),
        "detail": f"reported {report.code}",
        "next": verdict.next_attempt_at,
        "ended": None if again else now,
    }
    await connection.execute(SQL["undelivered"], values)


async def _note(connection: Connection, action: str, case_id: CaseId, detail: dict[str, Any], now: datetime) -> None:
    await connection.execute(SQL["insert_reported"], (now, action, case_id, Jsonb(detail)))
