"""Points that people entered, in the tables of migrations 0079 and 0106."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.kernel.words import AdjustmentState
from services.registry.adapters.statements import SQL
from services.registry.domain.manual_scores import ManualScore, NewScore, ScoreDecision
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

    async def get(self, entry_id: str) -> ManualScore | None:
        row = await (await self._connection.execute(SQL["score"], (entry_id,))).fetchone()
        return None if row is None else _score(row)

    async def decide(self, score: ManualScore) -> None:
        decision = score.decision
        assert decision is not None, "it was decided"
        values = (score.entry_id, decision.state.value, decision.account, decision.note, decision.decided_at)
        await self._connection.execute(SQL["score_decide"], values)

    async def waiting(self) -> int:
        row = await (await self._connection.execute(SQL["scores_waiting"])).fetchone()
        assert row is not None
        return int(row[0])

    async def last(self) -> datetime | None:
        row = await (await self._connection.execute(SQL["scores_last"])).fetchone()
        return None if row is None else row[0]

    async def listed(self, limit: int) -> Sequence[ManualScore]:
        cursor = await self._connection.execute(SQL["scores_listed"], (limit,))
        return [_score(row) for row in await cursor.fetchall()]


def _score(row: Sequence[Any]) -> ManualScore:
    state, account, note, decided_at = row[11:15]
    decision = None if state is None else ScoreDecision(AdjustmentState(state), account, note, decided_at)
    return ManualScore(row[0], row[1], NewScore(*row[2:8]), row[8], row[9], row[10], decision)
