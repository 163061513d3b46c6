"""The engine of one partition: records in log order and registry rows in, transitions and findings out.

It reads no clock. Time is the watermark that ticks carry; deadlines stand in a heap and are moved lazily, so a
heartbeat costs the same however many units there are, and no deadline is ever looked for by walking over the units.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from services.rules.domain import troubles
from services.rules.domain.effects import SIGNALS_TOPIC, Effects, Evidence, HourCount, Moment, RateSample
from services.rules.domain.facts import GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.ids import finding_id
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.instants import HOUR, MINUTE, SECOND, floor_to
from services.rules.domain.ledger import Ledger
from services.rules.domain.rate import RateKey
from services.rules.domain.roster import Roster
from services.rules.domain.unit import Link, Unit
from services.rules.domain.watch import Watch
from services.rules.domain.words import Cause, Connection, Health, Kind, Oddity

MAX_UNLISTED = 10_000
MAX_LINKS = 16
LEAST_BLIND_AFTER = 3 * SECOND
NEVER_GRACE = 3600 * SECOND
"""How long a unit that must be connected may stay without a first word before that is a finding."""

_FACTS, _LINK, _UNIT = 0, 1, 2


class Timer(NamedTuple):
    """An entry of the deadline heap. Facts change before deadlines of the same instant are looked at."""

    at: int
    rank: int
    unit_id: str
    gateway_id: str


class Engine:
    """State of the units of one partition.

    Feed it with `registry` and `apply`; take what it says with `take_effects`. The same inputs in the same order give
    the same effects, wherever it is saved and loaded in between (`freeze`).
    """

    def __init__(self, never_grace: int = NEVER_GRACE) -> None:
        self.units: dict[str, Unit] = {}
        self.watch = Watch()
        self.ledger = Ledger()
        self.roster = Roster(self.ledger, self._ask_again)
        self.oddities: Tally[Oddity] = Tally()
        self.handled: Tally[str] = Tally()
        self.heap: list[Timer] = []
        self._never_grace = never_grace
        self._strangers: set[str] = set()
        self._offset = 0
        self.sampled = 0

    # --- inputs from the log

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
        unit_id, gateway_id, signal_id, at, offset = beat
        if at > self.watch.seen and self.watch.silence(at):
            self._go_blind(at, offset)
        unit = self.units.get(unit_id)
        link = unit.links.get(gateway_id) if unit is not None else None
        if unit is None or link is None:
            link = self._meet(unit_id, gateway_id)
            if link is None:
                return
            unit = link.unit
        if signal_id == link.beat or signal_id == link.beat_before:
            self.oddities[Oddity.DUPLICATE] += 1
            return
        link.beat_before = link.beat
        link.beat = signal_id
        if unit.hour <= at < unit.hour + HOUR:
            unit.beats += 1
        else:
            self._turn_hour(unit, at)
        if not unit.touched:
            unit.touched = True
            self.ledger.touched.append(unit)
        if link.state is Connection.ONLINE:
            if at > link.last_proof:
                link.last_proof = at
        else:
            self._prove(link, at, offset, signal_id)

    def signal(self, signal: Signal) -> None:
        """Any other signal: stored, and whatever it says of connection and health followed."""
        at, offset = signal.received_at, signal.offset
        if self.watch.silence(at):
            self._go_blind(at, offset)
        self.handled[signal.kind] += 1
        link = self._meet(signal.unit_id, signal.gateway_id)
        unit = self.units.get(signal.unit_id)
        if unit is not None and not unit.remember(signal.signal_id):
            self.oddities[Oddity.DUPLICATE] += 1
            return
        if signal.kind != "heartbeat":
            self.ledger.effects.signals.append(signal)
        if unit is None:
            return
        self.ledger.touch(unit)
        if signal.retained:
            self.oddities[Oddity.RETAINED] += 1
            return
        if link is not None:
            if signal.kind == "link_down":
                self._hang_up(link, signal)
            else:
                self._prove(link, at, offset, signal.signal_id)
        oddity = troubles.apply(self.ledger, unit, signal, Evidence(SIGNALS_TOPIC, offset))
        if oddity is not None:
            self.oddities[oddity] += 1

    def tick(self, tick: Tick) -> None:
        """Time moves: everything received before the tick's proof is known."""
        if not self.watch.is_news(tick):
            self.oddities[Oddity.STALE_TICK] += 1
            return
        self._offset = tick.offset
        if self.watch.silence(tick.written_at):
            self._go_blind(tick.written_at, tick.offset)
        if self.watch.jump(tick):
            self._go_blind(tick.proven_until, tick.offset)
        target = self.watch.take(tick)
        if target is not None and target != self.watch.watermark:
            self._advance(target)

    # --- inputs from the registry

    def registry(
        self,
        units: Mapping[str, tuple[UnitVersion, ...]] | None = None,
        gateways: Mapping[str, tuple[GatewayVersion, ...]] | None = None,
        packs: Mapping[str, tuple[PackVersion, ...]] | None = None,
    ) -> None:
        """Take rows of the registry, each with all its versions; only of units that belong to this partition."""
        now = self.watch.watermark
        concerned: dict[str, Unit] = {}
        for unit_id, versions in (units or {}).items():
            unit = concerned[unit_id] = self._unit(unit_id)
            self.roster.put_unit(unit, versions, now)
        for gateway_id, held in (gateways or {}).items():
            for unit_id in {version.unit_id for version in held}:
                unit = concerned[unit_id] = self._unit(unit_id)
                self.roster.put_gateway(unit, gateway_id, held, now)
        for pack_id, of_pack in (packs or {}).items():
            self.roster.put_pack(pack_id, of_pack, now)
        if packs and self.roster.choose_packs(now):
            self._watch_closely()
            concerned = self.units
        for unit in list(concerned.values()):
            self._refresh(unit, self.roster.as_of(unit, now))
        self._watch_closely()

    def take_effects(self) -> Effects:
        """Return what arose since the last call."""
        taken, self.ledger.effects = self.ledger.effects, Effects()
        return taken

    def resume(self, sampled: int, unsampled: Iterable[RateKey]) -> None:
        """After a reload of state and registry: set the deadlines anew, and go on where the samples were."""
        for unit in self.units.values():
            if unit.facts is None:
                self._strangers.add(unit.unit_id)
            for link in unit.links.values():
                due = self._due(link)
                if due is None and link.state is Connection.UNKNOWN:
                    due = max(self.watch.watermark or 0, link.last_proof) + unit.profile.offline_after
                if due is not None:
                    self._arm(link, due)
        self.sampled = sampled
        self.ledger.rates.resume(unsampled)

    # --- units and links

    def _unit(self, unit_id: str) -> Unit:
        found = self.units.get(unit_id)
        if found is None:
            found = self.units[unit_id] = Unit(unit_id)
        return found

    def _meet(self, unit_id: str, gateway_id: str) -> Link | None:
        """Return the link of a gateway, made on its first word; None beyond the bounds on strangers."""
        unit = self.units.get(unit_id)
        if unit is None:
            if len(self._strangers) >= MAX_UNLISTED:
                self.oddities[Oddity.TOO_MANY_UNLISTED] += 1
                return None
            self._strangers.add(unit_id)
            unit = self._unit(unit_id)
        if unit.facts is None:
            self.oddities[Oddity.UNLISTED_UNIT] += 1
        if gateway_id not in unit.links and len(unit.links) >= MAX_LINKS:
            self.oddities[Oddity.TOO_MANY_GATEWAYS] += 1
            return None
        return unit.link(gateway_id)

    def _refresh(self, unit: Unit, now: int) -> None:
        offline_after = unit.profile.offline_after
        self.roster.refresh(unit, now)
        if unit.facts is not None:
            self._strangers.discard(unit.unit_id)
        if unit.profile.offline_after < offline_after:
            for link in unit.links.values():
                if link.timer:
                    self._arm(link, min(link.timer, self._due(link) or link.timer))
        self._arm_unit(unit)

    def _watch_closely(self) -> None:
        """Never be more patient with ticks than with units: half of the shortest supervision, at least three ticks."""
        shortest = min(
            (profile.offline_after for pack in self.roster.packs().values() for profile in pack.profiles.values()),
            default=2 * self.roster.blind_after(),
        )
        self.watch.blind_after = max(LEAST_BLIND_AFTER, min(self.roster.blind_after(), shortest // 2))

    def _turn_hour(self, unit: Unit, at: int) -> None:
        hour = floor_to(at, HOUR)
        if hour < unit.hour:  # held back by another instance of ingest
            self.ledger.effects.hours.append(HourCount(unit.unit_id, hour, 1))
            return
        self._close_hour(unit)
        unit.hour, unit.beats = hour, 1

    def _close_hour(self, unit: Unit) -> None:
        if unit.beats:
            self.ledger.effects.hours.append(HourCount(unit.unit_id, unit.hour, unit.beats))
            unit.beats = 0
            self.ledger.touch(unit)

    # --- proofs of life

    def _prove(self, link: Link, at: int, offset: int, signal_id: str) -> None:
        """Something came from the gateway at `at`: it is online, or one step nearer to it after it was lost."""
        unit, state = link.unit, link.state
        if state is Connection.OFFLINE:
            if not self._steady(link, at):
                return
        elif state is not Connection.NEVER and not self._revives(link, at):
            return
        link.last_proof = max(link.last_proof, at)
        if state is Connection.ONLINE:
            return
        link.state, link.streak = Connection.ONLINE, 0
        self._arm(link, self._due(link) or at)
        moment = Moment(link.last_proof, at, Cause.SIGNAL, Evidence(SIGNALS_TOPIC, offset), signal_id)
        self._settle(unit, moment)
        if unit.health is Health.UNKNOWN:
            self.ledger.settle_health(unit, moment)

    def _revives(self, link: Link, at: int) -> bool:
        """Return whether a proof says anything new about a link that is online, late or unknown."""
        if at <= link.last_proof:
            return False
        if at <= link.down_at:
            link.last_proof = at
            return False
        return True

    def _steady(self, link: Link, at: int) -> bool:
        """Count proofs in a row of a lost link; return whether they are enough to call it online."""
        profile = link.unit.profile
        gap = at - link.last_proof
        in_a_row = link.streak > 0 and abs(gap) <= profile.offline_after
        link.streak = link.streak + 1 if in_a_row else 1
        link.last_proof = max(link.last_proof, at)
        return link.streak >= profile.stable

    def _hang_up(self, link: Link, signal: Signal) -> None:
        """The broker says that the gateway is gone: late at once, lost only when its deadline passes."""
        at = signal.received_at
        if at <= link.last_proof or at <= link.down_at:
            return
        link.down_at = at
        if link.state is Connection.ONLINE:
            link.state = Connection.LATE
            evidence = Evidence(SIGNALS_TOPIC, signal.offset)
            self._settle(link.unit, Moment(at, at, Cause.LINK_DOWN, evidence, signal.signal_id))

    def _settle(self, unit: Unit, moment: Moment) -> None:
        self.ledger.settle(unit, moment)
        self._arm_unit(unit)

    # --- deadlines

    def _ask_again(self, at: int, unit_id: str) -> None:
        heappush(self.heap, Timer(at, _FACTS, unit_id, ""))

    def _arm(self, link: Link, at: int) -> None:
        """Look at `link` once the watermark has passed `at`. An earlier look stands: it arms anew."""
        if link.timer == 0 or at < link.timer:
            link.timer = at
            heappush(self.heap, Timer(at, _LINK, link.unit.unit_id, link.gateway_id))

    def _arm_unit(self, unit: Unit) -> None:
        if unit.never_from and unit.timer == 0 and Kind.NEVER_CONNECTED not in unit.findings:
            unit.timer = unit.never_from + self._never_grace
            heappush(self.heap, Timer(unit.timer, _UNIT, unit.unit_id, ""))

    def _due(self, link: Link) -> int | None:
        """Return the instant after which silence changes the state of `link`; None while it cannot."""
        watch, profile, state = self.watch, link.unit.profile, link.state
        if state is Connection.ONLINE:
            return max(link.last_proof, watch.usable_since or 0) + profile.late_after
        if state not in (Connection.LATE, Connection.UNKNOWN):
            return None
        if watch.clear_since is not None:
            return max(link.last_proof, watch.clear_since) + profile.offline_after
        if state is Connection.LATE:
            return max(link.last_proof, watch.usable_since or 0) + profile.offline_after
        return None

    def _advance(self, target: int) -> None:
        """Move the watermark to `target`: whatever falls due before it happens in the order of its instants."""
        while self.heap and self.heap[0].at < target:
            timer = heappop(self.heap)
            self.watch.watermark = max(timer.at, self.watch.watermark or 0)
            if timer.rank == _FACTS:
                self._turn_page(timer)
            elif timer.rank == _LINK:
                self._look_at_link(timer, target)
            else:
                self._look_at_unit(timer, target)
        self.watch.watermark = target
        self._sample(target)

    def _turn_page(self, timer: Timer) -> None:
        if timer.unit_id:
            unit = self.units[timer.unit_id]
            self._refresh(unit, self.roster.as_of(unit, timer.at + 1))
        elif self.roster.choose_packs(timer.at + 1):
            self._watch_closely()
            for unit_id in sorted(self.units):
                unit = self.units[unit_id]
                self._refresh(unit, self.roster.as_of(unit, timer.at + 1))

    def _look_at_link(self, timer: Timer, target: int) -> None:
        link = self.units[timer.unit_id].links[timer.gateway_id]
        if link.timer != timer.at:
            return
        link.timer = 0
        due = self._due(link)
        if due is None:
            if link.state is Connection.UNKNOWN:  # cannot be decided before sight is clear for a whole deadline
                self._arm(link, target + link.unit.profile.offline_after)
        elif due > timer.at:
            self._arm(link, due)
        else:
            self._expire(link, due)

    def _expire(self, link: Link, due: int) -> None:
        watch, effective, cause = self.watch, due, Cause.DEADLINE
        if link.state is Connection.ONLINE:
            link.state = Connection.LATE
        elif watch.clear_since is not None:
            link.state, link.streak = Connection.OFFLINE, 0
            effective = max(link.last_proof, watch.clear_since)
            self._close_hour(link.unit)
        else:
            link.state, link.streak = Connection.UNKNOWN, 0
            effective, cause = max(link.last_proof, watch.impaired_since), Cause.IMPAIRED
        self.ledger.touch(link.unit)
        next_due = self._due(link)
        if link.state is not Connection.OFFLINE:
            self._arm(link, due + 1 if next_due is None else next_due)
        self._settle(link.unit, Moment(effective, due, cause, Evidence(SIGNALS_TOPIC, self._offset)))

    def _look_at_unit(self, timer: Timer, target: int) -> None:
        unit = self.units[timer.unit_id]
        if unit.timer != timer.at:
            return
        unit.timer = 0
        if not unit.never_from or Kind.NEVER_CONNECTED in unit.findings:
            return
        clear_since = self.watch.clear_since
        if clear_since is None:
            due = target + self._never_grace
        else:
            due = max(unit.never_from, clear_since) + self._never_grace
        if due > timer.at:
            unit.timer = due
            heappush(self.heap, Timer(due, _UNIT, unit.unit_id, ""))
            return
        moment = Moment(unit.never_since, due, Cause.DEADLINE, Evidence(SIGNALS_TOPIC, self._offset))
        problem_id = finding_id(unit.unit_id, Kind.NEVER_CONNECTED, str(unit.never_from))
        self.ledger.begin(unit, Kind.NEVER_CONNECTED, problem_id, moment)

    def _sample(self, target: int) -> None:
        minute = floor_to(target, MINUTE)
        if minute > self.sampled:
            self.sampled = minute
            rows = self.ledger.rates.take_unsampled()
            self.ledger.effects.samples.extend(RateSample(minute, row) for row in rows)

    # --- blindness

    def _go_blind(self, resumed_at: int, offset: int) -> None:
        """Nobody looked until `resumed_at`: what was known stops being known at the last watermark."""
        last = self.watch.watermark or 0
        self.watch.lose(resumed_at)
        for unit_id in sorted(self.units):
            unit = self.units[unit_id]
            for link in unit.links.values():
                self._lose_sight_of(link, last, resumed_at, offset)

    def _lose_sight_of(self, link: Link, last: int, resumed_at: int, offset: int) -> None:
        unit = link.unit
        known = (Connection.ONLINE, Connection.LATE, *([Connection.OFFLINE] if unit.commissioned else []))
        if link.state not in known:
            return
        link.state, link.streak = Connection.UNKNOWN, 0
        self._arm(link, max(last, link.last_proof) + unit.profile.offline_after)
        self.ledger.touch(unit)
        self._close_hour(unit)
        effective = max(last, link.last_proof)
        self._settle(unit, Moment(effective, resumed_at, Cause.BLIND, Evidence(SIGNALS_TOPIC, offset)))
