"""Which policy pack holds in a district on a day: the only rule. Days are numbers of `calendar`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Target:
    """What a pack wants a figure to reach: `metric` over `scope` at least `value`, from 0 to 1; `text` as shown.

    `due` is a day of each year ("12-31") or "at_acceptance". It is shown and changes no verdict.
    """

    id: str
    metric: str
    scope: str
    op: str
    value: Fraction
    text: str
    due: str
    clause: str


def target_for(targets: Iterable[Target], metric: str, scope: str) -> Target | None:
    """Return the first target, by id, of the same metric and the same scope text; no other is a figure's target."""
    return min((each for each in targets if (each.metric, each.scope) == (metric, scope)), key=_by_id, default=None)


def _by_id(target: Target) -> str:
    return target.id


@dataclass(frozen=True, slots=True)
class DatedPack(Generic[P]):
    """One version of a pack, with `content` what a service needs of it.

    `valid_from`: the first day, the later one of the pack's own and the registry's for this version. `valid_to`: the
    last day. `recorded_at`: microseconds, 0 where nobody asks what was known when.
    """

    district: str
    pack_id: str
    version: int
    valid_from: int
    valid_to: int
    content: P
    recorded_at: int = 0

    def covers(self, day: int) -> bool:
        return self.valid_from <= day <= self.valid_to

    @property
    def age(self) -> tuple[int, int, str, int]:
        """What makes one newer than another; the last two only so that the order never depends on who read what."""
        return self.valid_from, self.version, self.pack_id, self.recorded_at


class Packs(Generic[P]):
    """The packs of every district. A district is never answered for with a pack of another."""

    def __init__(self, packs: Iterable[DatedPack[P]]) -> None:
        self._own: dict[str, list[DatedPack[P]]] = defaultdict(list)
        for pack in sorted(packs, key=lambda each: each.age):
            self._own[pack.district].append(pack)

    def __iter__(self) -> Iterator[DatedPack[P]]:
        """Yield all, district by district, the oldest first."""
        return (pack for _, own in sorted(self._own.items()) for pack in own)

    def districts(self) -> list[str]:
        """Return the districts that have any pack, in order."""
        return sorted(self._own)

    def in_force(self, district: str, day: int, known_at: int | None = None) -> DatedPack[P] | None:
        """Return the newest pack of the district whose days cover `day`: the greatest (valid_from, version) (R2).

        Only those count that were known at `known_at` (microseconds; None: all). None when no day of any covers it;
        whoever judges a past day must say so then (`no_pack`), and whoever must go on asks `standing`.
        """
        return _covering(_known(self._own.get(district, ()), known_at), day)

    def standing(self, district: str, day: int, known_at: int | None = None) -> DatedPack[P] | None:
        """Return the pack by which the live service goes on: the one in force, else the nearest of the district's own.

        The nearest is the one that ran out last: at midnight of New Year supervision and notices must not stop because
        nobody has imported the next pack yet. Before the first of them begins, or is known, it is the first: better a
        pack a little early than nobody told. None when the district has no pack at all.
        """
        own = self._own.get(district, ())
        known = _known(own, known_at)
        return _covering(known, day) or _ran_out_last(known, day) or _begins_first(known) or _begins_first(own)

    def or_earliest(self, district: str, day: int) -> DatedPack[P] | None:
        """Return the pack in force, else the oldest of the district: for days outside every window of an ask (R2)."""
        return self.in_force(district, day) or next(iter(self._own.get(district, ())), None)

    def of_all(self, day: int) -> list[P]:
        """Return what `or_earliest` finds for each district."""
        found = (self.or_earliest(district, day) for district in self.districts())
        return [pack.content for pack in found if pack is not None]

    def turning_days(self, district: str) -> list[int]:
        """Return the days on which another pack of the district may hold than on the day before, in order."""
        own = self._own.get(district, ())
        return sorted({day for pack in own for day in (pack.valid_from, pack.valid_to + 1)})


def _known(own: Sequence[DatedPack[P]], known_at: int | None) -> Sequence[DatedPack[P]]:
    return own if known_at is None else [pack for pack in own if pack.recorded_at <= known_at]


def _covering(own: Sequence[DatedPack[P]], day: int) -> DatedPack[P] | None:
    return next((pack for pack in reversed(own) if pack.covers(day)), None)


def _ran_out_last(own: Sequence[DatedPack[P]], day: int) -> DatedPack[P] | None:
    # not "in force on the last day": a correction that is imported after that day must still reach those who go on
    gone = [pack for pack in own if pack.valid_from <= day]
    return max(gone, key=lambda pack: (pack.valid_to, pack.age), default=None)


def _begins_first(own: Sequence[DatedPack[P]]) -> DatedPack[P] | None:
    # the newest of that day: an older version of it will never have held
    return next((pack for pack in reversed(own) if pack.valid_from == own[0].valid_from), None)
