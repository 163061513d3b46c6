"""What figures need of a policy pack, and which pack holds on a day (R2). Durations in microseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.compliance.domain.errors import Refused


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
class Target:
    id: str
    metric: str
    scope: str
    op: str
    value: Fraction
    text: str
    due: str
    clause: str


@dataclass(frozen=True, slots=True)
class CommonCause:
    by: tuple[str, ...]
    units: int
    window: int


@dataclass(frozen=True, slots=True)
class Policy:
    """`valid_from` and `valid_to` are the first and the last day. `targets` are in the order of their ids."""

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
    """All packs given, at least one."""

    def __init__(self, packs: Sequence[Policy]) -> None:
        self._packs = sorted(packs, key=_age)
        self._on: dict[int, Policy | None] = {}

    def in_force(self, day: int) -> Policy:
        """Return the pack of a day of a window. Raises Refused `no_pack`."""
        found = self._find(day)
        if found is None:
            raise Refused("no_pack", f"day {day} since 1970-01-01")
        return found

    def on(self, day: int) -> Policy:
        """Return the pack of any day, the earliest where none is in force."""
        return self._find(day) or self._packs[0]

    def among(self, first: int, last: int) -> list[Policy]:
        """Return the packs of all days from `first` to `last`, in order, each once. Raises Refused `no_pack`."""
        found: list[Policy] = []
        day = first
        while day <= last:
            pack = self.in_force(day)
            if pack not in found:
                found.append(pack)
            day = min((each for each in self.turning_days() if each > day), default=last + 1)
        return found

    def turning_days(self) -> set[int]:
        """Return the days on which another pack may hold than on the day before."""
        return {day for pack in self._packs for day in (pack.valid_from, pack.valid_to + 1)}

    def names_scope(self, scope: str) -> bool:
        return any(scope in pack.scopes for pack in self._packs)

    def _find(self, day: int) -> Policy | None:
        if day not in self._on:
            held = [pack for pack in self._packs if pack.valid_from <= day <= pack.valid_to]
            self._on[day] = held[-1] if held else None
        return self._on[day]


def _age(pack: Policy) -> tuple[int, int]:
    return pack.valid_from, pack.version
