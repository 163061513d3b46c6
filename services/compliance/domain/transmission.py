"""How long signals took from the device's clock to us, where that clock can be believed (R46)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from services.compliance.domain.signals import SignalFact
from services.kernel.words import Flag, SignalKind

TENTH = 100_000
"""Microseconds. Devices tell whole seconds; in tenths the times of any period are at most 3001 different ones."""
BELIEVED = 300_000_000
"""A message that comes later cannot be told from a clock that is behind; ingest flags it so (`clock_behind`)."""
KINDS = (
    SignalKind.FIRE, SignalKind.FAULT, SignalKind.ISOLATION, SignalKind.SUPERVISORY, SignalKind.RESTORE,
    SignalKind.TEST,
)  # fmt: skip
"""What an alarm line is there for. Heartbeats say nothing, measurements come by the thousand and hurry nobody."""
UNBELIEVED = (Flag.REDELIVERED, Flag.NO_DEVICE_TIME, Flag.CLOCK_AHEAD, Flag.CLOCK_BEHIND)
"""Why a time cannot be believed, the first that fits."""
_SENT_BEFORE = {Flag.RETAINED, Flag.REPLAYED, Flag.REPEATED}


class Transmission(NamedTuple):
    """Of one signal. `tenths` of a second, rounded up; None where it cannot be believed for the reason `why`."""

    received: int
    tenths: int | None
    why: Flag | None = None


@dataclass(slots=True)
class Transmissions:
    """Those of some time, added up: how many took so many tenths, how many are not believed, and exempt ones."""

    tenths: Counter[int] = field(default_factory=Counter)
    unbelieved: Counter[Flag] = field(default_factory=Counter)
    exempt: int = 0

    def take(self, one: Transmission) -> None:
        if one.tenths is not None:
            self.tenths[one.tenths] += 1
        elif one.why is not None:
            self.unbelieved[one.why] += 1

    def add(self, other: "Transmissions") -> None:
        self.tenths.update(other.tenths)
        self.unbelieved.update(other.unbelieved)
        self.exempt += other.exempt


def transmissions(signals: Iterable[SignalFact]) -> list[Transmission]:
    """Return those of a unit's signals that count, in the order of their reception."""
    found = [_transmission(each) for each in signals if each.kind in KINDS and not each.flags & _SENT_BEFORE]
    return sorted(found, key=lambda each: each.received)


def _transmission(signal: SignalFact) -> Transmission:
    received, claimed = signal.received, signal.occurred_at
    why = next((flag for flag in UNBELIEVED if flag in signal.flags), None)
    if why is None and claimed is None:
        why = Flag.NO_DEVICE_TIME
    elif why is None and claimed is not None:
        took = received - claimed
        if 0 <= took <= BELIEVED:
            return Transmission(received, -(-took // TENTH))
        why = Flag.CLOCK_AHEAD if took < 0 else Flag.CLOCK_BEHIND
    return Transmission(received, None, why)
