"""Digests in PostgreSQL: what waits for an address is put together here, and taken by the outbox when it leaves."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.notice_rows import address_of, note_message, notice_of, put_off
from services.alerts.adapters.postgres_cases import LIVE_CHANNEL, transaction_on, try_lock
from services.alerts.adapters.rows import case_of, to_json
from services.alerts.adapters.statements import SQL
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.consent import may_send_notice
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import NoticeId
from services.alerts.domain.noise.digest import (
    Digest,
    DigestItem,
    DigestLetter,
    GroupClocks,
    Grouped,
    GroupState,
    WaitingNotice,
    digest_item,
    letter_of,
)
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import ClaimRequest, GroupTransaction, Ready, Refused
from services.kernel.words import Channel
from services.runtime.postgres import AdvisoryLock, Connection, Pool

WriteDigest = Callable[[DigestLetter, NoticeId], tuple[str, str]]
"""Returns (subject, body) in the language of the address."""


class PostgresGroupTransaction:
    """See ports.GroupTransaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def alone(self) -> bool:
        return await try_lock(self._connection, AdvisoryLock.GROUPS)

    async def waiting(self, now: datetime, limit: int) -> list[WaitingNotice]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["to_group"], (now, limit))
            return [
                WaitingNotice(NoticeId(row["notice_id"]), address_of(row), row["next_attempt_at"], row["district"])
                for row in await cursor.fetchall()
            ]

    async def clocks(self, addresses: Collection[Address]) -> dict[Address, GroupClocks]:
        keys = {_key(to): to for to in addresses}
        cursor = await self._connection.execute(SQL["group_clocks"], tuple(map(list, zip(*keys, strict=True))))
        return {keys[row[0], row[1], row[2]]: GroupClocks(row[3], row[4]) for row in await cursor.fetchall()}

    async def save(
        self, grouped: Mapping[Address, Grouped], waiting: Mapping[Address, Sequence[WaitingNotice]]
    ) -> None:
        run = self._connection.execute
        put_off_until = [
            (one.notice_id, each.until) for to, each in grouped.items() for one in waiting[to] if each.until is not None
        ]
        digests = [digest for each in grouped.values() for digest in each.digests]
        members = [(notice_id, digest.digest_id) for digest in digests for notice_id in digest.members]
        alone = [notice_id for each in grouped.values() for notice_id in each.alone]
        async with self._connection.pipeline():
            await run(SQL["save_group_clocks"], (to_json([_clocks_row(to, one) for to, one in grouped.items()]),))
            if put_off_until:
                await run(SQL["wait_for_group"], tuple(map(list, zip(*put_off_until, strict=True))))
            if alone:
                await run(SQL["leave_alone"], (alone,))
            if digests:
                await run(SQL["insert_digests"], (to_json([_digest_row(one) for one in digests]),))
                await run(SQL["join_digest"], tuple(map(list, zip(*members, strict=True))))


class PostgresGroupStore:
    """See ports.GroupStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[GroupTransaction]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            yield PostgresGroupTransaction(connection)


async def digests_due(connection: Connection, request: ClaimRequest) -> list[Due]:
    """Return the digests that may leave now; none of them is about a fire."""
    channels = [str(one) for one in request.but_channels]
    values = (request.now, list(request.but_addresses), channels, request.limit)
    cursor = await connection.execute(SQL["digests_due"], values)
    return [Due(NoticeId(row[0]), Channel(row[1]), row[2], is_digest=True) for row in await cursor.fetchall()]


async def take_digests(
    connection: Connection, chosen: Sequence[Due], request: ClaimRequest, write: WriteDigest
) -> list[Ready | Refused]:
    """Ask of each member a last time, write the mail of what is left, and count its attempt."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["claim_digests"], ([one.notice_id for one in chosen], request.now))
        digests = {row["digest_id"]: row for row in await cursor.fetchall()}
        if not digests:
            return []
        await cursor.execute(SQL["digest_members"], (list(digests),))
        members: dict[str, list[dict[str, Any]]] = {digest_id: [] for digest_id in digests}
        for row in await cursor.fetchall():
            members[row["digest_id"]].append(row)
    answers: list[Ready | Refused] = []
    for digest_id, digest in digests.items():
        answers += await _take_digest(connection, digest, members[digest_id], request, write)
    return answers


async def _take_digest(
    connection: Connection,
    digest: Mapping[str, Any],
    members: Iterable[dict[str, Any]],
    request: ClaimRequest,
    write: WriteDigest,
) -> list[Ready | Refused]:
    going: list[DigestItem] = []
    refused: list[Ready | Refused] = []
    for row in members:
        case = case_of(row)
        notice = notice_of(row, case)
        consent = may_send_notice(notice, case, request.now)
        if consent.stop is None:
            going.append(digest_item(notice, case))
            continue
        answer = Refused(notice.notice_id, case.case_id, consent)
        refused.append(answer)
        if consent.wait_until is None:
            await put_off(connection, answer, request.now)
        else:
            await _part(connection, [notice.notice_id], GroupState.WAITS, consent.wait_until, consent.stop)
    digest_id, ids = NoticeId(digest["digest_id"]), [item.notice_id for item in going]
    if len(going) < 2 and not digest["attempts"]:
        # what is left is no digest: it goes as it was written, with its document
        await _part(connection, ids, GroupState.ALONE, request.now, None)
        going = []
    if not going:
        await connection.execute(SQL["cancel_digest"], (request.now, digest_id))
        return refused
    letter = letter_of(address_of({**digest, "secret_ref": None}), going, digest["named"])
    subject, body = write(letter, digest_id)
    until = request.now + request.leases[letter.to.channel]
    values = {"until": until, "subject": subject, "body": body, "digest_id": digest_id}
    await connection.execute(SQL["send_digest"], values)
    await connection.execute(SQL["send_members"], (ids,))
    return [Ready.of_digest(digest_id, letter.to, going, subject, body, digest["attempts"] + 1), *refused]


async def _part(
    connection: Connection, ids: Sequence[NoticeId], state: GroupState, at: datetime, reason: Reason | None
) -> None:
    if ids:
        await connection.execute(SQL["part_from_digest"], (str(state), at, reason and str(reason), list(ids)))


async def record_digest(pool: Pool, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
    """Write what became of the attempt, for the digest and all that it told."""
    again = verdict.state is DeliveryState.RETRY
    values = {
        "state": "pending" if again else str(verdict.state),
        "reason": str(outcome.reason) if outcome.reason else None,
        "detail": outcome.detail[:200],
        "ended": None if again else now,
        "next": verdict.next_attempt_at,
        "id": ready.notice_id,
        "members": list(ready.members),
        "now": now,
        "action": f"notice_{verdict.state}",
    }
    async with transaction_on(pool, pipelined=True) as connection:
        await connection.execute(SQL["record_digest"], values)
        await note_message(connection, ready.to, outcome.message_id, ready.notice_id, now)
        if not again:
            await connection.execute(SQL["notify"], (LIVE_CHANNEL, "cases"))


def _key(to: Address) -> tuple[str, str, str]:
    return to.contact_id, str(to.channel), to.address


def _clocks_row(to: Address, grouped: Grouped) -> dict[str, Any]:
    contact_id, channel, address = _key(to)
    clocks = grouped.clocks
    return {
        "contact_id": contact_id,
        "channel": channel,
        "address": address,
        "wait_until": clocks.wait_until,
        "quiet_until": clocks.quiet_until,
    }


def _digest_row(digest: Digest) -> dict[str, Any]:
    to = digest.to
    return {
        "digest_id": digest.digest_id,
        "body_code": to.body_code,
        "contact_id": to.contact_id,
        "channel": str(to.channel),
        "address": to.address,
        "lang": to.lang,
        "named": digest.named,
        "members": len(digest.members),
        "created_at": digest.created_at,
    }
