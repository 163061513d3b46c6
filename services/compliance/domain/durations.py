"""How long units were connected, unknown, counted and exempt in a window (section 6, R26 to R28). Microseconds."""

from typing import NamedTuple

from services.compliance.domain.population import Population
from services.kernel.ratio import CONNECTED, Ratio
from services.kernel.words import Connection


class Duration(NamedTuple):
    """`counted`: in scope and not exempt; `connected` and `unknown` are parts of it."""

    connected: int = 0
    unknown: int = 0
    counted: int = 0
    exempt: int = 0

    @property
    def lost(self) -> int:
        return self.counted - self.connected - self.unknown

    def ratio(self) -> Ratio:
        return Ratio(self.connected, self.counted, self.unknown, self.exempt)


def duration(population: Population, unit_id: str, start: int, end: int) -> Duration:
    """Return a unit's times within [start, end), which ends at the horizon or before."""
    timeline = population.knowledge.timeline(unit_id)
    connected = unknown = counted = exempt = 0
    for member in population.memberships(unit_id, start, end):
        if member.exempt:
            exempt += member.end - member.start
            continue
        counted += member.end - member.start
        for stretch in timeline.within(member.start, member.end):
            if stretch.connection in CONNECTED:
                connected += stretch.end - stretch.start
            elif stretch.connection is Connection.UNKNOWN:
                unknown += stretch.end - stretch.start
    return Duration(connected, unknown, counted, exempt)


def total(population: Population, start: int, end: int) -> Duration:
    """Return the sum over all units."""
    found = [duration(population, unit_id, start, end) for unit_id in population.unit_ids]
    return Duration(*(sum(each) for each in zip(*found, strict=True))) if found else Duration()
