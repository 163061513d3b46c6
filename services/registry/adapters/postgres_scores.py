"""Points that people entered, in the table of migration 0079."""

from collections.abc import Sequence

from services.registry.adapters.statements import SQL
from services.registry.domain.manual_scores import ManualScore, NewScore
from services.runtime.postgres import Connection


class PostgresScores:
    """Inside the register's transaction, which holds the lock and translates the driver's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def count(self, year: int) -> int:
        row = await (await self._connection.execute(SQL["scores_count"], (f"S{year}-%",))).fetchone()
        assert row is not None
        return int(row[0])

    async def add(self, score: ManualScore) -> None:
        asked = score.asked
        await self._connection.execute(
            SQL["score_add"],
            (
                score.entry_id, score.district, asked.scheme_id, asked.body_id, asked.criterion_id, asked.month,
                asked.points, score.most, asked.reason, score.account, score.recorded_at,
            ),
        )  # fmt: skip

    async def listed(self, limit: int) -> Sequence[ManualScore]:
        cursor = await self._connection.execute(SQL["scores_listed"], (limit,))
        return [ManualScore(row[0], row[1], NewScore(*row[2:8]), *row[8:]) for row in await cursor.fetchall()]
