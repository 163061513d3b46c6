"""Proposals in the table of migration 0072."""

from collections.abc import Sequence
from typing import Any

from services.kernel.words import AdjustmentState
from services.registry.adapters.statements import SQL
from services.registry.domain.entities import Kind
from services.registry.domain.proposals import Proposal, ProposalRequest
from services.runtime.postgres import Connection


class PostgresProposals:
    """Inside the register's transaction, which holds the lock and translates the driver's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def count(self, year: int) -> int:
        return _number(await (await self._connection.execute(SQL["proposals_count"], (f"R{year}-%",))).fetchone())

    async def waiting(self) -> int:
        return _number(await (await self._connection.execute(SQL["proposals_waiting"])).fetchone())

    async def unpublished(self) -> bool:
        return bool(_number(await (await self._connection.execute(SQL["proposals_unpublished"])).fetchone()))

    async def get(self, proposal_id: str) -> Proposal | None:
        row = await (await self._connection.execute(SQL["proposal"], (proposal_id,))).fetchone()
        return None if row is None else _proposal(row)

    async def put(self, proposal: Proposal) -> None:
        asked = proposal.request
        await self._connection.execute(
            SQL["proposal_put"],
            (
                proposal.proposal_id, asked.kind.value, asked.file_name, asked.content, proposal.sha256,
                asked.valid_from, asked.meant, asked.reason, proposal.rows, list(proposal.entities),
                proposal.requested_by, proposal.requested_at, proposal.known_at, proposal.changes_sha256,
                proposal.approvals_needed, list(proposal.approvals), proposal.state.value, proposal.changed_at,
                proposal.note,
            ),
        )  # fmt: skip


def _number(row: Sequence[Any] | None) -> int:
    assert row is not None
    return int(row[0])


def _proposal(row: Sequence[Any]) -> Proposal:
    (proposal_id, kind, file_name, content, sha256, valid_from, meant, reason, rows, entities, requested_by,
     requested_at, known_at, changes_sha256, needed, approvals, state, changed_at, note) = row  # fmt: skip
    return Proposal(
        proposal_id=proposal_id,
        request=ProposalRequest(Kind(kind), file_name, bytes(content), reason, valid_from, meant),
        sha256=sha256,
        rows=rows,
        entities=tuple(entities),
        requested_by=requested_by,
        requested_at=requested_at,
        known_at=known_at,
        changes_sha256=changes_sha256,
        approvals_needed=needed,
        approvals=tuple(approvals),
        state=AdjustmentState(state),
        changed_at=changed_at,
        note=note,
    )
