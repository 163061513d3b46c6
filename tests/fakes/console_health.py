"""Samples of the health page, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.console.domain.errors import DataUnavailable
from services.console.domain.health_charts import Sample


@dataclass
class FakeHealthSamples:
    """Implements ports.HealthSamples. `away`: the database does not answer."""

    kept: dict[datetime, dict[str, float]] = field(default_factory=dict)
    counted: dict[datetime, int] = field(default_factory=dict)
    away: bool = False

    async def keep(self, sample: Sample, before: datetime) -> None:
        self._answer()
        self.kept[sample.minute] = {**sample.readings, **self.kept.get(sample.minute, {})}
        self.kept = {minute: readings for minute, readings in self.kept.items() if minute >= before}

    async def since(self, first: datetime) -> Sequence[Sample]:
        self._answer()
        return [Sample(minute, self.kept[minute]) for minute in sorted(self.kept) if minute >= first]

    async def refused(self, first: datetime) -> Mapping[datetime, int]:
        self._answer()
        return {hour: n for hour, n in self.counted.items() if hour >= first}

    def _answer(self) -> None:
        if self.away:
            raise DataUnavailable("OperationalError")
