"""What an import changes: who is counted, who is commissioned or exempt, who answers; told before it is applied."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.kernel.calendar import date_of
from services.kernel.effective import in_force
from services.kernel.policy import Target, target_for
from services.kernel.ratio import NOTHING, Ratio
from services.registry.domain.entities import Routing, Unit, Version
from services.registry.domain.policy import CountedScope, Policies, Policy, policy_on
from services.registry.domain.scopes import commissioned, exempt, is_member, lives

ACCESS_RATE = "access_rate"
MAX_DAYS = 5
"""So many days on which something of an import begins are looked at; a file can name hundreds."""


@dataclass(frozen=True, slots=True)
class RegisterSnapshot:
    """The units and the packs of the register at one moment, with all their versions."""

    units: Mapping[str, Sequence[Version[Unit]]]
    policies: Policies

    def living(self, day: date) -> dict[str, Version[Unit]]:
        """Return the units that are there on a day, by id."""
        holding = ((unit_id, in_force(versions, day)) for unit_id, versions in self.units.items())
        return {unit_id: found for unit_id, found in holding if found is not None and lives(found.facts, day)}


@dataclass(frozen=True, slots=True)
class ScopeEffect:
    """The access rate of one scope before and after: commissioned of all its units, exempt ones included."""

    scope: CountedScope
    before: Ratio
    after: Ratio
    joins: Sequence[Unit]
    leaves: Sequence[Unit]
    target: Target | None


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A unit for which somebody else answers or is told; `before` None for a unit that was not there."""

    unit: Unit
    before: Routing | None
    after: Routing


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference that an import makes to one district on one day. `pack_*` None where the district has none."""

    day: date
    district: str
    pack_before: Policy | None
    pack_after: Policy | None
    units_before: int
    units_after: int
    begin: Sequence[Unit]
    end: Sequence[Unit]
    scopes: Sequence[ScopeEffect]
    commissioned: Sequence[Unit]
    not_commissioned: Sequence[Unit]
    exempt: Sequence[Unit]
    not_exempt: Sequence[Unit]
    rerouted: Sequence[Rerouted]
    unrouted: Sequence[Unit]


@dataclass(frozen=True, slots=True)
class Effects:
    """`restates_from`: the first day before today that the import changes; what is closed since is counted again.

    `further_days`: on so many later days more begins that is not looked at.
    """

    found: Sequence[Effect]
    restates_from: date | None = None
    further_days: int = 0


def effects(before: RegisterSnapshot, after: RegisterSnapshot, today: date) -> Effects:
    """Return what differs today and on the later days on which something new begins; the same is not told twice."""
    begins = _beginnings(before, after)
    later = sorted(day for day in begins if day > today)
    found: list[Effect] = []
    last: dict[str, Effect] = {}
    for day in (today, *later[:MAX_DAYS]):
        for effect in _on(before, after, day):
            known = last.get(effect.district)
            if known is None or replace(effect, day=known.day) != known:
                found.append(effect)
                last[effect.district] = effect
    past = [day for day in begins if day < today]
    return Effects(found, min(past, default=None), max(0, len(later) - MAX_DAYS))


def _beginnings(before: RegisterSnapshot, after: RegisterSnapshot) -> set[date]:
    """Return the days from which something holds that did not."""
    days: set[date] = set()
    for unit_id, versions in after.units.items():
        held = before.units.get(unit_id, ())
        if len(versions) != len(held):
            days |= {version.valid_from for version in versions if version not in held}
    packs = {(pack.pack_id, pack.version, pack.valid_from) for pack in before.policies}
    new = (pack for pack in after.policies if (pack.pack_id, pack.version, pack.valid_from) not in packs)
    return days | {date_of(pack.valid_from) for pack in new}


def _on(before: RegisterSnapshot, after: RegisterSnapshot, day: date) -> Iterator[Effect]:
    was, will = before.living(day), after.living(day)
    districts = {version.facts.district for version in (*was.values(), *will.values())}
    for district in sorted(districts | {*before.policies.districts(), *after.policies.districts()}):
        old = _District({k: v for k, v in was.items() if v.facts.district == district}, before.policies, district, day)
        new = _District({k: v for k, v in will.items() if v.facts.district == district}, after.policies, district, day)
        if old.units != new.units or old.policy != new.policy:
            yield _difference(old, new)


class _District:
    """The units of one district on one day, and its pack."""

    def __init__(self, units: Mapping[str, Version[Unit]], policies: Policies, district: str, day: date) -> None:
        self.units = units
        self.day = day
        self.name = district
        self.policy = policy_on(policies, district, day)

    def members(self, scope: str) -> dict[str, Unit]:
        rule = None if self.policy is None else self.policy.scopes.get(scope)
        if rule is None:
            return {}
        return self.of(lambda unit, day: is_member(unit, rule, day))

    def of(self, holds: Callable[[Unit, date], bool]) -> dict[str, Unit]:
        return {key: version.facts for key, version in self.units.items() if holds(version.facts, self.day)}

    def access(self, members: Mapping[str, Unit]) -> Ratio:
        if not members:
            return NOTHING
        units = members.values()
        return Ratio(
            numerator=sum(commissioned(unit, self.day) for unit in units),
            denominator=len(members),
            exempt=sum(exempt(unit, self.day) for unit in units),
        )


def _difference(old: _District, new: _District) -> Effect:
    names = dict.fromkeys(name for each in (old.policy, new.policy) if each is not None for name in each.scopes)
    routes = list(_rerouted(old, new))
    return Effect(
        day=new.day,
        district=new.name,
        pack_before=old.policy,
        pack_after=new.policy,
        units_before=len(old.units),
        units_after=len(new.units),
        begin=_only(_all(new), _all(old)),
        end=_only(_all(old), _all(new)),
        scopes=[_scope(old, new, name) for name in names],
        commissioned=_only(new.of(commissioned), old.of(commissioned)),
        not_commissioned=_only(old.of(commissioned), new.of(commissioned), among=new.units),
        exempt=_only(new.of(exempt), old.of(exempt)),
        not_exempt=_only(old.of(exempt), new.of(exempt), among=new.units),
        rerouted=[each for each in routes if each.before is not None],
        unrouted=[
            each.unit for each in routes if not each.after.routed and (each.before is None or each.before.routed)
        ],
    )


def _scope(old: _District, new: _District, name: str) -> ScopeEffect:
    was, will = old.members(name), new.members(name)
    policy = new.policy if new.policy is not None and name in new.policy.scopes else old.policy
    assert policy is not None, "the name came from one of the packs"
    return ScopeEffect(
        policy.scopes[name],
        old.access(was),
        new.access(will),
        _only(will, was),
        _only(was, will),
        None if new.policy is None else target_for(new.policy.targets, ACCESS_RATE, name),
    )


def _rerouted(old: _District, new: _District) -> Iterator[Rerouted]:
    for unit_id, version in sorted(new.units.items()):
        held = old.units.get(unit_id)
        before = None if held is None else held.route
        if version.route is not None and version.route != before:
            yield Rerouted(version.facts, before, version.route)


def _all(district: _District) -> dict[str, Unit]:
    return {key: version.facts for key, version in district.units.items()}


def _only(
    some: Mapping[str, Unit], others: Mapping[str, Unit], among: Mapping[str, object] | None = None
) -> list[Unit]:
    """Return those of `some` that are not among the others, by id; with `among`, only those that are still there."""
    return [some[key] for key in sorted(some) if key not in others and (among is None or key in among)]
