"""The time in scope, not exempt, over which we knew; its own `unknown` is 0."""

from services.compliance.domain.durations import total
from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.ratio import Ratio


def coverage(population: Population, ask: FigureAsk) -> Counted:
    found = total(population, ask.start, ask.end)
    return Counted(Ratio(found.counted - found.unknown, found.counted, exempt=found.exempt))
