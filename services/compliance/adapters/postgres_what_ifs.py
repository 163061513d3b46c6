"""`WhatIfStore` in PostgreSQL: questions in the table of console, answers in our own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from services.compliance.adapters.postgres_facts import translated
from services.compliance.adapters.statements import SQL
from services.compliance.domain.what_if import KEPT, LEASE, TAKEN_WITHIN, Unanswered
from services.compliance.ports import TakenWhatIf, WhatIf
from services.kernel.words import Period
from services.runtime.postgres import Pool


class PostgresWhatIfs:
    """Every call is one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, now: datetime) -> TakenWhatIf | None:
        asked = {"now": now, "lease": now + LEASE, "since": now - TAKEN_WITHIN}
        for statement in (SQL["what_if_take_again"], SQL["what_if_take_new"]):
            row, _ = await self._do(statement, asked)
            if row is not None:
                return TakenWhatIf(*row)
        return None

    async def question(self, taken: TakenWhatIf) -> WhatIf | None:
        row, _ = await self._do(SQL["what_if_question"], {"what_if_id": taken.what_if_id})
        return None if row is None else WhatIf(Period(row[0]), row[1], row[2])

    async def keep(self, taken: TakenWhatIf, now: datetime) -> bool:
        _, changed = await self._do(SQL["what_if_keep"], _of(taken) | {"lease": now + LEASE})
        return changed == 1

    async def answered(self, taken: TakenWhatIf, answer: Mapping[str, object], now: datetime) -> None:
        said = {"state": "done", "reason": "", "result": Jsonb(dict(answer)), "now": now}
        await self._do(SQL["what_if_end"], _of(taken) | said)

    async def failed(self, taken: TakenWhatIf, why: Unanswered, now: datetime) -> None:
        said = {"state": "failed", "reason": why.value, "result": None, "now": now}
        await self._do(SQL["what_if_end"], _of(taken) | said)

    async def forget(self, now: datetime) -> int:
        _, changed = await self._do(SQL["what_ifs_forget"], {"before": now - KEPT})
        return changed

    async def _do(self, statement: str, values: Mapping[str, Any]) -> tuple[tuple[Any, ...] | None, int]:
        """Return the first row, and how many there were or were changed."""
        with translated():
            async with self._pool.connection() as connection:
                done = await connection.execute(statement.encode(), values)
                return await done.fetchone() if done.description else None, done.rowcount


def _of(taken: TakenWhatIf) -> dict[str, Any]:
    return {"what_if_id": taken.what_if_id, "attempt": taken.attempt}
