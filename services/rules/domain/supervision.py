"""Supervision of the links of one partition: proofs of life, deadlines, and our own blindness.

Deadlines stand in a heap and are moved lazily: a proof of life changes the link only, and its entry finds out when it
comes up. So a heartbeat costs the same however many units there are, and nobody walks over them to find a deadline.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from services.kernel.words import Connection, Health
from services.kernel.words import FindingKind as Kind
from services.rules.domain.effects import SIGNALS_TOPIC, Evidence, Moment
from services.rules.domain.ids import finding_id
from services.rules.domain.inputs import Signal
from services.rules.domain.ledger import Ledger
from services.rules.domain.unit import Link, Unit
from services.rules.domain.watch import Watch
from services.rules.domain.words import Cause

_FACTS, _LINK, _UNIT = 0, 1, 2


class Timer(NamedTuple):
    """An entry of the heap. Facts change before deadlines of the same instant are looked at."""

    at: int
    rank: int
    unit_id: str
    gateway_id: str


TurnPage = Callable[[int, str], None]
"""(instant, unit id or "" for all): read the facts of the registry anew, as of that instant."""


class Supervisor:
    """Deadlines of the links and units of one partition. `offset` is the record that is being worked off."""

    def __init__(
        self, units: Mapping[str, Unit], watch: Watch, ledger: Ledger, turn_page: TurnPage, never_grace: int
    ) -> None:
        self._units = units
        self._watch = watch
        self._ledger = ledger
        self._turn_page = turn_page
        self._never_grace = never_grace
        self.heap: list[Timer] = []

    # --- proofs of life

    def prove(self, link: Link, at: int, offset: int, signal_id: str) -> None:
        """Something came from the gateway at `at`: it is online, or one step nearer to it after it was lost."""
        unit, state = link.unit, link.state
        if state is Connection.OFFLINE:
            if not self._steady(link, at):
                return
        elif state is not Connection.NEVER and at <= link.last_proof:
            return
        link.last_proof = max(link.last_proof, at)
        # A proof that is older than the broker's word that the gateway is gone shows that it had been there.
        wanted = Connection.LATE if link.last_proof < link.down_at else Connection.ONLINE
        if wanted is state:
            return
        link.state, link.streak = wanted, 0
        self.arm(link, self.due(link) or at)
        moment = Moment(link.last_proof, max(at, link.last_proof), Cause.SIGNAL, _here(offset), signal_id)
        self.settle(unit, moment)
        if unit.health is Health.UNKNOWN:
            self._ledger.settle_health(unit, moment)

    def _steady(self, link: Link, at: int) -> bool:
        """Count proofs in a row of a lost link; return whether they are enough to call it online.

        One from before it was declared lost is old news: the watermark had passed it.
        """
        if at <= link.lost_at:
            return False
        profile = link.unit.profile
        gap = at - link.last_proof
        in_a_row = link.streak > 0 and abs(gap) <= profile.offline_after
        link.streak = link.streak + 1 if in_a_row else 1
        link.last_proof = max(link.last_proof, at)
        return link.streak >= profile.stable

    def hang_up(self, link: Link, signal: Signal) -> None:
        """The broker says that the gateway is gone: late at once, lost only when its deadline passes."""
        at = signal.received_at
        if at <= link.last_proof or at <= link.down_at:
            return
        link.down_at = at
        if link.state is Connection.ONLINE:
            link.state = Connection.LATE
            self.settle(link.unit, Moment(at, at, Cause.LINK_DOWN, _here(signal.offset), signal.signal_id))

    def settle(self, unit: Unit, moment: Moment) -> None:
        self._ledger.settle(unit, moment)
        self.arm_unit(unit)

    # --- deadlines

    def ask_again(self, at: int, unit_id: str) -> None:
        heappush(self.heap, Timer(at, _FACTS, unit_id, ""))

    def arm(self, link: Link, at: int) -> None:
        """Look at `link` once the watermark has passed `at`. An earlier look stands: it arms anew."""
        if link.timer == 0 or at < link.timer:
            link.timer = at
            heappush(self.heap, Timer(at, _LINK, link.unit.unit_id, link.gateway_id))

    def arm_anew(self, link: Link) -> None:
        """Look at `link` at its deadline; in doubt when it could be decided if sight were to clear right now."""
        due = self.due(link)
        if due is None and link.state is Connection.UNKNOWN:
            due = max(self._watch.watermark or 0, link.last_proof) + link.unit.profile.offline_after
        if due is not None:
            self.arm(link, due)

    def arm_unit(self, unit: Unit) -> None:
        if unit.never_from and unit.timer == 0 and Kind.NEVER_CONNECTED not in unit.findings:
            unit.timer = unit.never_from + self._never_grace
            heappush(self.heap, Timer(unit.timer, _UNIT, unit.unit_id, ""))

    def due(self, link: Link) -> int | None:
        """Return the instant after which silence changes the state of `link`; None while it cannot."""
        watch, profile, state = self._watch, link.unit.profile, link.state
        if state is Connection.ONLINE:
            return max(link.last_proof, watch.usable_since or 0) + profile.late_after
        if state not in (Connection.LATE, Connection.UNKNOWN):
            return None
        if watch.clear_since is not None:
            return max(link.last_proof, watch.clear_since) + profile.offline_after
        if state is Connection.LATE:
            return max(link.last_proof, watch.usable_since or 0) + profile.offline_after
        return None

    def advance(self, target: int, offset: int) -> None:
        """Move the watermark to `target`: whatever falls due before it happens in the order of its instants."""
        while self.heap and self.heap[0].at < target:
            timer = heappop(self.heap)
            self._watch.watermark = max(timer.at, self._watch.watermark or 0)
            if timer.rank == _FACTS:
                self._turn_page(timer.at, timer.unit_id)
            elif timer.rank == _LINK:
                self._look_at_link(timer, target, offset)
            else:
                self._look_at_unit(timer, target, offset)
        self._watch.watermark = target

    def _look_at_link(self, timer: Timer, target: int, offset: int) -> None:
        link = self._units[timer.unit_id].links[timer.gateway_id]
        if link.timer != timer.at:
            return
        link.timer = 0
        due = self.due(link)
        if due is None:
            if link.state is Connection.UNKNOWN:  # cannot be decided before sight is clear for a whole deadline
                self.arm(link, target + link.unit.profile.offline_after)
        elif due > timer.at:
            self.arm(link, due)
        else:
            self._expire(link, due, offset)

    def _expire(self, link: Link, due: int, offset: int) -> None:
        watch, effective, cause = self._watch, due, Cause.DEADLINE
        if link.state is Connection.ONLINE:
            link.state = Connection.LATE
        elif watch.clear_since is not None:
            link.state, link.streak, link.lost_at = Connection.OFFLINE, 0, due
            effective = max(link.last_proof, watch.clear_since)
            self._ledger.close_hour(link.unit)
        else:
            link.state, link.streak = Connection.UNKNOWN, 0
            effective, cause = max(link.last_proof, watch.impaired_since), Cause.IMPAIRED
        self._ledger.touch(link.unit)
        next_due = self.due(link)
        if link.state is not Connection.OFFLINE:
            self.arm(link, due + 1 if next_due is None else next_due)
        self.settle(link.unit, Moment(effective, due, cause, _here(offset)))

    def _look_at_unit(self, timer: Timer, target: int, offset: int) -> None:
        unit = self._units[timer.unit_id]
        if unit.timer != timer.at:
            return
        unit.timer = 0
        if not unit.never_from or Kind.NEVER_CONNECTED in unit.findings:
            return
        clear_since = self._watch.clear_since
        if clear_since is None:
            due = target + self._never_grace
        else:
            due = max(unit.never_from, clear_since) + self._never_grace
        if due > timer.at:
            unit.timer = due
            heappush(self.heap, Timer(due, _UNIT, unit.unit_id, ""))
            return
        moment = Moment(unit.never_since, due, Cause.DEADLINE, _here(offset))
        problem_id = finding_id(unit.unit_id, Kind.NEVER_CONNECTED, str(unit.never_from))
        self._ledger.begin(unit, Kind.NEVER_CONNECTED, problem_id, moment)

    # --- blindness

    def go_blind(self, resumed_at: int, offset: int) -> None:
        """Nobody looked until `resumed_at`: what was known stops being known at the last watermark."""
        last = self._watch.watermark or 0
        self._watch.lose(resumed_at)
        for unit_id in sorted(self._units):
            unit = self._units[unit_id]
            for link in unit.links.values():
                self._lose_sight_of(link, last, resumed_at, offset)

    def _lose_sight_of(self, link: Link, last: int, resumed_at: int, offset: int) -> None:
        unit = link.unit
        known = (Connection.ONLINE, Connection.LATE, *([Connection.OFFLINE] if unit.commissioned else []))
        if link.state not in known or link.last_proof >= resumed_at:
            return
        link.state, link.streak = Connection.UNKNOWN, 0
        self.arm(link, max(last, link.last_proof) + unit.profile.offline_after)
        self._ledger.touch(unit)
        self._ledger.close_hour(unit)
        effective = max(last, link.last_proof)
        self.settle(unit, Moment(effective, resumed_at, Cause.BLIND, _here(offset)))


def _here(offset: int) -> Evidence:
    return Evidence(SIGNALS_TOPIC, offset)
