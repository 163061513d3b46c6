"""Listings (挂牌督办) whose deadline fell in a period, and whether what they ask was put right in time (按期整改).

In time is what was handed in for the re-check before the deadline passed, and was found good in the end: how long
others take to look at it and to approve is not held against the body. While that is open, it is not known.
Sources: docs/domain/compliance.md 1.2 (T12, T13); the pack says what it is worth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.compliance.domain.period import Window
from services.kernel.ratio import Ratio
from services.kernel.words import Dimension, ListingAct, ListingOutcome


class ListedAct(NamedTuple):
    """One act, as the log told it. `due_at` None: the authority has not listed it. Microseconds.

    `district`, `town` and `department` are those of the case, "" for none.
    """

    listing_id: str
    number: int
    act: ListingAct
    at: int
    due_at: int | None
    unit_id: str
    district: str = ""
    town: str = ""
    department: str = ""


class Owner(NamedTuple):
    """Whose listing it is: the slice of a dimension that it counts for."""

    district: str
    dimension: Dimension
    slice_id: str


class DueListing(NamedTuple):
    """A listing and its deadline as it stands. `listed`: the act by which it was listed, with whose it was then."""

    listed: ListedAct
    due_at: int
    outcome: ListingOutcome

    @property
    def listing_id(self) -> str:
        return self.listed.listing_id

    def owners(self, judging: Callable[[str], str]) -> Sequence[Owner]:
        of = (Dimension.TOWN, self.listed.town), (Dimension.DEPARTMENT, self.listed.department)
        return [Owner(judging(self.listed.district), dimension, slice_id) for dimension, slice_id in of if slice_id]


def due_listings(acts: Iterable[ListedAct]) -> list[DueListing]:
    """Return every listing that has a deadline. `acts` of one listing in the order of the log: see `_take`."""
    of: dict[str, dict[int, ListedAct]] = {}
    for act in acts:
        _take(of.setdefault(act.listing_id, {}), act)
    found = (_due([each[number] for number in sorted(each)]) for each in of.values())
    return sorted((each for each in found if each is not None), key=lambda each: (each.due_at, each.listing_id))


def _take(held: dict[int, ListedAct], act: ListedAct) -> None:
    """Take an act in. Of two copies the later on the log holds.

    Where it is another act, the database was put back and its number used anew: what followed the former one is gone.
    """
    former = held.get(act.number)
    if former is not None and (former.act, former.at) != (act.act, act.at):
        for number in [number for number in held if number > act.number]:
            del held[number]
    held[act.number] = act


class _Stand(NamedTuple):
    """What stands after an act. `handed_in`: when what the next re-check looks at came first, `asked`: an extension."""

    listed: ListedAct | None = None
    due_at: int | None = None
    handed_in: int | None = None
    asked: int | None = None
    is_closed: bool = False

    def after(self, act: ListedAct) -> "_Stand":
        stand = self if act.due_at is None else self._replace(due_at=act.due_at)
        match act.act:
            case ListingAct.LIST:
                return stand._replace(listed=act)
            case ListingAct.HAND_IN:
                return stand if stand.handed_in is not None else stand._replace(handed_in=act.at)
            case ListingAct.FAIL_RECHECK | ListingAct.REFUSE_CLOSURE:
                return stand._replace(handed_in=None)
            case ListingAct.ASK_EXTENSION:
                return stand._replace(asked=act.at)
            case ListingAct.GRANT_EXTENSION | ListingAct.REFUSE_EXTENSION:
                return stand._replace(asked=None)
            case ListingAct.APPROVE_CLOSURE:
                return stand._replace(is_closed=True)
            case _:
                return stand

    def outcome(self, due_at: int) -> ListingOutcome:
        in_time = self.handed_in is not None and self.handed_in < due_at
        if self.is_closed:
            return ListingOutcome.IN_TIME if in_time else ListingOutcome.LATE
        may_be = in_time or (self.asked is not None and self.asked < due_at)
        return ListingOutcome.UNDECIDED if may_be else ListingOutcome.LATE


def _due(acts: Sequence[ListedAct]) -> DueListing | None:
    stand = _Stand()
    for act in acts:
        stand = stand.after(act)
    if stand.listed is None or stand.due_at is None:
        return None
    return DueListing(stand.listed, stand.due_at, stand.outcome(stand.due_at))


def by_owner(listings: Iterable[DueListing], judging: Callable[[str], str]) -> Mapping[Owner, Sequence[DueListing]]:
    """Return them by whose they are. `judging`: the district whose packs judge what is of a district, as with units."""
    found: dict[Owner, list[DueListing]] = {}
    for each in listings:
        for owner in each.owners(judging):
            found.setdefault(owner, []).append(each)
    return found


def within(listings: Iterable[DueListing], window: Window) -> Sequence[DueListing]:
    """Return those whose deadline passed in the window. A deadline is the end of its day, and belongs to that day."""
    return [each for each in listings if window.start < each.due_at <= window.end]


def in_time(listings: Sequence[DueListing]) -> Ratio:
    counts = [each.outcome for each in listings]
    return Ratio(counts.count(ListingOutcome.IN_TIME), len(counts), unknown=counts.count(ListingOutcome.UNDECIDED))
