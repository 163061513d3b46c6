"""Which components of a unit are in trouble: the last word on each wins, whatever order the words arrive in.

A word's place is its key: (when it happened, when we received it, 1 for a begin and 0 for an end). Because the place
comes from the words themselves, late, repeated and reordered ones end in the same set as the clean stream.
"""

from collections.abc import Iterator
from typing import NamedTuple

Key = tuple[int, int, int]

MAX_OPEN = 1024
MAX_CLOSED = 64
MAX_SYSTEMS = 64
WHOLE_UNIT = ""
_FIRST: Key = (-1, -1, -1)


class Word(NamedTuple):
    """The last word on one component."""

    key: Key
    open: bool


class Trouble:
    """Components of one unit in one kind of trouble.

    `floor` is the newest end of all of them at once; `floors` those of whole systems, by how the names of their points
    begin.
    """

    __slots__ = ("floor", "floors", "open_count", "words")

    def __init__(self, floor: Key = _FIRST) -> None:
        self.floor = floor
        self.floors: dict[str, Key] = {}
        self.words: dict[str, Word] = {}
        self.open_count = 0

    def begin(self, point: str, key: Key) -> bool:
        """Open `point`; return False when a later word about it is known already."""
        known = self.words.get(point)
        if self._is_over(point, key) or (known is not None and key <= known.key):
            return False
        self._put(point, Word(key, open=True), known)
        return True

    def has_room(self, point: str) -> bool:
        """Return whether `point` can be opened without growing beyond the bound."""
        known = self.words.get(point)
        return self.open_count < MAX_OPEN or (known is not None and known.open)

    def end(self, point: str, key: Key) -> bool:
        """Close `point`; return False when a later word about it is known already."""
        known = self.words.get(point)
        if self._is_over(point, key) or (known is not None and key <= known.key):
            return False
        self._put(point, Word(key, open=False), known)
        self._forget_old_ends()
        return True

    def end_all(self, key: Key) -> bool:
        """Close everything that was said before `key`, the unit as a whole too; return False when that is old news."""
        if key <= self.floor:
            return False
        self.floor = key
        self.words = {point: word for point, word in self.words.items() if word.key > key}
        self.open_count = sum(word.open for word in self.words.values())
        return True

    def end_system(self, system: str, key: Key) -> bool:
        """Close every point whose name begins with `system` and that was opened before `key`."""
        if self._is_over(system, key):
            return False
        self.floors.pop(system, None)
        self.floors[system] = key
        if len(self.floors) > MAX_SYSTEMS:
            del self.floors[next(iter(self.floors))]
        self.words = {
            point: word for point, word in self.words.items() if word.key > key or not point.startswith(system)
        }
        self.open_count = sum(word.open for word in self.words.values())
        return True

    def restore(self, points: Iterator[tuple[str, Word]]) -> None:
        """Fill from what `words` held when it was saved."""
        self.words = dict(points)
        self.open_count = sum(word.open for word in self.words.values())

    @property
    def whole_unit(self) -> bool:
        """Whether the unit as such is meant, not one of its components."""
        word = self.words.get(WHOLE_UNIT)
        return word is not None and word.open

    def _is_over(self, point: str, key: Key) -> bool:
        if key <= self.floor:
            return True
        return any(key <= floor for system, floor in self.floors.items() if point.startswith(system))

    def _put(self, point: str, word: Word, known: Word | None) -> None:
        self.open_count += int(word.open) - int(known is not None and known.open)
        self.words[point] = word

    def _forget_old_ends(self) -> None:
        closed = len(self.words) - self.open_count
        if closed > MAX_CLOSED:
            oldest = min(
                (point for point, word in self.words.items() if not word.open), key=lambda p: self.words[p].key
            )
            del self.words[oldest]
