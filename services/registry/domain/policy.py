"""The registry's view of a policy pack: bodies, routes, profiles and who each step tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from services.kernel.words import Recipient
from services.registry.domain.bodies import Body

ACCEPTANCE_ROUTE = "NEW_BUILDING"
"""The category whose lead is the acceptance gate: it also hears of every new building that is not connected."""


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
    code: str
    name_zh: str
    name_en: str
    after: timedelta
    tells: tuple[Recipient, ...]
    document: str
    board_only: bool
    clause: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a pack. `document` is the whole pack as canonical JSON; two packs are equal when it is."""

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
    profiles: frozenset[str] = field(compare=False)
    ladders: Mapping[str, Sequence[LadderStep]] = field(compare=False)

    @property
    def id(self) -> str:
        return self.pack_id


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy holds from `since` on, until another of the same district begins."""

    since: date
    recorded_at: datetime
    policy: Policy


def policy_on(policies: Sequence[InForce], district: str, day: date) -> Policy | None:
    """Return the policy of `district` on `day`; before the first one began, the first; None when it has none.

    A pack does not lapse at `valid_to`: at midnight of New Year supervision and routes must not stop because nobody
    has imported the next one yet. `register check` says that it has run out.
    """
    own = sorted((each for each in policies if each.policy.district == district), key=_began)
    begun = [each for each in own if each.since <= day]
    if begun:
        return begun[-1].policy
    return own[0].policy if own else None


def changes(policies: Sequence[InForce], district: str) -> list[date]:
    """Return the days on which the policy of `district` changes, in order."""
    return sorted({each.since for each in policies if each.policy.district == district})


def _began(each: InForce) -> tuple[date, datetime]:
    return each.since, each.recorded_at
