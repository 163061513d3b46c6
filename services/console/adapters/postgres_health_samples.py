"""Samples for the charts of the health page, a row a minute."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import all_rows
from services.console.adapters.statements import SQL
from services.console.domain.health_charts import Sample
from services.runtime.postgres import Pool


class PostgresHealthSamples:
    """See ports.HealthSamples."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def keep(self, sample: Sample, before: datetime) -> None:
        row = {"minute": sample.minute, "readings": json.dumps(dict(sample.readings))}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["health_sample_keep"].encode(), row)
            await connection.execute(SQL["health_samples_forget"].encode(), {"before": before})

    async def since(self, first: datetime) -> Sequence[Sample]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            return [Sample(*row) for row in await all_rows(connection, SQL["health_samples_since"], first=first)]

    async def refused(self, first: datetime) -> Mapping[datetime, int]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            rows = await all_rows(connection, SQL["health_refused"], first=first)
        return dict(rows)
