"""Policy pack: the effective-dated file that says who is counted, what must be reached, who is told and when.

Nothing of one district is in code. Every value that sanctions somebody carries its clause.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.base import Identifier, ShortText, Wire
from schemas.evaluation import Evaluation, ScopeText, Share
from services.kernel.words import (
    COUNTED_ALWAYS,
    DIMENSIONS_UNLESS_SAID,
    HAZARDS,
    NUMBER_OF,
    UNION_UNLESS_SAID,
    BodyKind,
    CaseCondition,
    CaseEvent,
    CountsAsTest,
    Dimension,
    FindingKind,
    ListingLevel,
    Period,
    Recipient,
    StepExit,
    TriggerKind,
    WorkingCalendarName,
)

YEAR_S = 366 * 86400
"""The longest span a pack may name: beyond it is a slip of the keyboard, and far beyond it no calendar goes."""


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
    scope: ScopeText
    op: Literal[">="] = ">="
    value: float = Field(ge=0, le=1)
    due: ShortText
    clause: ShortText


class Obligation(Wire):
    """What a source demands that is no share of units: letters signed, stations manned, dangers closed.

    No figure of ours measures it. It stands in the pack with its clause, so that nobody takes the targets for all that
    the source asks. `share` is there where the source names one.
    """

    name_zh: ShortText
    name_en: ShortText
    owner: ShortText
    counted_over: ShortText
    share: float | None = Field(default=None, ge=0, le=1)
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


class Elapsed(Wire):
    """So long after the case's clock started."""

    after_s: float = Field(ge=0, le=YEAR_S)


class WorkingTime(Wire):
    """Days after that of the case's clock, due at the end of the last; or seconds, of which only working days count.

    A working day lasts from 0:00 to 24:00 Asia/Shanghai.
    """

    working_days: int | None = Field(default=None, ge=1, le=3660)
    working_s: float | None = Field(default=None, gt=0, le=YEAR_S)
    calendar: WorkingCalendarName

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.working_days is None) == (self.working_s is None):
            raise ValueError("either `working_days` or `working_s` says how much working time")
        return self


class PeriodClose(Wire):
    """Of a unit: when the calendar's period in which the case began ends.

    Of a body: at the first close of a period so long, or longer, that says it is below a target.
    """

    period: Period


class CaseEventTrigger(Wire):
    """The first time that this happens to the case, once all steps before are taken."""

    kind: CaseEvent


class Overdue(Wire):
    """When the receipt or the reply that a step before wants is overdue; not taken when it came in time.

    `listing`: when the deadline passes by which a unit that is listed (挂牌督办) is to have put it right.
    """

    clock: Literal["receipt", "reply", "listing"]


class Condition(Wire):
    """Of a body: at the close with which the condition holds. Of a unit: `major_danger`, by the pack's own block."""

    name: CaseCondition


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: object) -> bool:
    return value in ((), {})


class Trigger(Wire):
    """What makes a step due: exactly one of these."""

    elapsed: Elapsed | None = None
    working_time: WorkingTime | None = None
    period_close: PeriodClose | None = None
    event: CaseEventTrigger | None = None
    # left out where it is not set: a pack that is in the register stays the same pack
    overdue: Overdue | None = Field(default=None, exclude_if=_is_none)
    condition: Condition | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len([kind for kind in TriggerKind if getattr(self, kind) is not None]) != 1:
            raise ValueError(f"a trigger is exactly one of: {', '.join(TriggerKind)}")
        return self


class Step(Wire):
    """A rung: taken once per case, in its turn, when its trigger says so; not once one of `exit` holds.

    `after_s` is short for `trigger: {elapsed: {after_s: ...}}`.
    """

    code: Identifier
    after_s: float | None = Field(default=None, ge=0, le=YEAR_S)
    trigger: Trigger | None = None
    exit: tuple[StepExit, ...] = (StepExit.CASE_CLOSED,)
    tells: tuple[Recipient, ...]
    document: Identifier
    name_zh: ShortText
    name_en: ShortText
    reply_working_days: int | None = Field(default=None, ge=1, le=3660)
    receipt_working_days: int | None = Field(default=None, ge=1, le=3660, exclude_if=_is_none)
    board_only: bool = False
    clause: ShortText

    @field_validator("exit")
    @classmethod
    def _exits_have_a_source(cls, value: tuple[StepExit, ...]) -> tuple[StepExit, ...]:
        if StepExit.CONDITION_OVER in value:
            raise ValueError(f"no step can end by {StepExit.CONDITION_OVER}: a condition is asked at a close, once")
        if StepExit.CASE_CLOSED not in value:
            raise ValueError("no step of a closed case is ever taken: `exit` must name case_closed")
        return value

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.after_s is None) == (self.trigger is None):
            raise ValueError("either `after_s` or `trigger` says when the step is taken")
        return self

    @property
    def timing(self) -> Trigger:
        """What makes the step due, whichever way it is written."""
        if self.trigger is not None:
            return self.trigger
        assert self.after_s is not None, "the model holds one of the two"
        return Trigger(elapsed=Elapsed(after_s=self.after_s))


class Ladder(Wire):
    """Steps in order, for the finding kinds it serves."""

    kinds: tuple[Identifier, ...] = Field(min_length=1)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        timings = [step.timing for step in self.steps]
        waits = [timing.elapsed.after_s for timing in timings if timing.elapsed is not None]
        if waits != sorted(waits):
            raise ValueError("steps must be in the order of their `after_s`")
        if len({step.code for step in self.steps}) != len(self.steps):
            raise ValueError("a step code may stand once in a ladder")
        wanted: set[str] = set()
        for step, timing in zip(self.steps, timings, strict=True):
            if timing.overdue is not None and timing.overdue.clock not in wanted | {"listing"}:
                clock = timing.overdue.clock
                raise ValueError(f"{step.code}: no step before it wants a {clock} (`{clock}_working_days`)")
            if StepExit.REPLIED in step.exit and "reply" not in wanted:
                raise ValueError(f"{step.code}: no step before it wants a reply (`reply_working_days`)")
            wanted |= {"receipt"} if step.receipt_working_days else set()
            wanted |= {"reply"} if step.reply_working_days else set()
        by_event = [timing.event is not None for timing in timings]
        if by_event[0]:
            raise ValueError("the first step tells of the case: it cannot wait for an event")
        if by_event != sorted(by_event):
            raise ValueError("steps that wait for an event stand last: one that time makes due would wait for it too")
        return self


class CommonCause(Wire):
    """Many units of one carrier or street lost together: one common case, members held at the first step.

    A loss tells nobody for `show_s`, in which its cause may still show itself; without it for as long as the deadlines
    of one outage are apart, which is the interval of the default profile. Never longer than the window.
    """

    by: tuple[Literal["carrier", "town"], ...] = ("carrier", "town")
    units: int = Field(ge=2)
    window_s: float = Field(gt=0, le=YEAR_S)
    hold_s: float = Field(gt=0, le=YEAR_S)
    show_s: float | None = Field(default=None, ge=0, le=YEAR_S)
    mass_units: int | None = Field(
        default=None, ge=2, description="so many losses of the district that no carrier and no street explains are one"
    )
    tells: tuple[Recipient, ...]
    clause: ShortText


class Grouping(Wire):
    """How mails to one address come together. A fire's never do, nor the notice of a common cause.

    The first mail to an address that had none lately waits `wait_s` for others; after a mail the next waits
    `interval_s`. As many as `least` of them are one digest, which names `named` and counts the others. A common cause
    that stands is told again every `repeat_s`.
    """

    wait_s: float = Field(ge=0, le=86400)
    interval_s: float = Field(ge=0, le=86400)
    repeat_s: float = Field(gt=0, le=YEAR_S)
    least: int = Field(default=3, ge=2, le=1000)
    named: int = Field(default=20, ge=1, le=200)
    clause: ShortText


class Flapping(Wire):
    """A case that begins `begins` times within `window_s` flaps: told once, it stays open until `quiet_s` without."""

    begins: int = Field(ge=3, le=100)
    window_s: float = Field(gt=0, le=YEAR_S)
    quiet_s: float = Field(gt=0, le=YEAR_S)
    tells: tuple[Recipient, ...]
    clause: ShortText


class RunawayComponent(Wire):
    """A component that begins the same trouble `begins` times within `window_s` runs away, until none for `quiet_s`.

    It is a finding of its own, for whoever maintains it. Nothing is held back: a fire of it is told each time.
    """

    begins: int = Field(ge=3, le=1000)
    window_s: float = Field(ge=60, le=YEAR_S)
    quiet_s: float = Field(ge=60, le=YEAR_S)
    clause: ShortText


class GuardedTime(Wire):
    """Days on which clocks run faster (重要节日、重大活动): each second and each working day of them counts `times`.

    From 0:00 of `first` to 24:00 of `last`, Asia/Shanghai. Where spans overlap the fastest holds.
    """

    name_zh: ShortText
    name_en: ShortText
    first: date
    last: date
    times: int = Field(default=2, ge=2, le=24)
    clause: ShortText


DELAYED = (FindingKind.CONNECTION_LOST, FindingKind.FAULT)
LONGEST_AREA_EVENT_DAYS = 14


class AreaEvent(Wire):
    """What somebody declares of streets (台风、停电): nobody is told of troubles of these kinds that begin meanwhile.

    From 0:00 of `first` to 24:00 of `last`, Asia/Shanghai, at most 14 days; without `towns` in the whole district.
    Cases are opened and shown as ever; the clocks of their ladders stand still until it ends, which it does by itself.
    What is still wrong then is told. Fires and other alarms are told at once, whatever is declared.
    """

    name_zh: ShortText
    name_en: ShortText
    towns: tuple[Identifier, ...] = Field(default=(), max_length=100)
    kinds: tuple[FindingKind, ...] = Field(default=DELAYED, min_length=1, max_length=4)
    first: date
    last: date
    clause: ShortText

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if not 0 <= (self.last - self.first).days < LONGEST_AREA_EVENT_DAYS:
            raise ValueError(f"`last` is `first` or later, and less than {LONGEST_AREA_EVENT_DAYS} days later")
        if wrong := set(self.kinds) - HAZARDS:
            raise ValueError(f"nothing holds back {min(wrong)}")
        return self


class SingleApproval(Wire):
    """How long a unit may be let off on the word of one person beside the one who asks; what is longer takes two."""

    exemption_s: float = Field(default=7 * 86400, ge=0, le=YEAR_S)
    maintenance_s: float = Field(default=86400, ge=0, le=YEAR_S)
    test_s: float = Field(default=8 * 3600, ge=0, le=YEAR_S)


class AlarmSystemDown(Wire):
    """When a trouble is a major fire hazard (重大火灾隐患): it has lasted so long, by the kind of its finding.

    The numbers are those of GB 35181-2025, appendix A, or the district's own; nobody here knows them.
    """

    lasted_s: dict[Identifier, Annotated[float, Field(gt=0, le=YEAR_S)]] = Field(min_length=1, max_length=20)
    clause: ShortText


class MajorDanger(Wire):
    """Listed supervision (挂牌督办): the bridge from a trouble to its proposal, and which governments list.

    `alarm_system_down` null: nothing is ever proposed by itself, people may propose all the same. The bridge makes the
    step of a ladder due whose trigger is the condition `major_danger`.
    """

    alarm_system_down: AlarmSystemDown | None = None
    levels: tuple[ListingLevel, ...] = Field(default=tuple(ListingLevel), min_length=1, max_length=len(ListingLevel))
    clause: ShortText


class DutyToTest(Wire):
    """Units of these scopes and categories, of any where none is named, send a test at least every `every_s`.

    It is overdue `buffer_s` later. `counts`: what is a test.
    """

    scopes: tuple[Identifier, ...] = ()
    categories: tuple[Identifier, ...] = ()
    every_s: float = Field(gt=0, le=YEAR_S)
    buffer_s: float = Field(default=0, ge=0, le=YEAR_S)
    counts: CountsAsTest = CountsAsTest.ALARMS
    clause: ShortText


class Publication(Wire):
    """What is published of closed periods, where it needs a number or a choice of the district's own.

    `availability`: the share of its own time that a unit must be connected to count as meeting (decimal as text, so
    that it is compared exactly). `cure_limit_s`: within which a fault must be cured. `transmission_limit_s`: within
    which a signal must reach us. Without its number a figure is not published. `findings`: at which closes a body below
    a target is a finding.
    """

    availability: Share | None = None
    cure_limit_s: float | None = Field(default=None, ge=0, le=YEAR_S)
    transmission_limit_s: float | None = Field(default=None, ge=0, le=YEAR_S, exclude_if=_is_none)
    findings: tuple[Period, ...] = ()


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
    obligations: dict[Identifier, Obligation] = Field(
        default={}, description="demands of the source that no figure measures"
    )
    profiles: dict[Identifier, Profile]
    ladders: dict[Identifier, Ladder]
    common_cause: CommonCause
    flapping: Flapping | None = Field(
        default=None, description="without it whatever comes again opens its case again; a fire never flaps"
    )
    grouping: Grouping | None = Field(default=None, description="without it each mail leaves alone, as it comes")
    guarded: tuple[GuardedTime, ...] = Field(
        default=(), max_length=100, exclude_if=_is_empty, description="days on which clocks run faster"
    )
    area_events: tuple[AreaEvent, ...] = Field(
        default=(), max_length=100, exclude_if=_is_empty, description="declared days on which clocks stand still"
    )
    un_acknowledge_s: dict[Identifier, Annotated[float, Field(ge=60, le=YEAR_S)]] = Field(
        default={},
        max_length=100,
        exclude_if=_is_empty,
        description="by kind of case: taken and not over after so long, it is nobody's again; without, it stays taken",
    )
    single_approval: SingleApproval = SingleApproval()
    major_danger: MajorDanger | None = Field(
        default=None,
        exclude_if=_is_none,
        description="what is proposed for listed supervision, and who lists",
    )
    test_duty: tuple[DutyToTest, ...] = Field(
        default=(), max_length=100, exclude_if=_is_empty, description="who tests how often; the first that fits holds"
    )
    runaway_component: RunawayComponent | None = Field(
        default=None,
        exclude_if=_is_none,
        description="when a component that says the same again and again is a finding",
    )
    publication: Publication = Field(default=Publication(), description="figures and findings of closed periods")
    evaluation: dict[Identifier, Evaluation] = Field(
        default={}, max_length=20, exclude_if=_is_empty, description="how bodies are scored and graded, by a name each"
    )

    @model_validator(mode="after")
    def _refers_to_itself_only(self) -> Self:
        codes = {department.code for department in self.departments}
        named = {code for route in self.routes for code in (route.lead, *route.copies) if code is not None}
        if missing := (named | set(self.default_route.copies)) - codes:
            raise ValueError(f"routes name departments that the pack does not have: {sorted(missing)}")
        if self.default_profile not in self.profiles:
            raise ValueError("default_profile is not among the profiles")
        named = {scope for target in self.targets.values() for scope in target.scope.split("+")}
        if missing := named - set(self.scopes):
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

    @model_validator(mode="after")
    def _tests_of_what_it_has(self) -> Self:
        if missing := {scope for duty in self.test_duty for scope in duty.scopes} - set(self.scopes):
            raise ValueError(f"test_duty names scopes that the pack does not have: {sorted(missing)}")
        codes = {route.code for route in self.routes}
        if missing := {code for duty in self.test_duty for code in duty.categories} - codes:
            raise ValueError(f"test_duty names categories that no route has: {sorted(missing)}")
        return self

    @model_validator(mode="after")
    def _evaluates_what_it_counts(self) -> Self:
        criteria = (each for said in self.evaluation.values() for each in said.criteria.values())
        rates = [each.rate for each in criteria if each.rate is not None]
        if missing := {rate.scope for rate in rates} - set(self.published_scopes()):
            raise ValueError(f"evaluation names scopes that are not published: {sorted(missing)}")
        numbers = {NUMBER_OF[rate.metric] for rate in rates if rate.metric in NUMBER_OF}
        if missing := {each for each in numbers if getattr(self.publication, each) is None}:
            raise ValueError(f"evaluation names figures that need of `publication`: {sorted(missing)}")
        if undivided := {each.dimension for each in self.evaluation.values()} - set(self.dimensions):
            raise ValueError(f"evaluation scores by what dimensions do not name: {sorted(undivided)}")
        return self

    def published_scopes(self) -> list[str]:
        """Return the scopes of figures that are published: all, their union, and what targets join; each once."""
        names = [*self.scopes, "+".join(self.union_scopes()), *(target.scope for target in self.targets.values())]
        return list(dict.fromkeys(name for name in names if name))

    def union_scopes(self) -> tuple[Identifier, ...]:
        """Return the scopes whose units have a duty to be connected."""
        return tuple(name for name in UNION_UNLESS_SAID if name in self.scopes) if self.union is None else self.union
