"""The sealed audit chain and the figures of the escalation auditor, in PostgreSQL."""

from collections import Counter
from datetime import datetime
from typing import Any

from services.alerts.adapters.postgres_cases import transaction_on, try_lock
from services.alerts.adapters.statements import SQL
from services.alerts.domain.audit.chain import GENESIS, Link, chain
from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.audit.overview import RETURNED_COUNTED, Overview
from services.alerts.domain.errors import Conflict
from services.alerts.domain.ids import CaseId
from services.kernel.alarm_state import AlarmFact, alarm_state
from services.kernel.words import AlarmState
from services.runtime.postgres import AdvisoryLock, Pool


class PostgresAuditLog:
    """See ports.AuditLog. What waits and what is sealed change in one transaction: nothing is lost or doubled."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def seal(self, limit: int) -> int:
        async with transaction_on(self._pool) as connection:
            if not await try_lock(connection, AdvisoryLock.SEALING):
                return 0
            rows = await (await connection.execute(SQL["pending"], (limit,))).fetchall()
            if not rows:
                return 0
            last = await (await connection.execute(SQL["last_link"])).fetchone()
            seq, last_hash = last if last is not None else (0, GENESIS)
            links = chain([AuditEntry(*row[1:]) for row in rows], seq, last_hash)
            sealed = await connection.execute(
                SQL["seal_pending"],
                {
                    "ids": [row[0] for row in rows],
                    "hashes": [link.hash for link in links],
                    "last_seq": seq,
                    "last_hash": last_hash,
                },
            )
            if sealed.rowcount != len(rows):  # nobody else may take them away: a hash over one that is gone is no chain
                raise Conflict("entries that waited to be sealed are gone")
            return len(rows)

    async def links(self, after_seq: int, limit: int) -> list[Link]:
        async with transaction_on(self._pool) as connection:
            cursor = await connection.execute(SQL["links"], (after_seq, limit))
            return [link_of(row) for row in await cursor.fetchall()]


def link_of(row: tuple[Any, ...]) -> Link:
    entry = AuditEntry(row[1], row[2], row[3], CaseId(row[4]) if row[4] else None, row[5])
    return Link(row[0], entry, *row[6:])


class PostgresAuditor:
    """See ports.Auditor."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def overview(self, now: datetime, overdue_before: datetime) -> Overview:
        async with transaction_on(self._pool) as connection:
            cases = await connection.execute(SQL["open_cases_count"])
            open_cases = {(row[0], row[1]): row[2] for row in await cases.fetchall()}
            notices = await connection.execute(SQL["waiting_notices_count"])
            waiting = {(row[0], row[1]): row[2] for row in await notices.fetchall()}
            found = await (
                await connection.execute(SQL["violations"], {"overdue": overdue_before, "now": now})
            ).fetchone()
            stranded = await (await connection.execute(SQL["stranded"], (overdue_before,))).fetchone()
            states: Counter[AlarmState] = Counter()
            for facts, count in await (
                await connection.execute(SQL["alarm_facts_count"], (RETURNED_COUNTED,))
            ).fetchall():
                states[alarm_state(AlarmFact(facts))] += count
            unsealed = await (await connection.execute(SQL["pending_count"])).fetchone()
        assert found is not None, "an aggregate returns its row"
        assert unsealed is not None, "an aggregate returns its row"
        assert stranded is not None, "an aggregate returns its row"
        return Overview(open_cases, waiting, found[2], found[0], found[1], unsealed[0], found[3], stranded[0], states)

    async def forget_seen(self, before: datetime) -> int:
        async with transaction_on(self._pool) as connection:
            return (await connection.execute(SQL["forget_seen"], (before,))).rowcount

    async def forget_files(self) -> int:
        async with transaction_on(self._pool) as connection:
            return (await connection.execute(SQL["forget_files"])).rowcount
