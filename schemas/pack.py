"""Policy pack: the effective-dated file that says who is counted, what must be reached, who is told and when.

Nothing of one district is in code. Every value that sanctions somebody carries its clause.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, ShortText, Wire
from services.kernel.words import DIMENSIONS_UNLESS_SAID, BodyKind, Dimension, Recipient

YEAR_S = 366 * 86400
"""The longest span a pack may name: beyond it is a slip of the keyboard, and far beyond it no calendar goes."""


UNION_UNLESS_SAID = ("S1", "S2")
"""What packs meant before they could say it: those of these scopes that they have."""
COUNTED_ALWAYS = (Dimension.DISTRICT, Dimension.DEPARTMENT)
"""The wall and the live metrics stand on these."""


class UnitFact(StrEnum):
    """Facts of a unit that a scope may ask for."""

    KEY_UNIT = "key_unit"
    AUTO_FIRE_FACILITIES = "auto_fire_facilities"
    CROWDED_PLACE = "crowded_place"
    FLAMMABLE_PLACE = "flammable_place"
    FIRE_ALARM_SYSTEM = "fire_alarm_system"
    NEW_BUILD = "new_build"
    RENOVATED = "renovated"
    EXTENDED = "extended"


class AnyOf(Wire):
    any: tuple[UnitFact, ...] = Field(min_length=1)


class Scope(Wire):
    """A unit is in scope when every member of `all` holds; `starts` says from which of its dates on."""

    all: tuple[UnitFact | AnyOf, ...] = Field(min_length=1)
    starts: Literal["listing", "acceptance_date"] = "listing"
    headline: bool = Field(default=False, description="its live networking rate and verdict stand on the wall")
    name_zh: ShortText
    name_en: ShortText
    clause: ShortText


class Target(Wire):
    metric: Identifier
    scope: Identifier
    op: Literal[">="] = ">="
    value: float = Field(ge=0, le=1)
    due: ShortText
    clause: ShortText


class Profile(Wire):
    """Supervision profile (`compliance.md` 3.9), all in seconds.

    A heartbeat is expected every `interval_s`; the unit is late 1.5 intervals after its last proof, offline after
    `misses` intervals plus `grace_s`. `stable_heartbeats` proofs in a row bring it back online.
    """

    interval_s: float = Field(gt=0, le=YEAR_S)
    misses: int = Field(ge=1, le=100)
    grace_s: float = Field(ge=0, le=YEAR_S)
    stable_heartbeats: int = Field(default=2, ge=1, le=1000)
    clock_skew_s: float = Field(default=300, gt=0, le=YEAR_S)
    anchor: ShortText


class Department(Wire):
    """A body that can be told: department, street or town station, brigade, monitoring centre."""

    code: Identifier
    kind: BodyKind
    name_zh: ShortText
    name_en: ShortText
    matters: ShortText = ""
    clause: ShortText


class Route(Wire):
    """Who leads for an occupancy category. `lead: null` means that the seeds name nobody: the default route.

    `street_leads` says that a clause names the unit's own street or town itself: it leads, and the unit is routed.
    """

    code: Identifier
    name_zh: ShortText
    name_en: ShortText
    lead: Identifier | None
    street_leads: bool = False
    copies: tuple[Identifier, ...] = ()
    confidence: Literal["A", "B", "C", "gap"]
    clause: ShortText

    @model_validator(mode="after")
    def _one_leads(self) -> Self:
        if self.street_leads and self.lead is not None:
            raise ValueError("either a department leads or the street does")
        return self


class DefaultRoute(Wire):
    """Where a unit without a department goes: its own street or town leads, these are told; it counts as unrouted."""

    copies: tuple[Identifier, ...]
    clause: ShortText


class Step(Wire):
    """A rung: taken once per case, `after_s` after the case's clock started."""

    code: Identifier
    after_s: float = Field(ge=0, le=YEAR_S)
    tells: tuple[Recipient, ...]
    document: Identifier
    name_zh: ShortText
    name_en: ShortText
    reply_working_days: int | None = Field(default=None, ge=1, le=3660)
    board_only: bool = False
    clause: ShortText


class Ladder(Wire):
    """Steps in order, for the finding kinds it serves."""

    kinds: tuple[Identifier, ...] = Field(min_length=1)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        waits = [step.after_s for step in self.steps]
        if waits != sorted(waits):
            raise ValueError("steps must be in the order of their `after_s`")
        if len({step.code for step in self.steps}) != len(waits):
            raise ValueError("a step code may stand once in a ladder")
        return self


class CommonCause(Wire):
    """Many units of one carrier or street lost together: one common case, members held at the first step."""

    by: tuple[Literal["carrier", "town"], ...] = ("carrier", "town")
    units: int = Field(ge=2)
    window_s: float = Field(gt=0, le=YEAR_S)
    hold_s: float = Field(gt=0, le=YEAR_S)
    tells: tuple[Recipient, ...]
    clause: ShortText


PackText = Annotated[str, StringConstraints(max_length=2000)]


class Pack(Wire):
    """One district, one period, one version."""

    pack_id: Identifier
    version: int = Field(ge=1, le=2**31 - 1)
    district: Identifier
    name_zh: ShortText
    name_en: ShortText
    valid_from: date
    valid_to: date
    note: PackText = ""
    blind_after_s: float = Field(gt=0, le=YEAR_S, description="without a tick for so long we count as blind")
    default_profile: Identifier
    group_wait_s: float = Field(ge=0, le=YEAR_S, description="hold before the first notice of a case, never for fire")
    reopen_within_s: float = Field(ge=0, le=YEAR_S, description="a unit that drops again so soon reopens its case")
    close_after_s: float = Field(
        default=21600, ge=0, le=YEAR_S, description="a period is closed when the watermark is so far beyond its end"
    )
    departments: tuple[Department, ...]
    routes: tuple[Route, ...]
    default_route: DefaultRoute
    scopes: dict[Identifier, Scope]
    union: tuple[Identifier, ...] | None = Field(
        default=None,
        description="scopes whose units have a duty to be connected, counted together as S, the first that holds gives "
        "the clause; without it S1 and S2",
    )
    dimensions: tuple[Dimension, ...] = Field(
        default=DIMENSIONS_UNLESS_SAID, description="by what live rates are counted apart; district and department are"
    )
    targets: dict[Identifier, Target]
    profiles: dict[Identifier, Profile]
    ladders: dict[Identifier, Ladder]
    common_cause: CommonCause

    @model_validator(mode="after")
    def _refers_to_itself_only(self) -> Self:
        codes = {department.code for department in self.departments}
        named = {code for route in self.routes for code in (route.lead, *route.copies) if code is not None}
        if missing := (named | set(self.default_route.copies)) - codes:
            raise ValueError(f"routes name departments that the pack does not have: {sorted(missing)}")
        if self.default_profile not in self.profiles:
            raise ValueError("default_profile is not among the profiles")
        if missing := {target.scope for target in self.targets.values()} - set(self.scopes):
            raise ValueError(f"targets name scopes that the pack does not have: {sorted(missing)}")
        if missing := set(self.union or ()) - set(self.scopes):
            raise ValueError(f"union names scopes that the pack does not have: {sorted(missing)}")
        if uncounted := set(COUNTED_ALWAYS) - set(self.dimensions):
            raise ValueError(f"dimensions do not name {sorted(uncounted)}")
        for name, values in (("union", self.union or ()), ("dimensions", self.dimensions)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names something twice")
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self

    def union_scopes(self) -> tuple[Identifier, ...]:
        """Return the scopes whose units have a duty to be connected."""
        return tuple(name for name in UNION_UNLESS_SAID if name in self.scopes) if self.union is None else self.union
