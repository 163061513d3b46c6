"""Which scopes a unit is in on a day, why, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.kernel.effective import in_force
from services.registry.domain.entities import Unit, Version
from services.registry.domain.policy import CountedScope, Policies, changes, policy_on

_FACTS = ("key_unit", "auto_fire_facilities", "crowded_place", "flammable_place", "fire_alarm_system")


def facts_of(unit: Unit) -> frozenset[str]:
    """Return what a scope may ask for and is true of the unit."""
    return frozenset({name for name in _FACTS if getattr(unit, name)} | {unit.construction.value})


def lives(unit: Unit, day: date) -> bool:
    return unit.retired_on is None or day < unit.retired_on


def accepted(unit: Unit, day: date) -> bool:
    return unit.accepted_on is not None and unit.accepted_on <= day


def commissioned(unit: Unit, day: date) -> bool:
    return unit.commissioned_on is not None and unit.commissioned_on <= day


def exempt(unit: Unit, day: date) -> bool:
    """Tell whether an exemption covers the day; its last day counts."""
    if unit.exempt_from is None or unit.exempt_until is None:
        return False
    return unit.exempt_from <= day <= unit.exempt_until


def is_member(unit: Unit, scope: CountedScope, day: date) -> bool:
    return lives(unit, day) and scope.rule.holds(facts_of(unit), accepted=accepted(unit, day))


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a unit is in a scope. `met` has one fact for each group of the scope that is true of the unit.

    `lacking` are the groups of which none is. `since`: the first day of those on which it has been a member without a
    break, by all that is known today; None when it is none. `unaccepted`: only its acceptance is missing, or later.
    """

    scope: CountedScope
    member: bool
    met: Sequence[str]
    lacking: Sequence[frozenset[str]]
    unaccepted: bool
    since: date | None


def memberships(versions: Sequence[Version[Unit]], policies: Policies, day: date) -> list[Membership]:
    """Return the membership in each scope of the district's pack, for a unit with these versions, in their order."""
    version = in_force(versions, day)
    if version is None:
        return []
    unit = version.facts
    policy = policy_on(policies, unit.district, day)
    facts = facts_of(unit)
    found: list[Membership] = []
    for scope in () if policy is None else policy.scopes.values():
        lacking = [group for group in scope.rule.groups if not group & facts]
        member = is_member(unit, scope, day)
        waits = scope.rule.from_acceptance and not accepted(unit, day)
        found.append(
            Membership(
                scope,
                member,
                [min(group & facts) for group in scope.rule.groups if group & facts],
                lacking,
                waits and not lacking,
                _since(versions, policies, scope.name, day) if member else None,
            )
        )
    return found


def _since(versions: Sequence[Version[Unit]], policies: Policies, scope: str, day: date) -> date:
    """Return the first day of the unbroken run of days as a member that `day` is in."""
    since = day
    for turn in sorted(_turning_days(versions, policies, day), reverse=True):
        version = in_force(versions, turn)
        policy = None if version is None else policy_on(policies, version.facts.district, turn)
        if version is None or policy is None or scope not in policy.scopes:
            break
        if not is_member(version.facts, policy.scopes[scope], turn):
            break
        since = turn
    return since


def _turning_days(versions: Sequence[Version[Unit]], policies: Policies, day: date) -> set[date]:
    days = {version.valid_from for version in versions}
    for version in versions:
        unit = version.facts
        days |= {each for each in (unit.accepted_on, unit.retired_on) if each is not None}
        days |= set(changes(policies, unit.district))
    return {each for each in days if each <= day}
