"""One slice of the district at one instant: what every page of that slice shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.console.domain.cases import CaseList, Fire
from services.console.domain.rates import RateCounts
from services.console.domain.units import Tally
from services.kernel.policy import Target


@dataclass(frozen=True, slots=True)
class AreaEvent:
    """A declared event of an area (台风、停电), `last` included; no `towns`: of the whole district.

    It changes no figure. Who reads one of its days sees that there was one. `within` names its district where there are
    several, ("", "") where there is one.
    """

    name: tuple[str, str]
    first: date
    last: date
    towns: tuple[str, ...] = ()
    district: str = ""
    within: tuple[str, str] = ("", "")

    def touches(self, first: date, last: date, town: str | None = None, district: str | None = None) -> bool:
        """Say whether it has a day of the span and a part of the town and the district; None: of any."""
        inside = (town is None or not self.towns or town in self.towns) and district in (None, self.district)
        return inside and self.first <= last and first <= self.last


@dataclass(frozen=True, slots=True)
class Names:
    """Codes to names (zh, en) from the policy packs and the registry in force; targets of the live rate by scope."""

    district: tuple[str, str] = ("", "")
    bodies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    scopes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The scopes that the pack puts on the wall."""
    all_scopes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    packs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    steps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    people: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Display names of accounts of brigade and centre that have an English one, by the Chinese one."""
    targets: Mapping[str, Target] = field(default_factory=dict)
    evaluations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How bodies are scored, as the pack has it, by pack and scheme: two districts may call theirs the same."""
    events: tuple[AreaEvent, ...] = ()
    """All that were ever declared and not taken back, by their first day."""
    bridges: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    """By pack when a trouble is a major hazard, its `major_danger.alarm_system_down`; None: not configured."""

    def on_the_wall(self, scope: str) -> bool:
        """Tell whether the scope is one that the pack puts on the wall; without a pack every scope is shown.

        A scope that is counted for another purpose (all units, smart-fire access) must not be judged by this rate.
        """
        return not self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class DashboardSnapshot:
    """`headline`: one row per scope. `boards`: rows per dimension (town, department, category), any order."""

    headline: tuple[RateCounts, ...]
    boards: Mapping[str, tuple[RateCounts, ...]]
    tally: Tally
    cases: CaseList
    fires: tuple[Fire, ...]
