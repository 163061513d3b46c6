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
    for track in () if member.exempt else population.knowledge.timeline(unit_id).tracks:
        if track.piece_at(at) is not None:
            trouble = track.trouble_at(at)
            points = trouble.counted(track.points_at(at))
            isolated_points = points if trouble.all_isolated or not points else trouble.isolated
            found += Ratio(isolated_points, points)
    return found
