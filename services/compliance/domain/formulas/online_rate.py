"""Connected units of the commissioned members that are not exempt."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.live_networking_rate import counted, states
from services.compliance.domain.population import Population
from services.kernel.words import Connection


def online_rate(population: Population, ask: FigureAsk) -> Counted:
    not_yet = (Connection.NEVER, Connection.COMMISSIONING)
    return counted([state for state in states(population, ask) if state.connection not in not_yet])
