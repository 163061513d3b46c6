"""Whether the line of a gateway holds: one that drops and comes back at once is connected, and not to be relied on.

It changes no figure: the unit is as connected as it was. It is only said, for as long as it goes on.
"""

from services.rules.domain.time.instants import MINUTE, floor_to
from services.rules.domain.unit.connection import Link
from services.rules.domain.unit.state import Unit

WINDOW = 10 * MINUTE
UNSTABLE_AT = 5
"""So many drops within the window make a line unstable."""


def drop(unit: Unit, link: Link, at: int) -> bool:
    """The line of a gateway was lost, or has come back, at `at`. Return whether it is unstable by that."""
    minute = floor_to(at, MINUTE)
    drops = {then: count for then, count in link.drops.items() if then > at - WINDOW}
    drops[minute] = drops.get(minute, 0) + 1
    link.drops = drops
    if sum(drops.values()) < UNSTABLE_AT:
        return False
    connection = unit.connection
    connection.line_drops = sum(
        count for one in connection.links for then, count in one.drops.items() if then > at - WINDOW
    )
    connection.unstable_until = max(connection.unstable_until, at + WINDOW)
    return True
