"""The registry's view of a policy pack: bodies, routes, profiles and who each step tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.kernel.calendar import date_of, day_number
from services.kernel.policy import DatedPack, Packs, Target
from services.kernel.scope import Scope
from services.kernel.words import AdjustmentKind, Period, Recipient
from services.registry.domain.bodies import Body


@dataclass(frozen=True, slots=True)
class RouteRule:
    """Who leads for a category: `lead`, or the unit's own street by name of a clause, or nobody (the default)."""

    category: str
    name_zh: str
    name_en: str
    lead: str | None
    street_leads: bool
    copies: tuple[str, ...]
    clause: str


@dataclass(frozen=True, slots=True)
class LadderStep:
    """`when` says in words what makes it due; `of_bodies`: its ladder is for cases of bodies, not of units."""

    code: str
    name_zh: str
    name_en: str
    when: str
    tells: tuple[Recipient, ...]
    document: str
    board_only: bool
    clause: str
    of_bodies: bool = False


@dataclass(frozen=True, slots=True)
class GuardedSpan:
    """Days on which clocks run so many `times` as fast, the last one included.

    `times` 0: a declared area event, in which they stand still; of `towns`, where there are any, and of `kinds`.
    """

    name_zh: str
    name_en: str
    first: date
    last: date
    times: int
    clause: str
    towns: Sequence[str] = ()
    kinds: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CountedScope:
    """Who is counted, by a name of the pack."""

    name: str
    name_zh: str
    name_en: str
    rule: Scope


@dataclass(frozen=True, slots=True)
class Supervision:
    """When a unit of this profile counts as silent: `misses` intervals and the grace after its last proof."""

    name: str
    interval: timedelta
    offline_after: timedelta
    anchor: str


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a source demands and no figure measures. `share` as the pack has it, empty where the source names none."""

    name: str
    name_zh: str
    name_en: str
    owner: str
    counted_over: str
    share: str
    due: str
    clause: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`manual`: how many points a person may enter by criterion. `bodies`: those that are scored, none: every one."""

    manual: Mapping[str, int]
    bodies: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a pack. `document` is the whole pack as canonical JSON; two packs are equal when it is.

    `targets` and `obligations` are in the order of their ids; `proposals` are the clauses that say "proposal", by path.
    """

    pack_id: str
    number: int
    district: str
    valid_from: date
    valid_to: date
    document: str
    bodies: Mapping[str, Body] = field(compare=False)
    routes: Mapping[str, RouteRule] = field(compare=False)
    default_copies: tuple[str, ...] = field(compare=False)
    default_clause: str = field(compare=False)
    default_profile: str = field(compare=False)
    profiles: Mapping[str, Supervision] = field(compare=False)
    ladders: Mapping[str, Sequence[LadderStep]] = field(compare=False)
    scopes: Mapping[str, CountedScope] = field(compare=False)
    targets: Sequence[Target] = field(compare=False)
    obligations: Sequence[Obligation] = field(compare=False)
    proposals: Sequence[tuple[str, str]] = field(compare=False)
    single_approval: Mapping[AdjustmentKind, timedelta] = field(compare=False, default_factory=dict)
    """How long each kind may last on one approval; a correction is in none."""
    findings: Sequence[Period] = field(compare=False, default=())
    """The closes at which a body below a target is a finding."""
    guarded: Sequence[GuardedSpan] = field(compare=False, default=())
    area_events: Sequence[GuardedSpan] = field(compare=False, default=())
    evaluations: Mapping[str, Evaluation] = field(compare=False, default_factory=dict)

    @property
    def id(self) -> str:
        return self.pack_id

    def supervision(self, profile: str | None) -> Supervision:
        """Return the profile of that name, the pack's default where a unit names none or one that the pack lacks."""
        return self.profiles.get(profile or "", self.profiles[self.default_profile])


Policies = Packs[Policy]


def dated(policy: Policy, since: date) -> DatedPack[Policy]:
    """Return a version of a pack that the register holds from `since` on, as the rule sees it."""
    first = day_number(max(since, policy.valid_from))
    return DatedPack(policy.district, policy.pack_id, policy.number, first, day_number(policy.valid_to), policy)


def policy_on(policies: Policies, district: str, day: date) -> Policy | None:
    """Return the policy that stands in `district` on `day`, None when it has none (`Packs.standing`).

    `register check` says of one that it has run out.
    """
    found = policies.standing(district, day_number(day))
    return None if found is None else found.content


def changes(policies: Policies, district: str) -> list[date]:
    """Return the days on which the policy of `district` may change, in order."""
    return [date_of(day) for day in policies.turning_days(district) if day <= day_number(date.max)]
