"""The live counters of one partition: kept up to date by every change of state, so that to read them costs nothing."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache

from services.kernel.words import Dimension, Health
from services.rules.domain.facts import Place, UnitVersion
from services.rules.domain.rate import EVERY, NO_GROUP, UNION, CounterGroup, RateCounters, Slice
from services.rules.domain.unit.state import Unit

_VALUE_OF: Mapping[Dimension, Callable[[UnitVersion], str]] = {
    Dimension.DISTRICT: lambda facts: facts.place.district,
    Dimension.TOWN: lambda facts: facts.place.town,
    Dimension.COMMUNITY: lambda facts: facts.place.community,
    Dimension.CATEGORY: lambda facts: facts.place.category,
    Dimension.DEPARTMENT: lambda facts: facts.route.lead_department,
}


class Counters:
    """Listed units by connection and slice (`rates`), by lead department and health, and those with an unstable line.

    `unstable` holds until when each of these is called so, in microseconds since 1970.
    """

    def __init__(self) -> None:
        self.rates = RateCounters()
        self.health: dict[str, dict[Health, int]] = defaultdict(lambda: dict.fromkeys(Health, 0))
        self.unstable: dict[str, int] = {}
        self._groups: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], Place, str], CounterGroup] = {}

    def count_in(self, unit: Unit, before: UnitVersion | None) -> None:
        """Count a unit by the facts that it has now; `before` are those by which it was counted, None if it was not."""
        facts = unit.registration.facts
        assert facts is not None
        if before is not None:
            self.health[before.route.lead_department][unit.condition.health] -= 1
        self.health[facts.route.lead_department][unit.condition.health] += 1
        group = self._group_of(unit, facts)
        if group is not unit.counter_group:
            if unit.counter_group is not NO_GROUP:
                self.rates.move(unit.counter_group, unit.connection.shown, None)
            unit.counter_group = group
            self.rates.move(group, None, unit.connection.shown)

    def _group_of(self, unit: Unit, facts: UnitVersion) -> CounterGroup:
        """Return where a unit counts: looked up by what that depends on, for to make its slices is dearer."""
        pack, scopes = unit.registration.pack, unit.registration.scopes
        key = (pack.dimensions, pack.union, scopes, facts.place, facts.route.lead_department)
        found = self._groups.get(key)
        if found is None:
            slices = slices_of(facts, pack.dimensions)
            found = self._groups[key] = self.rates.group(_with_sums(scopes, pack.union), slices)
        return found

    def move_health(self, unit: Unit, before: Health, after: Health) -> None:
        """A listed unit left health `before` for `after`."""
        assert unit.registration.facts is not None
        tally = self.health[unit.registration.facts.route.lead_department]
        tally[before] -= 1
        tally[after] += 1

    def unstable_now(self, watermark: int | None) -> int:
        """Return how many units have an unstable line, and forget those that hold again."""
        over = [unit_id for unit_id, until in self.unstable.items() if until <= (watermark or 0)]
        for unit_id in over:
            del self.unstable[unit_id]
        return len(self.unstable)


@lru_cache(maxsize=256)
def _with_sums(scopes: tuple[str, ...], union: tuple[str, ...]) -> tuple[str, ...]:
    return (*scopes, EVERY, UNION) if any(name in scopes for name in union) else (*scopes, EVERY)


def slices_of(facts: UnitVersion, dimensions: tuple[Dimension, ...]) -> tuple[Slice, ...]:
    """Return where a unit with these facts counts in each of `dimensions`."""
    return tuple([(each.value, _VALUE_OF[each](facts)) for each in dimensions])
