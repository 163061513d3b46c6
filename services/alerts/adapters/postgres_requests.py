"""Requests for documents in PostgreSQL that are not on their topic yet."""

from collections.abc import Sequence

from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.runtime.postgres import Pool, json_text


class PostgresRequests:
    """See ports.Unpublished."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        """What nobody waits for any more is withdrawn instead: it uses no number."""
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(SQL["withdraw_requests"])
            cursor = await connection.execute(SQL["unpublished_requests"], (limit,))
            return [(row[0], row[1], json_text(row[2]).encode()) for row in await cursor.fetchall()]

    async def mark_published(self, ids: Sequence[str]) -> None:
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(SQL["mark_requests_published"], (list(ids),))
