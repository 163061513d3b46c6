"""Connected units of the members that are not exempt."""

from collections import Counter

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import members
from services.compliance.domain.world import World
from services.kernel.ratio import live


def live_networking_rate(world: World, ask: FigureAsk, scopes: list[str]) -> Counted:
    found = (member.state_at(ask.start) for member in members(world, scopes, ask.start, ask.part, ask.unit))
    states = [state for state in found if state is not None]
    partly = sum(state.partly for state in states if state.connection != "exempt")
    return Counted(live(Counter(state.connection for state in states)), {"partly_connected": partly})
