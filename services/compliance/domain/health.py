"""Troubles of one gateway for one unit: which are open when, and what they come to (R21 to R24)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby

from services.compliance.domain.signals import SignalFact
from services.kernel.calendar import DAY

Key = tuple[str, str | None]
"""(system or "", address); address None is the whole gateway."""

WHOLE: Key = ("", None)
EVERY = "*"
KINDS = ("fire", "fault", "isolation")


class Health(IntEnum):
    """By gravity."""

    NONE = 0
    FAULT = 1
    PARTLY_ISOLATED = 2
    ISOLATED = 3
    FIRE = 4


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on the troubles of the gateway come to `health`."""

    at: int
    health: Health


def health_changes(signals: Iterable[SignalFact]) -> list[Change]:
    """Return the changes of one gateway's troubles for one unit, in order of time."""
    told = sorted((each for each in signals if _tells(each)), key=_order)
    troubles = _Troubles()
    changes: list[Change] = []
    for at, group in groupby(told, key=trouble_time):
        troubles.take(list(group))
        health = troubles.health()
        if not changes or changes[-1].health != health:
            changes.append(Change(at, health))
    return changes


def trouble_time(signal: SignalFact) -> int:
    """Return the device's own time when it can be believed, else when the signal was received (R21)."""
    received = _received(signal)
    claimed = signal.occurred_at
    return claimed if claimed is not None and received - DAY <= claimed <= received else received


def _received(signal: SignalFact) -> int:
    if "replayed" in signal.flags and signal.first_received_at is not None:
        return signal.first_received_at
    return signal.received


def _order(signal: SignalFact) -> tuple[int, int, int, str]:
    return trouble_time(signal), _received(signal), -1 if signal.seq is None else signal.seq, signal.key[1]


def _tells(signal: SignalFact) -> bool:
    return signal.kind in (*KINDS, "restore") and not signal.flags & {"retained", "repeated"}


@dataclass(slots=True)
class _Troubles:
    open: dict[str, set[Key]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    cleared: set[Key] = field(default_factory=set)
    """Faults whose restore came under an isolation: they end with it (R23)."""

    def take(self, group: Sequence[SignalFact]) -> None:
        """Take the events of one instant, in order. Who is isolated at any moment of it is isolated at it."""
        isolated = self.open["isolation"] | {_key(each) for each in group if each.kind == "isolation"}
        for signal in group:
            if signal.kind != "restore":
                self.open[signal.kind].add(_key(signal))
                if signal.kind == "fault":
                    self.cleared.discard(_key(signal))
            elif "test_or_omission" not in signal.flags:
                self._restore(signal, isolated)
        ended = {key for key in self.cleared if not _isolates(self.open["isolation"], key)}
        self.cleared -= ended
        self.open["fault"] -= ended

    def _restore(self, signal: SignalFact, isolated: set[Key]) -> None:
        for kind in KINDS if signal.restores == "all" else (signal.restores,):
            if kind not in self.open:
                continue
            over = {key for key in self.open[kind] if _covers(signal, key)}
            if kind == "fault":
                kept = {key for key in over if _isolates(isolated, key)}
                self.cleared |= kept
                over -= kept
            self.open[kind] -= over

    def health(self) -> Health:
        if self.open["fire"]:
            return Health.FIRE
        if any(address is None for _, address in self.open["isolation"]):
            return Health.ISOLATED
        if self.open["isolation"]:
            return Health.PARTLY_ISOLATED
        return Health.FAULT if self.open["fault"] else Health.NONE


def _key(signal: SignalFact) -> Key:
    return WHOLE if signal.address is None else (signal.system, signal.address)


def _covers(restore: SignalFact, key: Key) -> bool:
    if restore.address is None:
        return True
    if restore.address == EVERY:
        return key[1] is not None and key[0] == restore.system
    return key == _key(restore)


def _isolates(isolated: set[Key], key: Key) -> bool:
    return key in isolated or WHOLE in isolated
