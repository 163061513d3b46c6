"""What closing costs: `python -m tests.bench.compliance` (`--units 20000` for the whole district, hours of processor).

A district with a heartbeat a minute from every unit, on a real PostgreSQL: a month is computed from nothing and
published with its days and weeks, then a day comes and is closed. Computing grows with the units, so a part of them
says what 20 000 take; publishing grows with the figures of 51 bodies, and hardly with the units. Processor seconds of
this process, so that other work on the machine counts little; the database is beside it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

import psycopg

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from schemas.topics import SIGNALS
from services.compliance.adapters import kept
from services.kernel.calendar import day_of, micros
from services.runtime.migrate import migrate
from services.runtime.postgres import open_pool
from tests.bench.machine import describe
from tests.contract.compliance.closings import Archived, closing, sent, until_done
from tests.contract.compliance.scenario import DAY, PACK, T0, Scenario

HOUR, MINUTE = 3600, 60
TICKS_S = 1500
MONTH = 22
"""Days from 10 March 2026 to its end: the scenario begins then, and so does the month as far as we have looked."""
WHOLE = 20_000
JUDGED_BY = (
    PACK.replace("blind_after_s: 60", "blind_after_s: 1800")
    + "\nclose_after_s: 7200\n"
    + "publication: {availability: '0.9', cure_limit_s: 3600, transmission_limit_s: 60, findings: [day, month]}\n"
)
FILL = """
INSERT INTO compliance.heartbeats (unit_id, gateway_id, day, received)
SELECT 'U' || n, 'G' || n, %s::integer, %s::bytea FROM generate_series(1, %s::integer) n
"""

FORGET = """
TRUNCATE compliance.units, compliance.unit_days, compliance.figures, compliance.interruptions, compliance.losses,
    compliance.outages, compliance.outbox, compliance.findings, compliance.dirty_days;
UPDATE compliance.log_position SET computed_at = 0, published_at = 0, published_closed = NULL;
"""


def fill(dsn: str, units: int, first: int, days: int) -> None:
    """Store a heartbeat a minute of every unit for so many days, from day `first` of the scenario on."""
    with psycopg.connect(dsn) as connection:
        for day in range(first, first + days):
            at = micros(T0 + timedelta(days=day))
            beats = kept.by_day(range(at + 1_000_000, at + DAY * 1_000_000, MINUTE * 1_000_000))
            connection.execute(FILL.encode(), (day_of(at), beats[day_of(at)], units))


async def spent(what: str, work: Awaitable[bool], units: int | None = None) -> None:
    """Print what a turn cost; with `units`, what it would for the whole district."""
    begun, busy = perf_counter(), process_time()
    assert await work
    wall, cpu = perf_counter() - begun, process_time() - busy
    whole = "" if units is None else f"; {WHOLE:,} units: {cpu * WHOLE / units:.0f} s of processor"
    print(f"  {what:44} {cpu:6.1f} s of processor, {wall:6.1f} s{whole}", flush=True)


async def measure(dsn: str, work: Path, units: int) -> None:
    district = Scenario(work)
    for number in range(1, units + 1):
        more = {"town": f"T{number % 20}", "lead_department": f"D{number % 30}"}
        district.unit(f"U{number}", **more).gateway(f"G{number}", f"U{number}")
    archived = Archived(work / "archive")
    async with open_pool(dsn, "bench", 1, 3) as pool:
        closes = closing(pool, archived.root, step_s=DAY)
        known = MONTH * DAY + 9 * HOUR  # a step ends at 08:00 in Shanghai
        archived.put(sent(district.ticks(0, known, TICKS_S), JUDGED_BY))
        await until_done(closes)
        fill(dsn, units, 0, MONTH + 1)
        with psycopg.connect(dsn) as connection:
            connection.execute(FORGET.encode())
        await spent(f"{MONTH} days computed from nothing", closes.turn(), units)
        await spent("their days, weeks and month published", closes.turn())
        district.log.clear()
        later = sent(district.ticks(known + TICKS_S, known + DAY, TICKS_S), JUDGED_BY)
        archived.put([each for each in later if each.topic == SIGNALS])
        assert await closes.turn(), "the log of a day"
        fill(dsn, units, MONTH + 1, 1)
        await spent("a further day computed", closes.turn(), units)
        await spent("and published", closes.turn())
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT period_to) FROM compliance.figures").fetchone()
        assert row is not None
        assert row[1] > MONTH, "every day is published"
        print(f"  {row[0]:,} figures published")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=200)
    units = parser.parse_args().units
    print(describe())
    print(f"closing, {units} units:")
    with tempfile.TemporaryDirectory() as folder:
        (port,) = free_ports(1)
        server = Postgres(Path(folder) / "postgres", port=port, max_connections=20)
        server.start()
        try:
            dsn = server.dsn("firenet")
            with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
                if admin.execute("SELECT 1 FROM pg_database WHERE datname = 'firenet'").fetchone() is None:
                    admin.execute("CREATE DATABASE firenet")
            migrate(dsn)
            asyncio.run(measure(dsn, Path(folder), units))
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
