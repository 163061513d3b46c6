"""Connected units of the members that are not exempt."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import members
from services.compliance.domain.timeline import CONNECTED
from services.compliance.domain.world import World
from services.kernel.ratio import Ratio


def live_networking_rate(world: World, ask: FigureAsk, scopes: list[str]) -> Counted:
    states = [member.state_at(ask.start) for member in members(world, scopes, ask.start, ask.part, ask.unit)]
    present = [state for state in states if state is not None and state.connection != "exempt"]
    ratio = Ratio(
        numerator=sum(state.connection in CONNECTED for state in present),
        denominator=len(present),
        unknown=sum(state.connection == "unknown" for state in present),
        exempt=len(states) - len(present),
    )
    return Counted(ratio, {"partly_connected": sum(state.partly for state in present)})
