"""The closed sets of words that rules uses; their values are those of the wire, the database and the metrics."""

from enum import StrEnum

from services.kernel.words import Connection, FindingKind

CONNECTED = (Connection.ONLINE, Connection.LATE)
"""Counted as connected: a late unit is not yet proven lost."""


class Aspect(StrEnum):
    CONNECTION = "connection"
    DUTY = "duty"
    HEALTH = "health"


TROUBLES = (FindingKind.FIRE, FindingKind.FAULT, FindingKind.ISOLATION)
"""Kinds that signals begin and end, each over a set of components."""
TROUBLE_OF = {kind.value: kind for kind in TROUBLES}


class Cause(StrEnum):
    """What made a state change."""

    SIGNAL = "signal"
    DEADLINE = "deadline"
    LINK_DOWN = "link_down"
    BLIND = "blind"
    IMPAIRED = "impaired"
    REGISTRY = "registry"


class Anomaly(StrEnum):
    """Inputs that have no effect, or less than they claim; each is counted."""

    DUPLICATE = "duplicate"
    STALE = "stale"
    RETAINED = "retained"
    UNLISTED_UNIT = "unlisted_unit"
    TOO_MANY_UNLISTED = "too_many_unlisted"
    TOO_MANY_GATEWAYS = "too_many_gateways"
    TOO_MANY_POINTS = "too_many_points"
    STALE_TICK = "stale_tick"
    BEHIND_WATERMARK = "behind_watermark"
    UNPROVEN_LOSS = "unproven_loss"
