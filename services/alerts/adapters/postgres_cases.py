"""The case store in PostgreSQL: row locks, one transaction for effects and offset."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from services.alerts.adapters.rows import (
    AUDIT_COLUMNS,
    CASE_COLUMNS,
    NOTICE_COLUMNS,
    STEP_COLUMNS,
    Insert,
    audit_row,
    case_of,
    case_row,
    notice_row,
    taken_row,
    to_json,
    update_cases_sql,
)
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.case.seen import fresh_among, remembered
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict, Fenced, StoreUnavailable
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.noise.common_cause import Candidate
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseBook, CaseTransaction, Changes, PartitionClaim
from services.kernel.words import Channel
from services.runtime.postgres import AWAY, Connection, Pool

LIVE_CHANNEL = "firenet_live"
WORK_CHANNEL = "firenet_alerts"
GROUPING_LOCK = 7_261_003
"""Key of the advisory lock under which one process at a time works on common causes."""

_CASES = ", ".join(f"c.{name}" for name in CASE_COLUMNS)
_INSERT_CASES = Insert("alerts.cases", CASE_COLUMNS).sql
_UPDATE_CASES = update_cases_sql()
_INSERT_STEPS = Insert("alerts.steps", STEP_COLUMNS, ignore_repeats=True).sql
_INSERT_NOTICES = Insert("alerts.notices", NOTICE_COLUMNS, ignore_repeats=True, returning="notice_id").sql
_INSERT_AUDIT = Insert("alerts.audit_pending", AUDIT_COLUMNS).sql

_ADVANCE = "UPDATE alerts.partitions SET next_offset = %s WHERE topic = %s AND partition = %s AND owner_epoch = %s"
_UNSEEN = (
    "INSERT INTO alerts.seen (event_id, seen_at) SELECT id, %s FROM unnest(%s::text[]) AS id "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_BOOK = f"""
SELECT {_CASES} FROM alerts.cases c
WHERE c.case_id = ANY(ARRAY(
    SELECT found.case_id
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (subject_kind, subject_id, kind)
    CROSS JOIN LATERAL (
        SELECT o.case_id FROM alerts.cases o
        WHERE o.subject_kind = wanted.subject_kind AND o.subject_id = wanted.subject_id AND o.kind = wanted.kind
        ORDER BY o.closed_at DESC NULLS FIRST LIMIT 2
    ) found
) || %s::text[])
ORDER BY c.case_id FOR UPDATE
""".encode()  # noqa: S608 - constants only
_TOLD = """
SELECT DISTINCT ON (n.case_id, n.contact_id, n.channel, n.address)
       n.case_id, n.contact_id, n.body_code, n.channel, n.address, n.secret_ref, n.lang
FROM alerts.notices n
WHERE n.case_id = ANY(%s) AND n.purpose = 'notice' AND n.attempts > 0
  AND NOT EXISTS (SELECT FROM alerts.notices a
                  WHERE a.case_id = n.case_id AND a.purpose = 'all_clear' AND a.state <> 'cancelled'
                    AND a.contact_id = n.contact_id AND a.channel = n.channel AND a.created_at > n.created_at)
ORDER BY n.case_id, n.contact_id, n.channel, n.address, n.created_at DESC
"""
_CANCEL = """
WITH gone AS (
    UPDATE alerts.notices SET state = 'cancelled', reason = wanted.reason, ended_at = now(), lease_until = NULL,
           next_attempt_at = NULL
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (case_id, purpose, reason)
    WHERE notices.case_id = wanted.case_id AND notices.purpose = wanted.purpose AND notices.state = 'pending'
      AND NOT notices.first
    RETURNING notices.notice_id, notices.case_id, notices.reason
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)
SELECT now(), 'alerts', 'notice_cancelled', case_id, jsonb_build_object('notice', notice_id, 'reason', reason) FROM gone
"""


def translated(error: Exception) -> Exception:
    """Return the domain's error for a driver's: lost race, or store not there."""
    if isinstance(error, psycopg.errors.UniqueViolation | psycopg.errors.DeadlockDetected):
        return Conflict(type(error).__name__)
    if isinstance(error, AWAY):
        return StoreUnavailable(type(error).__name__)
    return error


@asynccontextmanager
async def transaction_on(pool: Pool, *, pipelined: bool = False) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction; driver errors come out as the domain's.

    `pipelined` sends BEGIN and COMMIT together with their neighbours: on a busy machine each round trip costs a turn of
    the scheduler on both sides. What a statement answered is known only after a fetch or an inner pipeline's end.
    """
    try:
        async with (
            pool.connection() as connection,
            connection.pipeline() if pipelined else nullcontext(),
            connection.transaction(),
        ):
            yield connection
    except (psycopg.Error, PoolTimeout) as error:
        raise translated(error) from error


class PostgresCaseTransaction:
    """See ports.CaseTransaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _rows(self, query: str, parameters: Sequence[object]) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], CaseBook]:
        connection = self._connection
        async with connection.pipeline(), connection.cursor(row_factory=dict_row) as cursor:
            done = await connection.execute(_ADVANCE, (next_offset, claim.topic, claim.partition, claim.epoch))
            if event_ids:
                unseen = await connection.execute(_UNSEEN, (now, sorted(remembered(event_ids))))
                await cursor.execute(_BOOK, _book_parameters(keys, case_ids))
                fresh = fresh_among(event_ids, {row[0] for row in await unseen.fetchall()})
                rows = await cursor.fetchall()
            else:
                fresh, rows = set(), []
        if done.rowcount != 1:
            raise Fenced(f"{claim.topic}[{claim.partition}] has another owner")
        return fresh, _book_of(rows)

    async def book(self, keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]) -> CaseBook:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_BOOK, _book_parameters(keys, case_ids))
            return _book_of(await cursor.fetchall())

    async def due(self, now: datetime, limit: int) -> list[Case]:
        query = (
            f"SELECT {_CASES} FROM alerts.cases c WHERE c.state = 'open' AND c.next_step_at <= %s "  # noqa: S608
            "ORDER BY c.next_step_at LIMIT %s FOR UPDATE SKIP LOCKED"
        )
        return [case_of(row) for row in await self._rows(query, (now, limit))]

    async def case(self, case_id: CaseId) -> Case | None:
        return (await self.book((), {case_id})).by_id.get(case_id)

    async def told(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        found: dict[CaseId, list[Address]] = {}
        for row in await self._rows(_TOLD, (list(case_ids),)):
            address = Address(
                ContactId(row["contact_id"]),
                BodyCode(row["body_code"]),
                Channel(row["channel"]),
                row["address"],
                row["secret_ref"],
                row["lang"],
            )
            found.setdefault(CaseId(row["case_id"]), []).append(address)
        return found

    async def alone_with_common_causes(self) -> bool:
        rows = await self._rows("SELECT pg_try_advisory_xact_lock(%s) AS alone", (GROUPING_LOCK,))
        return bool(rows[0]["alone"])

    async def loose_losses(self, since: datetime, limit: int) -> list[Candidate]:
        rows = await self._rows(
            "SELECT case_id, detected_at, carriers, town, district FROM alerts.cases WHERE state = 'open' "
            "AND kind = 'connection_lost' AND common_case_id IS NULL AND last_sighting_at >= %s "
            "ORDER BY last_sighting_at LIMIT %s",
            (since, limit),
        )
        return [
            Candidate(CaseId(row["case_id"]), row["detected_at"], tuple(row["carriers"]), row["town"], row["district"])
            for row in rows
        ]

    async def open_common_cases(self) -> dict[CaseId, int]:
        rows = await self._rows(
            "SELECT c.case_id, (SELECT count(*) FROM alerts.cases m WHERE m.common_case_id = c.case_id "
            "AND m.state = 'open') AS members FROM alerts.cases c WHERE c.state = 'open' AND c.kind = 'common_cause'",
            (),
        )
        return {CaseId(row["case_id"]): row["members"] for row in rows}

    async def hold_members(self, common: Case, members: Sequence[CaseId]) -> list[CaseId]:
        rows = await self._rows(
            "UPDATE alerts.cases SET common_case_id = %s, held_until = %s, "
            # greatest() passes over NULL: a ladder that has ended must not fall due again
            "next_step_at = CASE WHEN next_step_at IS NOT NULL THEN greatest(next_step_at, %s) END, "
            "revision = revision + 1 "
            "WHERE case_id = ANY(%s) AND state = 'open' AND kind <> 'fire' RETURNING case_id",
            (common.case_id, common.held_until, common.held_until, list(members)),
        )
        held = [CaseId(row["case_id"]) for row in rows]
        await self._connection.execute(
            "UPDATE alerts.notices SET next_attempt_at = %s, reason = %s "
            "WHERE case_id = ANY(%s) AND purpose = 'notice' AND state = 'pending'",
            (common.held_until, str(Reason.HELD), held),
        )
        return held

    async def save(self, changes: Changes) -> set[NoticeId]:
        if changes.empty:
            return set()
        run, new = self._connection.execute, None
        async with self._connection.pipeline():
            if changes.updated:  # first: what is closed here makes room for the next case of its unit and kind
                await run(_UPDATE_CASES, (to_json([case_row(case) for case in changes.updated.values()]),))
            if changes.opened:
                await run(_INSERT_CASES, (to_json([case_row(case) for case in changes.opened.values()]),))
            if changes.steps:
                await run(_INSERT_STEPS, (to_json([taken_row(step) for step in changes.steps]),))
            if changes.notices:
                leased, brought, later = changes.leased, changes.brought, changes.not_before
                rows = [
                    notice_row(one, leased.get(one.notice_id), brought.get(one.notice_id), later)
                    for one in changes.notices
                ]
                new = await run(_INSERT_NOTICES, (to_json(rows),))
            if changes.cancelled:
                await run(_CANCEL, _cancellations(changes))
            if changes.audit:
                await run(_INSERT_AUDIT, (to_json([audit_row(entry) for entry in changes.audit]),))
            if changes.opened or changes.updated or changes.notices:
                await run("SELECT pg_notify(%s, 'cases')", (LIVE_CHANNEL,))
            if changes.leaves_work:
                work = "fire" if any(notice.fire for notice in changes.notices) else "work"
                await run("SELECT pg_notify(%s, %s)", (WORK_CHANNEL, work))
        return {NoticeId(row[0]) for row in await new.fetchall()} if new else set()


def _book_parameters(
    keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]
) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [str(subject.kind) for subject, _ in keys],
        [subject.id for subject, _ in keys],
        [str(kind) for _, kind in keys],
        sorted(case_ids),
    )


def _book_of(rows: Sequence[dict[str, Any]]) -> CaseBook:
    book = CaseBook({}, {}, {})
    for row in rows:
        case = case_of(row)
        book.by_id[case.case_id] = case
        key = (case.subject, case.kind)
        if case.is_open:
            book.open[key] = case
        elif key not in book.last_closed or _later(case, book.last_closed[key]):
            book.last_closed[key] = case
    return book


def _later(one: Case, other: Case) -> bool:
    return one.closed_at is not None and (other.closed_at is None or one.closed_at > other.closed_at)


def _cancellations(changes: Changes) -> tuple[list[str], list[str], list[str]]:
    """A closed or acknowledged case takes back its notices, a reopened one its all-clear."""
    ids = list(changes.cancelled)
    purposes = ["all_clear" if changes.cancelled[one] is Reason.REOPENED else "notice" for one in ids]
    return [str(one) for one in ids], purposes, [str(changes.cancelled[one]) for one in ids]


class PostgresOpenFires:
    """See ports.OpenFires."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def look(self, known: Collection[CaseId], limit: int) -> tuple[set[CaseId], list[Case]]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "SELECT case_id FROM alerts.cases WHERE state = 'open' AND subject_kind = 'unit' AND kind = ANY(%s) "
                "ORDER BY opened_at DESC LIMIT %s",
                ([str(kind) for kind in URGENT], limit),
            )
            open_ids = {CaseId(row["case_id"]) for row in await cursor.fetchall()}
            new = open_ids - set(known)
            if not new:
                return open_ids, []
            await cursor.execute(
                f"SELECT {_CASES} FROM alerts.cases c WHERE case_id = ANY(%s)".encode(),  # noqa: S608 - constants only
                (list(new),),
            )
            return open_ids, [case_of(row) for row in await cursor.fetchall()]


class PostgresCaseStore:
    """See ports.CaseStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[CaseTransaction]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            yield PostgresCaseTransaction(connection)

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        async with transaction_on(self._pool) as connection:
            cursor = await connection.execute(
                "INSERT INTO alerts.partitions (topic, partition, owner, owner_epoch) VALUES (%s, %s, %s, 1) "
                "ON CONFLICT (topic, partition) DO UPDATE SET owner = excluded.owner, "
                "owner_epoch = partitions.owner_epoch + 1 RETURNING owner_epoch, next_offset",
                (topic, partition, owner),
            )
            row = await cursor.fetchone()
        assert row is not None, "an upsert returns its row"
        return PartitionClaim(topic, partition, row[0]), row[1]
