"""What figures need of a policy pack; which holds in a district on a day (R2) is the kernel's rule. Microseconds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.compliance.domain.errors import Refused
from services.kernel.policy import DatedPack, Packs, Target


@dataclass(frozen=True, slots=True)
class Profile:
    interval: int
    deadline: int
    stable: int

    @property
    def late(self) -> int:
        return self.interval * 3 // 2


@dataclass(frozen=True, slots=True)
class Scope:
    """A unit is a member when each group has a fact that is true of it."""

    groups: tuple[frozenset[str], ...]
    from_acceptance: bool
    clause: str


@dataclass(frozen=True, slots=True)
class CommonCause:
    by: tuple[str, ...]
    units: int
    window: int


@dataclass(frozen=True, slots=True)
class Policy:
    """`valid_from` and `valid_to` are the first and the last day. `targets` are in the order of their ids."""

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

    def profile(self, name: str | None) -> Profile:
        """Return the profile, the default where `name` is none or none of this pack's (R12)."""
        return self.profiles.get(name or self.default_profile, self.profiles[self.default_profile])


class Policies:
    """All packs given, at least one; each district is judged by its own."""

    def __init__(self, packs: Iterable[Policy]) -> None:
        self._packs = Packs(
            DatedPack(pack.district, pack.pack_id, pack.version, pack.valid_from, pack.valid_to, pack) for pack in packs
        )
        self._on: dict[tuple[str, int], Policy | None] = {}
        self._blind_after: dict[int, int] = {}

    def in_force(self, district: str, day: int) -> Policy:
        """Return the pack of a day of a window. Raises Refused `no_pack`."""
        found = self._packs.in_force(district, day)
        if found is None:
            raise Refused("no_pack", f"district {district}, day {day} since 1970-01-01")
        return found.content

    def on(self, district: str, day: int) -> Policy | None:
        """Return the pack of any day, the district's earliest where none is in force; None when it has none."""
        if (district, day) not in self._on:
            found = self._packs.or_earliest(district, day)
            self._on[district, day] = None if found is None else found.content
        return self._on[district, day]

    def among(self, district: str, first: int, last: int) -> list[Policy]:
        """Return the packs of all days from `first` to `last`, in order, each once. Raises Refused `no_pack`."""
        found: list[Policy] = []
        turning_days = self._packs.turning_days(district)
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

    def districts(self) -> list[str]:
        return self._packs.districts()

    def names_scope(self, scope: str) -> bool:
        return any(scope in pack.content.scopes for pack in self._packs)
