"""What a gateway says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    HEARTBEAT = "heartbeat"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    RESTORE = "restore"
    TEST = "test"


class Lane(StrEnum):
    """Which branch of the gateway's topics: fire and its end have their own."""

    UP = "up"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Point:
    address: str
    type: str
    label: str


@dataclass(frozen=True, slots=True)
class Signal:
    """One message. `restores` names the kind that a restore ends."""

    gateway_id: str
    unit_id: str
    kind: Kind
    seq: int
    occurred_at: datetime
    point: Point | None = None
    restores: Kind | None = None
    text: str | None = None

    @property
    def lane(self) -> Lane:
        return Lane.ALARM if Kind.FIRE in (self.kind, self.restores) else Lane.UP
