"""Units counted by connection, scope and slice. What the counts come to is not said here."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.kernel.words import Connection

UNION = "S"
EVERY = "ALL"
"""Names of two scopes that every pack has: units in any scope of its union, and all units."""


Slice = tuple[str, str]
"""A dimension and the value of a unit in it."""


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


_NOBODY = (0,) * (len(RateRow._fields) - 1)


class Counter:
    """Units of one slice by connection."""

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


class CounterGroup:
    """Units that count in the same counters. What moved among them since is brought into the counters when somebody
    looks: a dozen counters for each unit that moves would be dear when all of a district move at once."""

    __slots__ = ("counters", "moved", "waits")

    def __init__(self, counters: tuple[Counter, ...] = ()) -> None:
        self.counters = counters
        self.moved: dict[Connection, int] = {}
        self.waits = False


NO_GROUP = CounterGroup()
"""Of a unit that counts nowhere yet: nothing is ever moved here."""


class RateCounters:
    """All counters of one partition. A retired unit is moved out of every counter by its owner."""

    def __init__(self) -> None:
        self._counters: dict[RateKey, Counter] = {}
        self._groups: dict[tuple[tuple[str, ...], tuple[Slice, ...]], CounterGroup] = {}
        self._moved: list[CounterGroup] = []
        self._changed: list[Counter] = []
        self._unsampled: list[Counter] = []

    def group(self, scopes: tuple[str, ...], slices: tuple[Slice, ...]) -> CounterGroup:
        """Return where a unit in `scopes` counts."""
        found = self._groups.get((scopes, slices))
        if found is None:
            found = self._groups[scopes, slices] = CounterGroup(
                tuple(
                    self._counter(RateKey(scope, dimension, value)) for scope in scopes for dimension, value in slices
                )
            )
        return found

    def _counter(self, key: RateKey) -> Counter:
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter(key)
        return found

    def move(self, group: CounterGroup, before: Connection | None, after: Connection | None) -> None:
        """A unit of `group` left state `before` for `after`; None is outside."""
        if before is not None:
            group.moved[before] = group.moved.get(before, 0) - 1
        if after is not None:
            group.moved[after] = group.moved.get(after, 0) + 1
        if not group.waits:
            group.waits = True
            self._moved.append(group)

    def _bring_in(self) -> None:
        moved, self._moved = self._moved, []
        for group in moved:
            moves = group.moved.items()
            group.moved, group.waits = {}, False
            for counter in group.counters:
                for connection, count in moves:
                    counter.counts[connection] += count
                if not counter.changed:
                    counter.changed = True
                    self._changed.append(counter)
                if not counter.unsampled:
                    counter.unsampled = True
                    self._unsampled.append(counter)

    def take_changed(self) -> list[RateRow]:
        """Return counters that changed since the last call."""
        self._bring_in()
        taken, self._changed = self._changed, []
        for counter in taken:
            counter.changed = False
        return [counter.row() for counter in taken]

    def take_unsampled(self) -> list[RateRow]:
        """Return counters that changed since the last sample, in the order of their keys."""
        self._bring_in()
        taken, self._unsampled = self._unsampled, []
        for counter in taken:
            counter.unsampled = False
        return sorted(counter.row() for counter in taken)

    def unsampled_keys(self) -> list[RateKey]:
        self._bring_in()
        return sorted(counter.key for counter in self._unsampled)

    def resume(self, unsampled: Iterable[RateKey], saved: Iterable[RateRow] | None = None) -> None:
        """After a reload: these still owe a sample, and what the registry has changed since the counters were `saved`.

        A counter in which nobody counts any more stays, at 0: its last sample and its row would say what was.
        """
        self._bring_in()
        owing = set(unsampled)
        if saved is not None:
            before = {row.key: row[1:] for row in saved}
            for key in before:
                self._counter(key)
            owing.update(row.key for row in self.rows() if row[1:] != before.get(row.key, _NOBODY))
        for counter in self._unsampled:
            counter.unsampled = False
        self._unsampled = [self._counter(key) for key in sorted(owing)]
        for counter in self._unsampled:
            counter.unsampled = True

    def rows(self) -> Iterator[RateRow]:
        self._bring_in()
        return (counter.row() for counter in self._counters.values())

    def all_counters(self) -> Iterator[Counter]:
        self._bring_in()
        return iter(self._counters.values())
