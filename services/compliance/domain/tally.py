"""Sums of unit-days by scope and slice over periods; from them every figure that is published."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.compliance.domain.checks import Check
from services.compliance.domain.formulas.meeting_units_rate import meets
from services.compliance.domain.formulas.online_rate import is_asked
from services.compliance.domain.health import Fault
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.transmission import Transmissions
from services.compliance.domain.unit_day import UnitDay
from services.kernel.calendar import day_of
from services.kernel.effective import in_force
from services.kernel.ratio import NOTHING, Ratio
from services.kernel.words import Connection, Dimension


class Part(NamedTuple):
    """A scope and a slice of it; `value` of a slice is that of the unit's row of the day."""

    scope: str
    dimension: Dimension
    value: str
    district: str


class UnitHistory(NamedTuple):
    """What is needed of one unit: its rows, its days in order, all its faults, all duty checks of its gateways."""

    unit_id: str
    rows: Sequence[UnitRow]
    days: Sequence[UnitDay]
    faults: Sequence[Fault]
    checks: Sequence[Check]


@dataclass(slots=True)
class Times:
    """Sums over days. As whole numbers: a Ratio for each addition would be most of the work."""

    time: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    beats: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    points: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    tests: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    transmissions: Transmissions = field(default_factory=Transmissions)

    def take(self, day: UnitDay) -> None:
        sums = ((self.time, day.time), (self.beats, day.beats), (self.points, day.points), (self.tests, day.tests))
        for held, ratio in sums:
            _add(held, (ratio.numerator, ratio.denominator, ratio.unknown, ratio.exempt))
        self.transmissions.add(day.transmissions)

    def add(self, other: "Times") -> None:
        _add(self.time, other.time)
        _add(self.beats, other.beats)
        _add(self.points, other.points)
        _add(self.tests, other.tests)
        self.transmissions.add(other.transmissions)


def _add(held: list[int], more: Sequence[int]) -> None:
    for index, value in enumerate(more):
        held[index] += value


@dataclass(slots=True)
class Tally:
    """One part over one period: sums over its days, and the units at the instant at which it ends."""

    times: Times = field(default_factory=Times)
    meeting: Ratio = NOTHING
    access: Ratio = NOTHING
    connections: Counter[Connection] = field(default_factory=Counter)
    commissioned: Counter[Connection] = field(default_factory=Counter)
    partly: int = 0
    isolation: Ratio = NOTHING
    faults: list[Fault] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


_NONE: list[Part] = []
Tallies = dict[tuple[Window, Part], Tally]


class Counting:
    """Takes unit after unit; memory grows with parts and periods, not with units but for the faults of the periods."""

    def __init__(self, windows: Sequence[Window], policies: Policies) -> None:
        self._windows = windows
        self._policies = policies
        self._parts: dict[tuple[object, ...], list[Part]] = {}
        self.tallies: Tallies = {}

    def take(self, unit: UnitHistory) -> None:
        """Add one unit to every part that it is in on any day of any period."""
        for window in self._windows:
            self._times(unit, window)
            self._instant(unit, window)
            for fault in unit.faults:
                if window.start <= fault.begun < window.end:
                    for part in self.parts(unit.rows, day_of(fault.begun), window):
                        self._of(window, part).faults.append(fault)
            for check in unit.checks:
                if window.start <= check.ordered_at < window.end:
                    for part in self.parts(unit.rows, day_of(check.ordered_at), window):
                        self._of(window, part).checks.append(check)

    def parts(self, rows: Sequence[UnitRow], day: int, window: Window) -> list[Part]:
        """Return the parts that a unit is in on a day, of those that the pack of the period's last day publishes.

        The same list for the same parts.
        """
        row = in_force(rows, day)
        pack = None if row is None else self._policies.on(row.district, day)
        judge = None if row is None else self._policies.on(row.district, day_of(window.end - 1))
        if row is None or pack is None or judge is None or row.retired(day):
            return _NONE
        accepted = row.accepted(day)
        key = (row.facts, accepted, tuple(row.dimensions.items()), id(pack), id(judge))
        if key not in self._parts:
            self._parts[key] = list(_parts(row, pack, judge, self._policies, accepted=accepted))
        return self._parts[key]

    def _of(self, window: Window, part: Part) -> Tally:
        found = self.tallies.get((window, part))
        if found is None:
            found = self.tallies[window, part] = Tally()
        return found

    def _times(self, unit: UnitHistory, window: Window) -> None:
        by_part: dict[Part, Times] = {}
        first, after = day_of(window.start), day_of(window.end)
        run, parts = Times(), _NONE
        for day in unit.days:
            if first <= day.day < after:
                now = self.parts(unit.rows, day.day, window)
                if now is not parts:
                    _spread(by_part, parts, run)
                    run, parts = Times(), now
                run.take(day)
        _spread(by_part, parts, run)
        for part, times in by_part.items():
            tally = self._of(window, part)
            tally.times.add(times)
            pack = self._policies.on(part.district, after - 1)
            availability = None if pack is None else pack.publication.availability
            if availability is not None:
                tally.meeting += meets(Ratio(*times.time), availability)

    def _instant(self, unit: UnitHistory, window: Window) -> None:
        day = day_of(window.end)
        row, found = in_force(unit.rows, day), next((each for each in reversed(unit.days) if each.day == day), None)
        if row is None or found is None:
            return
        commissioned, begun = row.commissioned(day), found.beginning
        for part in self.parts(unit.rows, day, window):
            tally = self._of(window, part)
            tally.access += Ratio(int(commissioned), 1, exempt=int(begun.exempt))
            tally.connections[begun.connection] += 1
            tally.commissioned[begun.connection] += is_asked(begun.connection, commissioned=commissioned)
            tally.partly += begun.partly
            tally.isolation += begun.isolation


def _spread(by_part: dict[Part, Times], parts: Iterable[Part], run: Times) -> None:
    for part in parts:
        by_part.setdefault(part, Times()).add(run)


def _parts(row: UnitRow, pack: Policy, judge: Policy, policies: Policies, *, accepted: bool) -> Iterable[Part]:
    holds = {name for name, scope in pack.scopes.items() if scope.holds(row.facts, accepted=accepted)}
    for scope in judge.published:
        if holds.intersection(scope.split("+")):
            for dimension in judge.dimensions:
                yield Part(scope, dimension, row.dimensions[dimension], policies.judging(row.district))
