"""Fire latency of alerts, from the alarms topic to the webhook's acceptance: idle, and while a storm is taken in.

`python -m tests.bench.alerts [--fires 300] [--rate 10] [--storm 20000]`. Open loop: fires are published at planned
instants whatever happened to those before, and each latency counts from its planned instant.

`--outage 10000` does so for a mass outage instead: so many units of one carrier are lost within 5 s, then a fifth as
many have faults that share nothing, each with fires in the middle; and it counts what was mailed.

What the storm costs is counted in processor time too, of each part, for the clock says little on a machine that others
use. `--profile FILE` runs alerts under cProfile, which makes it slower; `python -m pstats FILE` reads it.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import psutil
import yaml
from hdrh.histogram import HdrHistogram

from deploy.stack.kafka import Kafka
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.kernel.words import FindingKind
from tests.bench.machine import describe
from tests.integration.alerts.scenario import (
    ROOT,
    Hook,
    Scenario,
    contact_record,
    finding,
    fire,
    gateway_record,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
    until,
)

OUTAGE_S = 5.0
ALL_CLAIMED = "SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'"

# counting the cases would take more of the processor than opening them does
TAKEN_IN = "SELECT sum(next_offset) >= %s FROM alerts.partitions WHERE topic = 'firenet.findings.v1'"


class Stopwatch(Hook):
    """Notes when each fire's notice arrived; answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived_at: dict[str, float] = {}

    def arrived(self) -> None:
        one = self.received[-1]
        data = json.loads(one.body)["data"]
        if data["kind"] == "fire":
            self.arrived_at.setdefault(data["unit"]["id"], one.at.timestamp())


def show(name: str, latencies_s: list[float], missing: int) -> None:
    histogram = HdrHistogram(1, 600_000_000, 3)
    for latency in latencies_s:
        histogram.record_value(max(1, round(latency * 1e6)))
    points = ", ".join(f"p{p:g} {histogram.get_value_at_percentile(p) / 1000:.1f} ms" for p in (50, 99, 99.9))
    print(f"{name}: {len(latencies_s)} fires, {points}, max {max(latencies_s) * 1000:.1f} ms, missing {missing}")


async def burn(here: Scenario, hook: Stopwatch, units: list[str], rate: float) -> tuple[list[float], int]:
    """Publish one fire per unit, `rate` a second, and return the latencies of those that arrived."""
    planned: dict[str, float] = {}
    sends = []
    start = time.time() + 0.2
    for number, unit in enumerate(units):
        planned[unit] = start + number / rate
        await asyncio.sleep(max(0.0, planned[unit] - time.time()))
        at = datetime.fromtimestamp(planned[unit], UTC)
        sends.append(asyncio.create_task(here.publish(fire(unit, f"s-{unit}", at=at))))
    await asyncio.gather(*sends)

    async def arrived() -> bool:
        return all(unit in hook.arrived_at for unit in units)

    await until(arrived, "all fires arrived", 60)
    return [hook.arrived_at[unit] - planned[unit] for unit in units if unit in hook.arrived_at], 0


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, 0 when it has ended."""
    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


async def sessions_of(here: Scenario) -> dict[str, float]:
    """Return the processor time of the database's processes by what they are for."""
    found: dict[str, float] = defaultdict(float)
    asked = "SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS name FROM pg_stat_activity"
    for row in await here.rows(asked):
        found[row["name"]] += cpu_s(row["pid"])
    return found


async def spread(here: Scenario, units: list[str], kind: FindingKind, within_s: float) -> None:
    """Publish one finding per unit, evenly over so many seconds."""
    start, parts = time.time(), 50
    for part in range(parts):
        await asyncio.sleep(max(0.0, start + part * within_s / parts - time.time()))
        await here.publish(*[finding(unit, f"d-{unit}", kind=kind) for unit in units[part::parts]])


async def outage(here: Scenario, hook: Stopwatch, units: list[str], kind: FindingKind, rate: float) -> None:
    """Measure the fires in the middle of an outage of `units`, then wait for the mails and count them."""
    before, fires = len(here.mailbox.mails), [f"{kind.value}-{number}" for number in range(50)]
    started = time.time()
    falling = asyncio.create_task(spread(here, units, kind, OUTAGE_S))
    await asyncio.sleep(OUTAGE_S / 5)
    show(f"{len(units)} x {kind} within {OUTAGE_S:g} s", *await burn(here, hook, fires, rate))
    await falling
    await here.until_row("SELECT count(*) = %s FROM alerts.cases WHERE kind = %s", len(units), kind.value, limit_s=300)
    print(f"  all taken in after {time.time() - started:.1f} s")
    settled = """SELECT count(*) = 0 FROM alerts.cases WHERE kind = %s AND step IS NULL AND common_case_id IS NULL"""
    await here.until_row(settled, kind.value, limit_s=300)
    await here.until_row("SELECT count(*) = 0 FROM alerts.notices WHERE state IN ('pending', 'sending')", limit_s=300)
    told = """SELECT count(*) FROM alerts.notices n JOIN alerts.cases c USING (case_id)
              WHERE c.kind = %s AND n.state = 'accepted'"""
    print(
        f"  {await here.one('SELECT count(*) FROM alerts.cases WHERE kind = %s', 'common_cause')} common case(s),"
        f" {await here.one(told, kind.value)} notices of units, {await here.one('SELECT count(*) FROM alerts.digests')}"
        f" digests; {len(here.mailbox.mails) - before} mails in {time.time() - started:.1f} s"
    )


async def mass_outage(here: Scenario, hook: Stopwatch, arguments: argparse.Namespace) -> None:
    lost = [f"L{number:05}" for number in range(arguments.outage)]
    faulty = [f"F{number:05}" for number in range(arguments.outage // 5)]
    grouping = yaml.safe_load((ROOT / "deploy/packs/sample-2026.yaml").read_text(encoding="utf-8"))["grouping"]
    await here.publish(
        pack_record(sample_pack(grouping=grouping)),
        contact_record("c-centre", "centre", email="centre@mail.firenet-demo.cn"),
        contact_record("c-hook", "centre", url=hook.url),
        contact_record("c-street", "T01", email="street@mail.firenet-demo.cn"),
    )
    await here.publish(*[unit_record(unit) for unit in (*lost, *faulty)], *[gateway_record(unit) for unit in lost])
    here.start()
    await here.until_row(
        "SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'", limit_s=120
    )
    await burn(here, hook, ["W0", "W1", "W2"], 10)  # first use of connections and code is not what is measured
    await outage(here, hook, lost, FindingKind.CONNECTION_LOST, arguments.rate)
    await outage(here, hook, faulty, FindingKind.FAULT, arguments.rate)


async def bench(kafka: Kafka, dsn: str, folder: Path, arguments: argparse.Namespace) -> None:
    print(describe())
    storm = [f"U{number:05}" for number in range(arguments.storm)]
    idle = [f"A{number:05}" for number in range(arguments.fires)]
    busy = [f"B{number:05}" for number in range(arguments.fires)]
    async with scenario(kafka.bootstrap, dsn, folder) as here:
        hook = Stopwatch()
        here.hooks.append(hook)
        if arguments.outage:
            await mass_outage(here, hook, arguments)
            return
        await here.publish(pack_record(sample_pack()), contact_record("c-centre", "centre", url=hook.url))
        await here.publish(*[unit_record(unit) for unit in (*storm, *idle, *busy)])
        await here.publish(*[gateway_record(unit) for unit in storm])
        profiled = ("-m", "cProfile", "-o", str(arguments.profile)) if arguments.profile else ()
        process = psutil.Process(here.start(python=(*profiled, "-m", "services.alerts")).pid)
        await here.until_row(ALL_CLAIMED, limit_s=120)
        await burn(here, hook, ["W0", "W1", "W2"], 10)  # first use of connections and code is not what is measured
        show("idle", *await burn(here, hook, idle, arguments.rate))

        records = [finding(unit, f"d-{unit}") for unit in storm]
        parts = {"alerts": process.pid, "Kafka": kafka.pids[0], "this process": psutil.Process().pid}
        before, started = {name: cpu_s(pid) for name, pid in parts.items()}, time.time()
        sessions = await sessions_of(here)
        await here.publish(*records)
        await here.until_row(TAKEN_IN, 100, limit_s=60)
        taking = asyncio.create_task(here.until_row(TAKEN_IN, len(storm), limit_s=600))
        latencies, missing = await burn(here, hook, busy, arguments.rate)
        during = "the whole time" if not taking.done() else "part of the time"
        show(f"storm of {len(storm)} findings taken in {during}", latencies, missing)
        await taking
        took = time.time() - started
        print(f"storm: {len(storm) / took:.0f} findings/s taken in ({took:.1f} s, seen by a poll)")
        spent = {name: cpu_s(pid) - before[name] for name, pid in parts.items()}
        for name, seconds in (await sessions_of(here)).items():
            spent[f"PostgreSQL, {name}"] = seconds - sessions.get(name, 0.0)
        for name, seconds in spent.items():
            print(f"storm: {name} {seconds:.1f} s of processor time, {seconds / len(storm) * 1e6:.0f} us a finding")
        notices = await here.one("SELECT count(*) FROM alerts.notices WHERE NOT fire")
        common = await here.one("SELECT count(*) FROM alerts.cases WHERE kind = 'common_cause'")
        print(f"storm: {common} common case(s), {notices} notices besides fire")
        memory = process.memory_info().rss / 2**20
        cpu = sum(process.cpu_times()[:2])
        print(f"alerts process: {memory:.0f} MiB, {cpu:.1f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fires", type=int, default=300)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--storm", type=int, default=20_000)
    parser.add_argument("--outage", type=int, default=0)
    parser.add_argument("--profile", type=Path, help="file that the profile of alerts is written to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("kafka", "postgres", "world"):
            (folder / part).mkdir()
        port, controller_port, database_port = free_ports(3)
        kafka = Kafka(folder / "kafka", port=port, controller_port=controller_port)
        postgres = Postgres(folder / "postgres", port=database_port, max_connections=100)
        kafka.start()
        try:
            postgres.start()
            try:
                asyncio.run(bench(kafka, postgres.dsn("postgres"), folder / "world", arguments))
            finally:
                postgres.stop()
        finally:
            kafka.stop()


if __name__ == "__main__":
    main()
