"""State of one unit and of the gateways that speak for it."""

from services.kernel.ids import DELIVERY_DIGITS, SIGNAL_DIGITS
from services.kernel.words import Connection, FindingKind, Health
from services.rules.domain.facts import DEFAULT_PROFILE, NO_PACK, GatewayVersion, PackVersion, Profile, UnitVersion
from services.rules.domain.inputs import Signal
from services.rules.domain.points import Trouble
from services.rules.domain.rate import NO_FELLOWS
from services.rules.domain.words import CONNECTED, TROUBLES

MAX_RECENT = 64
CONTENT_DIGITS = 12
"""So much of a content key tells the last messages of one unit apart."""


def same_delivery(one: str, other: str) -> bool:
    """Say whether two ids of signals name the same delivery by the broker (`kernel.ids`); other ids are whole."""
    return len(one) == SIGNAL_DIGITS and one[:DELIVERY_DIGITS] == other[:DELIVERY_DIGITS]


class Link:
    """One gateway of a unit. `state` is NEVER, ONLINE, LATE, OFFLINE or UNKNOWN; instants are 0 where there is none.

    `timer` is the instant of its entry in the deadline heap, at most its true deadline. `down_at` is when the broker
    said that the gateway is gone, `lost_at` the deadline at which it was declared offline. `beat` and `beat_before` are
    the ids of its last two heartbeats: a repeat is mostly the immediate redelivery of one of them. `drops` counts by
    minute how often its line was lost lately.
    """

    __slots__ = (
        "beat",
        "beat_before",
        "down_at",
        "drops",
        "gateway_id",
        "last_proof",
        "lost_at",
        "state",
        "streak",
        "timer",
        "unit",
    )

    def __init__(self, unit: "Unit", gateway_id: str) -> None:
        self.unit = unit
        self.gateway_id = gateway_id
        self.state = Connection.NEVER
        self.last_proof = 0
        self.down_at = 0
        self.lost_at = 0
        self.streak = 0
        self.timer = 0
        self.beat = ""
        self.beat_before = ""
        self.drops: dict[int, int] = {}


class Unit:
    """`connection` is None until the unit is listed: its gateways may speak before the registry names it.

    `scoped` are the links that count: the registered gateways, or whoever has spoken while none is registered.
    `mask` is EXEMPT or RETIRED while the facts say so; the links are followed underneath. `key` names the facts that
    the stored row shows. `known_at` is when the registry first recorded the unit. `never_from` is when a unit with a
    duty to be connected is seen without a connection, `never_since` from when on that counts. `fellows` is where it
    counts. `line_drops` times its lines were lost within ten minutes: they are not called stable before
    `unstable_until`.
    """

    __slots__ = (
        "beats",
        "carriers",
        "commissioned",
        "connection",
        "connection_detected",
        "connection_since",
        "facts",
        "fellows",
        "findings",
        "gateways",
        "health",
        "health_since",
        "hour",
        "key",
        "known_at",
        "line_drops",
        "links",
        "mask",
        "never_from",
        "never_since",
        "overflow",
        "pack",
        "partly",
        "profile",
        "recent",
        "row_changed",
        "scoped",
        "scopes",
        "timer",
        "touched",
        "troubles",
        "unit_id",
        "unstable_until",
        "versions",
    )

    def __init__(self, unit_id: str) -> None:
        self.unit_id = unit_id
        self.links: dict[str, Link] = {}
        self.scoped: tuple[Link, ...] = ()
        self.gateways: dict[str, tuple[GatewayVersion, ...]] = {}
        self.versions: tuple[UnitVersion, ...] = ()
        self.known_at = 0
        self.facts: UnitVersion | None = None
        self.pack: PackVersion = NO_PACK
        self.profile: Profile = DEFAULT_PROFILE
        self.scopes: tuple[str, ...] = ()
        self.carriers: tuple[str, ...] = ()
        self.mask: Connection | None = None
        self.commissioned = False
        self.fellows = NO_FELLOWS
        self.connection: Connection | None = None
        self.connection_since = 0
        self.connection_detected = 0
        self.partly = False
        self.health = Health.UNKNOWN
        self.health_since = 0
        self.troubles: dict[FindingKind, Trouble] | None = None
        self.findings: dict[FindingKind, str] = {}
        self.never_from = 0
        self.never_since = 0
        self.timer = 0
        self.recent: dict[str, str] | None = None
        self.hour = 0
        self.beats = 0
        self.overflow = 0
        self.key = ""
        self.touched = False
        self.row_changed = False
        self.line_drops = 0
        self.unstable_until = 0

    def link(self, gateway_id: str) -> Link:
        """Return the link of a gateway, made now if it is new."""
        found = self.links.get(gateway_id)
        if found is None:
            found = self.links[gateway_id] = Link(self, gateway_id)
            # As the roster does it: who is not registered counts as long as nobody counts who is.
            if gateway_id not in self.gateways and not any(one.gateway_id in self.gateways for one in self.scoped):
                self.scoped = (*self.scoped, found)
        return found

    def last_proof(self) -> int:
        return max((link.last_proof for link in self.links.values()), default=0)

    def open_points(self, kind: FindingKind) -> int:
        trouble = self.troubles.get(kind) if self.troubles else None
        return trouble.open_count if trouble else 0

    def trouble(self, kind: FindingKind) -> Trouble:
        if self.troubles is None:
            self.troubles = {known: Trouble() for known in TROUBLES}
        return self.troubles[kind]

    def remember(self, signal: Signal) -> bool:
        """Keep a signal among the last MAX_RECENT; return False when it stands there already.

        A record that comes twice has one id. Of what the broker delivers again the id begins alike.
        """
        recent = self.recent
        if recent is None:
            recent = self.recent = {}
        signal_id = signal.signal_id
        if signal_id in recent or (signal.redelivered and any(same_delivery(signal_id, known) for known in recent)):
            return False
        recent[signal_id] = signal.content[:CONTENT_DIGITS]
        if len(recent) > MAX_RECENT:
            del recent[next(iter(recent))]
        return True

    def news(self, signal: Signal) -> Signal | None:
        """Keep a signal; return it, marked when the unit said the very same before, or None when it is known."""
        content = signal.content[:CONTENT_DIGITS]
        again = bool(content) and self.recent is not None and content in self.recent.values()
        if not self.remember(signal):
            return None
        return signal._replace(again=True) if again and not signal.replayed else signal

    def wanted_health(self) -> Health:
        """Return the gravest thing that the open points say; UNKNOWN before the unit's first word."""
        if self.troubles is not None:
            if self.troubles[FindingKind.FIRE].open_count:
                return Health.FIRE
            if self.troubles[FindingKind.ISOLATION].whole_unit:
                return Health.ISOLATED
            if self.troubles[FindingKind.FAULT].open_count:
                return Health.FAULT
            if self.troubles[FindingKind.ISOLATION].open_count:
                return Health.PARTLY_ISOLATED
        return Health.NORMAL if self.troubles is not None or self.last_proof() else Health.UNKNOWN

    def wanted_connection(self) -> tuple[Connection, bool]:
        """Return the state that facts and links add up to, and whether the unit is partly connected."""
        if self.mask is not None:
            return self.mask, False
        if not self.commissioned:
            speaks = any(link.state in CONNECTED or link.state is Connection.UNKNOWN for link in self.scoped)
            return (Connection.COMMISSIONING if speaks else Connection.NEVER), False
        if len(self.scoped) == 1:
            return self.scoped[0].state, False
        worst = self._worst()
        return worst, worst not in CONNECTED and any(link.state in CONNECTED for link in self.scoped)

    def _worst(self) -> Connection:
        states = {link.state for link in self.scoped}
        for state in (Connection.OFFLINE, Connection.UNKNOWN, Connection.NEVER, Connection.LATE):
            if state in states:
                return state
        return Connection.ONLINE if states else Connection.NEVER
