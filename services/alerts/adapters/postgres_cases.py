"""The case store in PostgreSQL: row locks, one transaction for effects and offset."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from services.alerts.adapters.kafka_requests import request_rows
from services.alerts.adapters.listing_rows import entry_row, listing_of, listing_row, proposal_row
from services.alerts.adapters.notice_rows import address_of, note_message
from services.alerts.adapters.rows import (
    CLOCKS,
    Ladders,
    attached_row,
    audit_row,
    case_of,
    case_row,
    clock_rows,
    file_row,
    issued_row,
    notice_row,
    opened_rows,
    receipt_rows,
    taken_row,
    to_json,
)
from services.alerts.adapters.statements import SQL
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.case.seen import fresh_among, remembered
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.case.work import Owner, Work
from services.alerts.domain.delivery.documents import AwaitingNotice, Earlier
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict, Fenced, StoreUnavailable
from services.alerts.domain.ids import CaseId, NoticeId, RequestId
from services.alerts.domain.listing.listing import Listing, ListingId
from services.alerts.domain.noise.common_cause import Candidate, Members
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseTransaction, Changes, LockedCases, PartitionClaim
from services.kernel.words import Channel, ClockKind
from services.runtime.partitions import PartitionTable
from services.runtime.postgres import AWAY, AdvisoryLock, Connection, Pool

PARTITIONS = PartitionTable("alerts")
LIVE_CHANNEL = "firenet_live"
WORK_CHANNEL = "firenet_alerts"


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


async def try_lock(connection: Connection, key: AdvisoryLock) -> bool:
    """Return whether this transaction now holds the advisory lock; it does not wait for it."""
    row = await (await connection.execute(SQL["try_lock"], (key,))).fetchone()
    return row is not None and bool(row[0])


class PostgresCaseTransaction:
    """See ports.CaseTransaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _rows(self, statement: str, parameters: Sequence[object] | Mapping[str, object]) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, parameters)
            return await cursor.fetchall()

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], LockedCases]:
        connection = self._connection
        async with connection.pipeline(), connection.cursor(row_factory=dict_row) as cursor:
            done = await PARTITIONS.advance(connection, claim.topic, claim.partition, claim.epoch, next_offset)
            if event_ids:
                unseen = await connection.execute(SQL["unseen"], (now, sorted(remembered(event_ids))))
                await cursor.execute(SQL["book"], _book_parameters(keys, case_ids))
                fresh = fresh_among(event_ids, {row[0] for row in await unseen.fetchall()})
                rows = await cursor.fetchall()
            else:
                fresh, rows = set(), []
        await _read_changed_rows(connection, rows)
        if done.rowcount != 1:
            raise Fenced(f"{claim.topic}[{claim.partition}] has another owner")
        return fresh, _book_of(rows)

    async def book(self, keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]) -> LockedCases:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["book"], _book_parameters(keys, case_ids))
            rows = await cursor.fetchall()
        await _read_changed_rows(self._connection, rows)
        return _book_of(rows)

    async def due(self, now: datetime, limit: int, kind: ClockKind = ClockKind.STEP) -> list[Case]:
        urgent = [str(one) for one in URGENT]
        rows = await self._rows(SQL["urgent_due"], (str(kind), now, urgent, limit))
        if len(rows) < limit:
            rows = [*rows, *await self._rows(SQL["cases_due"], (str(kind), now, urgent, limit - len(rows)))]
        # somebody has just worked on the others: what is due of them then is due at the next turn
        return [case_of(row) for row in rows if row["revision"] == row["seen_revision"]]

    async def calendar_versions(self) -> Sequence[str]:
        return [row["calendar_version"] for row in await self._rows(SQL["calendar_versions"], ())]

    async def counted_by(self, versions: Collection[str], limit: int) -> list[Case]:
        rows = await self._rows(SQL["cases_counted_by"], (list(versions), limit))
        return [case_of(row) for row in rows]

    async def quiet(self, now: datetime, limit: int) -> list[Case]:
        rows = await self._rows(SQL["quiet"], (now, limit))
        return [case_of(row) for row in rows if row["revision"] == row["seen_revision"]]

    async def case(self, case_id: CaseId) -> Case | None:
        return (await self.book((), {case_id})).by_id.get(case_id)

    async def case_at(self, subject: Subject, kind: CaseKind, at: datetime) -> Case | None:
        rows = await self._rows(SQL["case_at"], (str(subject.kind), subject.id, str(kind), at))
        await _read_changed_rows(self._connection, rows)
        return case_of(rows[0]) if rows else None

    async def recipients(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        found: dict[CaseId, list[Address]] = {}
        for row in await self._rows(SQL["recipients"], (list(case_ids),)):
            found.setdefault(CaseId(row["case_id"]), []).append(address_of(row))
        return found

    async def work(self, case_id: CaseId, now: datetime) -> Work:
        (row,) = await self._rows(SQL["work_of_case"], {"case_id": case_id, "now": now})
        owner = None if row["account"] is None else Owner(case_id, row["account"], row["since"], row["until"])
        return Work(owner, row["comments"], row["verifications"], row["shelved_until"])

    async def listing(self, listing_id: ListingId) -> Listing | None:
        rows = await self._rows(SQL["listing"], (listing_id,))
        return listing_of(rows[0]) if rows else None

    async def listings_of(self, case_id: CaseId) -> Sequence[Listing]:
        return [listing_of(row) for row in await self._rows(SQL["listings_of"], (case_id,))]

    async def owned_by(self, account: str, now: datetime) -> list[CaseId]:
        return [CaseId(row["case_id"]) for row in await self._rows(SQL["owned_by"], (account, now))]

    async def awaiting(self, request_ids: Collection[RequestId]) -> list[AwaitingNotice]:
        return [
            AwaitingNotice(
                NoticeId(row["notice_id"]),
                CaseId(row["case_id"]),
                RequestId(row["request_id"]),
                Channel(row["channel"]),
                row["lang"],
                row["body"],
                body_code=row["body_code"],
                is_copy=bool(row["is_copy"]),
            )
            for row in await self._rows(SQL["awaiting"], (list(request_ids),))
        ]

    async def taken(self, case_ids: Collection[CaseId]) -> Mapping[CaseId, Sequence[Earlier]]:
        found: dict[CaseId, list[Earlier]] = {}
        for row in await self._rows(SQL["steps_taken"], (list(case_ids),)) if case_ids else ():
            one = Earlier(row["taken_at"], tuple(row["recipients"]), row["number"] or "")
            found.setdefault(CaseId(row["case_id"]), []).append(one)
        return found

    async def alone_with_common_causes(self) -> bool:
        return await try_lock(self._connection, AdvisoryLock.GROUPING)

    async def loose_losses(self, since: datetime, limit: int) -> list[Candidate]:
        return [
            Candidate(CaseId(row["case_id"]), row["detected_at"], tuple(row["carriers"]), row["town"], row["district"])
            for row in await self._rows(SQL["loose_losses"], (since, limit))
        ]

    async def open_common_cases(self, window: timedelta) -> dict[CaseId, Members]:
        rows = await self._rows(SQL["open_common_cases"], (window,))
        return {CaseId(row["case_id"]): Members(row["out"], row["taken"]) for row in rows}

    async def hold_members(self, common: Case, members: Sequence[CaseId]) -> list[CaseId]:
        until = common.grouping.held_until
        values = {"common_case_id": common.case_id, "until": until, "case_ids": list(members)}
        held = [CaseId(row["case_id"]) for row in await self._rows(SQL["hold_cases"], values)]
        await self._connection.execute(SQL["hold_clocks"], (until, held))
        await self._connection.execute(SQL["hold_notices"], (until, str(Reason.HELD), held))
        return held

    async def release_members(self, common: Case, held_until: datetime) -> list[CaseId]:
        until = common.grouping.held_until
        values = {"common_case_id": common.case_id, "until": until}
        released = [CaseId(row["case_id"]) for row in await self._rows(SQL["release_cases"], values)]
        await self._connection.execute(SQL["release_clocks"], (until, released, held_until))
        await self._connection.execute(SQL["release_notices"], (until, released, held_until))
        return released

    async def save(self, changes: Changes) -> set[NoticeId]:
        if changes.empty:
            return set()
        run, new = self._connection.execute, None
        async with self._connection.pipeline():
            await self._save_cases(changes)
            if changes.steps:
                await run(SQL["insert_steps"], (to_json([taken_row(step) for step in changes.steps]),))
            if changes.notices:
                leased, brought, later = changes.leased, changes.brought, changes.not_before
                rows = [
                    notice_row(one, leased.get(one.notice_id), brought.get(one.notice_id), later)
                    for one in changes.notices
                ]
                new = await run(SQL["insert_notices"], (to_json(rows),))
                await self._note_messages(brought.values())
            await self._save_documents(changes)
            await self._save_work(changes)
            await self._save_listings(changes)
            if changes.cancelled:
                await run(SQL["cancel_notices"], _cancellations(changes))
            if changes.signed:
                await run(SQL["cancel_signed"], (list(changes.signed), list(changes.signed.values())))
            if changes.audit:
                await run(SQL["insert_pending"], (to_json([audit_row(entry) for entry in changes.audit]),))
            if changes.opened or changes.updated or changes.notices or changes.work:
                await run(SQL["notify"], (LIVE_CHANNEL, "cases"))
            if changes.leaves_work:
                work = "fire" if any(notice.fire for notice in changes.notices) else "work"
                await run(SQL["notify"], (WORK_CHANNEL, work))
        return {NoticeId(row[0]) for row in await new.fetchall()} if new else set()

    async def _note_messages(self, brought: Iterable[InterimRow]) -> None:
        for row in brought:
            if row.outcome is not None and row.ended_at is not None:
                to, notice_id = row.notice.to, row.notice.notice_id
                await note_message(self._connection, to, row.outcome.message_id, notice_id, row.ended_at)

    async def _save_work(self, changes: Changes) -> None:
        for statement, rows in (
            (SQL["put_owners"], list(changes.owned.values())),
            (SQL["insert_comments"], changes.comments),
            (SQL["insert_verifications"], changes.verified),
            (SQL["put_shelved"], list(changes.shelved.values())),
        ):
            if rows:
                await self._connection.execute(statement, (to_json([asdict(row) for row in rows]),))
        if changes.released:
            await self._connection.execute(SQL["release"], (list(changes.released),))
        if changes.unshelved:
            await self._connection.execute(SQL["unshelve"], (changes.unshelved,))

    async def _save_listings(self, changes: Changes) -> None:
        run = self._connection.execute
        if changes.proposals:
            rows = to_json([proposal_row(one) for one in changes.proposals])
            await run(SQL["propose_listings"], (rows, rows))
        if changes.listings:
            await run(SQL["put_listings"], (to_json([listing_row(one) for one in changes.listings.values()]),))
        if changes.listing_entries:
            rows = to_json(
                [entry_row(one, changes.listings[one.listing_id].case_id) for one in changes.listing_entries]
            )
            await run(SQL["insert_listing_acts"], (rows,))
        for file in changes.evidence:
            said, upload = changes.listings[file.listing_id], file.upload
            kept = (upload.sha256, upload.name, upload.media_type, upload.size, upload.content, file.source)
            await run(SQL["insert_listing_file"], (file.listing_id, file.number, said.case_id, *kept))

    async def _save_documents(self, changes: Changes) -> None:
        run = self._connection.execute
        if changes.requests:
            await run(SQL["insert_requests"], (to_json(request_rows(changes.requests)),))
        if changes.issued:
            await run(SQL["requests_issued"], (to_json([issued_row(one) for one in changes.issued]),))
            for document in changes.issued:
                for file in document.files:
                    await run(SQL["put_file"], file_row(document, file))
        if changes.attached:
            await run(SQL["attach"], (to_json([attached_row(one) for one in changes.attached]),))

    async def _save_cases(self, changes: Changes) -> None:
        run = self._connection.execute
        ladders = Ladders()
        if changes.updated:  # first: what is closed here makes room for the next case of its unit and kind
            rows = [
                # a common cause that shows itself again has its steps anew; any other case keeps its ladder
                case_row(case, ladders.number(case.ladder) if case.is_common else None)
                for case in changes.updated.values()
            ]
            await run(SQL["update_cases"], {"rows": to_json(rows), "ladders": ladders.json()})
            clocks = to_json(clock_rows(changes.updated.values()))
            ids = list(changes.updated)
            await run(SQL["save_clocks"], {"case_ids": ids, "clocks": clocks, "kinds": sorted(CLOCKS)})
        if changes.opened:
            rows, alike = opened_rows(changes.opened.values(), ladders)
            await run(SQL["insert_cases"], {"rows": to_json(rows), "ladders": ladders.json()})
            if alike:
                await run(SQL["insert_cases_like"], (to_json(alike),))
            if new := clock_rows(changes.opened.values()):
                await run(SQL["insert_clocks"], (to_json(new),))
        if receipts := receipt_rows([*changes.updated.values(), *changes.opened.values()]):
            await run(SQL["insert_receipts"], (to_json(receipts),))


async def _read_changed_rows(connection: Connection, rows: Collection[dict[str, Any]]) -> None:
    """Give the cases that were changed while we waited for their lock the clocks, receipts and ladder of now."""
    changed = {row["case_id"]: row for row in rows if row["revision"] != row["seen_revision"]}
    if not changed:
        return
    for row in changed.values():
        row["clocks"], row["receipts"] = [], []
    for name, statement in (("clocks", SQL["clocks"]), ("receipts", SQL["receipts"]), ("ladder", SQL["ladders"])):
        found = await connection.execute(statement, (list(changed),))
        for case_id, value in await found.fetchall():
            changed[case_id][name] = value


def _book_parameters(
    keys: Collection[tuple[Subject, CaseKind]], case_ids: Collection[CaseId]
) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [str(subject.kind) for subject, _ in keys],
        [subject.id for subject, _ in keys],
        [str(kind) for _, kind in keys],
        sorted(case_ids),
    )


def _book_of(rows: Sequence[dict[str, Any]]) -> LockedCases:
    book = LockedCases({}, {}, {})
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
            await cursor.execute(SQL["open_urgent"], ([str(kind) for kind in URGENT], limit))
            open_ids = {CaseId(row["case_id"]) for row in await cursor.fetchall()}
            new = open_ids - set(known)
            if not new:
                return open_ids, []
            await cursor.execute(SQL["cases"], (list(new),))
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
            epoch, next_offset = await PARTITIONS.claim(connection, topic, partition, owner)
        return PartitionClaim(topic, partition, epoch), next_offset
