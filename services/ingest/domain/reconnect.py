"""How long to wait before the broker is tried again."""

from enum import StrEnum

FIRST_WAIT_S = 0.05
AWAY_CAP_S = 1.0
"""A try costs a packet, and gateways may wait for us at a door: a broker that came back is found within a second."""
REFUSED_CAP_S = 5.0
FRESH_TRIES = 40
"""So many connections in a row that end before the broker has granted anything are a broker that is starting."""


class AttemptEnd(StrEnum):
    """How an attempt to be subscribed ended."""

    UNREACHABLE = "unreachable"
    CUT_SHORT = "cut_short"
    REFUSED = "refused"
    SUBSCRIBED = "subscribed"


class ReconnectBackoff:
    """Counts what came of the last attempts, one after the other."""

    def __init__(self) -> None:
        self._last: AttemptEnd | None = None
        self._alike = 0

    def after(self, end: AttemptEnd) -> float:
        """Return the seconds to wait after an attempt that ended like this; without jitter.

        A broker that took the connection and dropped it is there, or will be in a moment: it is tried again at once,
        unless it goes on like that. One that says no is asked less and less often: saying it costs it something.
        """
        self._alike = self._alike + 1 if end is self._last else 1
        self._last = end
        if end is AttemptEnd.SUBSCRIBED:  # not at once: two processes of one name throw each other out
            return 2 * FIRST_WAIT_S
        if end is AttemptEnd.CUT_SHORT:
            return FIRST_WAIT_S if self._alike <= FRESH_TRIES else AWAY_CAP_S
        cap = REFUSED_CAP_S if end is AttemptEnd.REFUSED else AWAY_CAP_S
        return float(min(cap, 2 * FIRST_WAIT_S * 2.0 ** min(self._alike - 1, 12)))
