"""`RegisterRepository` on the tables of the registry. Reads only."""

from collections.abc import Sequence
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.errors import NotFound
from services.console.domain.register import (
    Entity,
    EntityPage,
    EntityQuery,
    EntityRow,
    EntityVersion,
    PackRow,
    ProposalPage,
    ProposalRow,
)
from services.console.domain.viewer import WHOLE, Slice
from services.kernel.words import AdjustmentState, EntityKind, ProposalKind
from services.runtime.postgres import Pool

MAX_VERSIONS = 400
MAX_RELATED = 100
MAX_PACKS = 500


class PostgresRegister:
    """Every question about entities carries the slice: a department sees its own units and what belongs to them."""

    def __init__(self, pool: Pool, deadline_s: float = 10.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def page(self, slice_: Slice, query: EntityQuery) -> EntityPage:
        found = await self._all(
            SQL["register_page"], slice_, kind=query.kind.value, text=query.text, offset=query.offset, limit=query.limit
        )
        rows = tuple(EntityRow(row[0], row[1], row[2], _facts(row[3])) for row in found)
        return EntityPage(found[0][4] if found else 0, rows)

    async def one(self, slice_: Slice, kind: EntityKind, entity_id: str) -> Entity:
        ((seen,),) = await self._all(SQL["register_is_seen"], slice_, kind=kind.value, id=entity_id)
        if not seen:
            raise NotFound
        asked = {"kind": kind.value, "id": entity_id}
        versions = await self._all(SQL["register_versions"], slice_, **asked, limit=MAX_VERSIONS)
        related = await self._all(SQL["register_related"], WHOLE, **asked, limit=MAX_RELATED)
        waiting = await self._all(SQL["register_waiting"], WHOLE, **asked, limit=MAX_RELATED)
        return Entity(
            kind,
            entity_id,
            tuple(EntityVersion(row[0], row[1], _facts(row[2]), row[3], row[4]) for row in versions),
            tuple((EntityKind(row[0]), row[1]) for row in related) if kind is not EntityKind.GATEWAY else (),
            tuple(row[0] for row in waiting),
        )

    async def packs(self) -> Sequence[PackRow]:
        return [PackRow(*row) for row in await self._all(SQL["register_packs"], WHOLE, limit=MAX_PACKS)]

    async def proposals(self, state: AdjustmentState | None, offset: int, limit: int) -> ProposalPage:
        asked = {"state": None if state is None else state.value, "offset": offset, "limit": limit}
        ((total, waiting),) = await self._all(SQL["proposals_counts"], WHOLE, **asked)
        found = await self._all(SQL["proposals_page"], WHOLE, **asked)
        return ProposalPage(total, waiting, tuple(_proposal(row) for row in found))

    async def file_name(self, proposal_id: str) -> str | None:
        found = await self._all(SQL["proposal_file_name"], WHOLE, id=proposal_id)
        return str(found[0][0]) if found else None

    async def _all(self, statement: str, slice_: Slice, **parameters: Any) -> list[Row]:
        filled = statement.format(slice=SQL["slice_whole"] if slice_.whole else SQL["slice_of_department"])
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(filled.encode(), {"department": slice_.department, **parameters})
            return await cursor.fetchall()


def _facts(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a version says, without its place in time, which stands beside it."""
    department = body.get("department")
    facts = department if isinstance(department, dict) else body
    return {name: value for name, value in facts.items() if name not in ("valid_from", "recorded_at")}


def _proposal(row: Row) -> ProposalRow:
    (proposal_id, kind, file_name, reason, rows, entities, entities_total, valid_from, requested_by, requested_at,
     approvals, needed, state, changed_at, note) = row  # fmt: skip
    return ProposalRow(
        proposal_id=proposal_id,
        kind=ProposalKind(kind),
        file_name=file_name,
        reason=reason,
        rows=rows,
        entities=tuple(entities),
        entities_total=entities_total,
        valid_from=valid_from,
        requested_by=requested_by,
        requested_at=requested_at,
        approvals=tuple(approvals),
        approvals_needed=needed,
        state=AdjustmentState(state),
        changed_at=changed_at,
        note=note,
    )
