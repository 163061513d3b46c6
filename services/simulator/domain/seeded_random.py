"""Chance that a seed decides, the same on every machine and Python (splitmix64)."""

from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1

V = TypeVar("V")


class SeededRandom:
    """A stream of even numbers from a seed. Not for secrets."""

    def __init__(self, seed: int, name: str = "") -> None:
        """Streams of the same seed with different names do not disturb each other."""
        self._state = seed & _MASK
        for char in name:
            self._state = _mixed(self._state ^ ord(char))

    def next_number(self) -> int:
        """Return the next number, 0 to 2**64 - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        return _mixed(self._state)

    def below(self, count: int) -> int:
        """Return 0 to `count` - 1, each as likely (count far below 2**64)."""
        return self.next_number() % count

    def chance(self, share: float) -> bool:
        return self.fraction() < share

    def fraction(self) -> float:
        """Return 0 <= x < 1."""
        return (self.next_number() >> 11) / (1 << 53)

    def pick(self, values: Sequence[V]) -> V:
        return values[self.below(len(values))]


def _mixed(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
