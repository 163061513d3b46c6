"""What figures need of a policy pack; which holds in a district on a day (R2) is the kernel's rule. Microseconds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from services.compliance.domain.errors import Refused
from services.compliance.domain.scheme import Scheme
from services.kernel.calendar import date_of, day_of
from services.kernel.policy import DatedPack, Packs, Target
from services.kernel.scope import Scope
from services.kernel.words import CountsAsTest, Dimension, Period


@dataclass(frozen=True, slots=True)
class Profile:
    interval: int
    deadline: int
    stable: int

    @property
    def late(self) -> int:
        return self.interval * 3 // 2


@dataclass(frozen=True, slots=True)
class CommonCause:
    by: tuple[str, ...]
    units: int
    window: int


class DutyToTest(NamedTuple):
    """A test at least every `deadline`, its buffer included. Of `scopes` and `categories`; of any where there is none.

    Two that ask for the same are equal in `asked`, however they are worded.
    """

    scopes: frozenset[str]
    categories: frozenset[str]
    deadline: int
    counts: CountsAsTest

    @property
    def asked(self) -> tuple[int, CountsAsTest]:
        return self.deadline, self.counts


@dataclass(frozen=True, slots=True)
class Publication:
    """What the pack says of closed periods. A formula whose number it does not have is not published.

    `findings`: which closes make a finding about a body that is below a target. `limits` by metric, in microseconds.
    """

    availability: Fraction | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """`published` are the scopes of figures that are published, `dimensions` by what they are sliced.

    `valid_from` and `valid_to` are the first and the last day. `targets` are in the order of their ids."""

    district: str
    pack_id: str
    version: int
    valid_from: int
    valid_to: int
    blind_after: int
    close_after: int
    scopes: Mapping[str, Scope]
    targets: Sequence[Target]
    profiles: Mapping[str, Profile]
    default_profile: str
    common_cause: CommonCause
    published: Sequence[str] = ()
    dimensions: Sequence[Dimension] = ()
    publication: Publication = Publication()
    schemes: Sequence[Scheme] = ()
    test_duties: Sequence[DutyToTest] = ()

    def test_duty(self, facts: frozenset[str], category: str, *, accepted: bool) -> DutyToTest | None:
        """Return the duty to test of a unit with these facts, the first that fits."""
        for duty in self.test_duties:
            inside = any(self.scopes[name].holds(facts, accepted=accepted) for name in duty.scopes)
            if (inside or not duty.scopes) and (category in duty.categories or not duty.categories):
                return duty
        return None

    def profile(self, name: str | None) -> Profile:
        """Return the profile, the default where `name` is none or none of this pack's (R12)."""
        return self.profiles.get(name or self.default_profile, self.profiles[self.default_profile])


class Policies:
    """All packs given, at least one. Those of one district judge every unit; of several, each judges its own (R2)."""

    def __init__(self, packs: Iterable[Policy]) -> None:
        self._packs = Packs(
            DatedPack(pack.district, pack.pack_id, pack.version, pack.valid_from, pack.valid_to, pack) for pack in packs
        )
        names = self._packs.districts()
        self._only = names[0] if len(names) == 1 else None
        self._on: dict[tuple[str, int], Policy | None] = {}
        self._blind_after: dict[int, int] = {}

    def in_force(self, district: str, day: int) -> Policy:
        """Return the pack of a day of a window. Raises Refused `no_pack`."""
        found = self._packs.in_force(self._only or district, day)
        if found is None:
            without_tick = ", which is as far as a log without a tick reaches" if day == 0 else ""
            raise Refused("no_pack", f"district {district}, {date_of(day)}{without_tick}")
        return found.content

    def on(self, district: str, day: int) -> Policy | None:
        """Return the pack of any day, the district's earliest where none is in force; None when it has none."""
        asked = (self._only or district, day)
        if asked not in self._on:
            found = self._packs.or_earliest(*asked)
            self._on[asked] = None if found is None else found.content
        return self._on[asked]

    def judging(self, district: str) -> str:
        """Return the district whose packs judge what is of `district` (R2)."""
        return self._only or district

    def turning_days(self, district: str) -> list[int]:
        """Return the days on which another pack may hold than on the day before, in order."""
        return self._packs.turning_days(self._only or district)

    def among(self, district: str, first: int, last: int) -> list[Policy]:
        """Return the packs of all days from `first` to `last`, in order, each once. Raises Refused `no_pack`."""
        found: list[Policy] = []
        turning_days = self.turning_days(district)
        day = first
        while day <= last:
            pack = self.in_force(district, day)
            if pack not in found:
                found.append(pack)
            day = min((each for each in turning_days if each > day), default=last + 1)
        return found

    def blind_after(self, day: int) -> int:
        """Return how long a gap between seen points may be: ticks belong to no district, so the shortest of any."""
        if day not in self._blind_after:
            self._blind_after[day] = min(pack.blind_after for pack in self._packs.of_all(day))
        return self._blind_after[day]

    def closings(self, end: int) -> set[int]:
        """Return when a period that ends at an instant is closed, by the pack of each district (R35)."""
        days = (day_of(end - 1), day_of(end))  # a metric of an instant is judged by the pack of the next day
        packs = (self._packs.in_force(district, day) for district in self.districts() for day in days)
        return {end + pack.content.close_after for pack in packs if pack is not None}

    def cure_limits(self) -> set[int]:
        """Return within what time any pack wants faults cured."""
        limits = (pack.content.publication.limits.get("fault_cure_timely_rate") for pack in self._packs)
        return {limit for limit in limits if limit is not None}

    def longest_common_cause(self) -> int:
        """Return within what time, at most, losses may share a cause by any pack."""
        return max(pack.content.common_cause.window for pack in self._packs)

    def ask_for_tests(self) -> bool:
        """Return whether any pack has a duty to test."""
        return any(pack.content.test_duties for pack in self._packs)

    def schemes(self) -> list[Scheme]:
        """Return how bodies are scored by any pack."""
        return [scheme for pack in self._packs for scheme in pack.content.schemes]

    def shortest_blind_after(self) -> int:
        """Return the shortest gap that any pack calls blind on any day."""
        return min(pack.content.blind_after for pack in self._packs)

    def districts(self) -> list[str]:
        return self._packs.districts()

    def names_scope(self, scope: str) -> bool:
        return any(scope in pack.content.scopes for pack in self._packs)
