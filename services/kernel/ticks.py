"""How far a log proves that somebody was looking: seen points, the watermark and impaired time (figures.md R3 to R6).

Apart from `watch.py` of rules, which live supervision runs on: docs/decisions/0023 says where the two differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

FORGOTTEN_AFTER = 600_000_000
"""Microseconds after which an instance without a tick is no longer waited for."""


class TickRead(NamedTuple):
    """One tick as read; instants in microseconds since 1970, UTC."""

    instance: str
    written_at: int
    epoch: int
    number: int
    leaving: bool
    proven_until: int


class Seen(NamedTuple):
    """What one tick established. `impaired_from` and `impaired_to`: set when an impaired time begins or ends by it."""

    watermark: int
    impaired_from: int | None = None
    impaired_to: int | None = None


@dataclass(slots=True)
class _Instance:
    newest: TickRead
    proven: int


class TickState(NamedTuple):
    """Everything the fold remembers: values only, so that it can be written down. By instance: newest tick, proven."""

    instances: dict[str, tuple[TickRead, int]]
    newest_written: int
    greatest: int
    watermark: int | None
    impaired: bool


class TickFold:
    """The fold. `blind_after(at)` returns the microseconds of silence that the pack of the day of `at` allows."""

    def __init__(self, blind_after: Callable[[int], int]) -> None:
        self._blind_after = blind_after
        self._instances: dict[str, _Instance] = {}
        self._newest_written = 0
        self._greatest = 0
        self._watermark: int | None = None
        self._impaired = False

    def state(self) -> TickState:
        instances = {name: (each.newest, each.proven) for name, each in self._instances.items()}
        return TickState(instances, self._newest_written, self._greatest, self._watermark, self._impaired)

    def restore(self, state: TickState) -> None:
        """Go on from what `state` returned."""
        self._instances = {name: _Instance(newest, proven) for name, (newest, proven) in state.instances.items()}
        _, self._newest_written, self._greatest, self._watermark, self._impaired = state

    def tick(self, tick: TickRead) -> Seen:
        """Take in a tick, in the order of the log, each source and id once."""
        before = self._watermark
        self._remember(tick)
        silent, awake = self._parted()
        reached = min(awake) if awake else self._greatest
        self._watermark = reached if before is None else max(before, reached)
        if silent and not self._impaired:
            self._impaired = True
            return Seen(self._watermark, impaired_from=self._watermark if before is None else before)
        if not silent and self._impaired:
            self._impaired = False
            return Seen(self._watermark, impaired_to=self._greatest)
        return Seen(self._watermark)

    def _remember(self, tick: TickRead) -> None:
        held = self._instances.get(tick.instance)
        if held is None:
            self._instances[tick.instance] = _Instance(tick, tick.proven_until)
        else:
            held.newest = max(held.newest, tick, key=lambda each: (each.written_at, each.epoch, each.number))
            held.proven = max(held.proven, tick.proven_until)
        first = self._watermark is None
        self._newest_written = tick.written_at if first else max(self._newest_written, tick.written_at)
        self._greatest = tick.proven_until if first else max(self._greatest, tick.proven_until)

    def _parted(self) -> tuple[bool, list[int]]:
        """Return whether an expected instance is silent, and what each of the others has proven."""
        allowed = self._blind_after(self._newest_written)
        silent, awake = False, []
        for each in self._instances.values():
            behind = self._newest_written - each.newest.written_at
            if each.newest.leaving or behind > FORGOTTEN_AFTER:
                continue
            if behind > allowed:
                silent = True
            else:
                awake.append(each.proven)
        return silent, awake
