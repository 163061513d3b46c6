"""Every outage with whose it is and what shows it, and the time that each of them cost a scope (R20, R27)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.compliance.domain.attribution import Evidence
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.population import Population
from services.compliance.domain.timeline import Stretch
from services.kernel.words import Connection

WORDS = ("unit", "carrier", "area", "self")
"""Whose time was lost; `self` is what we did not see."""


class Outage(NamedTuple):
    """[start, end) in microseconds, over which a unit was in scope, not exempt and offline or unknown for one cause."""

    unit_id: str
    start: int
    end: int
    cause: str
    evidence: Evidence


def outages(population: Population, start: int, end: int) -> list[Outage]:
    """Return the outages within [start, end), which ends at the horizon or before, by unit and time.

    Units that were never connected have none: nothing was lost that ever was.
    """
    return [outage for unit_id in population.unit_ids for outage in _merged(_of_unit(population, unit_id, start, end))]


def lost_by(found: Iterable[Outage]) -> dict[str, int]:
    """Return the microseconds of all outages by whose they are."""
    lost = dict.fromkeys(WORDS, 0)
    for outage in found:
        lost[outage.evidence.attribution] += outage.end - outage.start
    return lost


def _of_unit(population: Population, unit_id: str, start: int, end: int) -> Iterator[Outage]:
    for member in population.memberships(unit_id, start, end):
        if member.exempt:
            continue
        for stretch in population.knowledge.timeline(unit_id).within(member.start, member.end):
            if stretch.connection in (Connection.OFFLINE, Connection.UNKNOWN):
                evidence = _evidence(population.knowledge, unit_id, stretch)
                yield Outage(unit_id, stretch.start, stretch.end, stretch.cause, evidence)


def _evidence(knowledge: Knowledge, unit_id: str, stretch: Stretch) -> Evidence:
    if stretch.connection is Connection.UNKNOWN:
        return Evidence("self")
    return Evidence("unit") if stretch.lost is None else knowledge.evidence(unit_id, *stretch.lost)


def _merged(found: Iterable[Outage]) -> Iterator[Outage]:
    """Join neighbours that differ in nothing else: scopes part at midnight, outages do not."""
    last: Outage | None = None
    for outage in found:
        if last is not None and last.end == outage.start and last[3:] == outage[3:]:
            last = last._replace(end=outage.end)
            continue
        if last is not None:
            yield last
        last = outage
    if last is not None:
        yield last
