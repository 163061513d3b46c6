"""Reads the registry into units as the watermark reaches what it says: listing, scopes, exemptions, packs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from services.kernel.calendar import day_of
from services.kernel.policy import Packs
from services.kernel.words import Duty
from services.rules.domain.effects import REGISTRY_TOPIC, Evidence, Moment
from services.rules.domain.facts import (
    NO_PACK,
    AdjustmentVersion,
    DutyToTest,
    GatewayVersion,
    PackVersion,
    Profile,
    UnitVersion,
    begins,
    holding,
)
from services.rules.domain.time.instants import day_start
from services.rules.domain.time.watch import DEFAULT_BLIND_AFTER
from services.rules.domain.unit.connection import Link
from services.rules.domain.unit.duty import duty_by
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import Cause

FROM_REGISTRY = Evidence(REGISTRY_TOPIC, 0)


def passed(watermark: int | None) -> int:
    """Return the last instant that the watermark has passed: one that it just reaches may still lack a record."""
    return (watermark or 0) - 1


class _Reading(NamedTuple):
    """What a pack says of a unit."""

    pack: PackVersion
    profile: Profile
    scopes: tuple[str, ...]
    test_duty: DutyToTest | None


class Registrations:
    """Registry rows of one partition, and what they say of a unit at an instant."""

    def __init__(self) -> None:
        self._packs: dict[str, tuple[PackVersion, ...]] = {}
        self._by_district: dict[str, PackVersion] = {}
        self._lapses: dict[str, list[int]] = {}
        self._readings: dict[tuple[str, str, frozenset[str], str | None, bool, Duty], _Reading] = {}

    def put_unit(self, unit: Unit, versions: tuple[UnitVersion, ...], watermark: int | None) -> Iterable[int]:
        """Take all versions of a unit; return the instants to come at which they say something new.

        They hold from the watermark on that passes them. `read` applies them.
        """
        registration = unit.registration
        registration.versions = versions
        if len(versions) == 1:
            registration.known_at = versions[0].recorded_at
        else:
            registration.known_at = min([version.recorded_at for version in versions])
        return self._to_come(unit, versions, watermark)

    def put_gateway(
        self, unit: Unit, gateway_id: str, versions: tuple[GatewayVersion, ...], watermark: int | None
    ) -> Iterable[int]:
        """Take all versions of a gateway that speaks, spoke or will speak for `unit`; return as `put_unit` does."""
        unit.registration.put_gateway(gateway_id, versions)
        return self._to_come(unit, versions, watermark)

    def put_adjustment(
        self, unit: Unit, adjustment_id: str, versions: tuple[AdjustmentVersion, ...], watermark: int | None
    ) -> Iterable[int]:
        """Take all versions of what lets `unit` off; return as `put_unit` does."""
        unit.registration.put_adjustment(adjustment_id, versions)
        return self._to_come(unit, versions, watermark)

    def _to_come(
        self,
        unit: Unit,
        versions: Sequence[UnitVersion] | Sequence[GatewayVersion] | Sequence[AdjustmentVersion],
        watermark: int | None,
    ) -> Iterable[int]:
        now = self.as_of(unit, watermark)
        points = [at for version in versions for at in version.turning_points() if at > now]
        return set(points) if points else ()  # mostly: all that a unit's versions say began long ago

    def put_pack(self, pack_id: str, versions: tuple[PackVersion, ...], watermark: int | None) -> Iterable[int]:
        """Take all versions of a pack; return the instants to come at which one begins or ends.

        `choose_packs` applies them.
        """
        self._packs[pack_id] = versions
        now = passed(watermark)
        instants = {at for version in versions for at in (begins(version), version.ends) if at is not None}
        return [at for at in instants if at > now]

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
            self._readings.clear()
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
        return max(unit.registration.known_at, passed(watermark))

    def read(self, unit: Unit, now: int) -> bool:
        """Bring the facts of `unit` to those as of `now`; return False while there are none: it is not listed yet."""
        registration, connection = unit.registration, unit.connection
        facts = holding(registration.versions, now)
        if facts is None:
            return False
        registration.facts = facts
        registration.commissioned = facts.commissioned(now)
        registration.duty = duty_by(facts, now, excused=registration.excused(now))
        registration.pack, registration.profile, registration.scopes, registration.test_duty = self._reading(
            facts, now, registration.duty
        )
        carriers = []
        scoped: list[Link] = []
        for gateway_id, versions in registration.gateways:
            gateway = holding(versions, now)
            if gateway is not None and gateway.unit_id == unit.unit_id and not gateway.retired(now):
                carriers.append(gateway.carrier)
                link = unit.link(gateway_id)
                link.gateway_id = gateway_id  # one object, not that of each record or of the state that was loaded
                scoped.append(link)
        if not scoped:
            scoped = [link for link in connection.links if not registration.names(link.gateway_id)]
        counted = tuple(scoped)
        connection.scoped = connection.links if counted == connection.links else counted  # mostly: held once
        registration.carriers = _one_for_all(*(carriers if len(carriers) == 1 else sorted(set(carriers))))
        return True

    def _reading(self, facts: UnitVersion, now: int, duty: Duty) -> _Reading:
        """Return what the pack of its district says of a unit: the same of very many units, so it is kept."""
        place = facts.place
        accepted = facts.accepted(now)
        key = (place.district, place.category, facts.facts, facts.profile, accepted, duty)
        found = self._readings.get(key)
        if found is None:
            pack = self._by_district.get(place.district, NO_PACK)
            scopes: tuple[str, ...] = ()
            if duty is not Duty.RETIRED:
                scopes = tuple(scope.name for scope in pack.scopes if scope.holds(facts, now))
            test_duty = _test_duty(pack, scopes, place.category) if duty is Duty.DUE else None
            found = self._readings[key] = _Reading(pack, pack.profile(facts.profile), scopes, test_duty)
        return found

    @staticmethod
    def moment_of_listing(facts: UnitVersion) -> Moment:
        """Return when a unit came to be listed with `facts`: effective from their first day, known when it was."""
        return Moment(day_start(facts.valid_from), begins(facts), Cause.REGISTRY, FROM_REGISTRY)

    def moment_of_change(self, unit: Unit, now: int) -> Moment:
        """Return when the facts of a unit that is listed last changed before or at `now`."""
        registration, pack = unit.registration, unit.registration.pack
        points = [at for version in registration.versions for at in version.turning_points() if at <= now]
        for _, gateway in registration.gateways:
            points += [at for version in gateway for at in version.turning_points() if at <= now]
        for adjustment in (registration.adjustments or {}).values():
            points += [at for version in adjustment for at in version.turning_points() if at <= now]
        points.append(begins(pack) if begins(pack) <= now else 0)
        points += [at for at in self._lapses.get(pack.district, ()) if at <= now]
        changed_at = max(points)
        return Moment(changed_at, changed_at, Cause.REGISTRY, FROM_REGISTRY)


def _test_duty(pack: PackVersion, scopes: tuple[str, ...], category: str) -> DutyToTest | None:
    """Return the duty to test, the first of the pack that fits."""
    return next((each for each in pack.test_duties if each.fits(scopes, category)), None)


@lru_cache(maxsize=4096)
def _one_for_all(*carriers: str) -> tuple[str, ...]:
    """Return the carriers of a unit: many units have the same."""
    return carriers


def row_key(unit: Unit, facts: UnitVersion) -> str:
    """Return a name of the facts that the stored row of a unit shows."""
    held = unit.registration
    return _row_key(facts.valid_from, facts.recorded_at, held.pack.version, held.carriers, held.scopes)


@lru_cache(maxsize=4096)
def _row_key(
    valid_from: date, recorded_at: int, pack_version: int, carriers: tuple[str, ...], scopes: tuple[str, ...]
) -> str:
    return f"{valid_from}|{recorded_at}|{pack_version}|{','.join(carriers)}|{','.join(scopes)}"
