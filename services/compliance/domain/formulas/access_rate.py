"""Commissioned units of all members, exempt ones included: an administrative fact, no matter of sight."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import members
from services.compliance.domain.world import World
from services.kernel.calendar import day_of
from services.kernel.ratio import Ratio


def access_rate(world: World, ask: FigureAsk, scopes: list[str]) -> Counted:
    day = day_of(ask.start)
    found = [member.row_at(ask.start) for member in members(world, scopes, ask.start, ask.part, ask.unit)]
    rows = [row for row in found if row is not None]
    return Counted(
        Ratio(
            numerator=sum(row.commissioned(day) for row in rows),
            denominator=len(rows),
            exempt=sum(row.exempt(day) for row in rows),
        )
    )
