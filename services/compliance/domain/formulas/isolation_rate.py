"""Isolated points of the known points of members that are not exempt (R25)."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Membership, Population
from services.kernel.ratio import NOTHING, Ratio


def isolation_rate(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id, member in population.at(ask.start):
        found += isolated(population, unit_id, member, ask.start)
    return Counted(found)


def isolated(population: Population, unit_id: str, member: Membership, at: int) -> Ratio:
    """Return the points of one member."""
    found = NOTHING
    for track in () if member.exempt else population.world.timeline(unit_id).tracks:
        if track.piece_at(at) is not None:
            points, trouble = track.points_at(at), track.trouble_at(at)
            found += Ratio(points if trouble.all_isolated else trouble.isolated, points)
    return found
