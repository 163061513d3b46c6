"""Units that were connected for the asked share of their own time, of those that have any."""

from services.compliance.domain.durations import duration
from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.ratio import Ratio


def meeting_units_rate(population: Population, ask: FigureAsk) -> Counted:
    """`unknown`: units that reach `availability` only with their unknown time; `exempt`: those with no other time."""
    meets = might = units = exempt = 0
    for unit_id in population.unit_ids:
        found = duration(population, unit_id, ask.start, ask.end)
        if found.counted == 0:
            exempt += found.exempt > 0
            continue
        units += 1
        wanted = ask.availability * found.counted
        meets += found.connected >= wanted
        might += found.connected < wanted <= found.connected + found.unknown
    return Counted(Ratio(meets, units, might, exempt))
