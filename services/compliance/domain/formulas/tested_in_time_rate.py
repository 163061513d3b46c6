"""Time over which the last test was not longer ago than the duty allows, of the time under a duty to test (R45)."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.compliance.domain.tests_due import tested, within
from services.kernel.ratio import NOTHING, Ratio


def tested_in_time_rate(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id in population.unit_ids:
        found += tested_in_time(population, unit_id, ask.start, ask.end)
    return Counted(found)


def tested_in_time(population: Population, unit_id: str, start: int, end: int) -> Ratio:
    """Return the time of one unit within [start, end), in microseconds."""
    knowledge, found = population.knowledge, NOTHING
    duties = knowledge.duties_to_test(unit_id)
    for member in population.memberships(unit_id, start, end) if duties else ():
        for due in within(duties, member.start, member.end):
            tests = knowledge.tests(unit_id, due.duty.counts)
            found += tested(due, tests, knowledge.visibility, member.start, member.end)
    return found
