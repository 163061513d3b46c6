"""What of the facts ages, and from when on it is kept."""

from datetime import datetime

from services.kernel.retention import kept_from
from services.rules.adapters.statements import SQL
from services.runtime.postgres import Pool
from services.runtime.retention import Aged

TABLES = (
    Aged("rules.transitions", SQL["transitions_delete"], SQL["transitions_needed"]),
    Aged("rules.component_transitions", SQL["components_delete"], SQL["components_needed"]),
    Aged("rules.signals", SQL["signals_delete"], SQL["signals_needed"]),
    Aged("rules.heartbeats_hourly", SQL["hours_delete"]),
    Aged("rules.rate_samples", SQL["samples_delete"], carry=SQL["samples_carry"]),
)


class Horizon:
    """Says before when facts may go, by how far the log has come and what is closed."""

    def __init__(self, pool: Pool, keep_days: int) -> None:
        self._pool = pool
        self._keep_days = keep_days

    async def __call__(self) -> datetime:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["retention_horizon"].encode())
            row = await cursor.fetchone()
        assert row is not None
        return kept_from(row[0], self._keep_days, row[1])
