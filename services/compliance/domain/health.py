"""Troubles of one gateway for one unit: which are open when, what they come to, which points are seen (R21 to R25)."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from services.compliance.domain.adjustments import Adjustment
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


class Trouble(NamedTuple):
    """What the open troubles of a gateway come to.

    `bad`: points with a fault or an isolation of their own, `isolated`: those with an isolation. `all_bad`,
    `all_isolated`: the whole gateway has one, and with it every point, seen or not. Points that an adjustment lets off
    are in none of these but in `let_off`, or are all there are with `all_let_off`.
    """

    health: Health
    bad: int = 0
    isolated: int = 0
    all_bad: bool = False
    all_isolated: bool = False
    let_off: int = 0
    all_let_off: bool = False

    def counted(self, points: int) -> int:
        """Return how many of the points count at all."""
        return 0 if self.all_let_off else points - self.let_off


QUIET = Trouble(Health.NONE)


class Change(NamedTuple):
    """From `at` on the troubles of the gateway are these."""

    at: int
    trouble: Trouble


class Fault(NamedTuple):
    """From `begun` on until `ended`, None while it is open. `let_off`: by an adjustment that held as it began."""

    begun: int
    ended: int | None
    let_off: bool = False


class Condition(NamedTuple):
    """What one gateway said of itself for one unit. `changes` in order of time; `seen`: when each point was first."""

    changes: Sequence[Change] = ()
    faults: Sequence[Fault] = ()
    seen: Sequence[int] = ()


def condition(signals: Iterable[SignalFact], adjustments: Sequence[Adjustment] = ()) -> Condition:
    """Return what the signals of a pair come to; retained ones have no effect at all (R11).

    `adjustments` of the unit let off troubles and points: they are gone from the counts, not from the health.
    """
    effective = [each for each in signals if "retained" not in each.flags]
    reports = sorted((each for each in effective if tells(each)), key=_order)
    seen = _seen(effective)
    troubles = _Troubles(_LetOff(adjustments, seen))
    groups = {at: list(group) for at, group in groupby(reports, key=trouble_time)}
    changes: list[Change] = []
    for at in sorted(groups.keys() | troubles.let_off.edges()):
        troubles.take(at, groups.get(at, ()))
        now = troubles.now(at)
        if not changes or changes[-1].trouble != now:
            changes.append(Change(at, now))
    return Condition(changes, troubles.faults(), sorted(seen.values()))


def trouble_time(signal: SignalFact) -> int:
    """Return the device's own time when it can be believed, else when the signal was received (R21)."""
    received = _received(signal)
    claimed = signal.occurred_at
    return claimed if claimed is not None and received - DAY <= claimed <= received else received


def _seen(signals: Iterable[SignalFact]) -> dict[Key, int]:
    """Return when each point was first named."""
    first: dict[Key, int] = {}
    for signal in signals:
        if signal.address is not None and signal.address != EVERY:
            at, key = trouble_time(signal), _key(signal)
            first[key] = min(at, first.get(key, at))
    return first


def _received(signal: SignalFact) -> int:
    if "replayed" in signal.flags and signal.first_received_at is not None:
        return signal.first_received_at
    return signal.received


def _order(signal: SignalFact) -> tuple[int, int, int, str]:
    return trouble_time(signal), _received(signal), -1 if signal.seq is None else signal.seq, signal.key[1]


def tells(signal: SignalFact) -> bool:
    """Whether it may begin or end a trouble (R22)."""
    return signal.kind in (*KINDS, "restore") and "repeated" not in signal.flags


def begins(signal: SignalFact) -> bool:
    """Whether it may begin a trouble (R22)."""
    return signal.kind in KINDS and tells(signal)


@dataclass(frozen=True, slots=True)
class _Coming:
    """Keys whose isolation begins later in the same instant, after the event number `after`."""

    begins: Mapping[object, int]
    after: int

    def __contains__(self, key: object) -> bool:
        return self.begins.get(key, -1) > self.after


class _LetOff(NamedTuple):
    """What adjustments let off of one gateway's points and troubles. `seen`: when each point was first named."""

    adjustments: Sequence[Adjustment]
    seen: Mapping[Key, int]

    def edges(self) -> set[int]:
        """Return the instants at which it may change though nothing is said."""
        if not self.adjustments:
            return set()
        return {at for each in self.adjustments for at in (each.start, each.end)} | set(self.seen.values())

    def lets_off(self, at: int, key: Key, trouble: str | None) -> bool:
        return any(each.start <= at < each.end and each.lets_off(*key, trouble) for each in self.adjustments)

    def points(self, at: int, open_troubles: Mapping[str, Mapping[Key, int]]) -> set[Key]:
        """Return the points that do not count at `at`: themselves, or for a trouble that they have."""
        points = {key for key, first in self.seen.items() if first <= at and self.lets_off(at, key, None)}
        for kind, keys in open_troubles.items():
            points.update(key for key in keys if _is_point(key) and self.lets_off(at, key, kind))
        return points

    def everything(self, at: int, open_troubles: Mapping[str, Mapping[Key, int]]) -> bool:
        """Tell whether no point of the gateway counts at `at`: for itself, or for a trouble of all of it."""
        kinds = [None, *(kind for kind, keys in open_troubles.items() if WHOLE in keys)]
        return any(self.lets_off(at, WHOLE, kind) for kind in kinds)


@dataclass(slots=True)
class _Troubles:
    """Open troubles by kind, with the instant at which each began.

    `cleared`: faults whose restore came under an isolation; they end with it, unless they are said again (R23).
    `bad`: how many troubles a point has, fault or isolation; `isolated`: how many points are.
    """

    let_off: _LetOff
    open: Mapping[str, dict[Key, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    cleared: set[Key] = field(default_factory=set)
    cured: list[Fault] = field(default_factory=list)
    bad: Counter[Key] = field(default_factory=Counter)
    isolated: int = 0

    def take(self, at: int, group: Sequence[SignalFact]) -> None:
        """Take the events of one instant, in order. An isolation that begins later in it counts already (R23).

        One that ended earlier in it counts too, but holds nothing back any more: the fault ends at the same instant.
        """
        coming: dict[object, int] = {_key(each): index for index, each in enumerate(group) if each.kind == "isolation"}
        for index, signal in enumerate(group):
            if signal.kind != "restore":
                self._begin(signal.kind, _key(signal), at)
            elif "test_or_omission" not in signal.flags:
                self._restore(at, signal, _Coming(coming, index))

    def _begin(self, kind: str, key: Key, at: int) -> None:
        if kind == "fault":
            self.cleared.discard(key)
        if key in self.open[kind]:
            return
        self.open[kind][key] = at
        if kind != "fire" and _is_point(key):
            self.bad[key] += 1
            self.isolated += kind == "isolation"

    def _restore(self, at: int, signal: SignalFact, coming: Container[Key]) -> None:
        kinds = KINDS if signal.restores == "all" else (signal.restores,)
        if "fire" in kinds:
            for key in self._covered("fire", signal):
                self._end("fire", key, at)
        if "fault" in kinds:
            for key in self._covered("fault", signal):
                if _isolates(self.open["isolation"], key) or _isolates(coming, key):
                    self.cleared.add(key)
                else:
                    self._end("fault", key, at)
        if "isolation" in kinds:
            ended = self._covered("isolation", signal)
            for key in ended:
                self._end("isolation", key, at)
            free = self.cleared if WHOLE in ended else self.cleared.intersection(ended)
            for key in [each for each in free if not _isolates(self.open["isolation"], each)]:
                self._end("fault", key, at)

    def _covered(self, kind: str, restore: SignalFact) -> list[Key]:
        """Return the open keys that a restore names: its own, all of a system, or all (R22)."""
        if restore.address is None:
            return list(self.open[kind])
        if restore.address == EVERY:
            return [key for key in self.open[kind] if key[1] is not None and key[0] == restore.system]
        return [_key(restore)] if _key(restore) in self.open[kind] else []

    def _end(self, kind: str, key: Key, at: int) -> None:
        begun = self.open[kind].pop(key)
        if kind == "fault":
            self.cleared.discard(key)
            self.cured.append(self._fault(key, begun, at))
        if kind != "fire" and _is_point(key):
            self.bad[key] -= 1
            self.isolated -= kind == "isolation"
            if not self.bad[key]:
                del self.bad[key]

    def faults(self) -> list[Fault]:
        """Return all faults, in order of their beginning."""
        still = [self._fault(key, begun, None) for key, begun in self.open["fault"].items()]
        return sorted(self.cured + still, key=lambda fault: fault.begun)

    def _fault(self, key: Key, begun: int, ended: int | None) -> Fault:
        return Fault(begun, ended, self.let_off.lets_off(begun, key, "fault"))

    def now(self, at: int) -> Trouble:
        all_isolated = WHOLE in self.open["isolation"]
        all_bad = all_isolated or WHOLE in self.open["fault"]
        now = Trouble(self._health(), len(self.bad), self.isolated, all_bad, all_isolated)
        if not self.let_off.adjustments:
            return now
        counting = {kind: keys for kind, keys in self.open.items() if kind != "fire"}
        points = self.let_off.points(at, counting)
        return now._replace(
            bad=len(self.bad.keys() - points),
            isolated=sum(_is_point(key) and key not in points for key in self.open["isolation"]),
            let_off=len(points),
            all_let_off=self.let_off.everything(at, counting),
        )

    def _health(self) -> Health:
        if self.open["fire"]:
            return Health.FIRE
        if self.open["isolation"]:
            return Health.ISOLATED if WHOLE in self.open["isolation"] else Health.PARTLY_ISOLATED
        return Health.FAULT if self.open["fault"] else Health.NONE


def _is_point(key: Key) -> bool:
    """Tell a point from the whole gateway and from all of a system."""
    return key[1] is not None and key[1] != EVERY


def _key(signal: SignalFact) -> Key:
    return WHOLE if signal.address is None else (signal.system, signal.address)


def _isolates(isolated: Container[Key], key: Key) -> bool:
    return key in isolated or WHOLE in isolated
