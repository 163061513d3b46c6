"""A case with its clocks, receipts, steps and notices, as the API shows it.

Addresses and secret references stay inside.
"""

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.kernel.alarm_state import AlarmFact, alarm_state
from services.kernel.words import PROOFS_BY_STRENGTH, AlarmState
from services.runtime.postgres import Connection, Pool


class CaseReader:
    """Reads only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def case(self, case_id: str, body_code: str | None) -> dict[str, Any] | None:
        """Return the case, None when there is none or when `body_code` may not see it."""
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["visible_case"], {"case_id": case_id, "body_code": body_code})
            row = await cursor.fetchone()
            if row is None:
                return None
            state = await alarm_state_of(connection, case_id)
            await cursor.execute(SQL["clocks_of_case"], (case_id,))
            clocks = await cursor.fetchall()
            await cursor.execute(SQL["receipts_of_case"], (case_id,))
            receipts = await cursor.fetchall()
            await cursor.execute(SQL["steps_of_case"], (case_id,))
            steps = await cursor.fetchall()
            await cursor.execute(SQL["notices_of_case"], (case_id,))
            notices = await cursor.fetchall()
            await cursor.execute(SQL["proofs_of_case"], (case_id, list(PROOFS_BY_STRENGTH)))
            proofs = await cursor.fetchall()
        row.pop("lease_until", None)
        parts = {"clocks": clocks, "receipts": receipts, "steps": steps, "notices": notices, "proofs": proofs}
        return {
            **_plain(row),
            "alarm_state": str(state),
            **{name: [_plain(one) for one in rows] for name, rows in parts.items()},
        }


async def alarm_state_of(connection: Connection, case_id: str) -> AlarmState:
    """Return the state of a case that is there."""
    row = await (await connection.execute(SQL["alarm_facts"], (case_id,))).fetchone()
    assert row is not None, "the case was read in the same transaction"
    return alarm_state(AlarmFact(row[0]))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
