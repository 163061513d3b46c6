"""`python -m tests.bench.rules`: how fast rules is, alone and with Kafka in and PostgreSQL out, and how exact.

Prints the environment and each figure beside its floor and goal (architecture.md, section 8). One process each, all
servers on the same machine. Rates are what was done, not what was offered. The figures of the engine alone are per
second of this process's CPU time, so that other work on the machine does not count; those with servers are wall time,
with the load average beside them.
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg

from deploy.stack.kafka import Kafka
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from schemas.topics import REGISTRY, SIGNALS, all_topics
from services.rules.adapters.decode import SignalDecoder
from services.rules.adapters.pg_store import pack, unpack
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.domain.engine import Engine
from services.rules.domain.facts import GatewayVersion, UnitVersion
from services.rules.domain.inputs import Heartbeat, Tick
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND, day_start, micros
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics, partition_of
from services.runtime.migrate import migrate
from tests.bench.machine import describe
from tests.integration.rules.harness import pack_record, registry_event, registry_records, tick
from tests.unit.rules.scenario import LISTED, OFFLINE_AFTER, PACK, PLAIN, T0

CHECKPOINT_EVERY = 10_000
"""Heartbeats: at most so many lie between two checkpoints, a tenth of a second while transitions wait."""
START = datetime(2026, 3, 2, 2, tzinfo=UTC)


def show(what: str, value: str, bar: str = "") -> None:
    print(f"  {what:<58} {value:>16}   {bar}", flush=True)


def calibrate() -> None:
    """A turn of an empty loop takes 15 to 20 ns on a quiet machine of this class: the rest is what others take."""
    began = time.process_time()
    for _ in range(2_000_000):
        pass
    show("a turn of an empty loop", f"{(time.process_time() - began) / 2_000_000 * 1e9:.0f} ns")


def registry(units: int) -> tuple[dict[str, tuple[UnitVersion, ...]], dict[str, tuple[GatewayVersion, ...]]]:
    recorded = day_start(LISTED)
    return (
        {f"U{n:06}": (PLAIN,) for n in range(units)},
        {f"G-U{n:06}": (GatewayVersion(LISTED, recorded, f"U{n:06}", "c"),) for n in range(units)},
    )


def engine_of(units: int) -> Engine:
    engine = Engine()
    unit_rows, gateway_rows = registry(units)
    engine.registry(unit_rows, gateway_rows, {"sample-2026": (PACK,)})
    engine.take_effects()
    gc.collect()
    gc.freeze()  # as the service does after a load
    return engine


def beats(units: int, count: int) -> Iterator[Heartbeat]:
    """Every unit once a minute of log time."""
    for number in range(count):
        unit = f"U{number % units:06}"
        at = T0 + number * 60 * SECOND // units
        yield Heartbeat(unit, f"G-{unit}", f"{number:032x}", at, number)


def raw_beat(unit: str, number: int, at: datetime) -> bytes:
    """Return a heartbeat as ingest writes it."""
    when = at.isoformat().replace("+00:00", "Z")
    return (
        f'{{"specversion":"1.0","id":"{number:032x}","source":"/gateways/G-{unit}","subject":"{unit}","time":"{when}",'
        f'"datacontenttype":"application/json","data":{{"gateway_id":"G-{unit}","unit_id":"{unit}","kind":"heartbeat",'
        f'"carrier":"mqtt_json","lane":"up","instance":"ingest-1","seq":{number},"occurred_at":"{when}","flags":[]}},'
        f'"type":"cn.firenet.signal.v1"}}'
    ).encode()


def bench_engine(units: int, count: int) -> Engine:
    engine = engine_of(units)
    engine.apply(Tick("ingest-1", 1, 1, False, T0, T0, 0))
    ready = list(beats(units, count))
    took, number, done = 0.0, 1, 0
    for position in range(0, count, 2000):
        began = time.process_time()
        for beat in ready[position : position + 2000]:
            engine.heartbeat(beat)
        number += 1
        at = ready[min(position + 1999, count - 1)].received_at
        engine.apply(Tick("ingest-1", 1, number, False, at, at, 0))
        took, done = took + time.process_time() - began, done + 2000
        if position + 2000 == units:
            show(f"engine alone, {units} units come online", f"{done / took:,.0f}/s")
            took, done = 0.0, 0
            gc.collect()
            gc.freeze()
    show(f"engine alone, heartbeats, {units} units", f"{done / took:,.0f}/s", "floor 50,000  goal 150,000")
    return engine


def bench_decode(units: int, count: int) -> None:
    engine, decoder = engine_of(units), SignalDecoder()
    step = timedelta(seconds=60) / units
    ready = [raw_beat(f"U{n % units:06}", n, START + n * step) for n in range(count)]
    for name, decode in (("short way", decoder.decode), ("wire model", decoder.any_record)):
        began = time.process_time()
        for offset, raw in enumerate(ready[: count if name == "short way" else count // 5]):
            decode(raw, offset)
        done = count if name == "short way" else count // 5
        show(f"decoding a heartbeat, {name}", f"{(time.process_time() - began) / done * 1e6:.2f} us")
    began = time.process_time()
    for offset, raw in enumerate(ready):
        engine.apply(decoder.decode(raw, offset))
    show(
        "decoding and engine, one core", f"{count / (time.process_time() - began):,.0f}/s", "floor 50,000  goal 150,000"
    )


def bench_deadlines(units: int, lost: int) -> None:
    """`lost` of `units` fall silent together: how long after the tick that passes their deadline is it declared?"""
    engine = engine_of(units)
    number = 0

    def tick_at(at: int) -> float:
        nonlocal number
        number += 1
        began = time.process_time()
        gc.disable()  # as the worker does around records
        engine.apply(Tick("ingest-1", 1, number, False, at, at, number))
        took = time.process_time() - began
        gc.enable()
        return took

    tick_at(T0)
    for n in range(units):
        engine.heartbeat(Heartbeat(f"U{n:06}", f"G-U{n:06}", f"a{n}", T0, n))
    calm = []
    for second in range(1, OFFLINE_AFTER // SECOND + 1):
        for n in range(lost + second % 60, units, 60):  # the others beat once a minute, spread over it
            engine.heartbeat(Heartbeat(f"U{n:06}", f"G-U{n:06}", f"b{second}-{n}", T0 + second * SECOND, n))
        calm.append(tick_at(T0 + second * SECOND))
    engine.take_effects()
    storm = tick_at(T0 + OFFLINE_AFTER + SECOND // 4)
    said = [one for one in engine.take_effects().transitions if one.to_state == "offline"]
    assert len(said) == lost
    assert {one.detected for one in said} == {T0 + OFFLINE_AFTER}
    calm.sort()
    show(f"tick over {units} units, p50 / p99", f"{calm[len(calm) // 2] * 1e3:.1f} / {calm[-3] * 1e3:.1f} ms")
    show(f"tick that declares {lost} units offline", f"{storm * 1e3:.0f} ms", "never early; goal 250 ms late at most")


def bench_restart(engine: Engine) -> None:
    began = time.process_time()
    head, units = snapshot_head(engine), [snapshot_unit(unit) for unit in engine.units.values()]
    body = pack(head, units)
    saved = time.process_time() - began
    unit_rows, gateway_rows = registry(len(engine.units))
    began = time.process_time()
    gc.disable()  # as the service does during a load
    head, units = unpack(0, [body])
    restore(
        head,
        units,
        never_grace=3600 * SECOND,
        unit_rows=unit_rows,
        gateway_rows=gateway_rows,
        pack_rows={"sample-2026": (PACK,)},
    )
    took = time.process_time() - began
    gc.enable()
    show(f"state of {len(units)} units: bytes, time to snapshot", f"{len(body) / 2**20:.1f} MiB {saved:.1f} s")
    show(f"state of {len(units)} units: time to load", f"{took:.2f} s", "restart: floor 10 s, goal 3 s")
    show("memory of this process", f"{psutil.Process().memory_info().rss / 2**20:.0f} MiB")


class Held:
    """Units as a process of rules holds them: the registry's records as they are read, an engine for each partition."""

    def __init__(self, units: int) -> None:
        self.partitions = all_topics()["signals"].partitions
        self.units = units
        (_, pack_value), (_, unit_value), (_, gateway_value) = registry_records(["U000000"])
        self._pack, self._of_each = pack_value, (("unit:", unit_value), ("gateway:G-", gateway_value))
        self.view = CompactedRegistryView(lambda unit_id: partition_of(unit_id.encode(), self.partitions), 1.0)
        self.engines: list[Engine] = []

    def read_registry(self) -> float:
        """Return the processor time, without that of making the records."""
        self.view.on_record("pack:sample-2026", self._pack)
        took = 0.0
        for first in range(0, self.units, 1000):
            records = [
                (f"{kind}U{n:06}", value.replace(b"U000000", b"U%06d" % n))
                for n in range(first, min(first + 1000, self.units))
                for kind, value in self._of_each
            ]
            began = time.process_time()
            gc.disable()  # as the follower of the topic does until it has read all of it
            for key, value in records:
                self.view.on_record(key, value)
            took += time.process_time() - began
            gc.enable()
        gc.freeze()
        return took

    def live(self, rounds: int) -> None:
        """Every unit is heard so many times, a minute apart."""
        for partition in range(self.partitions):
            engine = Engine()
            engine.registry(*self.view.rows(partition))
            self._taken(engine)
            self.engines.append(engine)
        for number in range(rounds):
            at = T0 + number * 60 * SECOND
            for engine in self.engines:
                engine.apply(Tick("ingest-1", 1, number + 1, False, at, at, 0))
            for n in range(self.units):
                name = f"U{n:06}"
                engine = self.engines[partition_of(name.encode(), self.partitions)]
                engine.heartbeat(Heartbeat(name, f"G-{name}", f"{number * self.units + n:032x}", at + n, n))
                if n % CHECKPOINT_EVERY == 0:
                    self._all_taken()
            self._all_taken()

    def _all_taken(self) -> None:
        for engine in self.engines:
            self._taken(engine)

    @staticmethod
    def _taken(engine: Engine) -> None:
        engine.take_effects()
        engine.changes.clear()

    def save(self, folder: Path) -> None:
        for number, engine in enumerate(self.engines):
            state = pack(snapshot_head(engine), [snapshot_unit(unit) for unit in engine.units.values()])
            (folder / f"{number}").write_bytes(state)

    def load(self, folder: Path) -> float:
        """Return the processor time of loading what `save` wrote, as a restart does."""
        began = time.process_time()
        for number in range(self.partitions):
            rows = self.view.rows(number)
            gc.disable()
            head, units = unpack(number, [(folder / f"{number}").read_bytes()])
            engine = restore(
                head,
                units,
                never_grace=3600 * SECOND,
                unit_rows=rows.units,
                gateway_rows=rows.gateways,
                pack_rows=rows.packs,
                adjustment_rows=rows.adjustments,
            )
            self.engines.append(engine)
            gc.freeze()
            gc.enable()
        return time.process_time() - began


def hold(units: int, folder: Path, *, again: bool) -> None:
    """In a process of its own: be told of the units and hear them, or load what the one before has saved."""
    before = psutil.Process().memory_info().rss
    held = Held(units)
    registry_s = held.read_registry()
    if again:
        load_s = held.load(folder)
        show(
            f"restart, {units} units: registry read / state loaded",
            f"{registry_s:.1f} / {load_s:.1f} s",
            "goal 3 s in all",
        )
    else:
        held.live(3)
    rss = psutil.Process().memory_info().rss
    each = (rss - before) / units
    bar = "goal 300 MiB at 100,000 and 1,024 MiB at 1,000,000"
    what = "loaded" if again else "live"
    show(f"memory with {units} units {what}, each", f"{rss / 2**20:.0f} MiB {each:,.0f} B", bar)
    if not again:
        held.save(folder)


def bench_memory(units: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for more in ([], ["--again"]):
            argv = [sys.executable, "-m", "tests.bench.rules", "--hold", folder, "--units", str(units), *more]
            subprocess.run(argv, check=True)


@dataclass
class Servers:
    bootstrap: str
    dsn: str


def per_tick(units: int) -> int:
    """Signals between two ticks: three seconds of log time, well within the patience."""
    return max(1, units // 20)


async def prepare(servers: Servers, units: int, count: int) -> None:
    """Fill the registry and the log."""
    await register(servers, units)
    await fill(servers, log(units, count))


def unit_names(units: int) -> list[str]:
    return [f"U{n:06}" for n in range(units)]


async def register(servers: Servers, units: int) -> None:
    """Create the topics and fill the registry."""
    specs = [
        TopicSpec(
            topic.name,
            topic.partitions,
            topic.cleanup == "compact",
            None,
            topic.max_message_bytes,
            compression=topic.compression,
        )
        for topic in all_topics().values()
    ]
    await ensure_topics(servers.bootstrap, specs)
    producer = BatchProducer(servers.bootstrap, "bench")
    await producer.start()
    records = [Record(REGISTRY, b"pack:sample-2026", registry_event(pack_record()))]
    records += [Record(REGISTRY, key.encode(), value) for key, value in registry_records(unit_names(units))[1:]]
    await producer.send_many(records, None)
    await producer.stop()


def log(units: int, count: int) -> Iterator[list[Record]]:
    """Yield `count` heartbeats with their ticks, lot by lot; one minute of log time is a round of all units."""
    names = unit_names(units)
    partitions = all_topics()["signals"].partitions
    places = {name: partition_of(name.encode(), partitions) for name in names}
    step, lot_size = timedelta(seconds=60) / units, per_tick(units)
    for number, first in enumerate(range(0, count, lot_size), 1):
        now = START + first * step
        lot = [Record(SIGNALS, None, tick(number, now, "ingest-1"), place) for place in range(partitions)]
        for n in range(first, min(first + lot_size, count)):
            name = names[n % units]
            lot.append(Record(SIGNALS, name.encode(), raw_beat(name, n, START + n * step), places[name]))
        yield lot


async def fill(servers: Servers, lots: Iterable[list[Record]]) -> None:
    producer = BatchProducer(servers.bootstrap, "bench")
    await producer.start()
    for lot in lots:
        await producer.send_many(lot, None)
    await producer.stop()


def start_rules(servers: Servers, folder: Path, name: str = "bench") -> subprocess.Popen[bytes]:
    (port,) = free_ports(1)
    settings = {
        "FIRENET_KAFKA_BOOTSTRAP": servers.bootstrap,
        "FIRENET_DATABASE_DSN": servers.dsn,
        "RULES_HTTP_PORT": str(port),
        "RULES_INSTANCE": name,
    }
    with (folder / "rules.log").open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", "services.rules"], env={**os.environ, **settings}, stdout=out)


def position(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM rules.partitions").fetchone()
        return int(row[0]) if row is not None else 0


def wait_for(dsn: str, wanted: int, limit_s: float) -> tuple[float, int]:
    """Return when and at which position at least `wanted` records were saved."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = position(dsn)
        if found >= wanted:
            return time.monotonic(), found
        time.sleep(0.05)
    raise SystemExit(f"rules stands at {position(dsn)} of {wanted} records after {limit_s:.0f} s")


def bench_through(servers: Servers, folder: Path, units: int, count: int) -> None:
    asyncio.run(prepare(servers, units, count))
    ticks = -(-count // per_tick(units))
    total = count + ticks * all_topics()["signals"].partitions
    began = time.monotonic()
    process = start_rules(servers, folder)
    try:
        first_at, first = wait_for(servers.dsn, 1, 120)
        show(f"start with an empty database, {units} units: first save", f"{first_at - began:.1f} s")
        end_at, _ = wait_for(servers.dsn, total, 600)
        rate = (total - first) / (end_at - first_at)
        show("Kafka in, PostgreSQL out, one process", f"{rate:,.0f}/s", "floor 15,000  goal 40,000")
        one = psutil.Process(process.pid)
        cpu, rss = sum(one.cpu_times()[:2]), one.memory_info().rss
        show("  cpu of rules per record, memory", f"{cpu / total * 1e6:.0f} us {rss / 2**20:.0f} MiB")
        process.kill()
        process.wait()
        began = time.monotonic()
        process = start_rules(servers, folder)
        number = 1 + ticks
        again = START + count * timedelta(seconds=60) / units
        asyncio.run(one_more_tick(servers, number, again))
        end_at, _ = wait_for(servers.dsn, total + all_topics()["signals"].partitions, 120)
        show("restart after kill -9 to a saved checkpoint", f"{end_at - began:.1f} s", "floor 10 s  goal 3 s")
    finally:
        process.kill()
        process.wait()


async def one_more_tick(servers: Servers, number: int, now: datetime) -> None:
    producer = BatchProducer(servers.bootstrap, "bench")
    await producer.start()
    partitions = all_topics()["signals"].partitions
    await producer.send_many([Record(SIGNALS, None, tick(number, now), place) for place in range(partitions)])
    await producer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--signals", type=int, default=600_000)
    parser.add_argument("--lost", type=int, default=20_000)
    parser.add_argument("--alone", action="store_true", help="without Kafka and PostgreSQL")
    parser.add_argument("--memory", action="store_true", help="nothing but what so many units take, and their restart")
    parser.add_argument("--hold", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold is not None:
        hold(options.units, options.hold, again=options.again)
        return
    if options.memory:
        bench_memory(options.units)
        return
    print(f"{describe()}\nrules: {json.dumps(vars(options))}", flush=True)
    calibrate()
    bench_restart(bench_engine(options.units, options.signals))
    bench_decode(options.units, min(200_000, options.signals))
    bench_deadlines(options.units, options.lost)
    bench_memory(options.units)
    if options.alone:
        return
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port, controller, database = free_ports(3)
        kafka = Kafka(folder / "kafka", port=port, controller_port=controller)
        postgres = Postgres(folder / "postgres", port=database)
        for part in (kafka, postgres):
            part.start()
            stack.callback(part.stop)
        servers = Servers(kafka.bootstrap, postgres.dsn("postgres"))
        migrate(servers.dsn)
        bench_through(servers, folder, options.units, options.signals)


if __name__ == "__main__":
    assert micros(START) == T0
    main()
