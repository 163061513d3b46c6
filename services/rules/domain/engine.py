"""The engine of one partition: records in log order and registry rows in, transitions and findings out.

A fold: each input changes the state by plain functions that return what became of it, and the engine alone says what
follows from what. It reads no clock. Time is the watermark that ticks carry, and everything that waits for time waits
for that.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from services.kernel.synthetic import SYNTHETIC
from services.kernel.words import Connection, FindingKind, Health, Phase, SignalKind
from services.rules.domain import lines, supervision
from services.rules.domain.changes import Changes
from services.rules.domain.counters import Counters
from services.rules.domain.effects import SIGNALS_TOPIC, Effects, Evidence, HourCount, Moment, RateSample
from services.rules.domain.facts import AdjustmentVersion, GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.findings import Findings, must_connect
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.rate import RateKey, RateRow
from services.rules.domain.registrations import FROM_REGISTRY, Registrations, row_key
from services.rules.domain.time.deadlines import Deadlines, FactsDue, LinkDue, NeverConnectedDue, RepeatsDue
from services.rules.domain.time.instants import HOUR, MINUTE, SECOND, floor_to
from services.rules.domain.time.watch import Watch
from services.rules.domain.transitions import Transitions
from services.rules.domain.troubles import Troubles
from services.rules.domain.unit.connection import Link
from services.rules.domain.unit.deduplication import same_delivery
from services.rules.domain.unit.repeats import ComponentTrouble, Repeats
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import TROUBLE_OF, Anomaly, Cause

MAX_UNLISTED = 10_000
MAX_LINKS = 16
MIN_BLIND_AFTER = 3 * SECOND
NEVER_GRACE = 3600 * SECOND
"""How long a unit that must be connected may stay without a first word before that is a finding."""


class Engine:
    """State of the units of one partition.

    Feed it with `registry` and `apply`; take what it says with `take_effects`. The same inputs in the same order give
    the same effects, wherever it is saved and loaded in between (`snapshot`). `changes` says what has to be saved,
    `counters` how many are in which state now.
    """

    def __init__(self, never_grace: int = NEVER_GRACE) -> None:
        self.units: dict[str, Unit] = {}
        self.watch = Watch()
        self.effects = Effects()
        self.counters = Counters()
        self.changes = Changes()
        self.deadlines = Deadlines(self.units, self.watch, never_grace)
        self.registrations = Registrations()
        self._findings = Findings(self.effects, self.changes)
        self._transitions = Transitions(self.effects, self.counters, self.changes)
        self._troubles = Troubles(self.changes, self._transitions, self._findings)
        self.anomalies: Tally[Anomaly] = Tally()
        self.handled: Tally[str] = Tally()
        self.dropped = 0
        self._unlisted: set[str] = set()
        self.sampled = 0

    def apply(self, record: Input) -> None:
        """Take in one record of the partition, in log order."""
        if type(record) is Heartbeat:
            self.heartbeat(record)
        elif type(record) is Tick:
            self.tick(record)
        elif type(record) is Signal:
            self.signal(record)

    def heartbeat(self, beat: Heartbeat) -> None:
        """A live heartbeat: touches memory only as long as its unit is online."""
        unit_id, gateway_id, signal_id, at, offset, redelivered = beat
        if at > self.watch.seen and self.watch.silence(at):
            self._go_blind(at, offset)
        unit = self.units.get(unit_id)
        link = unit.connection.link(gateway_id) if unit is not None else None
        if unit is None or link is None:
            link = self._meet(unit_id, gateway_id)
            if link is None:
                return
            unit = self.units[unit_id]
        if (
            signal_id == link.beat
            or signal_id == link.beat_before
            or (redelivered and (same_delivery(signal_id, link.beat) or same_delivery(signal_id, link.beat_before)))
        ):
            self.anomalies[Anomaly.DUPLICATE] += 1
            return
        watermark = self.watch.watermark
        if watermark is not None and at < watermark:
            self.anomalies[Anomaly.BEHIND_WATERMARK] += 1
        link.beat_before = link.beat
        link.beat = signal_id
        counted = unit.deduplication
        if counted.hour <= at < counted.hour + HOUR:
            counted.beats += 1
        else:
            self._turn_hour(unit, at)
        if not unit.touched:
            unit.touched = True
            self.changes.touched.append(unit)
        if link.state is Connection.ONLINE:
            if at > link.last_proof:
                link.last_proof = at
        else:
            self._prove(unit, link, at, signal_id, Evidence(SIGNALS_TOPIC, offset))

    def signal(self, signal: Signal) -> None:
        """Any other signal: stored, and whatever it says of connection and health followed."""
        if signal.kind == "heartbeat" and signal.reconnected:
            self._beat_over_a_new_line(signal)
            return
        at, offset = signal.received_at, signal.offset
        if not signal.replayed and self.watch.silence(at):  # a person replays: nobody need be looking for that
            self._go_blind(at, offset)
        self.handled[signal.kind] += 1
        if signal.unit_id == SYNTHETIC and SYNTHETIC not in self.units:
            self._synthetic(signal)
            return
        link = self._meet(signal.unit_id, signal.gateway_id)
        unit = self.units.get(signal.unit_id)
        news = signal if unit is None else unit.deduplication.news(signal)
        if news is None:
            self.anomalies[Anomaly.DUPLICATE] += 1
            return
        signal = news
        if not signal.replayed and at < (self.watch.watermark or 0):
            self.anomalies[Anomaly.BEHIND_WATERMARK] += 1  # a state of the line may stand for longer than it should
        self._keep(signal)
        if unit is None:
            return
        self.changes.touch(unit)
        if signal.retained:
            self.anomalies[Anomaly.RETAINED] += 1
            return
        # The line first: a unit that is heard of again with a fire is online before it burns, as its gateway is.
        evidence = Evidence(SIGNALS_TOPIC, offset)
        if link is not None and not signal.replayed:
            self._follow_line(unit, link, signal, evidence)
        self._follow_test(unit, signal, evidence)
        anomaly = self._troubles.apply(unit, signal, evidence)
        if anomaly is not None:
            self.anomalies[anomaly] += 1
        self._follow_repeats(unit, signal, evidence)

    def _synthetic(self, signal: Signal) -> None:
        """Say what a fire of the unit in no register is, and keep nothing: no state, no transition, no row, no count.

        Whether it is a synthetic alarm is not decided here: one that is none is a fire, and told as one by alerts.
        """
        if signal.kind == SignalKind.FIRE:
            moment = Moment(
                signal.received_at, signal.received_at, Cause.SIGNAL, Evidence(SIGNALS_TOPIC, signal.offset),
                signal.signal_id, signal.body,
            )  # fmt: skip
            self._findings.passing(SYNTHETIC, FindingKind.FIRE, Phase.BEGAN, moment, signal.point)

    def _keep(self, signal: Signal) -> None:
        if signal.missing > 0 and self.watch.is_shared(signal.received_at):
            self.anomalies[Anomaly.UNPROVEN_LOSS] += 1
        elif signal.kind != "heartbeat":
            self.effects.signals.append(signal)

    def _beat_over_a_new_line(self, signal: Signal) -> None:
        beat = Heartbeat(signal.unit_id, signal.gateway_id, signal.signal_id, signal.received_at, signal.offset)
        unit = self.units.get(signal.unit_id)
        known = None if unit is None else unit.connection.link(signal.gateway_id)
        is_new = known is None or signal.signal_id not in (known.beat, known.beat_before)
        self.heartbeat(beat)
        unit = self.units.get(signal.unit_id)
        link = None if unit is None else unit.connection.link(signal.gateway_id)
        if is_new and unit is not None and link is not None:
            self._drop(unit, link, signal.received_at)

    def _follow_line(self, unit: Unit, link: Link, signal: Signal, evidence: Evidence) -> None:
        if signal.reconnected or signal.kind == "link_down":
            self._drop(unit, link, signal.received_at)
        if signal.kind == "link_down":
            moment = supervision.link_down(link, signal, evidence)
            if moment is not None:
                self._follow_link(unit, link, moment)
        else:
            self._prove(unit, link, signal.received_at, signal.signal_id, evidence)

    def _follow_test(self, unit: Unit, signal: Signal, evidence: Evidence) -> None:
        """Whatever meets a duty to test ends what was overdue, and begins the time until the next."""
        testing = unit.testing
        if testing is None or testing.duty is None or signal.replayed:
            return
        if testing.duty.counts.is_met_by(SignalKind(signal.kind)):
            at = signal.received_at
            self._findings.tested(unit, Moment(at, at, Cause.SIGNAL, evidence, signal.signal_id))
            self.deadlines.add_test(unit)

    def _follow_repeats(self, unit: Unit, signal: Signal, evidence: Evidence) -> None:
        """Count how often a component begins a trouble. What may be an older message once more counts for nothing."""
        rule, kind = unit.registration.pack.runaway, TROUBLE_OF.get(signal.kind)
        if rule is None or kind is None or not signal.point or signal.restores:
            return
        if signal.again or signal.redelivered or signal.replayed:
            return
        if unit.repeats is None:
            unit.repeats = Repeats()
        at = signal.received_at
        if unit.repeats.begun(ComponentTrouble(kind, signal.point), at, rule):
            moment = Moment(at, at, Cause.SIGNAL, evidence, signal.signal_id)
            self._findings.follow_repeats(unit, moment, signal.point)
        self.deadlines.add_repeats(unit)

    def _settle_repeats(self, unit: Unit, at: int, evidence: Evidence) -> None:
        rule, repeats = unit.registration.pack.runaway, unit.repeats
        assert repeats is not None, "it was on the agenda"
        if rule is None:
            return
        self.changes.touch(unit)
        if quiet := repeats.settle(at, rule, self.watch.clear_since):
            self._findings.follow_repeats(unit, Moment(at, at, Cause.DEADLINE, evidence), quiet[0].point)
        if not repeats.begins and not repeats.running:
            unit.repeats = None
        self.deadlines.add_repeats(unit)

    def _drop(self, unit: Unit, link: Link, at: int) -> None:
        self.dropped += 1
        self.changes.touch(unit)
        if lines.drop(unit, link, at):
            self.counters.unstable[unit.unit_id] = unit.connection.unstable_until
            self.changes.touch_row(unit)

    def tick(self, tick: Tick) -> None:
        """Time moves: everything received before the tick's proof is known."""
        if not self.watch.is_news(tick):
            self.anomalies[Anomaly.STALE_TICK] += 1
            return
        # Blindness before the tick is taken in: what it proves reaches over a gap in which nobody looked, and a
        # deadline in that gap must find its link unknown.
        if self.watch.silence(tick.written_at):
            self._go_blind(tick.written_at, tick.offset)
        if self.watch.jump(tick):
            self._go_blind(tick.proven_until, tick.offset)
        target = self.watch.take(tick)
        if target is not None and target != self.watch.watermark:
            self._advance(target, tick.offset)
            self._sample(target)

    def registry(
        self,
        units: Mapping[str, tuple[UnitVersion, ...]] | None = None,
        gateways: Mapping[str, tuple[GatewayVersion, ...]] | None = None,
        packs: Mapping[str, tuple[PackVersion, ...]] | None = None,
        adjustments: Mapping[str, tuple[AdjustmentVersion, ...]] | None = None,
    ) -> None:
        """Take rows of the registry, each with all its versions; only of units that belong to this partition."""
        now = self.watch.watermark
        concerned: dict[str, Unit] = {}
        for unit_id, versions in (units or {}).items():
            unit = concerned[unit_id] = self._unit(unit_id)
            self._add_facts(self.registrations.put_unit(unit, versions, now), unit_id)
        for gateway_id, held in (gateways or {}).items():
            # A set has another order in each process.
            spoken_for = (held[0].unit_id,) if len(held) == 1 else sorted({version.unit_id for version in held})
            for unit_id in spoken_for:
                unit = concerned[unit_id] = self._unit(unit_id)
                self._add_facts(self.registrations.put_gateway(unit, gateway_id, held, now), unit_id)
        for adjustment_id, excuse in (adjustments or {}).items():
            unit = concerned[excuse[0].unit_id] = self._unit(excuse[0].unit_id)
            self._add_facts(self.registrations.put_adjustment(unit, adjustment_id, excuse, now), unit.unit_id)
        for pack_id, of_pack in (packs or {}).items():
            self._add_facts(self.registrations.put_pack(pack_id, of_pack, now), "")
        # Packs before units, whoever came with them: a unit is never listed under a pack that no longer holds.
        if packs and self.registrations.choose_packs(now):
            self._watch_closely()
            concerned = self.units
        for unit in list(concerned.values()):
            self._refresh(unit, self.registrations.as_of(unit, now))
        self._watch_closely()

    def _add_facts(self, instants: Iterable[int], unit_id: str) -> None:
        for at in instants:
            self.deadlines.add_facts(at, unit_id)

    def take_effects(self) -> Effects:
        """Return what arose since the last call."""
        return self.effects.take()

    def resume(self, sampled: int, unsampled: Iterable[RateKey], rates: Iterable[RateRow] | None = None) -> None:
        """After a reload of state and registry: set the deadlines anew, and go on where the samples were."""
        for unit in self.units.values():
            if unit.registration.facts is None:
                self._unlisted.add(unit.unit_id)
            for link in unit.connection.links:
                self.deadlines.add_link(unit, link)
            self.deadlines.add_repeats(unit)
        self.sampled = sampled
        self.counters.rates.resume(unsampled, rates)

    def _unit(self, unit_id: str) -> Unit:
        found = self.units.get(unit_id)
        if found is None:
            found = self.units[unit_id] = Unit(unit_id)
        return found

    def _meet(self, unit_id: str, gateway_id: str) -> Link | None:
        """Return the link of a gateway, made on its first word; None beyond the bounds on unregistered units."""
        unit = self.units.get(unit_id)
        if unit is None:
            if unit_id == SYNTHETIC:  # no state is kept of it: its silence is nobody's
                self.anomalies[Anomaly.UNLISTED_UNIT] += 1
                return None
            if len(self._unlisted) >= MAX_UNLISTED:
                self.anomalies[Anomaly.TOO_MANY_UNLISTED] += 1
                return None
            self._unlisted.add(unit_id)
            unit = self._unit(unit_id)
        if unit.registration.facts is None:
            self.anomalies[Anomaly.UNLISTED_UNIT] += 1
        if len(unit.connection.links) >= MAX_LINKS and unit.connection.link(gateway_id) is None:
            self.anomalies[Anomaly.TOO_MANY_GATEWAYS] += 1
            return None
        return unit.link(gateway_id)

    def _prove(self, unit: Unit, link: Link, at: int, signal_id: str, evidence: Evidence) -> None:
        moment = supervision.prove(link, at, signal_id, evidence)
        if moment is None:
            return
        self._follow_link(unit, link, moment)
        if unit.condition.health is Health.UNKNOWN:  # its first word ever: nothing is open, so it is normal
            self._transitions.settle_health(unit, moment)

    def _follow_link(self, unit: Unit, link: Link, moment: Moment) -> None:
        """The state of a link changed: its next deadline, then what follows for its unit."""
        self.deadlines.add_link(unit, link)
        self._settle(unit, moment)

    def _settle(self, unit: Unit, moment: Moment) -> None:
        """Write down the connection, then its findings: they name the instants as the transition has them."""
        settled = self._transitions.settle_connection(unit, moment)
        if settled is not None:
            self._findings.follow_connection(unit, settled)
            if unit.connection.never_from:
                self.deadlines.add_unit(unit)

    def _advance(self, target: int, offset: int) -> None:
        """Move the watermark to `target`: whatever falls due before it happens in the order of its instants."""
        watch, evidence = self.watch, Evidence(SIGNALS_TOPIC, offset)
        for due in self.deadlines.until(target):
            watch.watermark = max(due.at, watch.watermark or 0)
            if isinstance(due, LinkDue):
                self._expire(due.unit, due.link, due.deadline, evidence)
            elif isinstance(due, FactsDue):
                self._turn_page(due.at, due.unit_id)
            elif isinstance(due, NeverConnectedDue):
                moment = Moment(due.unit.connection.never_since, due.deadline, Cause.DEADLINE, evidence)
                self._findings.begin_never_connected(due.unit, moment)
            elif isinstance(due, RepeatsDue):
                self._settle_repeats(due.unit, due.at, evidence)
            else:
                self._findings.begin_test_overdue(due.unit, Moment(due.at, due.at, Cause.DEADLINE, evidence))
        watch.watermark = target

    def _expire(self, unit: Unit, link: Link, deadline: int, evidence: Evidence) -> None:
        moment = supervision.expire(link, deadline, self.watch, evidence)
        self.changes.touch(unit)
        if link.state is Connection.OFFLINE:
            self._close_hour(unit)  # no heartbeat comes that would
        self._follow_link(unit, link, moment)

    def _go_blind(self, resumed_at: int, offset: int) -> None:
        """Nobody looked until `resumed_at`: what was known stops being known at the last watermark."""
        last, evidence = self.watch.watermark or 0, Evidence(SIGNALS_TOPIC, offset)
        self.watch.lose(resumed_at)
        for unit_id in sorted(self.units):  # by name: a restart loads them in another order than they came in
            unit = self.units[unit_id]
            for link in unit.connection.links:
                moment = supervision.lose_visibility(link, last, resumed_at, evidence)
                if moment is not None:
                    self.changes.touch(unit)
                    self._close_hour(unit)
                    self._follow_link(unit, link, moment)

    def _turn_page(self, at: int, unit_id: str) -> None:
        """Facts that begin at `at` hold once the watermark has passed it: as of the next instant."""
        if unit_id:
            self._refresh(self.units[unit_id], self.registrations.as_of(self.units[unit_id], at + 1))
        elif self.registrations.choose_packs(at + 1):
            self._watch_closely()
            for name in sorted(self.units):
                self._refresh(self.units[name], self.registrations.as_of(self.units[name], at + 1))

    def _refresh(self, unit: Unit, now: int) -> None:
        """Read the registry's word on `unit` as of `now` and follow it."""
        profile, before = unit.registration.profile, unit.registration.facts
        if self.registrations.read(unit, now):
            self._follow_facts(unit, before, now)
        if unit.registration.test_duty is not None or unit.testing is not None:
            self._follow_test_duty(unit, now)
        if unit.repeats is not None:
            if unit.registration.pack.runaway is None:
                self._forget_repeats(unit, now)
            self.deadlines.add_repeats(unit)
        if unit.registration.profile is not profile and unit.registration.profile != profile:
            for link in unit.connection.links:
                if link.timer:
                    self.deadlines.add_link(unit, link)
        if unit.connection.never_from:
            self.deadlines.add_unit(unit)

    def _follow_test_duty(self, unit: Unit, now: int) -> None:
        self._findings.follow_test_duty(unit, Moment(now, now, Cause.REGISTRY, FROM_REGISTRY))
        self.deadlines.add_test(unit)

    def _forget_repeats(self, unit: Unit, now: int) -> None:
        """The pack counts them no more."""
        assert unit.repeats is not None, "asked before"
        unit.repeats.running = {}
        self._findings.follow_repeats(unit, Moment(now, now, Cause.REGISTRY, FROM_REGISTRY), "")
        unit.repeats = None
        self.changes.touch(unit)

    def _follow_facts(self, unit: Unit, before: UnitVersion | None, now: int) -> None:
        facts = unit.registration.facts
        assert facts is not None
        self._unlisted.discard(unit.unit_id)
        self.counters.count_in(unit, before)  # before its states move: they move where it counts now
        if unit.connection.shown is None:
            moment = self.registrations.moment_of_listing(facts)
            self._settle(unit, moment)
            self._transitions.settle_health(unit, moment)
            self._transitions.list_components(unit, moment)
            self._findings.announce(unit, moment)
            self._findings.follow_duty(unit, moment)
        elif not self._is_settled(unit):
            moment = self.registrations.moment_of_change(unit, now)
            if unit.connection.state is None:  # a state of before says what its duty had it shown as, not since when
                moment = moment._replace(effective=now, detected=now)
            self._settle(unit, moment)
            self._findings.follow_duty(unit, moment)  # a scope may have changed, and the connection not
        key = row_key(unit, facts)
        if key != unit.registration.key:
            self.changes.touch_row(unit)
        unit.registration.key = key  # one object for all units with these facts, not the one that was loaded

    @staticmethod
    def _is_settled(unit: Unit) -> bool:
        """Return whether the facts leave everything as it is, which is cheaper to ask than when they changed."""
        connection, registration = unit.connection, unit.registration
        of_links, shown, partly = unit.wanted_connection()
        return (
            of_links is connection.state
            and shown is connection.shown
            and partly == connection.partly
            and registration.duty is registration.written_duty
            and must_connect(unit) == bool(connection.never_from)
        )

    def _watch_closely(self) -> None:
        """Never be more patient with ticks than with units: half of the shortest supervision, at least three ticks."""
        shortest = min(
            (
                profile.offline_after
                for pack in self.registrations.packs().values()
                for profile in pack.profiles.values()
            ),
            default=2 * self.registrations.blind_after(),
        )
        self.watch.blind_after = max(MIN_BLIND_AFTER, min(self.registrations.blind_after(), shortest // 2))

    def _turn_hour(self, unit: Unit, at: int) -> None:
        counted, hour = unit.deduplication, floor_to(at, HOUR)
        if hour < counted.hour:  # held back by another instance of ingest
            self.effects.hours.append(HourCount(unit.unit_id, hour, 1))
            return
        self._close_hour(unit)
        counted.hour, counted.beats = hour, 1

    def _close_hour(self, unit: Unit) -> None:
        """Add the heartbeats that were counted in memory to the effects."""
        counted = unit.deduplication
        if counted.beats:
            self.effects.hours.append(HourCount(unit.unit_id, counted.hour, counted.beats))
            counted.beats = 0
            self.changes.touch(unit)

    def _sample(self, target: int) -> None:
        minute = floor_to(target, MINUTE)
        if minute > self.sampled:
            self.sampled = minute
            rows = self.counters.rates.take_unsampled()
            self.effects.samples.extend(RateSample(minute, row) for row in rows)
