"""`python -m tests.bench.scale`: does twice as many units cost at most 2.1 times as much, with 1, 2 and 4 processes?

Cost is processor time of all processes of a service, so other work on the machine counts little and a machine of two
cores can tell what four processes take. Counted from a fifth of the work on: starting and reading the registry is left
out. What N units cost is N times what a signal costs there, for each of them sends as many. The costs that
docs/capacity.md reckons with stand beside what was measured; the exit code is 1 when cost grows faster than allowed.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import psutil
import psycopg

from deploy.capacity import INGEST, RULES, Cost
from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.migrate import migrate
from tests.bench import ingest, rules
from tests.bench.machine import describe, processors

MAX = 2.1
"""Times the cost when units double (architecture.md, section 8)."""
NEAR = 1.5
"""Times what docs/capacity.md says, up or down. That is what a signal costs at full load, in large batches: at a rate
that leaves a process idle most of the time each batch is small, and a signal costs several times as much."""
WARM = 0.2
PROCESSES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Measured:
    service: str
    units: int
    processes: int
    us: float
    """Processor time of all processes for one signal, microseconds."""


def used_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def measure_rules(units: int, signals: int, count: int) -> Measured:
    """Have `count` processes work a log off; it is written once each of them has partitions."""
    lots = list(rules.log(units, signals))
    total = sum(map(len, lots))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-scale-")))
        kafka_port, controller_port, database_port = free_ports(3)
        kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller_port)
        postgres = Postgres(folder / "postgres", port=database_port, survives_power_cut=False)
        for part in (kafka, postgres):
            part.start()
            stack.callback(part.stop)
        servers = rules.Servers(kafka.bootstrap, postgres.dsn("postgres"))
        migrate(servers.dsn)
        asyncio.run(rules.register(servers, units))
        processes = stack.enter_context(_rules(servers, folder, count))
        _await_owners(servers.dsn, count)
        writing = stack.enter_context(ThreadPoolExecutor(1)).submit(asyncio.run, rules.fill(servers, lots))
        _, begun = rules.wait_for(servers.dsn, int(total * WARM), 600)
        before = used_s(processes)
        _, ended = rules.wait_for(servers.dsn, total, 1800)
        spent_s = used_s(processes) - before
        writing.result()
        return Measured("rules", units, count, spent_s / (ended - begun) * 1e6)


def _await_owners(dsn: str, count: int) -> None:
    """Wait until each process has partitions: a log that one has worked off before the others came says nothing."""
    until = time.monotonic() + 120
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < until:
            found = connection.execute("SELECT count(DISTINCT owner) FROM rules.partitions").fetchone()
            if found == (count,):
                return
            time.sleep(0.2)
    raise SystemExit(f"{count} processes of rules did not share the partitions within 120 s")


@contextmanager
def _rules(servers: rules.Servers, folder: Path, count: int) -> Iterator[list[psutil.Process]]:
    started: list[subprocess.Popen[bytes]] = []
    try:
        started += [rules.start_rules(servers, folder, f"bench-{number}") for number in range(count)]
        yield [psutil.Process(one.pid) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


def measure_ingest(units: int, rate: int, seconds: float) -> Iterator[Measured]:
    """Bear `rate` messages a second of so many gateways with each number of processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-scale-")))
        kafka_port, controller_port, mqtt_port = free_ports(3)
        kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller_port)
        mosquitto = Mosquitto(folder / "mosquitto", port=mqtt_port)
        for part in (kafka, mosquitto):
            part.start()
            stack.callback(part.stop)
        asyncio.run(ingest.prepare(kafka.bootstrap, units))
        for count in PROCESSES:
            terms = Namespace(protocol="5", processes=count, seconds=seconds, gateways=units, plain=False)
            with ExitStack() as those:
                running = [
                    those.enter_context(ingest.ingest(kafka.bootstrap, mqtt_port, terms, f"scale-{number}"))
                    for number in range(count)
                ]
                run = ingest.Run([one for one, _ in running], [pid for _, pid in running], {})
                found = run.measure(mqtt_port, terms, rate)
                ingest.drain(run.scrapes, int(str(found["sent"])))
                yield Measured("ingest", units, count, float(str(found["us_per_message"])))


def verdict(found: Sequence[Measured]) -> bool:
    """Print how cost grows with units, by service and number of processes; return whether it stays within `MAX`."""
    fine = True
    small, large = min(one.units for one in found), max(one.units for one in found)
    us = {(one.service, one.units, one.processes): one.us for one in found}
    print(f"\n  {'service':<8} {'processes':>9} {f'{small:,} units':>16} {f'{large:,} units':>16} {'growth':>8}")
    for service in ("ingest", "rules"):
        for count in PROCESSES:
            one, two = us[service, small, count], us[service, large, count]
            growth = large / small * two / one
            fine &= growth <= MAX
            word = "" if growth <= MAX else f"MORE than {MAX} times"
            print(f"  {service:<8} {count:>9} {one:>13.1f} us {two:>13.1f} us {growth:>8.2f}  {word}")
    return fine


def cross_check(found: Sequence[Measured], service: str, cost: Cost) -> None:
    """Say how far what docs/capacity.md reckons with is from what was measured here, with as many processes or more."""
    for one in found:
        if one.service == service and one.processes in PROCESSES[:2]:
            times = one.us / cost.value
            word = (
                "agrees"
                if 1 / NEAR <= times <= NEAR
                else "less"
                if times < 1
                else "MORE: measure it anew, at full load"
            )
            print(
                f"  {service}, {one.units:,} units, {one.processes} processes: {one.us:.1f} us a signal, "
                f"docs/capacity.md says {cost.value:g} ({cost.seen}): {times:.2f} times, {word}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--units", type=int, default=10_000, help="the smaller district; the larger has twice as many")
    parser.add_argument("--rounds", type=int, default=12, help="signals of each unit in the log that rules works off")
    parser.add_argument("--rate", type=int, default=1500, help="messages a second of the smaller district, for ingest")
    parser.add_argument("--seconds", type=float, default=12, help="how long ingest bears it")
    options = parser.parse_args()
    print(describe(), flush=True)
    found: list[Measured] = []
    with processors("  "):
        for times in (1, 2):
            units = times * options.units
            for one in chain(
                measure_ingest(units, times * options.rate, options.seconds),
                (measure_rules(units, options.rounds * units, count) for count in PROCESSES),
            ):
                print(
                    f"  {one.service}, {one.units:,} units, {one.processes} processes: {one.us:.1f} us a signal",
                    flush=True,
                )
                found.append(one)
    fine = verdict(found)
    print()
    cross_check(found, "ingest", INGEST)
    cross_check(found, "rules", RULES)
    print(f"\n  twice the units cost at most {MAX} times as much: {'yes' if fine else 'NO'}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
