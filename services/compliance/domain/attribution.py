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


class Attribution:
    """Built of all losses; they are asked for when an outage is first looked at."""

    def __init__(self, losses: Callable[[], Iterable[Lost]]) -> None:
        self._losses = losses
        self._groups: dict[tuple[str, str], list[tuple[int, str]]] | None = None
        self._of: dict[Loss, Lost] = {}
        self._crowds: dict[tuple[str, str, int, int], list[int]] = {}

    def __call__(self, gateway_id: str, unit_id: str, piece: Piece) -> str:
        """Return `unit`, `carrier` or `area` for an offline piece of a gateway."""
        losses = self._read()
        loss = None if piece.lost_at is None else (gateway_id, unit_id, piece.lost_at)
        if loss is None or loss not in self._of:
            return "unit"
        _, within, cause = self._of[loss]
        for by in cause.by:
            group = (by, within[by])
            key = (*group, cause.window, cause.units)
            if key not in self._crowds:
                self._crowds[key] = _crowds(losses[group], cause.window, cause.units)
            begun = self._crowds[key]
            if bisect_left(begun, loss[2] - cause.window) < bisect_right(begun, loss[2]):
                return _WORD[by]
        return "unit"

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
