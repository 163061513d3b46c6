"""Synthetic alarms in memory, under the same contract tests as PostgreSQL."""

from dataclasses import replace
from datetime import datetime

from services.alerts.domain.synthetic import Run, RunOutcome, RunResult, Stage
from services.alerts.ports import NotSent


class MemorySyntheticRuns:
    def __init__(self) -> None:
        self.results: dict[str, RunResult] = {}

    async def begin(self, run: Run) -> bool:
        slots = {one.run.slot for one in self.results.values() if one.run.slot is not None}
        if run.slot in slots or run.run_id in self.results:
            return False
        self.results[run.run_id] = RunResult(run, None)
        return True

    async def passed(self, run_id: str, stage: Stage, at: datetime) -> None:
        if run_id in self.results:
            self.results[run_id].stages.setdefault(stage, at)

    async def open_case(self, run_id: str, at: datetime) -> bool:
        result = self.results.get(run_id)
        if result is None or result.outcome is not None or Stage.CASE in result.stages:
            return False
        result.stages[Stage.CASE] = at
        return True

    async def failed(self, run_id: str, detail: str) -> None:
        if run_id in self.results and not self.results[run_id].detail:
            self.results[run_id] = replace(self.results[run_id], detail=detail[:200])

    async def end(self, now: datetime) -> list[RunResult]:
        ended = []
        for run_id, result in self.results.items():
            if result.outcome is not None or (result.missing and result.run.due_at >= now):
                continue
            outcome = RunOutcome.LOST
            if not result.missing:
                late = max(result.stages.values()) > result.run.due_at
                outcome = RunOutcome.LATE if late else RunOutcome.ARRIVED
            self.results[run_id] = replace(result, outcome=outcome)
            ended.append(self.results[run_id])
        return ended

    async def run(self, run_id: str) -> RunResult | None:
        return self.results.get(run_id)

    async def last(self) -> RunResult | None:
        return self._newest([one for one in self.results.values() if one.outcome is not None])

    async def last_arrived(self) -> RunResult | None:
        return self._newest([one for one in self.results.values() if one.outcome is RunOutcome.ARRIVED])

    @staticmethod
    def _newest(results: list[RunResult]) -> RunResult | None:
        return max(results, key=lambda one: one.run.started_at, default=None)


class FakeSyntheticSender:
    """Remembers the marks; with `refuses` the broker takes none."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.refuses = ""

    async def send(self, run_id: str, mark: str) -> None:
        if self.refuses:
            raise NotSent(self.refuses)
        self.marks.append(mark)
