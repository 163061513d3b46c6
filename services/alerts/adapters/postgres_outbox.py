"""The outbox in PostgreSQL: due, last question, lease, record."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.alerts.adapters.postgres_cases import LIVE_CHANNEL, transaction_on
from services.alerts.adapters.rows import CASE_COLUMNS, about_of, case_of
from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.consent import may_send
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import ClaimRequest, Ready, Refused, Retell
from services.kernel.words import Channel, Purpose
from services.runtime.postgres import Connection, Pool

_CASES = ", ".join(f"c.{name}" for name in CASE_COLUMNS)
_DUE = """
SELECT notice_id, channel, address FROM alerts.notices
WHERE state IN ('pending', 'sending') AND fire = %s AND next_attempt_at <= %s
  AND address <> ALL(%s) AND channel <> ALL(%s)
ORDER BY next_attempt_at LIMIT %s
"""
_LEASE = """
UPDATE alerts.notices SET state = 'sending', attempts = attempts + 1, lease_until = %(until)s,
       next_attempt_at = %(until)s
WHERE notice_id = ANY(%(ids)s)
"""
_CANCEL = """
UPDATE alerts.notices SET state = 'cancelled', reason = %s, ended_at = %s, lease_until = NULL, next_attempt_at = NULL
WHERE notice_id = %s
"""
_WAIT = """
UPDATE alerts.notices SET state = 'pending', lease_until = NULL, next_attempt_at = %s, reason = %s WHERE notice_id = %s
"""
_RETELL = "UPDATE alerts.notices SET subject = %s, body = %s, template = %s WHERE notice_id = %s"
_NOTICE = """n.purpose, n.created_at, n.caused_at, n.fire, n.attempts, n.contact_id, n.body_code, n.channel,
       n.address, n.secret_ref, n.lang, n.subject, n.body, n.notice_id, n.first, n.about, n.template,
       n.step AS notice_step, n.clause AS notice_clause"""
_CLAIM = f"""
SELECT {_NOTICE}, {_CASES}
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE n.notice_id = ANY(%s) AND n.state IN ('pending', 'sending') AND n.next_attempt_at <= %s
FOR NO KEY UPDATE OF n SKIP LOCKED FOR SHARE OF c SKIP LOCKED
""".encode()  # noqa: S608 - constants only
_RECORD = """
WITH done AS (
    UPDATE alerts.notices SET state = %(state)s, reason = %(reason)s, detail = %(detail)s, ended_at = %(ended)s,
           next_attempt_at = %(next)s, lease_until = NULL
    WHERE notice_id = %(id)s AND state IN ('pending', 'sending') RETURNING case_id
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)
SELECT %(now)s, 'alerts', %(action)s, case_id, %(facts)s FROM done WHERE %(ended)s::timestamptz IS NOT NULL
"""
_AUDIT = "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) VALUES (%s, 'alerts', %s, %s, %s)"
_UNPUBLISHED = """
SELECT n.*, c.subject_kind, c.subject_id, c.pack_id, c.pack_version
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE NOT n.published AND n.state IN ('accepted', 'dead', 'cancelled') ORDER BY n.notice_id LIMIT %s
"""

Encode = Callable[[dict[str, Any]], tuple[str, bytes]]


class PostgresOutbox:
    """See ports.Outbox. While a notice is leased its `next_attempt_at` is the lease's end: a crash makes it due again.

    `encode` turns a row into (key, event) for the notices topic.
    """

    def __init__(self, pool: Pool, encode: Encode, retell: Retell) -> None:
        self._pool = pool
        self._encode = encode
        self._retell = retell

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            cursor = await connection.execute(
                _DUE,
                (
                    request.fire,
                    request.now,
                    list(request.but_addresses),
                    [str(one) for one in request.but_channels],
                    request.limit,
                ),
            )
            due = [Due(NoticeId(row[0]), Channel(row[1]), row[2]) for row in await cursor.fetchall()]
            chosen = request.choose(due) if due else ()
            if not chosen:
                return []
            rows = await _claimed(connection, chosen, request.now)
            answers = [await self._answer(connection, row, request) for row in rows]
            ready = [answer for answer in answers if isinstance(answer, Ready)]
            for channel in {one.to.channel for one in ready}:
                until = request.now + request.leases[channel]
                ids = [one.notice_id for one in ready if one.to.channel is channel]
                await connection.execute(_LEASE, {"ids": ids, "until": until})
            for answer in answers:
                if isinstance(answer, Refused):
                    await _put_off(connection, answer, request.now)
            return answers

    async def _answer(self, connection: Connection, row: dict[str, Any], request: ClaimRequest) -> Ready | Refused:
        case = case_of(row)
        notice = _notice_of(row, case)
        consent = may_send(
            notice.purpose, notice.created_at, case, fire=notice.fire, now=request.now, first=notice.first
        )
        if consent.stop is not None:
            return Refused(notice.notice_id, case.case_id, consent)
        if notice.first and not case.is_open:
            notice = self._retell(notice, case)
            await connection.execute(_RETELL, (notice.subject, notice.body, notice.template, notice.notice_id))
        return Ready.of(notice, case, row["attempts"] + 1)

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        state = "pending" if verdict.fate is DeliveryState.RETRY else str(verdict.fate)
        ended = None if verdict.fate is DeliveryState.RETRY else now
        facts = {
            "notice": ready.notice_id,
            "contact": ready.to.contact_id,
            "channel": str(ready.to.channel),
            "attempts": ready.attempts,
            "reason": str(outcome.reason) if outcome.reason else None,
        }
        if ready.first:
            facts["first"] = True
        values = {
            "state": state,
            "reason": facts["reason"],
            "detail": outcome.detail[:200],
            "ended": ended,
            "next": verdict.next_attempt_at,
            "id": ready.notice_id,
            "now": now,
            "action": f"notice_{verdict.fate}",
            "facts": Jsonb(facts),
        }
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(_RECORD, values)
            if ended is not None:
                await connection.execute("SELECT pg_notify(%s, 'cases')", (LIVE_CHANNEL,))

    async def known(self, notice_ids: Collection[NoticeId]) -> set[NoticeId]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            cursor = await connection.execute(
                "SELECT notice_id FROM alerts.notices WHERE notice_id = ANY(%s)", (list(notice_ids),)
            )
            return {NoticeId(row[0]) for row in await cursor.fetchall()}

    async def unpublished(self, limit: int) -> Sequence[tuple[NoticeId, str, bytes]]:
        async with (
            transaction_on(self._pool, pipelined=True) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(_UNPUBLISHED, (limit,))
            return [(NoticeId(row["notice_id"]), *self._encode(row)) for row in await cursor.fetchall()]

    async def mark_published(self, notice_ids: Sequence[NoticeId]) -> None:
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(
                "UPDATE alerts.notices SET published = true WHERE notice_id = ANY(%s)", (list(notice_ids),)
            )


async def _claimed(connection: Connection, chosen: Sequence[Due], now: datetime) -> list[dict[str, Any]]:
    """Return notices and cases, the cases held against closing until the attempts are counted.

    Whoever closes a case either came first and is seen here, or comes after and counts these addresses as told. Rows
    that somebody else holds just now are left for the next turn.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_CLAIM, ([one.notice_id for one in chosen], now))
        return await cursor.fetchall()


async def _put_off(connection: Connection, refused: Refused, now: datetime) -> None:
    reason, until = str(refused.consent.stop), refused.consent.wait_until
    if until is not None:
        await connection.execute(_WAIT, (until, reason, refused.notice_id))
        return
    await connection.execute(_CANCEL, (reason, now, refused.notice_id))
    detail = {"notice": refused.notice_id, "reason": reason}
    await connection.execute(_AUDIT, (now, "notice_cancelled", refused.case_id, Jsonb(detail)))


def _notice_of(row: dict[str, Any], case: Case) -> Notice:
    to = Address(
        ContactId(row["contact_id"]),
        BodyCode(row["body_code"]),
        Channel(row["channel"]),
        row["address"],
        row["secret_ref"],
        row["lang"],
    )
    return Notice(
        notice_id=NoticeId(row["notice_id"]),
        case_id=case.case_id,
        step=row["notice_step"],
        purpose=Purpose(row["purpose"]),
        to=to,
        template=row["template"],
        subject=row["subject"],
        body=row["body"],
        clause=row["notice_clause"],
        created_at=row["created_at"],
        caused_at=row["caused_at"] or row["created_at"],
        about=about_of(row["about"], case.proof),
        fire=row["fire"],
        first=row["first"],
    )
