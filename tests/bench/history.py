"""How long the page of rates by day waits for a year: `python -m tests.bench.history`.

A district of 20 000 units on twelve partitions: 20 towns and 30 departments in two scopes, every day closed and one in
ten revised, and beside them a year of samples as rules writes them. Each subject is read once with its closed figures,
and once from samples alone, as on the first day after an upgrade.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import psycopg

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.console.adapters.postgres_history import PostgresHistory
from services.console.domain.history import HistoryQuery, Subject
from services.kernel.words import Dimension
from services.runtime.migrate import migrate
from services.runtime.postgres import open_pool
from tests.bench.machine import against

DAYS = 366
LAST = date(2026, 11, 28)
FLOOR_S = 1.0
TURNS = 5
SUBJECTS = (
    Subject(Dimension.DISTRICT, "d"),
    Subject(Dimension.TOWN, "T7"),
    Subject(Dimension.DEPARTMENT, "D7"),
)
END = datetime(2026, 11, 28, 16, tzinfo=UTC)
FILL = """
CREATE TEMPORARY TABLE subjects AS
    SELECT 'district' AS dimension, 'd' AS value, 288 AS a_day
    UNION ALL SELECT 'town', 'T' || n, 12 FROM generate_series(1, 20) n
    UNION ALL SELECT 'department', 'D' || n, 12 FROM generate_series(1, 30) n;
INSERT INTO rules.partitions (partition, watermark, sight, saved_at)
    SELECT n, %(end)s, 'clear', now() FROM generate_series(0, 11) n;
INSERT INTO rules.rate_samples (sampled_at, partition, scope, dimension, value, in_scope, connected, unknown, exempt)
    SELECT %(end)s - n * interval '1 day' + minute * interval '1 day' / a_day, p, scope, dimension, value, 1666,
           1600 + minute %% 60, minute %% 3, 5
    FROM subjects, generate_series(1, %(days)s) n, generate_series(0, 11) p, unnest(ARRAY['S1', 'S2']) scope,
         LATERAL generate_series(1, a_day) minute;
INSERT INTO compliance.figures
    SELECT 'time_weighted_networking_rate', scope, dimension, value, 'day', %(end)s - n * interval '1 day',
           %(end)s - (n - 1) * interval '1 day', revision, now(), now(), 1700000000000000, 1728000000000000,
           9000000000000, 0, '98.3', '98.3', '98.9', 'non_compliant', 'high_below_target', 'p', 1, '{}',
           '{"target": {"value": "1"}}'
    FROM subjects, generate_series(1, %(days)s) n, unnest(ARRAY['S1', 'S2']) scope,
         LATERAL generate_series(1, CASE WHEN n %% 10 = 0 THEN 2 ELSE 1 END) revision;
"""


async def measure(dsn: str) -> dict[str, float]:
    """Return the slowest of a few reads of each subject, seconds."""
    slowest: dict[str, float] = {}
    async with open_pool(dsn, "bench", max_size=1) as pool:
        histories = PostgresHistory(pool, deadline_s=60)
        for subject in SUBJECTS:
            query = HistoryQuery(subject, "S1", LAST - timedelta(days=DAYS - 1), LAST)
            spent = []
            for _ in range(TURNS):
                begun = time.perf_counter()
                found = await histories.history(query)
                spent.append(time.perf_counter() - begun)
                assert sum(day.ratio is not None for day in found.days) == DAYS
            print(
                f"  {subject.dimension:10} median {median(spent) * 1000:6.0f} ms, slowest {max(spent) * 1000:6.0f} ms"
            )
            slowest[subject.dimension.value] = max(spent)
    return slowest


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        (port,) = free_ports(1)
        server = Postgres(Path(folder), port=port, max_connections=20)
        server.start()
        try:
            dsn = server.dsn("firenet")
            with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
                if admin.execute("SELECT 1 FROM pg_database WHERE datname = 'firenet'").fetchone() is None:
                    admin.execute("CREATE DATABASE firenet")
            migrate(dsn)
            with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
                connection.execute(FILL.encode(), {"end": END, "days": DAYS})
                connection.execute("VACUUM ANALYZE rules.rate_samples, compliance.figures")
                rows = connection.execute(
                    "SELECT (SELECT count(*) FROM rules.rate_samples), (SELECT count(*) FROM compliance.figures)"
                ).fetchone()
                assert rows is not None
                print(f"history of a year: {rows[0]:,} samples, {rows[1]:,} published figures")
                print(" closed days:")
                closed = asyncio.run(measure(dsn))
                connection.execute("TRUNCATE compliance.figures")
                print(" from samples alone:")
                sampled = asyncio.run(measure(dsn))
        finally:
            server.stop()
    worst = max(*closed.values(), *sampled.values())
    print(f"the slowest of all: {worst:.2f} s {against(worst, FLOOR_S, 's')}")
    return 0 if worst <= FLOOR_S else 1


if __name__ == "__main__":
    sys.exit(main())
