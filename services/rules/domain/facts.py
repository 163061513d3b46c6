"""What the registry says, by effective date: units, gateways, policy packs. Which of them holds, at an instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeVar

from services.kernel.calendar import day_number
from services.kernel.effective import Recorded, in_force
from services.kernel.policy import DatedPack
from services.kernel.words import DIMENSIONS_UNLESS_SAID, CountsAsTest, Dimension, FindingKind
from services.rules.domain.time.instants import SECOND, day_end, day_of, day_start

V = TypeVar("V", bound=Recorded)


def holding(versions: Sequence[V], at: int) -> V | None:
    """Return the version that holds at `at` by what was known then; None before the first.

    Shape:  `versions` in the order of (valid_from, recorded_at).
    """
    return in_force(versions, day_of(at), at)


def begins(version: Recorded) -> int:
    """Return when a version takes effect: from its first day on, but not before it was known."""
    return max(version.recorded_at, day_start(version.valid_from))


class Place(NamedTuple):
    """Where a unit lies, and of which category it is."""

    district: str
    town: str
    community: str
    category: str


class Route(NamedTuple):
    """Which department is responsible for a unit, and which others are told."""

    lead_department: str
    copy_departments: tuple[str, ...] = ()
    routed: bool = True


class Texts(NamedTuple):
    """What is shown of a unit and decides nothing."""

    name: str
    name_en: str
    address: str


def pack_texts(name: str, name_en: str = "", address: str = "") -> bytes:
    """Return the texts as one object, the same for the same texts: those of each unit are held, and read only when its
    row is written.
    """
    return f"{len(name)} {len(name_en)} {name}{name_en}{address}".encode()


class UnitVersion(NamedTuple):
    """Facts of a unit. `facts` holds the names of UnitFact that are true of it, `packed_texts` is what `texts` reads.

    Many units have the same place, route, facts and days: whoever makes versions makes each of these once.
    """

    valid_from: date
    recorded_at: int
    packed_texts: bytes
    place: Place
    route: Route
    facts: frozenset[str] = frozenset()
    accepted_on: date | None = None
    commissioned_on: date | None = None
    retired_on: date | None = None
    exempt_from: date | None = None
    exempt_until: date | None = None
    profile: str | None = None

    def texts(self) -> Texts:
        first, second, joined = self.packed_texts.decode().split(" ", 2)
        name_ends, name_en_ends = int(first), int(first) + int(second)
        return Texts(joined[:name_ends], joined[name_ends:name_en_ends], joined[name_en_ends:])

    def accepted(self, at: int) -> bool:
        return self.accepted_on is not None and at >= day_start(self.accepted_on)

    def retired(self, at: int) -> bool:
        return self.retired_on is not None and at >= day_start(self.retired_on)

    def commissioned(self, at: int) -> bool:
        return self.commissioned_on is not None and at >= day_start(self.commissioned_on)

    def exempt(self, at: int) -> bool:
        if self.exempt_from is None or self.exempt_until is None:
            return False
        return day_start(self.exempt_from) <= at < day_end(self.exempt_until)

    def turning_points(self) -> Sequence[int]:
        """Return the instants at which something that these facts say comes true or ends."""
        points = [begins(self)]
        for day in (self.accepted_on, self.commissioned_on, self.retired_on, self.exempt_from):
            if day is not None:
                points.append(day_start(day))
        if self.exempt_until is not None:
            points.append(day_end(self.exempt_until))
        return points


class GatewayVersion(NamedTuple):
    valid_from: date
    recorded_at: int
    unit_id: str
    carrier: str
    retired_on: date | None = None

    def retired(self, at: int) -> bool:
        return self.retired_on is not None and at >= day_start(self.retired_on)

    def turning_points(self) -> Sequence[int]:
        return [begins(self)] if self.retired_on is None else [begins(self), day_start(self.retired_on)]


class AdjustmentVersion(NamedTuple):
    """An approved exemption or maintenance of a whole unit over [starts, ends), by what was known at `recorded_at`."""

    unit_id: str
    starts: int
    ends: int
    recorded_at: int

    def turning_points(self) -> Sequence[int]:
        return [max(self.recorded_at, self.starts), max(self.recorded_at, self.ends)]


def excused(versions: Sequence[AdjustmentVersion], at: int) -> bool:
    """Return whether an adjustment lets its unit off at `at`: the version known last by then says until when."""
    known = [version for version in versions if version.recorded_at <= at]
    last = max(known, key=lambda version: version.recorded_at, default=None)
    return last is not None and last.starts <= at < last.ends


@dataclass(frozen=True, slots=True)
class Profile:
    """Supervision durations in microseconds, clock rate already applied.

    A unit is late one and a half intervals after its last proof: a heartbeat that is due after one interval jitters,
    and half an interval of patience keeps a healthy unit from changing state with every beat.
    """

    late_after: int
    offline_after: int
    stable: int = 2
    skew: int = 300 * SECOND

    @classmethod
    def of(cls, interval_s: float, misses: int, grace_s: float, stable: int, skew_s: float, rate: float) -> "Profile":
        """Return the profile with `interval_s` and `grace_s` divided by the clock `rate`."""
        offline_after = round((interval_s * misses + grace_s) * SECOND / rate)
        late_after = min(round(1.5 * interval_s * SECOND / rate), offline_after)
        return cls(late_after, offline_after, stable, round(skew_s * SECOND))


DEFAULT_PROFILE = Profile.of(60, 3, 60, 2, 300, 1.0)
"""CN-FAST of compliance.md 3.9, for as long as no policy pack is known."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`all_of` holds groups of facts; a unit is in scope when each group has one that is true of it."""

    name: str
    all_of: tuple[frozenset[str], ...]
    from_acceptance: bool
    clause: str

    def holds(self, unit: UnitVersion, at: int) -> bool:
        if self.from_acceptance and not unit.accepted(at):
            return False
        return all(group & unit.facts for group in self.all_of)


class DutyToTest(NamedTuple):
    """A test at least every `deadline` microseconds, its buffer included, of `scopes` and `categories`, () for any."""

    scopes: tuple[str, ...]
    categories: tuple[str, ...]
    deadline: int
    counts: CountsAsTest
    clause: str

    @property
    def asked(self) -> tuple[int, CountsAsTest]:
        """Return what makes it this duty, however it is worded and whoever else has it."""
        return self.deadline, self.counts

    def fits(self, scopes: Sequence[str], category: str) -> bool:
        inside = not self.scopes or any(name in scopes for name in self.scopes)
        return inside and (not self.categories or category in self.categories)


class RunawayRule(NamedTuple):
    """A component runs away that begins the same trouble `begins` times within `window`, until none for `quiet`.

    Both are microseconds.
    """

    begins: int
    window: int
    quiet: int
    clause: str


@dataclass(frozen=True, slots=True)
class PackVersion:
    """What rules needs of a policy pack. `union`: the scopes that make a duty to be connected, the first first."""

    valid_from: date
    recorded_at: int
    pack_id: str
    version: int
    district: str
    blind_after: int
    default_profile: str
    profiles: Mapping[str, Profile]
    scopes: tuple[Scope, ...]
    ladder_clauses: Mapping[FindingKind, str] = field(default_factory=dict)
    valid_to: date = date.max
    union: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = DIMENSIONS_UNLESS_SAID
    test_duties: tuple[DutyToTest, ...] = ()
    runaway: RunawayRule | None = None

    @property
    def ends(self) -> int | None:
        """Return the first instant at which the pack's days are over; None for one without a last day."""
        return None if self.valid_to == date.max else day_end(self.valid_to)

    def dated(self) -> DatedPack["PackVersion"]:
        first, last = day_number(self.valid_from), day_number(self.valid_to)
        return DatedPack(self.district, self.pack_id, self.version, first, last, self, self.recorded_at)

    def profile(self, name: str | None) -> Profile:
        """Return the named profile, the pack's default where the name is missing or unknown."""
        found = self.profiles.get(name) if name is not None else None
        return found or self.profiles.get(self.default_profile) or DEFAULT_PROFILE


NO_PACK = PackVersion(date(1970, 1, 1), 0, "none", 1, "", 10 * SECOND, "", {}, ())
"""Stands in until a policy pack of the unit's district is known: nobody is in scope, default supervision."""
