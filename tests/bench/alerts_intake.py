"""What alerts costs of a storm without Kafka, and what it holds of the register: statements and processor time.

`python -m tests.bench.alerts_intake [--findings 5000] [--at-once 100]`: findings are taken in, and the steps that fall
due then, against a real PostgreSQL, one transaction after the other. Processor time of this process and of the server's
session is counted, not the clock, so that what else the machine does matters little. `--statements` shows which
statement takes how much of the server's: then each is waited for by itself, without a pipeline. The server's time is
kept in ticks of 10 ms, so it takes some 20 000 findings to tell statements apart.

`--memory 20000`: what the directory of so many units with a gateway and four contacts each takes; `--trace`: counted by
`tracemalloc`, which takes some minutes.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import psycopg
from prometheus_client import CollectorRegistry

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from schemas.topics import FINDINGS
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.kafka_events import event_of_finding
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.adapters.statements import SQL
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import PartitionClaim
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.housekeeping import seal_turn
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.notice_composer import NoticeComposer
from services.kernel.calendar import CHINA
from services.kernel.words import ContactRole, FindingKind, Phase
from services.runtime.kafka import Record
from services.runtime.kafka_loop import ConsumedRecord
from services.runtime.migrate import migrate
from services.runtime.postgres import Pool, open_pool
from tests.bench.machine import describe
from tests.fakes.clock import ManualClock
from tests.integration.alerts.scenario import (
    contact_record,
    finding,
    gateway_record,
    pack_record,
    sample_pack,
    unit_record,
)

NOW = datetime(2026, 3, 4, 8, tzinfo=UTC)
TOWNS = 12
ROLES = (ContactRole.CONTROL_ROOM, ContactRole.MANAGER, ContactRole.MAINTENANCE, ContactRole.OFFICE)


def records_of(unit: str, number: int, contacts: int) -> list[Record]:
    town = f"T{number % TOWNS:02}"
    records = [unit_record(unit, town=town, copies=(town,)), gateway_record(unit, ("cmcc", "unicom")[number % 2])]
    for position, role in enumerate(ROLES[:contacts]):
        name = f"{unit.lower()}-{position}"
        email, phone = f"{name}@mail.firenet-demo.cn", f"1380013{number % 10000:04}"
        records.append(contact_record(name, unit, role, email=email, phone=phone))
    return records


def directory_of(units: Sequence[str], contacts: int, clock: ManualClock) -> RegistryDirectory:
    directory = RegistryDirectory(lambda: clock.now().astimezone(CHINA).date(), lambda: None)

    def put(record: Record) -> None:
        directory.on_record((record.key or b"").decode(), record.value)

    put(pack_record(sample_pack()))
    put(contact_record("c-centre", "centre", email="centre@mail.firenet-demo.cn"))
    for number, unit in enumerate(units):
        for record in records_of(unit, number, contacts):
            put(record)
    return directory


def memory(units: int, contacts: int, *, trace: bool) -> None:
    """Everything is made as it comes, so that nothing of what made it is counted with it."""
    names = [f"U{number:05}" for number in range(units)]
    directory_of(names[:10], contacts, ManualClock(NOW))
    gc.collect()
    process, before = psutil.Process(), psutil.Process().memory_info().rss
    if trace:
        tracemalloc.start()
    directory = directory_of(names, contacts, ManualClock(NOW))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] if trace else process.memory_info().rss - before
    print(
        f"directory of {units} units, {contacts} contacts each: {held / 2**20:.1f} MiB, {held / units:.0f} B a unit"
        f" ({'tracemalloc' if trace else f'resident; the process {process.memory_info().rss / 2**20:.0f} MiB'})"
    )
    assert directory.contacts(names[0])


@asynccontextmanager
async def _no_pipeline(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    yield


class Meter:
    """What a piece of work costs: statements, and processor time of this process and of the pool's one session."""

    def __init__(self, server: psutil.Process, lines: int, *, by_statement: bool) -> None:
        """`lines` of a profile are printed; 0: none is made."""
        self._server = server
        self._lines = lines
        self._by_statement = by_statement
        self._taken: Counter[str] = Counter()
        self._statements = 0
        self._execute = psycopg.AsyncCursor.execute

    @contextmanager
    def counting(self) -> Iterator[None]:
        meter = self
        names = {text: name for name, text in SQL.items()}

        async def execute(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
            meter._statements += 1
            before = meter._server_s() if meter._by_statement else 0.0
            answer = await meter._execute(cursor, query, *args, **more)
            if meter._by_statement:
                meter._taken[names.get(query, str(query)[:40])] += round((meter._server_s() - before) * 1e6)
            return answer

        with ExitStack() as patches:
            patches.enter_context(patch.object(psycopg.AsyncCursor, "execute", execute))
            if self._by_statement:
                patches.enter_context(patch.object(psycopg.AsyncConnection, "pipeline", _no_pipeline))
            yield

    def _server_s(self) -> float:
        return sum(self._server.cpu_times()[:2])

    async def measure(self, name: str, work: Callable[[], Awaitable[int]]) -> None:
        server, statements = self._server_s(), self._statements
        self._taken.clear()
        began, wall = time.process_time(), time.monotonic()
        profile = cProfile.Profile() if self._lines else None
        with profile or nullcontext():
            count = max(1, await work())
        python, sql = time.process_time() - began, self._server_s() - server
        print(
            f"  {name}: {count}, python {python / count * 1e6:.0f} us, PostgreSQL {sql / count * 1e6:.0f} us each;"
            f" {(self._statements - statements) / count:.3f} statements each;"
            f" {count / (time.monotonic() - wall):.0f}/s by the clock",
            flush=True,
        )
        for statement, took in self._taken.most_common(12):
            print(f"    {took / count:7.1f} us  {statement}")
        if profile is not None:
            pstats.Stats(profile).sort_stats("tottime").print_stats(self._lines)


class Storm:
    """An alerts service without Kafka and delivery, driven step by step."""

    def __init__(self, pool: Pool, arguments: argparse.Namespace) -> None:
        self._clock, self._offset, self._at_once = ManualClock(NOW), 0, arguments.at_once
        self._wait_s = arguments.wait
        units = [f"U{number:05}" for number in range(arguments.findings)]
        directory, calendar = directory_of(units, arguments.contacts or 0, self._clock), ChinaCalendar()
        metrics = AlertsMetrics(CollectorRegistry())
        composer = NoticeComposer(
            directory=directory,
            writer=TemplateWriter("https://console.firenet-demo.cn"),
            calendar=calendar,
            metrics=metrics,
            pace=Pace(1, calendar, 1),
        )
        self.store = PostgresCaseStore(pool)
        self._log = PostgresAuditLog(pool)
        common: dict[str, Any] = {
            "store": self.store,
            "directory": directory,
            "composer": composer,
            "metrics": metrics,
            "clock": self._clock,
            "wake": lambda: None,
            "fire_priority": FirePriority(),
        }
        self._intake, self._ladder = CaseIntake(**common), LadderWorker(**common)
        kind = FindingKind.FAULT if arguments.alone else FindingKind.CONNECTION_LOST
        self._made = {
            phase: [finding(unit, f"d-{unit}", phase, kind, at=NOW).value or b"" for unit in units]
            for phase in (Phase.BEGAN, Phase.ENDED)
        }

    async def take(self, claim: PartitionClaim, phase: Phase) -> int:
        raw = self._made[phase]
        for start in range(0, len(raw), self._at_once):
            batch = raw[start : start + self._at_once]
            records = [ConsumedRecord(b"", one, 0, self._offset + n, 0) for n, one in enumerate(batch)]
            events = [event for one in records if (event := event_of_finding(FINDINGS, one)) is not None]
            self._offset += len(batch)
            await self._intake.take(claim, events, self._offset)
        return len(raw)

    async def climb(self) -> int:
        self._clock.forward(self._wait_s)
        total = 0
        while taken := await self._ladder.turn():
            total += taken
        return total

    async def seal(self) -> int:
        total = 0
        while done := await seal_turn(self._log):
            total += done
        return total


async def bench(dsn: str, arguments: argparse.Namespace) -> None:
    await asyncio.to_thread(migrate, dsn)
    async with open_pool(dsn, "bench", 1, 1) as pool:
        async with pool.connection() as connection:
            meter = Meter(
                psutil.Process(connection.info.backend_pid), arguments.profile, by_statement=arguments.statements
            )
        storm = Storm(pool, arguments)
        claim, _ = await storm.store.claim(FINDINGS, 0, "bench")
        with meter.counting():
            await meter.measure("findings that open a case", lambda: storm.take(claim, Phase.BEGAN))
            await meter.measure("the same again, told before", lambda: storm.take(claim, Phase.BEGAN))
            await meter.measure("steps taken", storm.climb)
            await meter.measure("findings that end it", lambda: storm.take(claim, Phase.ENDED))
            await meter.measure("audit entries sealed", storm.seal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=5_000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--contacts", type=int, help="of each unit; 0, and 4 with --memory")
    parser.add_argument("--alone", action="store_true", help="faults, which have no common cause")
    parser.add_argument("--wait", type=float, default=40, help="seconds until the steps")
    parser.add_argument("--profile", type=int, default=0, help="lines of cProfile")
    parser.add_argument("--statements", action="store_true", help="the server's time by statement")
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--trace", action="store_true")
    arguments = parser.parse_args()
    print(describe())
    if arguments.memory:
        memory(arguments.memory, 4 if arguments.contacts is None else arguments.contacts, trace=arguments.trace)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        postgres = Postgres(Path(name) / "postgres", port=free_ports(1)[0])
        (Path(name) / "postgres").mkdir()
        postgres.start()
        stack.callback(postgres.stop)
        asyncio.run(bench(postgres.dsn("postgres"), arguments))


if __name__ == "__main__":
    main()
