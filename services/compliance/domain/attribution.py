"""Whose an outage is: the unit's own, its carrier's, or its area's (R20)."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
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

    def __call__(self, gateway_id: str, unit_id: str, piece: Piece) -> str:
        """Return `unit`, `carrier` or `area` for an offline piece of a gateway."""
        groups = self._read()
        loss = None if piece.lost_at is None else (gateway_id, unit_id, piece.lost_at)
        if loss is None or loss not in self._of:
            return "unit"
        _, within, cause = self._of[loss]
        for by in cause.by:
            value = within.get(by)
            if value is not None and _crowd(groups[by, value], loss[2], cause.window, cause.units):
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


def _crowd(losses: list[tuple[int, str]], at: int, window: int, units: int) -> bool:
    """Tell whether a closed window that begins at a loss holds `at` and losses of `units` different units."""
    first = bisect_left(losses, (at - window, ""))
    last = bisect_right(losses, at, key=lambda loss: loss[0])
    for begun, _ in losses[first:last]:
        start = bisect_left(losses, (begun, ""))
        end = bisect_right(losses, begun + window, key=lambda loss: loss[0])
        if len({unit for _, unit in losses[start:end]}) >= units:
            return True
    return False
