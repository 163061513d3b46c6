"""FireNet under load and faults, and the one verdict over everything that was sent, stored and heard so far."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.stack.part import PartError
from schemas import topics
from services.alerts.app import verify_audit
from services.runtime.clock import SystemClock
from tests.chaos import look
from tests.chaos.publisher import Plan, Publisher, read_ledger
from tests.checker import told
from tests.checker.delivery import check_account, check_delivery, copies
from tests.checker.notices import Outage, check_all_clears, check_fires, check_intake, check_notices, extra_copies
from tests.checker.replay import Setting, check_facts, check_findings, replay
from tests.system import System, broker_options, running, wait_for

LIMIT_S = 240.0
"""For any wait: machines that run this may be busy. Nothing is judged by how long it took."""
SEQ_STEP = 1_000_000
REPORT: list[str] = []
"""Lines for the summary at the end of the run."""

SPEAKING = """SELECT g.id, g.body ->> 'unit_id' FROM registry.in_force g
    JOIN registry.in_force u ON u.kind = 'unit' AND u.id = g.body ->> 'unit_id'
    WHERE g.kind = 'gateway' AND u.body ->> 'commissioned_on' IS NOT NULL ORDER BY g.id"""
UNSENT = "SELECT count(*) FROM alerts.notices WHERE state IN ('pending', 'sending')"
ON_THEIR_WAY = "SELECT notice_id FROM alerts.notices WHERE state = 'sending'"
FIRE_CASES = "SELECT unit_id, sum(alarms) FROM alerts.cases WHERE kind = 'fire' GROUP BY unit_id"


def seed() -> int:
    """Return FIRENET_CHAOS_SEED, or a new one; it is printed at the end of the run."""
    return int(os.environ.get("FIRENET_CHAOS_SEED") or random.SystemRandom().randrange(1 << 32))


@dataclass
class World:
    """One system with the ledgers of all its publishers."""

    system: System
    folder: Path
    seed: int
    gateways: list[tuple[str, str]]
    rate: float
    kills: int = 0
    on_their_way: set[str] = field(default_factory=set)
    publishers: int = 0
    dice: random.Random = field(init=False)
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    @contextmanager
    def load(self, **plan: Any) -> Iterator[Publisher]:
        """Publish until the block ends, then wait until the broker has acknowledged everything."""
        self.publishers += 1
        name = f"{self.publishers}"
        whole = Plan(self.dice.randrange(1 << 32), self.gateways, first_seq=self.publishers * SEQ_STEP, **plan)
        publisher = Publisher(self.system.firenet.ports.mqtt, whole, self.folder / f"ledger-{name}.tsv", name)
        try:
            yield publisher
            publisher.stop()
            wait_for("every message acknowledged by the broker", publisher.settle, LIMIT_S)
        finally:
            publisher.close()

    def await_messages(self, publisher: Publisher, most: int) -> None:
        """Wait for a moment that the seed chooses: until up to `most` more messages are sent."""
        target = publisher.sent + self.dice.randint(1, most)
        wait_for("more messages", lambda: publisher.sent >= target, LIMIT_S)

    def kill(self, name: str) -> None:
        """Kill a service or part. What alerts was sending is noted: of these, one more copy may come."""
        interrupts = name in ("alerts", "PostgreSQL")
        self.system.kill(name)
        if name == "alerts":
            self.note_on_their_way()
        self.kills += interrupts

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

    # --- after the load

    def drain(self) -> None:
        """Wait until ingest has proven and rules has worked off this very moment, and alerts has told of it."""
        now = self.clock.now()
        passed = "SELECT count(*) = %s AND min(watermark) > %s FROM rules.partitions"
        partitions = topics.all_topics()["signals"].partitions
        wait_for("the watermark past the end of the load", lambda: self._true(passed, partitions, now), LIMIT_S)
        wait_for("findings sent", lambda: self._true("SELECT count(*) = 0 FROM rules.outbox"), LIMIT_S)
        wait_for("findings taken in", self._all_taken_in, LIMIT_S)
        wait_for("notices brought", lambda: self._true(f"SELECT ({UNSENT}) = 0"), LIMIT_S)

    def _true(self, query: str, *arguments: object) -> bool:
        return bool(self.system.value(query, *arguments))

    def _all_taken_in(self) -> bool:
        return not check_intake(self._published(), self._seen())

    def _published(self) -> list[str]:
        log = look.read_topic(self.system.firenet.kafka.bootstrap, topics.FINDINGS)
        return [f"/rules#{event_id}" for event_id, _ in look.finding_events(log)]

    def _seen(self) -> set[str]:
        return {event_id for (event_id,) in self.system.rows("SELECT event_id FROM alerts.seen")}

    # --- the verdict

    def verdict(self) -> list[str]:
        """Return everything that is wrong, after `drain`; what was measured goes into the report."""
        return [*self._delivery(), *self._rules(), *self._alerts(), *self._services()]

    def _delivery(self) -> list[str]:
        bootstrap = self.system.firenet.kafka.bootstrap
        ledger = [one for path in sorted(self.folder.glob("ledger-*.tsv")) for one in read_ledger(path)]
        stored = look.stored_signals(look.read_topic(bootstrap, topics.SIGNALS))
        refused = look.refused_ids(look.read_topic(bootstrap, topics.REFUSALS))
        acked = sum(one.acked_at is not None for one in ledger)
        self.say(f"{len(ledger)} sent, {acked} acknowledged, {len(stored)} on the topic, {copies(stored)} repeats")
        return [
            *check_delivery(ledger, stored, refused),
            *check_account(look.ingest_books(self.system.firenet.ports.ingest)),
        ]

    def _rules(self) -> list[str]:
        bootstrap = self.system.firenet.kafka.bootstrap
        saved = look.rules_at_once(self.system.firenet.postgres.dsn())
        published = look.finding_events(look.read_topic(bootstrap, topics.FINDINGS))
        log = look.read_topic(bootstrap, topics.SIGNALS)
        registry = look.read_topic(bootstrap, topics.REGISTRY)
        setting = Setting(topics.all_topics()["signals"].partitions, self.rate)
        before, whole = replay(
            setting,
            ((key, entry.value) for records in registry.values() for entry, key in records),
            {partition: [entry for entry, _ in records] for partition, records in log.items()},
            saved.next_offsets,
        )
        self.say(
            f"{len(before.transitions)} transitions, {len(before.findings)} findings, {len(before.signals)} signals "
            f"kept; {len(published) - len({name for name, _ in published})} findings repeated on the wire"
        )
        return [*check_facts(saved.facts, before), *check_findings(published, saved.outbox, before, whole)]

    def _alerts(self) -> list[str]:
        rows = look.notices(self.system)
        accepted = {one.notice_id for one in rows if one.state == "accepted"}
        wait_for("the last copies counted", lambda: accepted <= set(look.heard(self.system)), 10)
        heard = look.heard(self.system)
        ledger = [one for path in self.folder.glob("ledger-*.tsv") for one in read_ledger(path)]
        unit_of = dict(self.gateways)
        fires = Counter(unit_of[one.gateway_id] for one in ledger if one.kind == "fire" and one.acked_at is not None)
        cases = dict(self.system.rows("SELECT case_id, unit_id FROM alerts.cases WHERE kind = 'fire'"))
        self.say(
            f"{len(rows)} notices, {sum(heard.values())} copies heard, {extra_copies(heard)} more than once after "
            f"{self.kills} kills that could repeat {len(self.on_their_way)}; {sum(fires.values())} fires"
        )
        # a notice made since `rows` were read may be heard already
        late = {one.notice_id for one in look.notices(self.system)} - {one.notice_id for one in rows}
        known = {notice_id: count for notice_id, count in heard.items() if notice_id not in late}
        sent = [one for one in rows if one.state not in ("pending", "sending")]
        lagging = [one for one in rows if one.state in ("pending", "sending")]
        known = {name: count for name, count in known.items() if name not in {one.notice_id for one in lagging}}
        return [
            *check_notices(sent, known, Outage(self.kills, self.on_their_way)),
            *check_fires(fires, dict(self.system.rows(FIRE_CASES)), look.centre_fire_notices(rows, cases)),
            *check_intake(self._published(), self._seen()),
            *self._audit(),
        ]

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
            seq = SEQ_STEP * (self.publishers + 1)
            body = {"v": 1, "kind": "restore", "restores": "fire", "seq": seq,
                    "occurred_at": self.clock.now().isoformat()}  # fmt: skip
            self.system.publish(gateways[unit], body, "alarm/json")
        self.publishers += 1
        over = "SELECT count(*) = 0 FROM alerts.cases WHERE kind = 'fire' AND state = 'open'"
        wait_for("the fires over", lambda: self._true(over), LIMIT_S)
        wait_for("all clear told", lambda: self._true(f"SELECT ({UNSENT}) = 0"), LIMIT_S)
        closed = [case_id for (case_id,) in self.system.rows("SELECT case_id FROM alerts.cases WHERE kind = 'fire'")]
        return check_all_clears(look.notices(self.system), closed)

    def rate_now(self) -> tuple[int, int, int]:
        """Return in scope, connected and unknown of scope S1 in the district."""
        in_scope, connected, unknown = self.system.rows(
            "SELECT in_scope, connected, unknown FROM rules.rates_now WHERE scope = 'S1' AND dimension = 'district'"
        )[0]
        return in_scope, connected, unknown

    def watermark(self) -> datetime | None:
        found: datetime | None = self.system.value("SELECT min(watermark) FROM rules.partitions")
        return found

    def say(self, line: str) -> None:
        REPORT.append(line)


@contextmanager
def world(folder: Path, units: int, rate: float, ladder_rate: float) -> Iterator[World]:
    """Yield a running FireNet with its gateways; every gateway that may speak is known."""
    chosen = seed()
    REPORT.append(f"{folder.name}: seed {chosen} (FIRENET_CHAOS_SEED={chosen} repeats it)")
    options = broker_options(supervision_rate=rate, ladder_rate=ladder_rate, mailbox=True, local_webhooks=True)
    with running(folder, options, units) as system:
        yield World(system, folder, chosen, system.rows(SPEAKING), rate)
