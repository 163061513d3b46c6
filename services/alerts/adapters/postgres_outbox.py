"""The outbox in PostgreSQL: due, last question, lease, record."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.alerts.adapters.notice_rows import note_message, notice_of, put_off
from services.alerts.adapters.postgres_cases import LIVE_CHANNEL, transaction_on
from services.alerts.adapters.postgres_groups import WriteDigest, digests_due, record_digest, take_digests
from services.alerts.adapters.rows import case_of
from services.alerts.adapters.statements import SQL
from services.alerts.domain.audit.entry import text_hash
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.budgets import DAY, LOOK_AGAIN, Spent
from services.alerts.domain.delivery.consent import SendDecision, may_send_notice
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.documents import File, files_for
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import NoticeId
from services.alerts.ports import ClaimRequest, Ready, Refused, Retell
from services.kernel.words import Channel, FileKind
from services.runtime.postgres import AdvisoryLock, Connection, Pool

Encode = Callable[[dict[str, Any]], tuple[str, bytes]]


class PostgresOutbox:
    """See ports.Outbox. While a notice is leased its `next_attempt_at` is the lease's end: a crash makes it due again.

    `encode` turns a row into (key, event) for the notices topic.
    """

    def __init__(self, pool: Pool, encode: Encode, retell: Retell, write_digest: WriteDigest) -> None:
        self._pool = pool
        self._encode = encode
        self._retell = retell
        self._write_digest = write_digest

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            cursor = await connection.execute(
                SQL["notices_due"],
                (
                    request.fire,
                    request.now,
                    list(request.but_addresses),
                    [str(one) for one in request.but_channels],
                    [str(one) for one in request.but_retries],
                    request.limit,
                ),
            )
            rows = await cursor.fetchall()
            due = [Due(NoticeId(row[0]), Channel(row[1]), row[2], is_retry=row[3]) for row in rows]
            if not request.fire:
                due += await digests_due(connection, request)
            chosen = request.choose(due) if due else ()
            if not chosen:
                return []
            digests = [one for one in chosen if one.is_digest]
            told = await take_digests(connection, digests, request, self._write_digest) if digests else []
            claimed = await _claimed(connection, [one for one in chosen if not one.is_digest], request.now)
            answers = [await self._answer(connection, row, request) for row in claimed]
            answers = await _within_quotas(connection, answers, request)
            ready = [answer for answer in answers if isinstance(answer, Ready)]
            for channel in {one.to.channel for one in ready}:
                until = request.now + request.leases[channel]
                ids = [one.notice_id for one in ready if one.to.channel is channel]
                await connection.execute(SQL["lease"], {"ids": ids, "until": until})
            for answer in answers:
                if isinstance(answer, Refused):
                    await put_off(connection, answer, request.now)
            return [*told, *await _with_files(connection, answers)]

    async def _answer(self, connection: Connection, row: dict[str, Any], request: ClaimRequest) -> Ready | Refused:
        case = case_of(row)
        notice = notice_of(row, case)
        consent = may_send_notice(notice, case, request.now)
        if consent.stop is not None:
            return Refused(notice.notice_id, case.case_id, consent)
        if notice.first and not case.is_open:
            notice = self._retell(notice, case)
            await connection.execute(SQL["retell"], (notice.subject, notice.body, notice.template, notice.notice_id))
        return replace(Ready.of(notice, case, row["attempts"] + 1), repeated=row["repeated"])

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        if ready.members:
            await record_digest(self._pool, ready, outcome, verdict, now)
            return
        state = "pending" if verdict.state is DeliveryState.RETRY else str(verdict.state)
        ended = None if verdict.state is DeliveryState.RETRY else now
        facts = {
            "notice": ready.notice_id,
            "contact": ready.to.contact_id,
            "channel": str(ready.to.channel),
            "attempts": ready.attempts,
            "reason": str(outcome.reason) if outcome.reason else None,
            "text_sha256": text_hash(ready.subject, ready.body),
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
            "action": f"notice_{verdict.state}",
            "facts": Jsonb(facts),
        }
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(SQL["record"], values)
            await note_message(connection, ready.to, outcome.message_id, ready.notice_id, now)
            if ended is not None:
                await connection.execute(SQL["notify"], (LIVE_CHANNEL, "cases"))

    async def known(self, notice_ids: Collection[NoticeId]) -> set[NoticeId]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            cursor = await connection.execute(SQL["known_notices"], (list(notice_ids),))
            return {NoticeId(row[0]) for row in await cursor.fetchall()}

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        async with (
            transaction_on(self._pool, pipelined=True) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(SQL["unpublished"], (limit,))
            return [(row["notice_id"], *self._encode(row)) for row in await cursor.fetchall()]

    async def mark_published(self, ids: Sequence[str]) -> None:
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(SQL["mark_published"], (list(ids),))


async def _claimed(connection: Connection, chosen: Sequence[Due], now: datetime) -> list[dict[str, Any]]:
    """Return notices and cases, the cases held against closing until the attempts are counted.

    Whoever closes a case either came first and is seen here, or comes after and counts these addresses as told.
    """
    if not chosen:
        return []
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["claim_notices"], ([one.notice_id for one in chosen], now))
        return await cursor.fetchall()


async def _within_quotas(
    connection: Connection, answers: list[Ready | Refused], request: ClaimRequest
) -> list[Ready | Refused]:
    """Count what leaves by a channel with a quota, one process after the other; what is beyond it waits."""
    if not any(isinstance(one, Ready) and one.to.channel in request.quotas for one in answers):
        return answers
    await connection.execute(SQL["quota_alone"], (AdvisoryLock.QUOTA,))
    await connection.execute(SQL["quota_forget"], (request.now - DAY,))
    rows = await (await connection.execute(SQL["quota_spent"], (list(request.quotas),))).fetchall()
    spent = Spent(Counter({(Channel(row[0]), row[1]): row[2] for row in rows}))
    within: list[Ready | Refused] = []
    for one in answers:
        quota = request.quotas.get(one.to.channel) if isinstance(one, Ready) else None
        if isinstance(one, Refused) or quota is None:
            within.append(one)
        elif spent.spend(one.to.channel, one.to.address, quota):
            await connection.execute(SQL["spend_quota"], (str(one.to.channel), one.to.address, request.now))
            within.append(one)
        else:
            within.append(Refused(one.notice_id, one.case_id, SendDecision(Reason.QUOTA, request.now + LOOK_AGAIN)))
    return within


async def _with_files(connection: Connection, answers: list[Ready | Refused]) -> list[Ready | Refused]:
    """Give mails the files of their documents; where no mail brings one nothing is asked."""
    ready = [one for one in answers if isinstance(one, Ready)]
    wanted = {one.notice_id: request_id for one in ready if (request_id := _document_in(one))}
    if not wanted:
        return answers
    files: dict[str, list[File]] = {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["files_of"], (list(wanted.values()),))
        for row in await cursor.fetchall():
            file = File(row["language"], FileKind(row["kind"]), row["content"])
            files.setdefault(row["request_id"], []).append(file)
    return [
        replace(one, files=files_for(files.get(wanted[one.notice_id], ()), one.lang))
        if isinstance(one, Ready) and one.notice_id in wanted
        else one
        for one in answers
    ]


def _document_in(ready: Ready) -> str | None:
    """Return by which request the document in a mail was asked for; a draft has no number, but a page."""
    if ready.to.channel is not Channel.EMAIL or ready.notice is None or not ready.notice.html:
        return None
    return ready.notice.request_id
