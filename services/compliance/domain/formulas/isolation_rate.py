"""Isolated points of the known points of members that are not exempt (R25)."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.ratio import NOTHING, Ratio


def isolation_rate(population: Population, ask: FigureAsk) -> Counted:
    found, at = NOTHING, ask.start
    for unit_id, member in population.at(at):
        for track in () if member.exempt else population.knowledge.timeline(unit_id).tracks:
            if track.piece_at(at) is not None:
                trouble = track.trouble_at(at)
                points = trouble.counted(track.points_at(at))
                isolated = points if trouble.all_isolated or not points else trouble.isolated
                found += Ratio(isolated, points)
    return Counted(found)
