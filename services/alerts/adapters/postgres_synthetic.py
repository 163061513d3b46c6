"""Synthetic alarms in PostgreSQL."""

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.alerts.domain.synthetic import Run, RunOutcome, RunResult, Stage, Why
from services.runtime.postgres import Pool


class PostgresSyntheticRuns:
    """See ports.SyntheticRuns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, run: Run) -> bool:
        values = {
            "run_id": run.run_id, "why": run.why, "slot": run.slot, "started_at": run.started_at, "due_at": run.due_at,
        }  # fmt: skip
        async with transaction_on(self._pool) as connection:
            return (await connection.execute(SQL["run_begin"], values)).rowcount == 1

    async def passed(self, run_id: str, stage: Stage, at: datetime) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["run_passed"], {"run_id": run_id, "stage": str(stage), "at": at})

    async def open_case(self, run_id: str, at: datetime) -> bool:
        async with transaction_on(self._pool) as connection:
            return (await connection.execute(SQL["run_case"], (at, run_id))).rowcount == 1

    async def failed(self, run_id: str, detail: str) -> None:
        async with transaction_on(self._pool) as connection:
            await connection.execute(SQL["run_detail"], (detail[:200], run_id))

    async def end(self, now: datetime) -> list[RunResult]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["runs_end"], {"now": now})
            return [_result(row) for row in await cursor.fetchall()]

    async def run(self, run_id: str) -> RunResult | None:
        return await self._one("run", (run_id,))

    async def last(self) -> RunResult | None:
        return await self._one("run_last", ())

    async def last_arrived(self) -> RunResult | None:
        return await self._one("run_last_arrived", ())

    async def _one(self, name: str, values: tuple[object, ...]) -> RunResult | None:
        statement = {"run": SQL["run"], "run_last": SQL["run_last"], "run_last_arrived": SQL["run_last_arrived"]}[name]
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, values)
            row = await cursor.fetchone()
        return None if row is None else _result(row)


def _result(row: dict[str, Any]) -> RunResult:
    run = Run(row["run_id"], Why(row["why"]), row["started_at"], row["due_at"], row["slot"])
    stages = {stage: row[f"{stage}_at"] for stage in Stage if row[f"{stage}_at"] is not None}
    return RunResult(run, None if row["outcome"] is None else RunOutcome(row["outcome"]), stages, row["detail"])
