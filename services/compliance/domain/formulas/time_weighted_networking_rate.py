"""Connected time of the time in scope that is not exempt, over all members."""

from services.compliance.domain.durations import total
from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population


def time_weighted_networking_rate(population: Population, ask: FigureAsk) -> Counted:
    return Counted(total(population, ask.start, ask.end).ratio())
