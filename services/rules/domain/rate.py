"""Counting, and the one place where a percentage is floored."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.rules.domain.words import Connection


def percent_floored(numerator: int, denominator: int) -> str | None:
    """Return a percentage with one decimal, floored: "100.0" appears only when both counts are equal.

    An empty scope has no rate: None (not applicable), never 100 %. Raises ValueError for counts that are no rate.
    """
    if denominator == 0:
        return None
    if not 0 <= numerator <= denominator:
        raise ValueError(f"{numerator} of {denominator} is no rate")
    tenths = numerator * 1000 // denominator
    return f"{tenths // 10}.{tenths % 10}"


class Bounds(NamedTuple):
    """Live networking rate: `low` counts unknown as not connected, `high` as connected."""

    low: str | None
    high: str | None


def bounds(connected: int, unknown: int, in_scope: int) -> Bounds:
    """Return both bounds of the live networking rate."""
    return Bounds(percent_floored(connected, in_scope), percent_floored(connected + unknown, in_scope))


UNION = "S"
EVERY = "ALL"
UNION_OF = ("S1", "S2")
DIMENSIONS = ("district", "town", "department", "category")


class RateKey(NamedTuple):
    """Scope and slice of a counter."""

    scope: str
    dimension: str
    value: str


class RateRow(NamedTuple):
    """One counter as it is exported."""

    key: RateKey
    in_scope: int
    connected: int
    late: int
    offline: int
    unknown: int
    never: int
    commissioning: int
    exempt: int


class Counter:
    """Units of one slice by connection; changed by whoever moves a unit."""

    __slots__ = ("changed", "counts", "key", "unsampled")

    def __init__(self, key: RateKey) -> None:
        self.key = key
        self.counts: dict[Connection, int] = dict.fromkeys(Connection, 0)
        self.changed = False
        self.unsampled = False

    def row(self) -> RateRow:
        count = self.counts
        late, offline, unknown = count[Connection.LATE], count[Connection.OFFLINE], count[Connection.UNKNOWN]
        never, commissioning = count[Connection.NEVER], count[Connection.COMMISSIONING]
        connected, exempt = count[Connection.ONLINE] + late, count[Connection.EXEMPT]
        in_scope = connected + offline + unknown + never + commissioning + exempt
        return RateRow(self.key, in_scope, connected, late, offline, unknown, never, commissioning, exempt)


class RateBook:
    """All counters of one partition. A retired unit is moved out of every counter by its owner."""

    def __init__(self) -> None:
        self._counters: dict[RateKey, Counter] = {}
        self._together: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Counter, ...]] = {}
        self._changed: list[Counter] = []
        self._unsampled: list[Counter] = []

    def counters(self, scopes: tuple[str, ...], values: tuple[str, ...]) -> tuple[Counter, ...]:
        """Return the counters of a unit in `scopes`; `values` follow DIMENSIONS. Many units share theirs."""
        found = self._together.get((scopes, values))
        if found is None:
            found = self._together[scopes, values] = tuple(
                self._counter(RateKey(scope, dimension, value))
                for scope in scopes
                for dimension, value in zip(DIMENSIONS, values, strict=True)
            )
        return found

    def _counter(self, key: RateKey) -> Counter:
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter(key)
        return found

    def move(self, counters: tuple[Counter, ...], before: Connection | None, after: Connection | None) -> None:
        """A unit that stands in `counters` left state `before` for `after`; None is outside."""
        for counter in counters:
            if before is not None:
                counter.counts[before] -= 1
            if after is not None:
                counter.counts[after] += 1
            if not counter.changed:
                counter.changed = True
                self._changed.append(counter)
            if not counter.unsampled:
                counter.unsampled = True
                self._unsampled.append(counter)

    def take_changed(self) -> list[RateRow]:
        """Return counters that changed since the last call."""
        taken, self._changed = self._changed, []
        for counter in taken:
            counter.changed = False
        return [counter.row() for counter in taken]

    def take_unsampled(self) -> list[RateRow]:
        """Return counters that changed since the last sample, in the order of their keys."""
        taken, self._unsampled = self._unsampled, []
        for counter in taken:
            counter.unsampled = False
        return sorted(counter.row() for counter in taken)

    def unsampled_keys(self) -> list[RateKey]:
        return sorted(counter.key for counter in self._unsampled)

    def resume(self, unsampled: Iterable[RateKey]) -> None:
        """After a reload: only these still owe a sample."""
        for counter in self._unsampled:
            counter.unsampled = False
        self._unsampled = []
        for key in unsampled:
            counter = self._counter(key)
            counter.unsampled = True
            self._unsampled.append(counter)

    def rows(self) -> Iterator[RateRow]:
        return (counter.row() for counter in self._counters.values())

    def all_counters(self) -> Iterator[Counter]:
        return iter(self._counters.values())
