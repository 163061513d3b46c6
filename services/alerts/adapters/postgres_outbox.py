"""The outbox in PostgreSQL: due, lease, last question, record. The lease's end is also its token."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.alerts.adapters.postgres_cases import LIVE_CHANNEL, transaction_on
from services.alerts.adapters.rows import CASE_COLUMNS, case_of
from services.alerts.domain.delivery import Consent, Due, Fate, Outcome, Verdict, may_send
from services.alerts.domain.values import Address, BodyCode, CaseId, Channel, ContactId, NoticeId, Purpose
from services.alerts.ports import Ready, Refused
from services.runtime.postgres import Connection, Pool

_CASES = ", ".join(f"c.{name}" for name in CASE_COLUMNS)
_DUE = """
SELECT notice_id, channel, address FROM alerts.notices
WHERE state IN ('pending', 'sending') AND fire = %s AND next_attempt_at <= %s
  AND address <> ALL(%s) AND channel <> ALL(%s)
ORDER BY next_attempt_at LIMIT %s
"""
_LEASE = """
UPDATE alerts.notices SET state = 'sending', lease_until = %(until)s, next_attempt_at = %(until)s
WHERE notice_id IN (
    SELECT notice_id FROM alerts.notices
    WHERE notice_id = ANY(%(ids)s) AND state IN ('pending', 'sending') AND next_attempt_at <= %(now)s
    FOR UPDATE SKIP LOCKED)
RETURNING notice_id
"""
_CANCEL = """
UPDATE alerts.notices SET state = 'cancelled', reason = %s, ended_at = %s, lease_until = NULL, next_attempt_at = NULL
WHERE notice_id = %s
"""
_CONFIRM = """
UPDATE alerts.notices SET attempts = attempts + 1, lease_until = %s, next_attempt_at = %s WHERE notice_id = %s
"""
_AUDIT = "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) VALUES (%s, 'alerts', %s, %s, %s)"
_UNPUBLISHED = """
SELECT n.*, c.unit_id, c.pack_id, c.pack_version FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE NOT n.published AND n.state IN ('accepted', 'dead', 'cancelled') ORDER BY n.notice_id LIMIT %s
"""

Encode = Callable[[dict[str, Any]], tuple[str, bytes]]


class PostgresOutbox:
    """See ports.Outbox. While a notice is leased its `next_attempt_at` is the lease's end: a crash makes it due again.

    `encode` turns a row into (key, event) for the notices topic.
    """

    def __init__(self, pool: Pool, encode: Encode) -> None:
        self._pool = pool
        self._encode = encode

    async def due(
        self, *, fire: bool, now: datetime, limit: int, but_addresses: Sequence[str], but_channels: Sequence[Channel]
    ) -> list[Due]:
        async with transaction_on(self._pool) as connection:
            cursor = await connection.execute(
                _DUE, (fire, now, list(but_addresses), [str(one) for one in but_channels], limit)
            )
            return [Due(NoticeId(row[0]), Channel(row[1]), row[2]) for row in await cursor.fetchall()]

    async def lease(self, notice_ids: Sequence[NoticeId], now: datetime, until: datetime) -> set[NoticeId]:
        async with transaction_on(self._pool) as connection:
            cursor = await connection.execute(_LEASE, {"ids": list(notice_ids), "now": now, "until": until})
            return {NoticeId(row[0]) for row in await cursor.fetchall()}

    async def confirm(
        self, notice_id: NoticeId, lease: datetime, until: datetime, now: datetime
    ) -> Ready | Refused | None:
        async with transaction_on(self._pool) as connection:
            row = await _leased(connection, notice_id, lease)
            if row is None:
                return None
            case = case_of(row)
            purpose = Purpose(row["purpose"])
            consent = may_send(purpose, row["created_at"], case, fire=row["fire"], now=now)
            if consent.stop is None:
                await connection.execute(_CONFIRM, (until, until, notice_id))
                return _ready(row)
            await _put_off(connection, notice_id, consent, now)
            if consent.wait_until is None:
                detail = {"notice": notice_id, "reason": str(consent.stop)}
                await connection.execute(_AUDIT, (now, "notice_cancelled", case.case_id, Jsonb(detail)))
            return Refused(notice_id, consent)

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        state = "pending" if verdict.fate is Fate.RETRY else str(verdict.fate)
        ended = None if verdict.fate is Fate.RETRY else now
        async with transaction_on(self._pool) as connection:
            done = await connection.execute(
                "UPDATE alerts.notices SET state = %s, reason = %s, detail = %s, ended_at = %s, next_attempt_at = %s, "
                "lease_until = NULL WHERE notice_id = %s AND state IN ('pending', 'sending')",
                (
                    state,
                    str(outcome.reason) if outcome.reason else None,
                    outcome.detail[:200],
                    ended,
                    verdict.next_attempt_at,
                    ready.notice_id,
                ),
            )
            if done.rowcount != 1 or ended is None:
                return
            detail = {
                "notice": ready.notice_id,
                "contact": ready.to.contact_id,
                "channel": str(ready.to.channel),
                "attempts": ready.attempts,
                "reason": str(outcome.reason) if outcome.reason else None,
            }
            await connection.execute(_AUDIT, (now, f"notice_{verdict.fate}", ready.case_id, Jsonb(detail)))
            await connection.execute("SELECT pg_notify(%s, 'cases')", (LIVE_CHANNEL,))

    async def unpublished(self, limit: int) -> Sequence[tuple[NoticeId, str, bytes]]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_UNPUBLISHED, (limit,))
            return [(NoticeId(row["notice_id"]), *self._encode(row)) for row in await cursor.fetchall()]

    async def mark_published(self, notice_ids: Sequence[NoticeId]) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(
                "UPDATE alerts.notices SET published = true WHERE notice_id = ANY(%s)", (list(notice_ids),)
            )


async def _leased(connection: Connection, notice_id: NoticeId, lease: datetime) -> dict[str, Any] | None:
    """Return notice and case, the case held against closing until the attempt is counted.

    Whoever closes a case either comes first and is seen here, or comes after and counts this address as told.
    """
    query = (
        f"SELECT n.purpose, n.created_at, n.caused_at, n.fire, n.attempts, n.contact_id, n.body_code, n.channel, "  # noqa: S608
        f"n.address, n.secret_ref, n.lang, n.subject, n.body, n.notice_id, {_CASES} "
        "FROM alerts.cases c JOIN alerts.notices n USING (case_id) "
        "WHERE n.notice_id = %s AND n.state = 'sending' AND n.lease_until = %s FOR NO KEY UPDATE OF n FOR SHARE OF c"
    )
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), (notice_id, lease))
        return await cursor.fetchone()


async def _put_off(connection: Connection, notice_id: NoticeId, consent: Consent, now: datetime) -> None:
    if consent.wait_until is None:
        await connection.execute(_CANCEL, (str(consent.stop), now, notice_id))
        return
    await connection.execute(
        "UPDATE alerts.notices SET state = 'pending', lease_until = NULL, next_attempt_at = %s, reason = %s "
        "WHERE notice_id = %s",
        (consent.wait_until, str(consent.stop), notice_id),
    )


def _ready(row: dict[str, Any]) -> Ready:
    to = Address(
        ContactId(row["contact_id"]),
        BodyCode(row["body_code"]),
        Channel(row["channel"]),
        row["address"],
        row["secret_ref"],
        row["lang"],
    )
    return Ready(
        notice_id=NoticeId(row["notice_id"]),
        case_id=CaseId(row["case_id"]),
        to=to,
        subject=row["subject"],
        body=row["body"],
        fire=row["fire"],
        attempts=row["attempts"] + 1,
        purpose=Purpose(row["purpose"]),
        lang=row["lang"],
        caused_at=row["caused_at"] or row["created_at"],
    )
