"""Plays a month to rules and compliance on a real Kafka and a real PostgreSQL, with kills, and accounts for all of it.

Time stands in the records, so a month lasts as long as it takes to work it off. After each part of the month is
written, while it is being worked off, one of rules, compliance and PostgreSQL gets a `kill -9` and is started again.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, cycle
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from deploy.stack.kafka import Kafka
from deploy.stack.part import Part
from deploy.stack.ports import HOST, free_ports
from deploy.stack.postgres import Postgres
from deploy.stack.service import ROOT, Service, http_ok
from schemas import topics
from schemas.topics import FIGURES, FINDINGS, LOGGED, REGISTRY, SIGNALS, all_topics
from services.compliance.adapters.kafka_copy import copy_of_kafka
from services.compliance.adapters.log_fold import ArchiveFold
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import Place
from services.compliance.worker.closing import Closing
from services.runtime.clock import SystemClock
from services.runtime.kafka import TopicSpec, ensure_topics
from services.runtime.migrate import migrate
from services.runtime.postgres import open_pool
from tests.chaos import probe
from tests.checker import Account
from tests.checker.replay import Setting, check_facts, check_findings, replay
from tests.contract.compliance.archived import Sent
from tests.contract.compliance.closings import EVERYTHING, ask_of, stored, until_done
from tests.integration.compliance.harness import send
from tests.month.script import LATE, Month, Pace, iso, month, stamp
from tests.system import wait_for

LIMIT_S = 900.0
UNDISTURBED = "undisturbed"
"""The database of a run without kills."""
WORKED_OFF = "SELECT coalesce(sum(next_offset), 0) FROM rules.partitions"
PUBLISHED = "SELECT published_at FROM compliance.log_position"
RULES_OUTBOX, FIGURES_OUTBOX = "SELECT count(*) FROM rules.outbox", "SELECT count(*) FROM compliance.outbox"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """`step_s`: compliance publishes at the ends of steps of so many seconds of the log."""

    seed: int
    units: int
    pace: Pace
    kills: int
    step_s: int
    folder: Path
    roots: tuple[Path, ...] = (ROOT,)
    """Where the code of rules and compliance is: that of the first at their start, that of the next after each kill."""
    victims: tuple[str, ...] = ("compliance", "rules", "PostgreSQL")
    """What is killed, again and again in a random order."""


class Site:
    """Kafka, PostgreSQL, rules and compliance; whatever of it is dead is started again by `start`."""

    def __init__(self, terms: Terms) -> None:
        kafka_port, controller_port, database_port, self.rules_port, self.compliance_port = free_ports(5)
        folder = terms.folder
        self.kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller_port)
        self.postgres = Postgres(folder / "postgres", port=database_port, survives_power_cut=False)
        self.archive = folder / "archive"
        self._folder, self._step_s = folder, terms.step_s
        self._roots = terms.roots
        self.parts: dict[str, Part] = {"Kafka": self.kafka, "PostgreSQL": self.postgres}
        self._versions: dict[str, Iterator[Service]] = {}

    def start(self) -> None:
        self.kafka.start()
        self.postgres.start()
        migrate(self.dsn)
        with psycopg.connect(self.postgres.dsn("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {UNDISTURBED} TEMPLATE firenet".encode())
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
        asyncio.run(ensure_topics(self.kafka.bootstrap, specs))

    def start_services(self) -> None:
        settings = {
            "RULES_HTTP_PORT": str(self.rules_port),
            "COMPLIANCE_HTTP_PORT": str(self.compliance_port),
            "COMPLIANCE_ARCHIVE_ROOT": str(self.archive),
            "COMPLIANCE_ARCHIVE_ROLL_S": "0.5",
            "COMPLIANCE_ARCHIVE_MIN_FREE_BYTES": "0",
            "COMPLIANCE_STEP_S": str(self._step_s),
            "COMPLIANCE_POLL_S": "0.2",
        }
        for name, port in (("rules", self.rules_port), ("compliance", self.compliance_port)):
            versions = [
                Service(
                    self._folder / name,
                    name=name,
                    argv=[sys.executable, "-m", f"services.{name}"],
                    env={**self.environment, **settings},
                    ready=http_ok(f"http://{HOST}:{port}/healthz"),
                    root=root,
                )
                for root in self._roots
            ]
            self._versions[name] = cycle(versions)
            self._start_next(name)

    def _start_next(self, name: str) -> None:
        self.parts[name] = next(self._versions[name])
        self.parts[name].start()

    @property
    def dsn(self) -> str:
        return self.postgres.dsn()

    @property
    def environment(self) -> dict[str, str]:
        own = {"FIRENET_KAFKA_BOOTSTRAP": self.kafka.bootstrap, "FIRENET_DATABASE_DSN": self.dsn}
        return {**os.environ, **own}

    def strike(self, name: str) -> None:
        """`kill -9`, and a new start once it is dead, of the next version where there are several."""
        self.parts[name].kill()
        if name in self._versions:
            self._start_next(name)
        else:
            self.parts[name].start()

    def stop(self) -> None:
        for part in reversed(self.parts.values()):
            part.stop()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query.encode()).fetchall()

    def value(self, query: str) -> Any:
        found = self.rows(query)
        return found[0][0] if found else None


@contextmanager
def site(terms: Terms) -> Iterator[Site]:
    made = Site(terms)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def play(terms: Terms, tell: Tell) -> list[Account]:
    """Play the month and return the accounts."""
    told = month(terms.seed, terms.units, terms.pace)
    tell(f"{terms.units} units, {len(told.records)} records, from {iso(0)}")
    with site(terms) as here:
        _live_through(here, terms, told, tell)
        tell("all of it is worked off and published")
        found = []
        for account in chain(_rules(here), _figures(here, terms, told, tell)):
            tell("\n".join(account.lines(5)))
            found.append(account)
        return found


def _live_through(here: Site, terms: Terms, told: Month, tell: Tell) -> None:
    """Write the month in parts, the last when all before it is published, with a kill while each is worked off."""
    dice = Random(terms.seed)
    victims = [terms.victims[number % len(terms.victims)] for number in range(terms.kills)]
    dice.shuffle(victims)
    written = 0
    for number, records in enumerate(_parts(told.records, max(2, terms.kills))):
        if records[-1].timestamp_ms >= stamp(LATE):
            _until_published(here, terms, LATE, "the month published before what comes late")
        asyncio.run(_write(here, records))
        written += sum(each.topic == SIGNALS for each in records)
        if number == 0:
            here.start_services()
        if number < len(victims):
            begun = _worked_off(here)
            wanted = begun + dice.random() * (written - begun)
            wait_for("a part of it worked off", lambda at=wanted: _worked_off(here) >= at, LIMIT_S)  # type: ignore[misc]
            tell(f"up to {_instant(records[-1].timestamp_ms)}: kill -9 of {victims[number]}")
            here.strike(victims[number])
    wait_for("all records worked off by rules", lambda: _worked_off(here) == written, LIMIT_S)
    end_s = (told.records[-1].timestamp_ms - stamp(0)) / 1000
    _until_published(here, terms, end_s, "all figures published")
    wait_for("all sent", lambda: here.value(RULES_OUTBOX) == here.value(FIGURES_OUTBOX) == 0, LIMIT_S)


def _parts(records: Sequence[Sent], many: int) -> Iterator[Sequence[Sent]]:
    """Yield what comes to be known before LATE in `many` parts of a like size, and what comes then in one."""
    early = [each for each in records if each.timestamp_ms < stamp(LATE)]
    size = -(-len(early) // many)
    for start in range(0, len(early), size):
        yield early[start : start + size]
    yield [each for each in records if each.timestamp_ms >= stamp(LATE)]


async def _write(here: Site, records: Sequence[Sent]) -> None:
    """Write what signals are read by before them, as in a real month, where a part of it lasts for days."""
    await send(here.kafka.bootstrap, [each for each in records if each.topic != SIGNALS])
    await send(here.kafka.bootstrap, [each for each in records if each.topic == SIGNALS])


def _worked_off(here: Site) -> int:
    return int(here.value(WORKED_OFF))


def _until_published(here: Site, terms: Terms, at: float, what: str) -> None:
    """Wait for as long as it goes on: a machine that is busy with other work may take an hour for the month."""
    while not _is_published(here, terms, at):
        before = here.value(PUBLISHED)
        wait_for(what, lambda before=before: here.value(PUBLISHED) != before, LIMIT_S)  # type: ignore[misc]


def _is_published(here: Site, terms: Terms, at: float) -> bool:
    """Whether the step before the one that holds `at` is published."""
    wanted = stamp(at) // (terms.step_s * 1000) * terms.step_s * 1_000_000 - 1000
    published = here.value(PUBLISHED)
    return published is not None and int(published) >= wanted


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def _rules(here: Site) -> Iterator[Account]:
    """Hold what rules wrote down, shows and said against an engine that is fed with the log from its beginning."""
    bootstrap = here.kafka.bootstrap
    saved, published = probe.rules_at_once(here.dsn), probe.read_topic(bootstrap, FINDINGS)
    registry, log = probe.read_topic(bootstrap, REGISTRY), probe.read_topic(bootstrap, SIGNALS)
    before, whole = replay(
        Setting(topics.all_topics()["signals"].partitions, 1.0),
        ((key, entry.value) for records in registry.values() for entry, key in records),
        {partition: [entry for entry, _ in records] for partition, records in log.items()},
        saved.next_offsets,
    )
    events = [each for each in probe.finding_events(published) if each[0] in whole.findings]
    facts = check_facts(saved.facts, before)
    told = check_findings(events, saved.outbox, before, whole)
    yield Account("transitions, signals, hours, units and rates other than a replay's", len(before.transitions), facts)
    yield Account("findings other than a replay's", len(before.findings), told)


def _figures(here: Site, terms: Terms, told: Month, tell: Tell) -> Iterator[Account]:
    rows = stored(here.dsn)
    revised = [row for row in rows if row[7] > 1]
    tell(f"{len(rows)} revisions, {len(revised)} of them of what was published before")
    kinds = {row[4] for row in rows}
    yield Account("kinds of periods without a figure", 3, sorted({"day", "week", "month"} - kinds))
    yield Account("months that what came late did not revise", 1, [] if _months(revised) else ["March"])
    yield _without_kills(here, terms, rows)
    yield _on_topic(here, rows)
    for source in (["--kafka"], ["--archive", str(here.archive)]):
        yield _replayed(here, rows, source)
    yield _by_command_lines(here, terms, told, rows)


def _months(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in rows if row[4] == "month"]


def _without_kills(here: Site, terms: Terms, rows: Sequence[tuple[Any, ...]]) -> Account:
    """Hold what stands against what one undisturbed closing publishes of the log as Kafka holds it."""
    dsn = here.postgres.dsn(UNDISTURBED)
    asyncio.run(_close(here, terms, dsn))
    wanted = stored(dsn)
    have, want = {row[:8]: row for row in rows}, {row[:8]: row for row in wanted}
    differing = [
        f"{key}: {have.get(key)} instead of {want.get(key)}"
        for key in [*want, *(have.keys() - want.keys())]
        if have.get(key) != want.get(key)
    ]
    return Account("revisions other than those of a run without kills", len(wanted), differing)


async def _close(here: Site, terms: Terms, dsn: str) -> None:
    with tempfile.TemporaryDirectory(dir=terms.folder) as root:
        await copy_of_kafka(here.kafka.bootstrap, {name: _partitions(name) for name in LOGGED}, Path(root))
        async with open_pool(dsn, "undisturbed", 1, 2) as pool:
            places = [Place(SIGNALS, number) for number in range(_partitions(SIGNALS))]
            work = Closing(
                log=ArchiveFold(Path(root), places, step_s=terms.step_s, tell=lambda *_, **__: None),
                store=PostgresFacts(pool),
                metrics=ClosingMetrics(CollectorRegistry()),
                clock=SystemClock(),
                tell=lambda *_, **__: None,
                wake=lambda: None,
                poll_s=1.0,
                kept_from=lambda *_: EVERYTHING,
            )
            await until_done(work)


def _partitions(topic: str) -> int:
    return next(each.partitions for each in all_topics().values() if each.name == topic)


def _on_topic(here: Site, rows: Sequence[tuple[Any, ...]]) -> Account:
    """Each revision stands on its topic, and under one id."""
    told = [json.loads(entry.value) for held in probe.read_topic(here.kafka.bootstrap, FIGURES).values()
            for entry, _ in held]  # fmt: skip
    ids = {event["id"] for event in told}
    return Account("revisions that are not on the topic", len(rows), range(abs(len(ids) - len(rows))))


def _replayed(here: Site, rows: Sequence[tuple[Any, ...]], source: list[str]) -> Account:
    """`python -m services.compliance replay FROM TO` of all that stands."""
    argv = [sys.executable, "-m", "services.compliance", "replay", "2026-01-01", "2027-01-01", *source]
    done = subprocess.run(argv, env=here.environment, capture_output=True, text=True, check=False)
    found = done.stdout.splitlines() or ([done.stderr] if done.returncode else [])
    return Account(f"revisions other than those of replay {source[0]}", len(rows), found)


def _by_command_lines(here: Site, terms: Terms, told: Month, rows: Sequence[tuple[Any, ...]]) -> Account:
    """What stands at the end against `compliance log | rules facts | compliance figures` of the archive."""
    newest = {row[:7]: row for row in sorted(rows, key=lambda row: int(row[7]))}
    last = [row for row in newest.values() if row[4] in ("week", "month")]
    work = terms.folder
    (work / "PACK.yaml").write_text(told.pack, "utf-8")
    asked = {"known_at": max(row[8] for row in rows).isoformat(), "figures": [ask_of(row) for row in last]}
    (work / "ASK.json").write_text(json.dumps(asked), "utf-8")
    common = ["--pack", str(work / "PACK.yaml"), "--registry", os.devnull]
    log = _piped(here, b"", "compliance", "log", "2026-01-01", "2027-01-01", "--archive", str(here.archive))
    facts = _piped(here, log, "rules", "facts", *common, "--log", "-")
    answer = _piped(here, facts, "compliance", "figures", *common, "--facts", "-", "--ask", str(work / "ASK.json"))
    figures = json.loads(answer)["figures"]
    differing = [
        f"{row[:8]}: {row[9]} instead of {json.dumps(now, ensure_ascii=False)}"
        for row, now in zip(last, figures, strict=True)
        if json.loads(row[9]) != now
    ]
    return Account("figures of weeks and of the month other than those of the command lines", len(last), differing)


def _piped(here: Site, told: bytes, service: str, *arguments: str) -> bytes:
    argv = [sys.executable, "-m", f"services.{service}", *arguments]
    done = subprocess.run(argv, env=here.environment, input=told, stdout=subprocess.PIPE, check=True)
    return done.stdout
