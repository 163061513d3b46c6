"""What the database holds of one case, in one snapshot."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.postgres_audit import link_of
from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.alerts.domain.audit.bundle import MAX_LINKS, CaseRecord, ChainPart, NoBundle, part_of
from services.alerts.domain.ids import CaseId
from services.runtime.postgres import Connection, Pool


class PostgresEvidence:
    """Reads only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, case_id: CaseId) -> tuple[CaseRecord, ChainPart]:
        """Return the case's rows and its part of the audit chain, as they were at one moment. Raises NoBundle."""
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["evidence_one_moment"])
            found = await _rows(connection, SQL["evidence_case"], case_id)
            if not found:
                raise NoBundle(f"there is no case {case_id}")
            record = CaseRecord(
                case=found[0],
                steps=await _rows(connection, SQL["evidence_steps"], case_id),
                clocks=await _rows(connection, SQL["evidence_clocks"], case_id),
                notices=await _rows(connection, SQL["evidence_notices"], case_id),
                receipts=await _rows(connection, SQL["evidence_receipts"], case_id),
                requests=await _rows(connection, SQL["evidence_requests"], case_id),
                listings=await _rows(connection, SQL["evidence_listings"], case_id),
                listing_acts=await _rows(connection, SQL["evidence_listing_acts"], case_id),
                listing_files=await _rows(connection, SQL["evidence_listing_files"], case_id),
            )
            return record, await _part(connection, case_id)


async def _part(connection: Connection, case_id: CaseId) -> ChainPart:
    pending = await (await connection.execute(SQL["evidence_pending"], (case_id,))).fetchone()
    assert pending is not None, "an aggregate returns its row"
    if pending[0]:
        raise NoBundle(f"{pending[0]} entries of this case are not sealed in the chain yet: try again in a minute")
    bounds = await (await connection.execute(SQL["evidence_bounds"], (case_id,))).fetchone()
    assert bounds is not None, "an aggregate returns its row"
    first, last = bounds
    if first is None:
        return part_of([], case_id)
    if last - first >= MAX_LINKS:
        raise NoBundle(f"between the first and the last entry of this case lie more than {MAX_LINKS} of others")
    cursor = await connection.execute(SQL["links"], (first - 1, last - first + 1))
    return part_of([link_of(row) for row in await cursor.fetchall()], case_id)


async def _rows(connection: Connection, statement: Any, case_id: CaseId) -> Sequence[Mapping[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, (case_id,))
        return await cursor.fetchall()
