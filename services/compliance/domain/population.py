"""Who is in a scope when; unions and slices (figures.md 2 and 6).

Everything that the rows say of it acts at midnight (R26); who is exempt, approved adjustments say to the minute.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from services.compliance.domain.errors import Refused
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.registry import UnitRow
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.words import Dimension

DIMENSIONS: tuple[str, ...] = tuple(Dimension)


class Membership(NamedTuple):
    """[start, end), over which a unit is in the scope by one row and one pack, exempt or not, commissioned or not."""

    start: int
    end: int
    row: UnitRow
    pack: Policy
    exempt: bool
    commissioned: bool


@dataclass(frozen=True)
class Population:
    """The units in one of `scopes`, each once, and in the slice `part` by their row of the moment.

    `unit`: this one alone, where it is not None.
    """

    knowledge: Knowledge
    scopes: Sequence[str]
    part: Mapping[str, str]
    unit: str | None = None

    @property
    def unit_ids(self) -> Sequence[str]:
        return self.knowledge.unit_ids if self.unit is None else [self.unit]

    def memberships(self, unit_id: str, start: int, end: int) -> Iterator[Membership]:
        """Yield the times within [start, end), in order, in which a unit is a member; also those yet to come."""
        if start >= end:
            return
        rows = self.knowledge.registry.units[unit_id]
        first, last = max(day_of(start), rows[0].valid_from), day_of(end - 1)
        turns = {day for row in rows for day in row.turning_days()}
        for district in {row.district for row in rows}:
            turns.update(self.knowledge.policies.turning_days(district))
        days = [first, *sorted(day for day in turns if first < day <= last), last + 1]
        for day, after in pairwise(days):
            found = self.on(unit_id, day) if day < after else None
            if found is not None:
                whole = found._replace(start=max(start, midnight(day)), end=min(end, midnight(after)))
                yield from self._adjusted(unit_id, whole)

    def _adjusted(self, unit_id: str, member: Membership) -> Iterator[Membership]:
        """Yield a membership in parts, each exempt or not."""
        adjustments = self.knowledge.registry.adjusted(unit_id)
        if not adjustments:
            yield member
            return
        edges = sorted({at for at in adjustments.edges() if member.start < at < member.end})
        for start, end in pairwise([member.start, *edges, member.end]):
            yield member._replace(start=start, end=end, exempt=adjustments.exempt(start, member.exempt))

    def on(self, unit_id: str, day: int) -> Membership | None:
        """Return the membership of a day by the row alone, None for a unit that is not in the scope on it."""
        row = in_force(self.knowledge.registry.units[unit_id], day)
        pack = None if row is None else self.knowledge.policies.on(row.district, day)
        if row is None or pack is None:
            return None
        if row.retired(day) or not self._counts(row, pack, day):
            return None
        if any(row.dimensions[name] != value for name, value in self.part.items()):
            return None
        return Membership(midnight(day), midnight(day + 1), row, pack, row.exempt(day), row.commissioned(day))

    def _counts(self, row: UnitRow, pack: Policy, day: int) -> bool:
        """Tell whether a unit that is not retired is in one of the scopes."""
        wanted = (pack.scopes[name] for name in self.scopes if name in pack.scopes)
        return any(scope.holds(row.facts, accepted=row.accepted(day)) for scope in wanted)

    def at(self, at: int) -> Iterator[tuple[str, Membership]]:
        """Yield the members of an instant."""
        for unit_id in self.unit_ids:
            found = self.on(unit_id, day_of(at))
            if found is not None:
                adjustments = self.knowledge.registry.adjusted(unit_id)
                if adjustments:
                    found = found._replace(exempt=adjustments.exempt(at, found.exempt))
                yield unit_id, found


def scope_names(text: str, policies: Policies) -> list[str]:
    """Return the scopes that `text` joins. Raises Refused `unknown_scope` for one that is in no pack."""
    names = text.split("+")
    for name in names:
        if not policies.names_scope(name):
            raise Refused("unknown_scope", name)
    return names
