"""Which components of a unit are in trouble: the last word on each wins, whatever order the words arrive in.

A word's place comes from the word itself, so late, repeated and reordered ones end in the same set as the clean stream.
It has two: when it happened, by the device's clock, and when it arrived. Clocks of a panel and of its transmission
device differ, and get set. A begin that asks for it stays open while it is later than all ends in either of them.
"""

from collections.abc import Iterator
from typing import NamedTuple

MAX_OPEN = 1024
MAX_CLOSED = 64
MAX_SYSTEMS = 64
WHOLE_UNIT = ""


class Position(NamedTuple):
    """Where a word stands, or the latest of several words in each of both orders.

    `happened` and `heard` (when it came) are the first order, `arrived` is the second: equal to `heard`, or `NOWHERE`
    of a begin that is over as soon as the first order says so.
    """

    happened: int
    heard: int
    arrived: int


NOWHERE = -1
UNSAID = Position(NOWHERE, NOWHERE, NOWHERE)


class Word(NamedTuple):
    """The latest begin and the latest end of one component."""

    begun: Position
    ended: Position
    open: bool


_NO_WORD = Word(UNSAID, UNSAID, open=False)


class Turn(NamedTuple):
    """A component came to be in trouble (`open`), or no longer is."""

    point: str
    open: bool


class Trouble:
    """Components of one unit in one kind of trouble.

    `floor` is the newest end of all of them at once; `floors` those of whole systems, by how the names of their points
    begin. `turns` holds what opened and closed since it was last taken.
    """

    __slots__ = ("floor", "floors", "open_count", "turns", "words")

    def __init__(self, floor: Position = UNSAID) -> None:
        self.floor = floor
        self.floors: dict[str, Position] = {}
        self.words: dict[str, Word] = {}
        self.open_count = 0
        self.turns: list[Turn] = []

    def begin(self, point: str, position: Position) -> bool:
        """Open `point`; return False when a later word about it is known already."""
        known = self.words.get(point, _NO_WORD)
        begun = _later(known.begun, position)
        if begun == known.begun or not _is_open(begun, _later(known.ended, self._ended_with_others(point))):
            return False
        self._put(point, Word(begun, known.ended, open=True), known)
        return True

    def has_room(self, point: str) -> bool:
        """Return whether `point` can be opened without growing beyond the bound."""
        return self.open_count < MAX_OPEN or self.words.get(point, _NO_WORD).open

    def end(self, point: str, position: Position) -> bool:
        """Close `point`; return False when that is old news, or when a begin of it stays open."""
        known = self.words.get(point, _NO_WORD)
        before = _later(known.ended, self._ended_with_others(point))
        ended = _later(before, position)
        if ended == before:
            return False
        is_open = known.open and _is_open(known.begun, ended)
        self._put(point, Word(known.begun, _later(known.ended, position), is_open), known)
        self._forget_old_ends()
        return not is_open

    def end_all(self, position: Position) -> bool:
        """Close everything that was said before `position`, the unit as a whole too; return False for old news."""
        floor = _later(self.floor, position)
        if floor == self.floor:
            return False
        self.floor = floor
        self._look_again()
        return True

    def end_system(self, system: str, position: Position) -> bool:
        """Close every point whose name begins with `system` and that was opened before `position`."""
        before = self._ended_with_others(system)
        if _later(before, position) == before:
            return False
        floor = _later(self.floors.pop(system, UNSAID), position)
        self.floors[system] = floor
        if len(self.floors) > MAX_SYSTEMS:
            del self.floors[next(iter(self.floors))]
        self._look_again(system)
        return True

    def take_turns(self) -> list[Turn]:
        """Return what opened and closed since the last call, in the order in which it did."""
        taken, self.turns = self.turns, []
        return taken

    def open_words(self) -> Iterator[tuple[str, Word]]:
        """Yield what is open by the name of its component, "" for the unit as a whole."""
        return ((point, word) for point, word in self.words.items() if word.open)

    def restore(self, points: Iterator[tuple[str, Word]]) -> None:
        """Fill from what `words` held when it was saved."""
        self.words = dict(points)
        self.open_count = sum(word.open for word in self.words.values())

    def is_open(self, point: str, system: str) -> bool:
        """Return whether anything is open of `system`, else of `point`, else of all there is."""
        if not self.open_count:
            return False
        if not system and point:
            return self.words.get(point, _NO_WORD).open
        return any(word.open for name, word in self.words.items() if name.startswith(system))

    def latest(self) -> int:
        """Return the latest instant at which anything began or ended by its own clock, as far as that is kept."""
        positions = [self.floor, *self.floors.values()]
        positions += [position for word in self.words.values() for position in (word.begun, word.ended)]
        return max(position.happened for position in positions)

    @property
    def whole_unit(self) -> bool:
        """Whether the unit as such is meant, not one of its components."""
        return self.words.get(WHOLE_UNIT, _NO_WORD).open

    def _ended_with_others(self, point: str) -> Position:
        """Return the latest end of everything, and of the systems that `point` belongs to."""
        ended = self.floor
        for system, floor in self.floors.items():
            if point.startswith(system):
                ended = _later(ended, floor)
        return ended

    def _look_again(self, system: str = "") -> None:
        """Close what a new floor of `system` ends (of everything without one), and forget ends that it says as well."""
        looked: dict[str, Word] = {}
        for point, word in self.words.items():
            if not point.startswith(system):
                looked[point] = word
                continue
            floor = self._ended_with_others(point)
            is_open = word.open and _is_open(word.begun, _later(word.ended, floor))
            if word.open and not is_open:
                self.turns.append(Turn(point, open=False))
            if is_open or _later(floor, word.ended) != floor:
                looked[point] = word._replace(open=is_open)
        self.restore(iter(looked.items()))

    def _put(self, point: str, word: Word, known: Word) -> None:
        if word.open is not known.open:
            self.open_count += 1 if word.open else -1
            self.turns.append(Turn(point, word.open))
        self.words[point] = word

    def _forget_old_ends(self) -> None:
        closed = len(self.words) - self.open_count
        if closed > MAX_CLOSED:
            oldest = min((point for point, word in self.words.items() if not word.open), key=self._end_of)
            del self.words[oldest]

    def _end_of(self, point: str) -> Position:
        return self.words[point].ended


def _is_open(begun: Position, ended: Position) -> bool:
    return begun[:2] >= ended[:2] or begun.arrived > ended.arrived


def _later(one: Position, other: Position) -> Position:
    """Return the latest of both in each order."""
    happened, heard = max(one[:2], other[:2])
    return Position(happened, heard, max(one.arrived, other.arrived))
