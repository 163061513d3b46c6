"""FireNet under load and faults, and the one verdict over everything that was sent, stored and heard so far."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.stack.part import PartError
from deploy.stack.service import ROOT
from schemas import topics
from services.alerts.app import verify_audit
from services.runtime.clock import SystemClock
from tests.chaos import probe
from tests.chaos.publisher import Plan, Publisher, read_ledger
from tests.checker import told
from tests.checker.delivery import Sent, check_account, check_delivery, copies
from tests.checker.notices import Copy, Outage, check_all_clears, check_fires, check_intake, check_notices, extra_copies
from tests.checker.replay import Setting, check_facts, check_findings, replay
from tests.system import System, broker_options, running, wait_for

LIMIT_S = 240.0
"""For any wait: machines that run this may be busy. Nothing is judged by how long it took."""
REPORT: list[str] = []
"""Lines for the summary at the end of the run."""

SPEAKING = """SELECT g.id, g.body ->> 'unit_id' FROM registry.in_force g
    JOIN registry.in_force u ON u.kind = 'unit' AND u.id = g.body ->> 'unit_id'
    WHERE g.kind = 'gateway' AND u.body ->> 'commissioned_on' IS NOT NULL ORDER BY g.id"""
UNSENT = "SELECT count(*) = 0 FROM alerts.notices WHERE state IN ('pending', 'sending')"
ON_THEIR_WAY = "SELECT notice_id FROM alerts.notices WHERE state = 'sending'"
FIRE_CASES = "SELECT unit_id, sum(alarms) FROM alerts.cases WHERE kind = 'fire' GROUP BY unit_id"


def seed() -> int:
    """Return FIRENET_CHAOS_SEED, or a new one; it is printed at the end of the run."""
    return int(os.environ.get("FIRENET_CHAOS_SEED") or random.SystemRandom().randrange(1 << 32))


@dataclass
class Scenario:
    """One system under a publisher that sends heartbeats all the time, and all the rest during a `storm`."""

    system: System
    publisher: Publisher
    ledger: Path
    gateways: list[tuple[str, str]]
    rate: float
    dice: random.Random
    kills: int = 0
    on_their_way: set[str] = field(default_factory=set)
    heard_with_database: Counter[str] = field(default_factory=Counter)
    calm_since: datetime | None = None
    clock: SystemClock = field(default_factory=SystemClock)
    started: float = field(default_factory=SystemClock().monotonic)

    @contextmanager
    def storm(self) -> Iterator[None]:
        """Have the gateways send faults, restores and fires as well."""
        self.publisher.calm = False
        try:
            yield
        finally:
            self.publisher.calm = True
            self.calm_since = self.clock.now()

    def await_messages(self, most: int) -> None:
        """Wait for a moment that the seed chooses: until up to `most` more messages are sent."""
        target = self.publisher.sent + self.dice.randint(1, most)
        wait_for("more messages", lambda: self.publisher.sent >= target, LIMIT_S)

    def kill(self, name: str) -> None:
        """Kill a service or part. What alerts was sending is noted: of these, one more copy may come."""
        sends = name in ("alerts", "alerts-fire")
        if name == "PostgreSQL":
            self.heard_with_database = probe.heard(self.system)
        self.system.kill(name)
        if sends:
            self.note_on_their_way()
        self.kills += sends or name == "PostgreSQL"

    def kill_each(self, victims: Sequence[str]) -> None:
        """Kill one after the other and start each again at once; the next may die while others still come back."""
        coming: dict[str, Future[float]] = {}
        with ThreadPoolExecutor(len(set(victims))) as threads:
            for victim in victims:
                if victim in coming:
                    self._say_ready(victim, coming[victim])
                self.await_messages(1500)
                self.kill(victim)
                coming[victim] = threads.submit(self.restart, victim)
            for victim, ready in coming.items():
                self._say_ready(victim, ready)

    def _say_ready(self, victim: str, ready: Future[float]) -> None:
        self.say(f"{victim} ready {ready.result(LIMIT_S):.1f} s after its kill")

    def note_on_their_way(self) -> None:
        self.on_their_way |= {notice_id for (notice_id,) in self.system.rows(ON_THEIR_WAY)}

    def restart(self, name: str) -> float:
        """Start it again, as often as a supervisor would, and return the seconds until it was ready."""
        started = self.clock.monotonic()
        failures: list[str] = []
        while True:
            try:
                self.system.restart(name)
                break
            except PartError as error:
                failures.append(error.sentence)
                self.say(f"{name} did not come back at once: {error.sentence[:200]}")
                assert self.clock.monotonic() - started < LIMIT_S, failures
        return self.clock.monotonic() - started

    def note_told_without_database(self) -> None:
        """Wait until alerts has its database again; of what was told since that was killed one more copy may come.

        Until then fires are told from memory, and nobody can write down what a receiver has accepted.
        """
        wait_for("the database is no longer away", lambda: not self._is_database_away(), LIMIT_S)
        self.note_on_their_way()
        self.on_their_way |= set(probe.heard(self.system) - self.heard_with_database)

    def _is_database_away(self) -> bool:
        ports = self.system.firenet.ports
        lanes = [probe.metrics(port, "firenet_alerts_database_away") for port in (ports.alerts, ports.alerts_fire)]
        return any(value for found in lanes for samples in found.values() for _, value in samples)

    # --- after the load

    def drain(self) -> None:
        """Wait until ingest has proven and rules has worked off this very moment, and alerts has told of it."""
        self.calm_since = now = self.clock.now()
        passed = "SELECT count(*) = %s AND min(watermark) > %s FROM rules.partitions"
        partitions = topics.all_topics()["signals"].partitions
        wait_for("the watermark past the end of the load", lambda: self._true(passed, partitions, now), LIMIT_S)
        wait_for("findings sent", lambda: self._true("SELECT count(*) = 0 FROM rules.outbox"), LIMIT_S)
        wait_for("findings taken in", self._all_taken_in, LIMIT_S)
        wait_for("notices brought", lambda: self._true(UNSENT), LIMIT_S)
        self.say("drained")

    def _true(self, query: str, *arguments: object) -> bool:
        return bool(self.system.value(query, *arguments))

    def _all_taken_in(self) -> bool:
        return not check_intake(self._published(), self._seen())

    def _published(self) -> list[str]:
        log = probe.read_topic(self.system.firenet.kafka.bootstrap, topics.FINDINGS)
        return [f"/rules#{event_id}" for event_id, _ in probe.finding_events(log)]

    def _seen(self) -> set[str]:
        return {event_id for (event_id,) in self.system.rows("SELECT event_id FROM alerts.seen")}

    # --- the verdict

    def verdict(self) -> list[str]:
        """Return everything that is wrong, after `drain`; what was measured goes into the report."""
        found = [*self._delivery(), *self._rules(), *self._alerts(), *self._services()]
        self.say(f"checked, {len(found)} rules broken")
        return found

    def _delivery(self) -> list[str]:
        bootstrap = self.system.firenet.kafka.bootstrap
        stored = probe.stored_signals(probe.read_topic(bootstrap, topics.SIGNALS))
        refused = probe.refused_names(probe.read_topic(bootstrap, topics.REFUSALS))
        ledger = read_ledger(self.ledger)
        acked = sum(one.acked_at is not None for one in ledger)
        self.say(f"{len(ledger)} sent, {acked} acknowledged, {len(stored)} on the topic, {copies(stored)} repeats")
        return [
            *check_delivery(map(self._as_of_the_calm, ledger), stored, refused),
            *check_account(probe.ingest_counters(self.system.firenet.ports.ingest)),
        ]

    def _as_of_the_calm(self, one: Sent) -> Sent:
        """What was acknowledged since the watermark that `drain` saw may still be on its way."""
        assert self.calm_since is not None, "drain comes first"
        late = one.acked_at is not None and one.acked_at > self.calm_since.timestamp()
        return replace(one, acked_at=None) if late else one

    def _rules(self) -> list[str]:
        bootstrap = self.system.firenet.kafka.bootstrap
        saved = probe.rules_at_once(self.system.firenet.postgres.dsn())
        published = probe.finding_events(probe.read_topic(bootstrap, topics.FINDINGS))
        log = probe.read_topic(bootstrap, topics.SIGNALS)
        registry = probe.read_topic(bootstrap, topics.REGISTRY)
        setting = Setting(topics.all_topics()["signals"].partitions, self.rate)
        before, whole = replay(
            setting,
            ((key, entry.value) for records in registry.values() for entry, key in records),
            {partition: [entry for entry, _ in records] for partition, records in log.items()},
            saved.next_offsets,
        )
        states = Counter(str(row[4]) for row in before.transitions)
        repeats = len(published) - len({name for name, _ in published})
        self.say("transitions to " + ", ".join(f"{state} {count}" for state, count in sorted(states.items())))
        self.say(f"{len(before.findings)} findings, {repeats} repeats on the wire; {len(before.signals)} signals kept")
        published = [(name, as_told_now(value, whole.findings.get(name))) for name, value in published]
        return [*check_facts(saved.facts, before), *check_findings(published, saved.outbox, before, whole)]

    def _alerts(self) -> list[str]:
        heard_before = probe.heard(self.system)
        rows = self._ended_notices()
        accepted = {one.notice_id for one in rows if one.state == "accepted"}
        wait_for("the last copies counted", lambda: accepted <= set(probe.heard(self.system)), LIMIT_S)
        known = {one.notice_id for one in rows} | set(heard_before)
        heard = {notice_id: count for notice_id, count in probe.heard(self.system).items() if notice_id in known}
        unit_of, ledger = dict(self.gateways), read_ledger(self.ledger)
        fires = Counter(unit_of[one.gateway_id] for one in ledger if one.kind == "fire")
        cases = dict(self.system.rows("SELECT case_id, unit_id FROM alerts.cases WHERE kind = 'fire'"))
        self.say(
            f"{len(rows)} notices, {sum(heard.values())} copies heard, {extra_copies(heard)} more than once after "
            f"{self.kills} kills that could repeat {len(self.on_their_way)}; {sum(fires.values())} fires"
        )
        return [
            *check_notices(rows, heard, Outage(self.kills, self.on_their_way)),
            *check_fires(fires, dict(self.system.rows(FIRE_CASES)), probe.centre_fire_notices(rows, cases)),
            *check_intake(self._published(), self._seen()),
            *self._audit(),
        ]

    def _ended_notices(self) -> list[Copy]:
        """Return all notices as of a moment at which none was waiting or on its way."""
        rows: list[Copy] = []

        def ended() -> bool:
            rows[:] = probe.notices(self.system)
            return all(one.state not in ("pending", "sending") for one in rows)

        wait_for("notices brought", ended, LIMIT_S)
        return rows

    def _audit(self) -> list[str]:
        chain = asyncio.run(verify_audit(self.system.firenet.postgres.dsn()))
        return told("audit chain broken", [chain.broken_at] if chain.broken_at is not None else [])

    def _services(self) -> list[str]:
        dead = [name for name, service in self.system.services.items() if not service.alive()]
        return told("service dead by itself", dead)

    # --- the end of all fires

    def restore_fires(self) -> list[str]:
        """End every fire and return what is wrong with the all-clears."""
        burning = self.system.rows("SELECT DISTINCT unit_id FROM alerts.cases WHERE kind = 'fire' AND state = 'open'")
        gateways = {unit: gateway for gateway, unit in self.gateways}
        for (unit,) in burning:
            self.publisher.send(gateways[unit], {"v": 1, "kind": "restore", "restores": "fire"}, "alarm")
        over = "SELECT count(*) = 0 FROM alerts.cases WHERE kind = 'fire' AND state = 'open'"
        wait_for("the fires over", lambda: self._true(over), LIMIT_S)
        wait_for("all clear told", lambda: self._true(UNSENT), LIMIT_S)
        closed = [case_id for (case_id,) in self.system.rows("SELECT case_id FROM alerts.cases WHERE kind = 'fire'")]
        return check_all_clears(probe.notices(self.system), closed)

    def rate_now(self) -> tuple[int, int, int]:
        """Return in scope, connected and unknown of scope S1 in the district."""
        in_scope, connected, unknown = self.system.rows(
            "SELECT in_scope, connected, unknown FROM rules.rates_now WHERE scope = 'S1' AND dimension = 'district'"
        )[0]
        return in_scope, connected, unknown

    def losses(self) -> list[tuple[str, int]]:
        """Return what is told as lost on the way, by gateway."""
        return [(gateway, missing) for gateway, missing in self.system.rows(LOSSES)]

    def watermark(self) -> datetime | None:
        found: datetime | None = self.system.value("SELECT min(watermark) FROM rules.partitions")
        return found

    def say(self, line: str) -> None:
        seconds = self.clock.monotonic() - self.started
        REPORT.append(f"{seconds:6.1f} s  {line}")
        sys.stderr.write(f"{REPORT[-1]}\n")


LOSSES = "SELECT gateway_id, missing FROM rules.losses"


def as_told_now(value: bytes, now: bytes | None) -> bytes:
    """Return `now` where it says all that `value` says: an event of the version before has no members of this one."""
    return now if now is not None and says_all_of(json.loads(now), json.loads(value)) else value


def says_all_of(more: Any, less: Any) -> bool:
    if isinstance(more, dict) and isinstance(less, dict):
        return all(name in more and says_all_of(more[name], each) for name, each in less.items())
    return bool(more == less)


@contextmanager
def scenario(
    folder: Path,
    units: int,
    rate: float,
    ladder_rate: float,
    root: Path = ROOT,
    messages_per_s: float = 250.0,
    **plan: Any,
) -> Iterator[Scenario]:
    """Yield a running FireNet whose gateways send heartbeats; `rate` divides the deadlines of units.

    Its services are of the version at `root`.
    """
    chosen = seed()
    REPORT.append(f"{folder.name}: seed {chosen} (FIRENET_CHAOS_SEED={chosen} repeats it)")
    options = broker_options(supervision_rate=rate, ladder_rate=ladder_rate, mailbox=True, local_webhooks=True)
    with running(folder, options, units, root) as system:
        gateways = [(gateway, unit) for gateway, unit in system.rows(SPEAKING)]
        ledger = folder / "ledger.tsv"
        publisher = Publisher(system.firenet.ports.mqtt, Plan(chosen, gateways, messages_per_s, **plan), ledger)
        try:
            yield Scenario(system, publisher, ledger, gateways, rate, random.Random(chosen))
        finally:
            publisher.close()
