"""Approved adjustments of a unit: time that is counted otherwise than it was measured. Instants in microseconds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.kernel.words import AdjustmentKind, Connection, CountedAs

COUNTED = {
    CountedAs.CONNECTED: Connection.ONLINE,
    CountedAs.OFFLINE: Connection.OFFLINE,
    CountedAs.UNKNOWN: Connection.UNKNOWN,
    CountedAs.EXEMPT: Connection.EXEMPT,
}
_EXCUSES = (AdjustmentKind.EXEMPTION, AdjustmentKind.MAINTENANCE)
"""Of several the first gives the word. A unit that is on test is connected: its time goes on counting."""


class Adjustment(NamedTuple):
    """Of [start, end), known since `recorded_at`.

    `counted_as` goes with a correction and only with it. `system`, `address` and `trouble` narrow it down, None is any;
    what is narrowed down lets off troubles and never the connection.
    """

    adjustment_id: str
    kind: AdjustmentKind
    start: int
    end: int
    recorded_at: int
    counted_as: CountedAs | None = None
    system: str | None = None
    address: str | None = None
    trouble: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.system is None and self.address is None and self.trouble is None

    def lets_off(self, system: str, address: str | None, trouble: str | None) -> bool:
        """Tell whether a trouble of a point is let off; address None: of the whole gateway, which is in no system.

        `trouble` None asks whether the point itself is, with a trouble or without.
        """
        named = self.system is not None or self.address is not None
        return (
            self.kind is not AdjustmentKind.CORRECTION
            and self.trouble in (None, trouble)
            and self.system in (None, system)
            and self.address in (None, address)
            and not (named and address is None)
        )


class Adjustments:
    """Those of one unit. Of several corrections of an instant the one that was approved last holds."""

    def __init__(self, found: Sequence[Adjustment] = ()) -> None:
        self.all = frozenset(found)
        self._corrections = sorted(
            (each for each in found if each.kind is AdjustmentKind.CORRECTION),
            key=lambda each: (each.recorded_at, each.adjustment_id),
            reverse=True,
        )
        others = [each for each in found if each.kind is not AdjustmentKind.CORRECTION]
        excuses = [each for each in others if each.kind in _EXCUSES and each.is_whole]
        self._excuses = sorted(excuses, key=lambda each: _EXCUSES.index(each.kind))
        self.of_troubles: Sequence[Adjustment] = sorted(others, key=lambda each: (each.start, each.adjustment_id))

    def __bool__(self) -> bool:
        return bool(self._corrections or self._excuses)

    def edges(self) -> Iterator[int]:
        """Yield the instants at which the time of the unit may begin or end to be counted otherwise."""
        for each in (*self._corrections, *self._excuses):
            yield from (each.start, each.end)

    def corrected(self, at: int) -> Connection | None:
        """Return what the unit counts as by a correction, None where it counts as measured."""
        for each in self._corrections:
            if each.start <= at < each.end:
                return None if each.counted_as is None else COUNTED.get(each.counted_as)
        return None

    def excuse(self, at: int) -> str | None:
        """Return the word of what lets the unit off from being connected, None where nothing does."""
        return next((each.kind.value for each in self._excuses if each.start <= at < each.end), None)

    def exempt(self, at: int, by_row: bool) -> bool:
        """Tell whether the time of a unit is exempt; `by_row` is what its row says of the day."""
        corrected = self.corrected(at)
        return by_row or self.excuse(at) is not None if corrected is None else corrected is Connection.EXEMPT


NONE = Adjustments()
