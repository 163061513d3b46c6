"""The gateways of one unit, and the connection that they add up to."""

from collections.abc import Mapping

from services.kernel.words import Connection
from services.rules.domain.unit.registration import Registration
from services.rules.domain.words import CONNECTED

_NO_DROPS: Mapping[int, int] = {}
"""One for all links: nearly all lines hold."""
_WORST_FIRST = (Connection.OFFLINE, Connection.UNKNOWN, Connection.NEVER, Connection.LATE)


class Link:
    """One gateway of a unit. `state` is NEVER, ONLINE, LATE, OFFLINE or UNKNOWN; instants are 0 where there is none.

    `registration` is that of the unit: it says how patiently the gateway is waited for.

    `timer` is the instant of its entry in the deadline heap, at most its true deadline. `down_at` is when the broker
    said that the gateway is gone, `lost_at` the deadline at which it was declared offline. `beat` and `beat_before` are
    the ids of its last two heartbeats: a repeat is mostly the immediate redelivery of one of them. `drops` counts by
    minute how often its line was lost lately.
    """

    __slots__ = (
        "beat", "beat_before", "down_at", "drops", "gateway_id", "last_proof", "lost_at", "registration", "state",
        "streak", "timer",
    )  # fmt: skip

    def __init__(self, registration: Registration, gateway_id: str) -> None:
        self.registration = registration
        self.gateway_id = gateway_id
        self.state = Connection.NEVER
        self.last_proof = 0
        self.down_at = 0
        self.lost_at = 0
        self.streak = 0
        self.timer = 0
        self.beat = ""
        self.beat_before = ""
        self.drops: Mapping[int, int] = _NO_DROPS


class UnitConnection:
    """`state` is what the links add up to, as the last transition says, `detected` when that was known.

    `shown` is what people see and figures count: the same, or what the duty says instead (`kernel.duty`), since
    `shown_since`, known at `shown_detected`. Both are None until the unit is listed.

    `links` are all that ever spoke or were registered, a few at most. `scoped` are those that count: the registered
    gateways, or whoever has spoken while none is registered.
    `partly`: some of them are connected. `never_from` is when a unit with a duty to be connected is seen without a
    connection, `never_since` from when on that counts, `timer` the entry of its deadline. `line_drops` times its lines
    were lost within ten minutes: they are not called stable before `unstable_until`.
    """

    __slots__ = (
        "detected", "line_drops", "links", "never_from", "never_since", "partly", "scoped", "shown", "shown_detected",
        "shown_since", "state", "timer", "unstable_until",
    )  # fmt: skip

    def __init__(self) -> None:
        self.links: tuple[Link, ...] = ()
        self.scoped: tuple[Link, ...] = ()
        self.state: Connection | None = None
        self.detected = 0
        self.shown: Connection | None = None
        self.shown_since = 0
        self.shown_detected = 0
        self.partly = False
        self.never_from = 0
        self.never_since = 0
        self.timer = 0
        self.line_drops = 0
        self.unstable_until = 0

    def link(self, gateway_id: str) -> Link | None:
        """Return the link of a gateway, None before its first word. A table for the one or two would be dearer."""
        for link in self.links:
            if link.gateway_id == gateway_id:
                return link
        return None

    def last_proof(self) -> int:
        return max((link.last_proof for link in self.links), default=0)

    def heard(self) -> bool:
        """Return whether a link that counts is heard, or was until we stopped seeing."""
        return any(link.state in CONNECTED or link.state is Connection.UNKNOWN for link in self.scoped)

    def of_links(self) -> tuple[Connection, bool]:
        """Return the state that the links add up to, and whether the unit is partly connected."""
        if len(self.scoped) == 1:
            return self.scoped[0].state, False
        worst = self._worst()
        return worst, worst not in CONNECTED and any(link.state in CONNECTED for link in self.scoped)

    def _worst(self) -> Connection:
        states = {link.state for link in self.scoped}
        for state in _WORST_FIRST:
            if state in states:
                return state
        return Connection.ONLINE if states else Connection.NEVER
