"""What a gateway says."""

from dataclasses import dataclass
from datetime import datetime

from services.kernel.words import Lane, SignalKind


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
    kind: SignalKind
    seq: int
    occurred_at: datetime
    point: Point | None = None
    restores: SignalKind | None = None
    text: str | None = None

    @property
    def lane(self) -> Lane:
        return Lane.ALARM if SignalKind.FIRE in (self.kind, self.restores) else Lane.UP
