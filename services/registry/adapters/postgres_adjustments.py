"""Adjustments and their audit in the tables of migration 0043."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, Role, SignalKind
from services.registry.adapters.statements import SQL
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.audit import AuditEntry, AuditLink, link
from services.runtime.postgres import Connection


class PostgresAdjustments:
    """Inside the register's transaction, which holds the lock and translates the driver's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def count(self, year: int) -> int:
        row = await (await self._connection.execute(SQL["adjustments_count"], (f"A{year}-%",))).fetchone()
        assert row is not None
        return int(row[0])

    async def get(self, adjustment_id: str) -> Adjustment | None:
        row = await (await self._connection.execute(SQL["adjustment"], (adjustment_id,))).fetchone()
        return None if row is None else _adjustment(row)

    async def put(self, adjustment: Adjustment) -> None:
        asked = adjustment.request
        await self._connection.execute(
            SQL["adjustment_put"],
            (
                adjustment.adjustment_id, asked.unit_id, asked.what.value, asked.starts_at, asked.ends_at,
                asked.reason, asked.evidence, asked.counted_as and asked.counted_as.value, asked.system,
                asked.address, asked.trouble and asked.trouble.value, adjustment.requested_by,
                adjustment.requested_at, adjustment.approvals_needed, list(adjustment.approvals),
                adjustment.state.value, adjustment.changed_at, adjustment.note,
            ),
        )  # fmt: skip

    async def listed(self, state: AdjustmentState | None, unit_id: str | None, limit: int) -> Sequence[Adjustment]:
        cursor = await self._connection.execute(
            SQL["adjustments_listed"], {"state": state and state.value, "unit_id": unit_id, "limit": limit}
        )
        return [_adjustment(row) for row in await cursor.fetchall()]

    async def in_force(self, at: datetime) -> Sequence[Adjustment]:
        cursor = await self._connection.execute(SQL["adjustments_in_force"], {"at": at})
        return [_adjustment(row) for row in await cursor.fetchall()]

    async def audited(self) -> Sequence[AuditLink]:
        cursor = await self._connection.execute(SQL["adjustment_audited"])
        return [_link(row) for row in await cursor.fetchall()]

    async def audit(self, what: AuditEntry) -> None:
        row = await (await self._connection.execute(SQL["adjustment_audit_last"])).fetchone()
        made = link(what, None if row is None else _link(row))
        await self._connection.execute(
            SQL["adjustment_audit"],
            (
                made.seq, what.at, what.by.account, what.by.role.value, what.by.via, what.action, what.about,
                json.dumps(dict(what.detail), ensure_ascii=False), made.prev_hash, made.hash,
            ),
        )  # fmt: skip


def _adjustment(row: Sequence[Any]) -> Adjustment:
    (adjustment_id, unit_id, what, starts_at, ends_at, reason, evidence, counted_as, system, address, trouble,
     requested_by, requested_at, needed, approvals, state, changed_at, note) = row  # fmt: skip
    return Adjustment(
        adjustment_id=adjustment_id,
        request=AdjustmentRequest(
            unit_id=unit_id,
            what=AdjustmentKind(what),
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason,
            evidence=evidence,
            counted_as=None if counted_as is None else CountedAs(counted_as),
            system=system,
            address=address,
            trouble=None if trouble is None else SignalKind(trouble),
        ),
        requested_by=requested_by,
        requested_at=requested_at,
        approvals_needed=needed,
        approvals=tuple(approvals),
        state=AdjustmentState(state),
        changed_at=changed_at,
        note=note,
    )


def _link(row: Sequence[Any]) -> AuditLink:
    seq, at, account, role, via, action, adjustment_id, detail, prev_hash, made = row
    what = AuditEntry(at, Person(account, Role(role), via), action, adjustment_id, detail)
    return AuditLink(seq, what, prev_hash, made)
