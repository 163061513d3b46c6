"""Connected units of the members that are not exempt."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Membership, Population
from services.compliance.domain.timeline import Stretch
from services.kernel.ratio import live
from services.kernel.words import Connection


def live_networking_rate(population: Population, ask: FigureAsk) -> Counted:
    return counted([state for _, state in states(population, ask.start)])


def states(population: Population, at: int) -> Iterator[tuple[Membership, Stretch]]:
    """Yield every member at the instant with its connection."""
    for unit_id, member in population.at(at):
        state = population.knowledge.timeline(unit_id).connection_at(at)
        if state is not None:
            yield member, state


def counted(found: Sequence[Stretch]) -> Counted:
    """Return the rate of these, and how many are offline with a connected gateway (R33)."""
    return rate(Counter(state.connection for state in found), sum(state.partly for state in found))


def rate(units: Mapping[Connection, int], partly: int) -> Counted:
    """Return the same of so many units by connection."""
    return Counted(live(units), {"partly_connected": partly})
