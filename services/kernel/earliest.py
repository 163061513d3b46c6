"""Which of the copies of a signal counts: the one with the smallest time, whatever came first (figures.md R9)."""

from dataclasses import dataclass, field
from typing import NamedTuple

Pair = tuple[str, str]
"""(gateway id, unit id)"""


class Taken(NamedTuple):
    """`counts`: no copy so far was earlier. `replaces`: the plain heartbeat that counts no more, as (pair, time).

    `keyed`: tell this one with its source and id, because a copy before it was told so.
    """

    counts: bool
    replaces: tuple[Pair, int] | None = None
    keyed: bool = False


@dataclass(slots=True)
class _Source:
    """Times by id. Of nearly all signals of a source the pair is the same and they are plain, so exceptions are kept.

    `others`: the pair of a plain one that names another; None for one that is told with its source and id.
    """

    pair: Pair
    times: dict[str, int] = field(default_factory=dict)
    others: dict[str, Pair | None] = field(default_factory=dict)


class Earliest:
    """Remembers the smallest time of every source and id: some 150 bytes for each."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._older: dict[str, _Source] = {}

    def age(self) -> None:
        """Forget what was taken before the last call of this: whoever reads a log without end cannot keep all of it."""
        self._older, self._sources = self._sources, {}

    def take(self, source: str, signal_id: str, time: int, pair: Pair, *, plain: bool) -> Taken:
        held = self._sources.get(source)
        if held is None:
            held = self._sources[source] = _Source(pair)
        known = held if signal_id in held.times else self._older.get(source, held)
        before = known.times.get(signal_id)
        if before is not None and before <= time:
            return Taken(counts=False)
        told = known.others.get(signal_id, known.pair)
        keyed = before is not None and told is None
        replaces = None if before is None or told is None else (told, before)
        held.times[signal_id] = time
        if keyed or not plain:
            held.others[signal_id] = None
        elif pair != held.pair:
            held.others[signal_id] = pair
        else:
            held.others.pop(signal_id, None)
        return Taken(True, replaces, keyed)
