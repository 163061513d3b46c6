"""What a district of so many units needs: `python -m deploy.capacity --units N --interval S`.

`--write` writes docs/capacity.md, `--check` exits 1 when that differs. Costs were measured; each names the command that
measures it again. What was not measured stands under ASSUMED, and what does not scale is said, not divided away.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from schemas.topics import SIGNALS, all_topics

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
INTERVAL_S = 60
MAX_UNITS = 100_000_000
DAY_S = 86_400
YEAR_DAYS = 365
US = 1e-6


@dataclass(frozen=True, slots=True)
class Cost:
    """One measured figure; `command` measures it again where there is one, `seen` says where and when it was."""

    value: float
    unit: str
    what: str
    command: str
    seen: str


@dataclass(frozen=True, slots=True)
class Assumed:
    value: float
    unit: str
    what: str


NONE = ""
QUIET = "one quiet two-core machine at c1ad2c1 (2026-11)"
HERE = "two cores, 24 GiB, beside other work (2026-11)"
WHOLE = Cost(133, "us a signal", "all processes and all brokers together, at 15 000/s", "tests.bench.system", QUIET)
INGEST = Cost(42.6, "us a signal", "ingest, of one core", "tests.bench.ingest --processes 2", QUIET)
RULES = Cost(38, "us a signal", "rules behind Kafka and PostgreSQL, at 26 378/s", "tests.bench.rules", QUIET)
ARCHIVING = Cost(20, "us a signal", "compliance, archiving with Kafka's client", "tests.bench.archive", "decision 33")
FIGURES = Cost(1.1, "ms a unit and hour", "compliance, the figures of an hour", NONE, "RUNBOOK, Published figures")
LINE = Cost(463, "bytes a signal", "a heartbeat on firenet.signals.v1, not compressed", "tests.bench.archive", HERE)
ZIPPED = Cost(52, "bytes a signal", "the same as Kafka keeps it, in a large batch", "tests.bench.compression", HERE)
BATCH = Cost(
    322, "bytes a batch", "what each batch takes beside that: 373 a signal alone", "tests.bench.compression", HERE
)
ZIPPING = Cost(
    10,
    "us a signal",
    "compressing it, eight in a batch; with our zlib, though it is Kafka that does it",
    "tests.bench.compression",
    HERE,
)
UNZIPPING = Cost(
    5, "us a signal", "reading it compressed, more than not, eight in a batch", "tests.bench.compression", HERE
)
ARCHIVED = Cost(43, "bytes a signal", "the same in the archive", "tests.bench.archive", HERE)
STORED = Cost(
    5, "bytes a signal", "the same in compliance.heartbeats, never removed", NONE, "RUNBOOK, Published figures"
)
DAILY = Cost(150, "bytes a unit and day", "rows of figures", NONE, "RUNBOOK, Published figures")
RULES_BASE = Cost(103, "MiB", "rules without units: what is left of 200 at 20 000", "tests.bench.rules --alone", HERE)
RULES_UNIT = Cost(
    5,
    "KiB a unit",
    "rules, 589 MiB at 100 000; the bench holds its state twice: a bound",
    "tests.bench.rules --alone",
    HERE,
)
ALERTS_UNIT = Cost(18, "KiB a unit", "alerts with 4 contacts a unit: 449 MiB at 20 000", "tests.bench.system", QUIET)
OTHERS_BASE = Cost(113, "MiB", "a process of ingest; console has 88", "tests.bench.system", QUIET)
MQTT_MOST = Cost(38_000, "signals/s", "what one Mosquitto was seen to bear", "tests.bench.telegraf", "parts.md 6")
COSTS = (
    WHOLE, INGEST, RULES, ARCHIVING, FIGURES, LINE, ZIPPED, BATCH, ZIPPING, UNZIPPING, ARCHIVED, STORED, DAILY,
    RULES_BASE, RULES_UNIT, ALERTS_UNIT, OTHERS_BASE, MQTT_MOST,
)  # fmt: skip

USE = Assumed(0.5, "of a core", "how busy a process is at most: room for bursts, catching up and one that died")
MIN = Assumed(2, "processes", "of each service of which several may run")
REPLICAS = Assumed(3, "copies", "of every record, on as many Kafka brokers")
BROKER_DISK = Assumed(20e12, "bytes", "disk of one Kafka broker, full to four fifths")
FULL = Assumed(0.8, "of a disk", "how full it may become")
ON_WIRE = Assumed(350, "bytes a signal", "from a gateway: 290 of text, topic and headers of MQTT and TCP")
BATCHES = Assumed(100, "batches a second", "from a process of ingest to a partition at most (`INGEST_BATCH_EVERY_MS`)")
READERS = Assumed(2, "readers", "of the signals: rules and compliance")
POSTGRES = Assumed(3.0, "times", "what rows take with indexes, the log of the database and room to clean up")
ASSUMPTIONS = (USE, MIN, REPLICAS, BROKER_DISK, FULL, ON_WIRE, BATCHES, READERS, POSTGRES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `units` need that send a heartbeat every `interval_s`. Bytes are bytes, bits are bits a second."""

    units: int
    interval_s: int
    rate: float
    ingest: int
    rules: int
    archive_cores: float
    cores: int
    partitions: int
    mqtt_brokers: int
    kafka_brokers: int
    kafka_disk: float
    archive_disk: float
    database_disk: float
    rules_memory: float
    alerts_memory: float
    inbound: float
    inside: float

    @property
    def limits(self) -> tuple[str, ...]:
        """What this version does not do at that size."""
        found = []
        today = all_topics()["signals"].partitions
        if self.partitions > today:
            found.append(
                f"{SIGNALS} has {today} partitions: change its topic file before the first start, topics are never "
                "divided anew"
            )
        if self.archive_cores > 1:
            found.append(f"compliance is one process and needs {self.archive_cores:.1f} cores: it falls behind")
        elif self.archive_cores > USE.value:
            found.append(f"compliance is one process and needs {self.archive_cores:.2f} of a core: little room is left")
        if self.mqtt_brokers > 1:
            found.append(
                "one Mosquitto does not bear it: gateways must be divided among several, each with its own processes "
                "of ingest"
            )
        if self.rules_memory > 2 * 2**30:
            found.append("every process of rules holds the registry of all units: memory does not shrink with more")
        if self.kafka_disk > 100e12:
            found.append("Kafka keeps the signals beside the archive: keep them for less there (REGISTRY_SIGNALS_DAYS)")
        return tuple(found)


def plan(units: int, interval_s: int = INTERVAL_S, days: int | None = None) -> Plan:
    """Return what is needed; `days` that signals are kept, as the topic file says by default."""
    kept = all_topics()["signals"].retention_days if days is None else days
    assert kept is not None, "signals are not kept for ever"
    rate = units / interval_s
    ingest = _processes(rate * INGEST.value * US)
    rules = _processes(rate * (RULES.value + UNZIPPING.value) * US)
    partitions = 12 * ceil(max(2 * rules, 12) / 12)
    stored = rate * ZIPPED.value + min(rate, ingest * partitions * BATCHES.value) * BATCH.value
    kafka_disk = stored * DAY_S * kept * REPLICAS.value
    longest = kept + YEAR_DAYS  # archive and what figures come from go by whole years
    signals = rate * DAY_S * longest
    figures = units * FIGURES.value / 1000 / 3600
    busy = rate * (WHOLE.value + ZIPPING.value + READERS.value * UNZIPPING.value) * US + figures
    return Plan(
        units=units,
        interval_s=interval_s,
        rate=rate,
        ingest=ingest,
        rules=rules,
        archive_cores=rate * (ARCHIVING.value + UNZIPPING.value) * US + figures,
        cores=ceil(busy / USE.value),
        partitions=partitions,
        mqtt_brokers=ceil(rate / MQTT_MOST.value / USE.value),
        kafka_brokers=max(int(REPLICAS.value), ceil(kafka_disk / BROKER_DISK.value / FULL.value)),
        kafka_disk=kafka_disk,
        archive_disk=signals * ARCHIVED.value,
        database_disk=(signals * STORED.value + units * longest * DAILY.value) * POSTGRES.value,
        rules_memory=RULES_BASE.value * 2**20 + units * RULES_UNIT.value * 1024,
        alerts_memory=OTHERS_BASE.value * 2**20 + units * ALERTS_UNIT.value * 1024,
        inbound=rate * ON_WIRE.value * 8,
        inside=8 * (rate * LINE.value + stored * (REPLICAS.value - 1 + READERS.value)),
    )


def _processes(cores: float) -> int:
    return max(int(MIN.value), ceil(cores / USE.value))


def size(value: float) -> str:
    """Return bytes in the largest decimal unit that leaves a figure before the point."""
    return _scaled(value, ("B", "kB", "MB", "GB", "TB", "PB"))


def bits(value: float) -> str:
    """Return bits a second in the same way."""
    return _scaled(value, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def _scaled(value: float, names: Sequence[str]) -> str:
    for name in names[:-1]:
        if value < 999.5:
            return f"{value:.3g} {name}"
        value /= 1000
    return f"{value:,.0f} {names[-1]}"


def rows(one: Plan) -> Iterator[tuple[str, str]]:
    yield "signals a second", f"{one.rate:,.0f}"
    yield "cores in all, with room", str(one.cores)
    yield "processes of ingest", str(one.ingest)
    yield "processes of rules", str(one.rules)
    yield "partitions of the signals", str(one.partitions)
    yield "processes of alerts, alerts-fire, documents, console; each", str(int(MIN.value))
    yield "compliance, of one core", f"{one.archive_cores:.2f}"
    yield "MQTT brokers", str(one.mqtt_brokers)
    yield "Kafka brokers", str(one.kafka_brokers)
    yield "disk of Kafka, all copies", size(one.kafka_disk)
    yield "disk of the archive", size(one.archive_disk)
    yield "disk of the database", size(one.database_disk)
    yield "memory of a process of rules, at most", size(one.rules_memory)
    yield "memory of a process of alerts", size(one.alerts_memory)
    yield "network, from gateways", bits(one.inbound)
    yield "network, to, between and from Kafka", bits(one.inside)


def _command(cost: Cost) -> str:
    return f"`python -m {cost.command}`" if cost.command else "no command yet"


HEAD = """<!-- Written by `python -m deploy.capacity --write` from deploy/capacity.py; do not edit. -->

# Capacity on paper

What a district needs, reckoned from costs that were measured. Another size: `python -m deploy.capacity --units N
--interval S` (`--days D` for how long signals are kept; archive and database keep whole years, up to one longer).
Only heartbeats are counted, one every {interval} s a unit; all other signals are far fewer. **No run at these sizes
stands behind the columns**: they multiply what was measured. Whether cost grows with units as they take it to, and
whether the costs of ingest and rules still hold: `python -m tests.bench.scale`, with 1, 2 and 4 processes.

"""


def page() -> str:
    plans = [plan(units) for units in SIZES]
    lines = ["| | " + " | ".join(f"{one.units:,} units" for one in plans) + " |", "|---|" + "---:|" * len(plans)]
    columns = [dict(rows(one)) for one in plans]
    lines += [f"| {name} | " + " | ".join(column[name] for column in columns) + " |" for name in columns[0]]
    lines += ["", "## What this version does not do at that size", ""]
    for one in plans:
        lines += [f"- {one.units:,} units: {limit}." for limit in one.limits]
    lines += ["", "## Costs, measured", "", "| cost | of | measured by | seen |", "|---:|---|---|---|"]
    lines += [f"| {one.value:g} {one.unit} | {one.what} | {_command(one)} | {one.seen} |" for one in COSTS]
    lines += ["", "## Assumed, not measured", "", "| value | of |", "|---:|---|"]
    lines += [f"| {one.value:g} {one.unit} | {one.what} |" for one in ASSUMPTIONS]
    return HEAD.format(interval=INTERVAL_S) + "\n".join(lines) + "\n"


def report(one: Plan) -> str:
    """Return one plan as text for a terminal."""
    width = max(len(name) for name, _ in rows(one))
    lines = [f"{one.units:,} units, a heartbeat every {one.interval_s} s", ""]
    lines += [f"{name:<{width}}  {value:>14}" for name, value in rows(one)]
    lines += [f"\n! {limit}" for limit in one.limits]
    return "\n".join(lines)


def _number(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {most}")
        return int(text)

    return number


def main(arguments: Sequence[str], path: Path = PAGE) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=__doc__)
    parser.add_argument("--units", type=_number(MAX_UNITS))
    parser.add_argument("--interval", type=_number(DAY_S), default=INTERVAL_S, help="seconds between heartbeats")
    parser.add_argument("--days", type=_number(36_500), help="how long signals are kept; the topic file says it")
    parser.add_argument("--write", action="store_true", help="write docs/capacity.md")
    parser.add_argument("--check", action="store_true", help="exit 1 when docs/capacity.md differs")
    options = parser.parse_args(arguments)
    if options.write:
        path.write_text(page(), encoding="utf-8")
    elif options.check:
        if not path.exists() or path.read_text(encoding="utf-8") != page():
            print(f"{path.name} differs; run `make schemas`", file=sys.stderr)
            return 1
    elif options.units is None:
        parser.error("--units is needed")
    else:
        print(report(plan(options.units, options.interval, options.days)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
