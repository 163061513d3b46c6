"""Connected units of the commissioned members that are not exempt."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.live_networking_rate import counted, states
from services.compliance.domain.population import Population
from services.kernel.words import Connection


def online_rate(population: Population, ask: FigureAsk) -> Counted:
    found = states(population, ask.start)
    return counted([state for member, state in found if is_asked(state.connection, commissioned=member.commissioned)])


def is_asked(connection: Connection, *, commissioned: bool) -> bool:
    """Tell whether a member counts, or is shown as exempt.

    By its row: a correction may say that a unit was connected, not that it was commissioned.
    """
    return commissioned or connection is Connection.EXEMPT
