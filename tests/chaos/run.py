"""One chaos run: the storm with its blows, the calm after it, and the accounts."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.stack.part import PartError
from schemas import topics
from tests.chaos import probe
from tests.chaos.blows import HEADING, Blow, Striker, plan
from tests.chaos.samples import Sampler
from tests.chaos.script import Pace, Script
from tests.chaos.sender import Sender
from tests.chaos.site import GAP_GRACE_S, Aborted, Site, out
from tests.chaos.verdict import Verdict
from tests.checker import Account
from tests.checker.notices import check_intake

SPEAKING = """SELECT g.id, g.body ->> 'unit_id' FROM registry.in_force g
    JOIN registry.in_force u ON u.kind = 'unit' AND u.id = g.body ->> 'unit_id'
    WHERE g.kind = 'gateway' AND u.body ->> 'commissioned_on' IS NOT NULL ORDER BY g.id"""
ONLINE = "SELECT count(*) FROM rules.units_now WHERE connection_now = 'online'"
PASSED = "SELECT count(*) = %s AND min(watermark) > to_timestamp(%s) FROM rules.partitions"
UNSENT = "SELECT count(*) = 0 FROM alerts.notices WHERE state IN ('pending', 'sending')"
FREE_LIMIT_S = 120.0
DRAIN_LIMIT_S = 240.0
FINAL_STORM_S = 5.0
EXAMPLES = 12


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run is to be. `limit_s` ends it whatever happens.

    `storm_s`: so long the devices go on with their trouble, blows or not; what the parts hold is sampled then.
    """

    seed: int
    blows: int
    folder: Path
    units: int = 120
    longest_freeze_s: float = 40.0
    gap_s: tuple[float, float] = (5.0, 15.0)
    limit_s: float = 1500.0
    pace: Pace = field(default_factory=Pace)
    storm_s: float = 0.0


class Run:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.site = Site(terms.folder, terms.seed, terms.units)
        self.accounts: list[Account] = []
        self.failure: str | None = None

    def execute(self) -> bool:
        """Run all of it from the main thread; return whether every account holds."""
        site = self.site
        guard = threading.Timer(self.terms.limit_s, self._give_up, [f"not done within {self.terms.limit_s:.0f} s"])
        guard.daemon = True
        guard.start()
        work = threading.Thread(target=self._work, name="chaos", daemon=True)
        try:
            with site.stack:
                site.start()
                work.start()
                try:
                    site.stack.watch()
                except PartError as error:
                    self._give_up(f"the supervisor gave {error.part} up: {error.sentence}")
                work.join(60)
        except PartError as error:
            self.failure = f"the stack did not start: {error.sentence}"
        guard.cancel()
        return self._report()

    def _give_up(self, why: str) -> None:
        self.site.gave_up = why
        self.site.stop.set()
        self.site.stack.ask_to_stop()

    def _work(self) -> None:
        try:
            self._storm_and_accounts()
        except Aborted as error:
            self.failure = str(error)
        except BaseException as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.site.stack.ask_to_stop()

    # --- the storm

    def _storm_and_accounts(self) -> None:
        site, terms = self.site, self.terms
        gateways: list[tuple[str, str]] = [(gateway, unit) for gateway, unit in site.rows(SPEAKING)]
        script = Script(terms.seed, gateways, terms.pace)
        sender = Sender(site.firenet.ports.mqtt, script, dict(gateways))
        striker = Striker(site.part, lambda: (sender.unanswered, site.sending()), site.stop)
        sampler = self._sampler(sender, striker) if terms.storm_s else None
        sender.start()
        try:
            speaking = len({unit for _, unit in gateways})
            site.wait("nearly all units online", lambda: site.value(ONLINE) > speaking * 0.9, 60)
            if sampler is not None:
                sampler.start()
            self._strike_all(sender, striker)
            site.stop.wait(max(FINAL_STORM_S, terms.storm_s - sender.seconds))
            if sampler is not None:
                sampler.close()
            self._quiesce(sender)
            verdict = Verdict(site, script, sender.book, striker.struck, sender.started_at)
            self.accounts += verdict.while_all_speak()
        finally:
            sender.close()
            sender.save(terms.folder / "book.jsonl")
        closed_at = site.clock.now().timestamp()
        partitions = topics.all_topics()["signals"].partitions
        site.wait("all of the log worked off", lambda: bool(site.value(PASSED, partitions, closed_at)), DRAIN_LIMIT_S)
        self.accounts += verdict.afterwards()
        self._table(striker, sender)
        if sampler is not None:
            out("\n" + "\n".join(sampler.table()))

    def _sampler(self, sender: Sender, striker: Striker) -> Sampler:
        def line(memory_mb: float, disk_mb: float) -> None:
            said, away = len(sender.book), len(striker.struck)
            self.site.say(
                f"minute {sender.seconds / 60:.0f}: {said} said, {sender.unanswered} unanswered, {away} blows, "
                f"memory {memory_mb:.0f} MB, disk {disk_mb:.0f} MB"
            )

        return Sampler(self.site.stack.parts, self.terms.folder, self.site.stop, line)

    def _strike_all(self, sender: Sender, striker: Striker) -> None:
        site, terms = self.site, self.terms
        parts = [part.name for part in site.stack.parts]
        for blow in plan(terms.seed, terms.blows, parts, terms.longest_freeze_s, terms.gap_s):
            while sender.seconds < blow.at_s and not site.stop.is_set():
                site.stop.wait(0.05)
            if not site.wait(f"{blow.part} to be free", partial(striker.is_free, blow.part), FREE_LIMIT_S):
                continue
            site.say(f"{blow.number:3} {self._words(blow)}")
            striker.strike(blow)
            if sender.failed is not None:
                raise sender.failed
        striker.join()

    @staticmethod
    def _words(blow: Blow) -> str:
        return f"kill {blow.part}" if blow.kills else f"freeze {blow.part} for {blow.for_s:.1f} s"

    def _quiesce(self, sender: Sender) -> None:
        """End the trouble and wait until everything is acknowledged, worked off and told."""
        site = self.site
        site.say("the storm is over")
        site.calm()
        sender.calm()
        site.stop.wait(2 * GAP_GRACE_S)
        said = list(sender.book)
        site.wait("all acknowledged", lambda: all(one.acked_at is not None for one in said), DRAIN_LIMIT_S)
        now = site.clock.now().timestamp()
        partitions = topics.all_topics()["signals"].partitions
        passed = site.wait("the watermark", lambda: bool(site.value(PASSED, partitions, now)), DRAIN_LIMIT_S)
        site.wait("findings sent", lambda: site.value("SELECT count(*) FROM rules.outbox") == 0, DRAIN_LIMIT_S)
        site.wait("findings taken in", self._all_taken_in, DRAIN_LIMIT_S if passed else 30)
        site.wait("notices brought", lambda: bool(site.value(UNSENT)), DRAIN_LIMIT_S)

    def _all_taken_in(self) -> bool:
        log = probe.read_topic(self.site.firenet.kafka.bootstrap, topics.FINDINGS)
        published = [f"/rules#{event_id}" for event_id, _ in probe.finding_events(log)]
        return not check_intake(published, {name for (name,) in self.site.rows("SELECT event_id FROM alerts.seen")})

    # --- what is printed

    def _table(self, striker: Striker, sender: Sender) -> None:
        kills = sum(one.blow.kills for one in striker.struck)
        said = len(sender.book)
        out(
            f"\n{said} messages in {sender.book[-1].due_at - sender.started_at:.0f} s, {kills} kills and "
            f"{len(striker.struck) - kills} freezes, {sender.connections} connections\n\n{HEADING}"
        )
        for struck in striker.struck:
            out(struck.row(sender.started_at))

    def _report(self) -> bool:
        out("")
        broken = [account for account in self.accounts if account.is_broken]
        for account in self.accounts:
            out("\n".join(account.lines(EXAMPLES if account.counts else 3)))
        if self.failure is not None:
            out(f"\nthe run did not come to its end: {self.failure}")
        fine = self.failure is None and bool(self.accounts) and not broken
        found = {account.rule: [str(one) for one in account.found] for account in self.accounts if account.found}
        self.terms.folder.mkdir(parents=True, exist_ok=True)
        (self.terms.folder / "accounts.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
        what = "every account holds" if fine else f"{len(broken)} accounts are wrong: {_names(broken)}"
        out(f"\nseed {self.terms.seed}, {self.terms.blows} blows: {what}")
        return fine


def _names(accounts: Sequence[Account]) -> str:
    return "; ".join(f"{account.rule} ({len(account.found)})" for account in accounts) or "-"
