"""Units that were connected for the asked share of their own time, of those that have any."""

from fractions import Fraction

from services.compliance.domain.durations import duration
from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.ratio import NOTHING, Ratio


def meeting_units_rate(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id in population.unit_ids:
        found += meets(duration(population, unit_id, ask.start, ask.end).ratio(), ask.availability)
    return Counted(found)


def meets(time: Ratio, availability: Fraction) -> Ratio:
    """Return what a unit with these times adds: it meets, misses, or might meet with its unknown time.

    `exempt`: it has no other time. Nothing of one without any.
    """
    if time.denominator == 0:
        return Ratio(0, 0, exempt=int(time.exempt > 0))
    wanted = availability * time.denominator
    return Ratio(int(time.numerator >= wanted), 1, int(time.numerator < wanted <= time.high_numerator))
