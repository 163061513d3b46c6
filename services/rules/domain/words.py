"""The closed sets of words that rules uses; their values are those of the wire, the database and the metrics."""

from enum import StrEnum


class Word(StrEnum):
    """A closed set that is used as keys of dicts on every state change: hashed as the string it is, not by name."""

    __hash__ = str.__hash__


class Connection(Word):
    """Whether a unit reaches us. `unknown` is our own blindness, never the unit's fault."""

    NEVER = "never_connected"
    COMMISSIONING = "commissioning"
    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    RETIRED = "retired"


CONNECTED = (Connection.ONLINE, Connection.LATE)
"""Counted as connected: a late unit is not yet proven lost."""


class Health(Word):
    """What a unit says of its own fire-alarm system. `unknown` until it has spoken for the first time."""

    NORMAL = "normal"
    FAULT = "fault"
    PARTLY_ISOLATED = "partly_isolated"
    ISOLATED = "isolated"
    FIRE = "fire"
    UNKNOWN = "unknown"


class Sight(Word):
    """Whether we see: all instances of ingest prove it, some are silent, or nobody looks."""

    CLEAR = "clear"
    IMPAIRED = "impaired"
    BLIND = "blind"


class Aspect(Word):
    CONNECTION = "connection"
    HEALTH = "health"


class Kind(Word):
    """Finding kinds, which are the case kinds of alerts."""

    CONNECTION_LOST = "connection_lost"
    NEVER_CONNECTED = "never_connected"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    UNREADABLE_ALARM = "unreadable_alarm"


TROUBLES = (Kind.FIRE, Kind.FAULT, Kind.ISOLATION)
"""Kinds that signals begin and end, each over a set of components."""


class Phase(Word):
    BEGAN = "began"
    CHANGED = "changed"
    ENDED = "ended"


class Cause(Word):
    """What made a state change."""

    SIGNAL = "signal"
    DEADLINE = "deadline"
    LINK_DOWN = "link_down"
    BLIND = "blind"
    IMPAIRED = "impaired"
    REGISTRY = "registry"


class Oddity(Word):
    """Inputs that have no effect, or less than they claim; each is counted."""

    DUPLICATE = "duplicate"
    STALE = "stale"
    RETAINED = "retained"
    UNLISTED_UNIT = "unlisted_unit"
    TOO_MANY_UNLISTED = "too_many_unlisted"
    TOO_MANY_GATEWAYS = "too_many_gateways"
    TOO_MANY_POINTS = "too_many_points"
    STALE_TICK = "stale_tick"
    UNPROVEN_LOSS = "unproven_loss"
