"""What alerts costs of a storm without Kafka, and what it holds of the register: statements and processor time.

`python -m tests.bench.alerts_intake [--findings 5000] [--at-once 100]`: findings are taken in, and the steps that fall
due then, against a real PostgreSQL, one transaction after the other. Processor time of this process and of the server's
session is counted, not the clock, so that what else the machine does matters little.

`--memory 20000`: what the directory of so many units with a gateway and four contacts each holds (`tracemalloc`).
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
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
from prometheus_client import CollectorRegistry

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.kafka_events import event_of_finding
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.domain.delivery.documents import DocumentTerms
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.metrics import AlertsMetrics
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.housekeeping import seal_turn
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.notice_composer import NoticeComposer
from services.kernel.calendar import CHINA
from services.kernel.words import ContactRole, Phase
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


def memory(units: int, contacts: int) -> None:
    """Everything is made as it comes, so that nothing of what made it is counted with it."""
    names = [f"U{number:05}" for number in range(units)]
    directory_of(names[:10], contacts, ManualClock(NOW))
    gc.collect()
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    directory = directory_of(names, contacts, ManualClock(NOW))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - began
    tracemalloc.stop()
    print(f"directory of {units} units, {contacts} contacts each: {held / 2**20:.1f} MiB, {held / units:.0f} B a unit")
    assert directory.contacts(names[0])


class Meter:
    """Statements, round trips and processor time of this process and of the one session of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statements = 0

    async def backend(self) -> psutil.Process:
        async with self._pool.connection() as connection:
            return psutil.Process(connection.info.backend_pid)

    def count(self) -> None:
        meter, execute = self, psycopg.AsyncCursor.execute

        async def counted(self: object, *args: object, **more: object) -> object:
            meter.statements += 1
            return await execute(self, *args, **more)  # type: ignore[arg-type] # whatever it was called with

        psycopg.AsyncCursor.execute = counted  # type: ignore[assignment,method-assign] # only here


async def bench(dsn: str, arguments: argparse.Namespace) -> None:
    await asyncio.to_thread(migrate, dsn)
    clock = ManualClock(NOW)
    units = [f"U{number:05}" for number in range(arguments.findings)]
    directory = directory_of(units, 0 if arguments.contacts is None else arguments.contacts, clock)
    metrics = AlertsMetrics(CollectorRegistry())
    calendar = ChinaCalendar()
    composer = NoticeComposer(
        directory=directory,
        writer=TemplateWriter("https://console.firenet-demo.cn"),
        calendar=calendar,
        metrics=metrics,
        pace=Pace(1, calendar, 1),
        documents=DocumentTerms(),
    )
    async with open_pool(dsn, "bench", 1, 1) as pool:
        store, priority = PostgresCaseStore(pool), FirePriority()
        more = {"store": store, "directory": directory, "composer": composer, "metrics": metrics, "clock": clock}
        intake = CaseIntake(**more, wake=lambda: None, fire_priority=priority)  # type: ignore[arg-type] # one set
        ladder = LadderWorker(**more, wake=lambda: None, fire_priority=priority)  # type: ignore[arg-type] # as above
        claim, _ = await store.claim("firenet.findings.v1", 0, "bench")
        meter = Meter(pool)
        meter.count()
        server = await meter.backend()
        offset = 0

        made = {
            phase: [finding(unit, f"d-{unit}", phase, at=clock.now()).value or b"" for unit in units]
            for phase in (Phase.BEGAN, Phase.ENDED)
        }

        async def take(phase: Phase) -> int:
            nonlocal offset
            raw = made[phase]
            for start in range(0, len(raw), arguments.at_once):
                batch = raw[start : start + arguments.at_once]
                records = [ConsumedRecord(b"", one, 0, offset + n, 0) for n, one in enumerate(batch)]
                events = [e for e in (event_of_finding("firenet.findings.v1", one) for one in records) if e]
                offset += len(batch)
                await intake.take(claim, events, offset)
            return len(raw)

        async def climb() -> int:
            clock.forward(arguments.wait)
            total = 0
            while taken := await ladder.turn():
                total += taken
            return total

        async def seal() -> int:
            log, total = PostgresAuditLog(pool), 0
            while done := await seal_turn(log):
                total += done
            return total

        profiles: dict[str, cProfile.Profile] = {}
        for name, work in (
            ("findings that open a case", lambda: take(Phase.BEGAN)),
            ("the same again, told before", lambda: take(Phase.BEGAN)),
            ("steps taken", climb),
            ("findings that end it", lambda: take(Phase.ENDED)),
            ("audit entries sealed", seal),
        ):
            before, statements = sum(server.cpu_times()[:2]), meter.statements
            profile = profiles.setdefault(name, cProfile.Profile())
            began, wall = time.process_time(), time.monotonic()
            if arguments.profile:
                profile.enable()
            count = await work()
            profile.disable()
            spent, sql = time.process_time() - began, sum(server.cpu_times()[:2]) - before
            each = max(count, 1)
            print(
                f"  {name}: {count}, python {spent / each * 1e6:.0f} us, PostgreSQL {sql / each * 1e6:.0f} us each;"
                f" {(meter.statements - statements) / each:.3f} statements each;"
                f" {each / (time.monotonic() - wall):.0f}/s by the clock",
                flush=True,
            )
            if arguments.profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(arguments.profile)
        async with pool.connection() as connection:
            for table in ("cases", "steps", "notices", "audit", "audit_pending"):
                row = await (await connection.execute(f"SELECT count(*) FROM alerts.{table}")).fetchone()  # type: ignore[arg-type] # a fixed list
                print(f"  {table}: {row[0] if row else 0}", end="")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=5_000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--wait", type=float, default=40, help="seconds until the steps")
    parser.add_argument("--profile", type=int, default=0, help="lines of cProfile")
    parser.add_argument("--memory", type=int, default=0)
    arguments = parser.parse_args()
    print(describe())
    if arguments.memory:
        memory(arguments.memory, 4 if arguments.contacts is None else arguments.contacts)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        postgres = Postgres(Path(name) / "postgres", port=free_ports(1)[0])
        (Path(name) / "postgres").mkdir()
        postgres.start()
        stack.callback(postgres.stop)
        asyncio.run(bench(postgres.dsn("postgres"), arguments))


if __name__ == "__main__":
    main()
