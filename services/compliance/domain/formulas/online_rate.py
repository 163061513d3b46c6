"""Connected units of the commissioned members that are not exempt."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.live_networking_rate import counted, states
from services.compliance.domain.population import Population
from services.kernel.words import Connection

NOT_YET = (Connection.NEVER, Connection.COMMISSIONING)
"""A unit that is not commissioned: it owes no connection yet."""


def online_rate(population: Population, ask: FigureAsk) -> Counted:
    return counted([state for state in states(population, ask) if state.connection not in NOT_YET])
