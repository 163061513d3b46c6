"""Applies the registry to units as the watermark reaches what it says: listing, scopes, exemptions, packs."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

from services.kernel.calendar import day_of
from services.kernel.policy import Packs
from services.kernel.words import Connection, Phase
from services.rules.domain.effects import REGISTRY_TOPIC, Evidence, Moment
from services.rules.domain.facts import NO_PACK, GatewayVersion, PackVersion, UnitVersion, begins, holding
from services.rules.domain.instants import day_start
from services.rules.domain.ledger import Ledger
from services.rules.domain.rate import EVERY, NO_FELLOWS, UNION, UNION_OF
from services.rules.domain.unit import Link, Unit
from services.rules.domain.watch import DEFAULT_BLIND_AFTER
from services.rules.domain.words import TROUBLES, Cause

FROM_REGISTRY = Evidence(REGISTRY_TOPIC, 0)


def passed(watermark: int | None) -> int:
    """Return the last instant that the watermark has passed: one that it just reaches may still lack a record."""
    return (watermark or 0) - 1


_Scopes = tuple[tuple[str, ...], tuple[str, ...]]
AskAgain = Callable[[int, str], None]
"""(instant, unit id or "" for all): facts change then."""


class Roster:
    """Registry rows of one partition. `ask_again` is called for each future instant at which facts change."""

    def __init__(self, ledger: Ledger, ask_again: AskAgain) -> None:
        self._ledger = ledger
        self._ask_again = ask_again
        self._packs: dict[str, tuple[PackVersion, ...]] = {}
        self._by_district: dict[str, PackVersion] = {}
        self._lapses: dict[str, list[int]] = {}
        self._scopes: dict[tuple[str, frozenset[str], bool], _Scopes] = {}

    def put_unit(self, unit: Unit, versions: tuple[UnitVersion, ...], watermark: int | None) -> None:
        """Take all versions of a unit: they hold from the watermark on that passes them. `refresh` applies them."""
        unit.versions = versions
        unit.known_at = min(version.recorded_at for version in versions)
        self._schedule(unit, versions, watermark)

    def put_gateway(
        self, unit: Unit, gateway_id: str, versions: tuple[GatewayVersion, ...], watermark: int | None
    ) -> None:
        """Take all versions of a gateway that speaks, spoke or will speak for `unit`."""
        unit.gateways[gateway_id] = versions
        self._schedule(unit, versions, watermark)

    def _schedule(
        self, unit: Unit, versions: tuple[UnitVersion, ...] | tuple[GatewayVersion, ...], watermark: int | None
    ) -> None:
        now = self.as_of(unit, watermark)
        for at in {at for version in versions for at in version.turning_points() if at > now}:
            self._ask_again(at, unit.unit_id)

    def put_pack(self, pack_id: str, versions: tuple[PackVersion, ...], watermark: int | None) -> None:
        """Take all versions of a pack; `choose_packs` applies them."""
        self._packs[pack_id] = versions
        for at in {at for version in versions for at in (begins(version), version.ends) if at is not None}:
            if at > passed(watermark):
                self._ask_again(at, "")

    def choose_packs(self, watermark: int | None) -> bool:
        """Settle which pack stands in each district; return whether that changed."""
        known = [version for versions in self._packs.values() for version in versions]
        now = passed(watermark) if watermark is not None else max((each.recorded_at for each in known), default=0)
        packs = Packs(version.dated() for version in known)
        standing = [packs.standing(district, day_of(now), now) for district in packs.districts()]
        chosen = {pack.district: pack.content for pack in standing if pack is not None}
        self._lapses = {name: [each.ends for each in known if each.district == name and each.ends] for name in chosen}
        changed = chosen != self._by_district
        if changed:
            self._by_district = chosen
            self._scopes.clear()
        return changed

    def packs(self) -> Mapping[str, PackVersion]:
        """Return the pack that stands in each district."""
        return self._by_district

    def blind_after(self) -> int:
        """Return the shortest patience with a missing tick that a pack in force asks for."""
        return min((pack.blind_after for pack in self._by_district.values()), default=DEFAULT_BLIND_AFTER)

    @staticmethod
    def as_of(unit: Unit, watermark: int | None) -> int:
        """Return the instant whose facts hold for `unit`: the last that the watermark has passed.

        A unit that is new is known at once, although the watermark has not passed the recording of it yet.
        """
        return max(unit.known_at, passed(watermark))

    def refresh(self, unit: Unit, now: int, evidence: Evidence = FROM_REGISTRY) -> None:
        """Read the facts of `unit` as of `now` and follow them."""
        facts = holding(unit.versions, now)
        if facts is None:
            return
        first = unit.connection is None
        self._enlist(unit, facts, now)
        self._count_in(unit, facts, now)
        if not self._ledger.is_settled(unit):
            moment = self._moment(unit, now, evidence, first=first)
            if first:
                self._greet(unit, moment)
            self._ledger.settle(unit, moment)
            self._ledger.follow_duty(unit, moment)
        self._mark_row(unit, facts)

    def _enlist(self, unit: Unit, facts: UnitVersion, now: int) -> None:
        self._move_health(unit, facts)
        unit.facts = facts
        unit.pack = self._by_district.get(facts.district, NO_PACK)
        unit.profile = unit.pack.profile(facts.profile)
        unit.commissioned = facts.commissioned(now)
        unit.mask = None
        if facts.retired(now):
            unit.mask = Connection.RETIRED
        elif facts.exempt(now):
            unit.mask = Connection.EXEMPT
        carriers = []
        scoped: list[Link] = []
        for gateway_id in sorted(unit.gateways):
            gateway = holding(unit.gateways[gateway_id], now)
            if gateway is not None and gateway.unit_id == unit.unit_id and not gateway.retired(now):
                carriers.append(gateway.carrier)
                scoped.append(unit.link(gateway_id))
        unit.carriers = tuple(sorted(set(carriers)))
        unit.scoped = tuple(scoped or [link for link in unit.links.values() if link.gateway_id not in unit.gateways])

    def _move_health(self, unit: Unit, facts: UnitVersion) -> None:
        if unit.facts is not None:
            self._ledger.health[unit.facts.lead_department][unit.health] -= 1
        self._ledger.health[facts.lead_department][unit.health] += 1

    def _moment(self, unit: Unit, now: int, evidence: Evidence, *, first: bool) -> Moment:
        if first:
            version = unit.facts
            assert version is not None
            return Moment(day_start(version.valid_from), begins(version), Cause.REGISTRY, evidence)
        points = [at for version in unit.versions for at in version.turning_points() if at <= now]
        for gateway in unit.gateways.values():
            points += [at for version in gateway for at in version.turning_points() if at <= now]
        points.append(begins(unit.pack) if begins(unit.pack) <= now else 0)
        points += [at for at in self._lapses.get(unit.pack.district, ()) if at <= now]
        changed_at = max(points)
        return Moment(changed_at, changed_at, Cause.REGISTRY, evidence)

    def _count_in(self, unit: Unit, facts: UnitVersion, now: int) -> None:
        unit.scopes, names = self._scopes_of(unit, facts, now)
        values = (facts.district, facts.town, facts.lead_department, facts.category)
        fellows = self._ledger.rates.fellows(names, values)
        if fellows is not unit.fellows:
            if unit.fellows is not NO_FELLOWS:
                self._ledger.rates.move(unit.fellows, unit.connection, None)
            unit.fellows = fellows
            self._ledger.rates.move(fellows, None, unit.connection)

    def _scopes_of(self, unit: Unit, facts: UnitVersion, now: int) -> _Scopes:
        """Return the scopes of a unit, and those with the sums it counts in too; many units have the same facts."""
        if unit.mask is Connection.RETIRED:
            return (), (EVERY,)
        key = (facts.district, facts.facts, facts.accepted(now))
        found = self._scopes.get(key)
        if found is None:
            scopes = tuple(scope.name for scope in unit.pack.scopes if scope.holds(facts, now))
            sums = (EVERY, UNION) if any(name in scopes for name in UNION_OF) else (EVERY,)
            found = self._scopes[key] = (scopes, (*scopes, *sums))
        return found

    def _greet(self, unit: Unit, moment: Moment) -> None:
        """Tell what the unit has said already before the registry named it."""
        self._ledger.settle(unit, moment)
        self._ledger.settle_health(unit, moment)
        for kind in TROUBLES:
            problem_id = unit.findings.get(kind)
            if problem_id is not None:
                points = unit.open_points(kind)
                self._ledger.tell(unit, kind, problem_id, Phase.BEGAN, moment, "", points)

    def _mark_row(self, unit: Unit, facts: UnitVersion) -> None:
        key = _row_key(facts.valid_from, facts.recorded_at, unit.pack.version, unit.carriers, unit.scopes)
        if key != unit.key:
            unit.key = key
            self._ledger.change_row(unit)


@lru_cache(maxsize=4096)
def _row_key(
    valid_from: date, recorded_at: int, pack_version: int, carriers: tuple[str, ...], scopes: tuple[str, ...]
) -> str:
    return f"{valid_from}|{recorded_at}|{pack_version}|{','.join(carriers)}|{','.join(scopes)}"
