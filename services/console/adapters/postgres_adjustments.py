"""`AdjustmentRepository` on the tables of the registry. Reads only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.adjustments import AdjustmentPage, AdjustmentQuery, AdjustmentRow, InForceRow
from services.console.domain.errors import NotFound
from services.console.domain.viewer import Slice
from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs
from services.runtime.postgres import Pool

MAX_IN_FORCE = 1000


class PostgresAdjustments:
    """Every question carries the slice: a department sees the adjustments of its own units."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def page(self, slice_: Slice, query: AdjustmentQuery) -> AdjustmentPage:
        asked = {
            "state": None if query.state is None else query.state.value,
            "unit_id": query.unit_id,
            "offset": query.offset,
            "limit": query.limit,
        }
        ((total, waiting),) = await self._all(SQL["adjustments_counts"], slice_, **asked)
        found = await self._all(SQL["adjustments_page"], slice_, **asked)
        return AdjustmentPage(total, waiting, tuple(_row(row) for row in found))

    async def one(self, slice_: Slice, adjustment_id: str) -> AdjustmentRow:
        found = await self._all(SQL["adjustment_one"], slice_, adjustment_id=adjustment_id)
        if not found:
            raise NotFound
        return _row(found[0])

    async def in_force(self, slice_: Slice, now: datetime) -> Sequence[InForceRow]:
        found = [
            *await self._all(SQL["adjustments_let_off"], slice_, now=now, limit=MAX_IN_FORCE),
            *await self._all(SQL["exempt_by_row"], slice_, now=now, limit=MAX_IN_FORCE),
        ]
        rows = [InForceRow(row[0], row[1], AdjustmentKind(row[2]), *row[3:]) for row in found]
        return sorted(rows, key=lambda row: (row.unit_id, row.since, row.adjustment_id or ""))

    async def _all(self, text: str, slice_: Slice, **parameters: Any) -> list[Row]:
        filled = text.format(slice=SQL["slice_whole"] if slice_.whole else SQL["slice_of_department"])
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(filled.encode(), {"department": slice_.department, **parameters})
            return await cursor.fetchall()


def _row(row: Row) -> AdjustmentRow:
    (adjustment_id, unit_id, unit_name, what, starts_at, ends_at, reason, evidence, counted_as, system, address,
     trouble, requested_by, requested_at, approvals, needed, state, changed_at, note) = row  # fmt: skip
    return AdjustmentRow(
        adjustment_id=adjustment_id,
        unit_id=unit_id,
        unit_name=unit_name,
        what=AdjustmentKind(what),
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        evidence=evidence,
        counted_as=None if counted_as is None else CountedAs(counted_as),
        system=system,
        address=address,
        trouble=trouble,
        requested_by=requested_by,
        requested_at=requested_at,
        approvals=tuple(approvals),
        approvals_needed=needed,
        state=AdjustmentState(state),
        changed_at=changed_at,
        note=note,
    )
