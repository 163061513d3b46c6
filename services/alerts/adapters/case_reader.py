"""A case with its steps and notices, as the API shows it. Addresses and secret references stay inside."""

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.postgres_cases import transaction_on
from services.runtime.postgres import Pool

_NOTICE = (
    "notice_id, step, purpose, body_code, contact_id, channel, lang, template, subject, clause, created_at, fire, "
    "state, attempts, next_attempt_at, ended_at, reason"
)


class CaseReader:
    """Reads only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def case(self, case_id: str, body_code: str | None) -> dict[str, Any] | None:
        """Return the case, None when there is none or when `body_code` may not see it."""
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "SELECT * FROM alerts.cases WHERE case_id = %s "
                "AND (%s::text IS NULL OR lead_department = %s OR %s = ANY(copy_departments))",
                (case_id, body_code, body_code, body_code),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            await cursor.execute("SELECT * FROM alerts.steps WHERE case_id = %s ORDER BY taken_at, step", (case_id,))
            steps = await cursor.fetchall()
            await cursor.execute(
                f"SELECT {_NOTICE} FROM alerts.notices WHERE case_id = %s ORDER BY created_at, notice_id".encode(),  # noqa: S608
                (case_id,),
            )
            notices = await cursor.fetchall()
        row.pop("lease_until", None)
        return {**_plain(row), "steps": [_plain(one) for one in steps], "notices": [_plain(one) for one in notices]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
