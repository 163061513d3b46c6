"""Commissioned units of all members, exempt ones included: an administrative fact, no matter of visibility."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.ratio import Ratio


def access_rate(population: Population, ask: FigureAsk) -> Counted:
    found = [member for _, member in population.at(ask.start)]
    return Counted(
        Ratio(
            numerator=sum(member.commissioned for member in found),
            denominator=len(found),
            exempt=sum(member.exempt for member in found),
        )
    )
