"""Whose an outage is: the unit's own, its carrier's, or its area's (R20)."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.compliance.domain.connection import Piece
from services.compliance.domain.policy import CommonCause

_WORD = {"carrier": "carrier", "town": "area"}
Loss = tuple[str, str, int]
"""(gateway id, unit id, last proof)"""


class Lost(NamedTuple):
    """A loss, its groups and what its district's pack calls a common cause, by the rows and the pack of its day."""

    loss: Loss
    groups: Mapping[str, str]
    cause: CommonCause
    district: str


class Evidence(NamedTuple):
    """Whose an outage is, and what shows it.

    `gateway_id`: the one that was lost, None where the unit has none. `lost_at`: its last proof, None where there was
    none. Of a common cause `group` is the carrier or town, `begun` where the window begins, `units` who was lost in it.
    """

    attribution: str
    gateway_id: str | None = None
    lost_at: int | None = None
    group: str | None = None
    begun: int | None = None
    units: tuple[str, ...] = ()


class Attribution:
    """Built of all losses; they are asked for when an outage is first looked at."""

    def __init__(self, losses: Callable[[], Iterable[Lost]]) -> None:
        self._losses = losses
        self._groups: dict[tuple[str, str], list[tuple[int, str]]] | None = None
        self._of: dict[Loss, Lost] = {}
        self._crowds: dict[tuple[str, str, int, int], list[int]] = {}
        self._together: dict[tuple[str, str, int, int], tuple[str, ...]] = {}

    def __call__(self, gateway_id: str, unit_id: str, piece: Piece) -> str:
        """Return `unit`, `carrier` or `area` for an offline piece of a gateway."""
        return self.evidence(gateway_id, unit_id, piece.lost_at).attribution

    def evidence(self, gateway_id: str, unit_id: str, at: int | None) -> Evidence:
        """Return the same with what shows it, of an offline piece that goes back to a loss at this instant."""
        losses = self._read()
        own = Evidence("unit", gateway_id, at)
        if at is None or (gateway_id, unit_id, at) not in self._of:
            return own
        _, within, cause, _ = self._of[gateway_id, unit_id, at]
        for by in cause.by:
            group = (by, within[by])
            key = (*group, cause.window, cause.units)
            if key not in self._crowds:
                self._crowds[key] = _crowds(losses[group], cause.window, cause.units)
            first = bisect_left(self._crowds[key], at - cause.window)
            if first < bisect_right(self._crowds[key], at):
                begun = self._crowds[key][first]
                together = self._units(losses[group], group, begun, cause.window)
                return Evidence(_WORD[by], gateway_id, at, within[by], begun, together)
        return own

    def _units(
        self, losses: Sequence[tuple[int, str]], group: tuple[str, str], begun: int, window: int
    ) -> tuple[str, ...]:
        """Return who was lost in a window; the same for all of them, who may be a whole district."""
        key = (*group, begun, window)
        if key not in self._together:
            self._together[key] = _units(losses, begun, begun + window)
        return self._together[key]

    def _read(self) -> dict[tuple[str, str], list[tuple[int, str]]]:
        if self._groups is None:
            self._groups = defaultdict(list)
            for lost in self._losses():
                self._of[lost.loss] = lost
                for by, value in lost.groups.items():
                    self._groups[by, value].append((lost.loss[2], lost.loss[1]))
            for found in self._groups.values():
                found.sort()
        return self._groups


def _crowds(losses: Sequence[tuple[int, str]], window: int, units: int) -> list[int]:
    """Return where a closed window begins, at a loss, that holds losses of `units` different units; in order."""
    begun: list[int] = []
    within: Counter[str] = Counter()
    end = 0
    for at, unit_id in losses:
        while end < len(losses) and losses[end][0] <= at + window:
            within[losses[end][1]] += 1
            end += 1
        if len(within) >= units:
            begun.append(at)
        within[unit_id] -= 1
        if not within[unit_id]:
            del within[unit_id]
    return begun


def _units(losses: Sequence[tuple[int, str]], start: int, end: int) -> tuple[str, ...]:
    first, after = bisect_left(losses, (start, "")), bisect_right(losses, end, key=lambda loss: loss[0])
    return tuple(sorted({unit_id for _, unit_id in losses[first:after]}))
