"""The engine of one partition: records in log order and registry rows in, transitions and findings out.

It reads no clock. Time is the watermark that ticks carry, and everything that waits for time waits for that.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from services.kernel.words import Connection
from services.rules.domain import lines, troubles
from services.rules.domain.effects import SIGNALS_TOPIC, Effects, Evidence, HourCount, RateSample
from services.rules.domain.facts import GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.instants import HOUR, MINUTE, SECOND, floor_to
from services.rules.domain.ledger import Ledger
from services.rules.domain.rate import RateKey
from services.rules.domain.roster import Roster
from services.rules.domain.supervision import Supervisor
from services.rules.domain.unit import Link, Unit, same_delivery
from services.rules.domain.watch import Watch
from services.rules.domain.words import Oddity

MAX_UNLISTED = 10_000
MAX_LINKS = 16
LEAST_BLIND_AFTER = 3 * SECOND
NEVER_GRACE = 3600 * SECOND
"""How long a unit that must be connected may stay without a first word before that is a finding."""


class Engine:
    """State of the units of one partition.

    Feed it with `registry` and `apply`; take what it says with `take_effects`. The same inputs in the same order give
    the same effects, wherever it is saved and loaded in between (`freeze`).
    """

    def __init__(self, never_grace: int = NEVER_GRACE) -> None:
        self.units: dict[str, Unit] = {}
        self.watch = Watch()
        self.ledger = Ledger()
        self.supervisor = Supervisor(self.units, self.watch, self.ledger, self._turn_page, never_grace)
        self.roster = Roster(self.ledger, self.supervisor.ask_again)
        self.oddities: Tally[Oddity] = Tally()
        self.handled: Tally[str] = Tally()
        self.dropped = 0
        self._strangers: set[str] = set()
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
        unit_id, gateway_id, signal_id, at, offset, redelivered = beat
        if at > self.watch.seen and self.watch.silence(at):
            self.supervisor.go_blind(at, offset)
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
        if redelivered and (same_delivery(signal_id, link.beat) or same_delivery(signal_id, link.beat_before)):
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
            self.supervisor.prove(link, at, offset, signal_id)

    def signal(self, signal: Signal) -> None:
        """Any other signal: stored, and whatever it says of connection and health followed."""
        if signal.kind == "heartbeat" and signal.reconnected:
            self._beat_over_a_new_line(signal)
            return
        at, offset = signal.received_at, signal.offset
        if not signal.replayed and self.watch.silence(at):  # a person replays: nobody need be looking for that
            self.supervisor.go_blind(at, offset)
        self.handled[signal.kind] += 1
        link = self._meet(signal.unit_id, signal.gateway_id)
        unit = self.units.get(signal.unit_id)
        news = signal if unit is None else unit.news(signal)
        if news is None:
            self.oddities[Oddity.DUPLICATE] += 1
            return
        signal = news
        self._keep(signal)
        if unit is None:
            return
        self.ledger.touch(unit)
        if signal.retained:
            self.oddities[Oddity.RETAINED] += 1
            return
        if link is not None and not signal.replayed:
            self._follow_line(unit, link, signal)
        oddity = troubles.apply(self.ledger, unit, signal, Evidence(SIGNALS_TOPIC, offset))
        if oddity is not None:
            self.oddities[oddity] += 1

    def _keep(self, signal: Signal) -> None:
        if signal.missing > 0 and self.watch.is_shared(signal.received_at):
            self.oddities[Oddity.UNPROVEN_LOSS] += 1
        elif signal.kind != "heartbeat":
            self.ledger.effects.signals.append(signal)

    def _beat_over_a_new_line(self, signal: Signal) -> None:
        beat = Heartbeat(signal.unit_id, signal.gateway_id, signal.signal_id, signal.received_at, signal.offset)
        unit = self.units.get(signal.unit_id)
        known = None if unit is None else unit.links.get(signal.gateway_id)
        is_new = known is None or signal.signal_id not in (known.beat, known.beat_before)
        self.heartbeat(beat)
        unit = self.units.get(signal.unit_id)
        link = None if unit is None else unit.links.get(signal.gateway_id)
        if is_new and unit is not None and link is not None:
            self._drop(unit, link, signal.received_at)

    def _follow_line(self, unit: Unit, link: Link, signal: Signal) -> None:
        if signal.reconnected or signal.kind == "link_down":
            self._drop(unit, link, signal.received_at)
        if signal.kind == "link_down":
            self.supervisor.hang_up(link, signal)
        else:
            self.supervisor.prove(link, signal.received_at, signal.offset, signal.signal_id)

    def _drop(self, unit: Unit, link: Link, at: int) -> None:
        self.dropped += 1
        lines.drop(self.ledger, unit, link, at)

    def tick(self, tick: Tick) -> None:
        """Time moves: everything received before the tick's proof is known."""
        if not self.watch.is_news(tick):
            self.oddities[Oddity.STALE_TICK] += 1
            return
        if self.watch.silence(tick.written_at):
            self.supervisor.go_blind(tick.written_at, tick.offset)
        if self.watch.jump(tick):
            self.supervisor.go_blind(tick.proven_until, tick.offset)
        target = self.watch.take(tick)
        if target is not None and target != self.watch.watermark:
            self.supervisor.advance(target, tick.offset)
            self._sample(target)

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
                self.supervisor.arm_anew(link)
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
        before = unit.profile
        self.roster.refresh(unit, now)
        if unit.facts is not None:
            self._strangers.discard(unit.unit_id)
        if unit.profile != before:
            for link in unit.links.values():
                if link.timer:
                    self.supervisor.arm_anew(link)
        self.supervisor.arm_unit(unit)

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
        self.ledger.close_hour(unit)
        unit.hour, unit.beats = hour, 1

    def _turn_page(self, at: int, unit_id: str) -> None:
        if unit_id:
            self._refresh(self.units[unit_id], self.roster.as_of(self.units[unit_id], at + 1))
        elif self.roster.choose_packs(at + 1):
            self._watch_closely()
            for name in sorted(self.units):
                self._refresh(self.units[name], self.roster.as_of(self.units[name], at + 1))

    def _sample(self, target: int) -> None:
        minute = floor_to(target, MINUTE)
        if minute > self.sampled:
            self.sampled = minute
            rows = self.ledger.rates.take_unsampled()
            self.ledger.effects.samples.extend(RateSample(minute, row) for row in rows)
