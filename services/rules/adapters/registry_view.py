"""Records of firenet.registry.v1 to facts of the domain, sorted to the partitions that they concern."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from schemas import codec
from schemas.pack import AnyOf, Pack, UnitFact
from schemas.registry import (
    Construction,
    GatewayRecord,
    GatewayVersion,
    PackRecord,
    PackVersion,
    UnitRecord,
    UnitVersion,
)
from services.rules.domain import facts
from services.rules.domain.instants import micros, span
from services.rules.domain.words import Kind
from services.rules.ports import Rows
from services.runtime.logging import get_logger

_CONSTRUCTION = {
    Construction.NEW_BUILD: UnitFact.NEW_BUILD,
    Construction.RENOVATED: UnitFact.RENOVATED,
    Construction.EXTENDED: UnitFact.EXTENDED,
}
_FLAGS = tuple(
    fact.value
    for fact in (
        UnitFact.KEY_UNIT,
        UnitFact.AUTO_FIRE_FACILITIES,
        UnitFact.CROWDED_PLACE,
        UnitFact.FLAMMABLE_PLACE,
        UnitFact.FIRE_ALARM_SYSTEM,
    )
)

T = TypeVar("T")

EVERY_PARTITION = -1


class CompactedRegistryView:
    """Implements ports.RegistryView over a follower that calls `on_record`.

    `partition_of` maps a unit id to its partition of the signals topic; durations of profiles are divided by `rate`.
    """

    def __init__(self, partition_of: Callable[[str], int], rate: float) -> None:
        self._hash = partition_of
        self._places: dict[str, int] = {}
        self._rate = rate
        self._units: dict[int, dict[str, tuple[facts.UnitVersion, ...]]] = defaultdict(dict)
        self._gateways: dict[int, dict[str, tuple[facts.GatewayVersion, ...]]] = defaultdict(dict)
        self._packs: dict[str, tuple[facts.PackVersion, ...]] = {}
        self._news: dict[int, dict[tuple[str, str], None]] = defaultdict(dict)
        self._spellings: dict[object, object] = {}
        self.refused = 0

    def on_record(self, key: str, value: bytes | None) -> None:
        """Take a record in. One that cannot be read is counted and passed over; what was known stays."""
        if value is None:
            return  # the registry retires entities, it never deletes them
        try:
            record = codec.registry.decode(value).data.record
        except codec.BadRecord as error:
            self.refused += 1
            get_logger().warning("registry_record_refused", key=key[:160], detail=error.detail)
            return
        match record:
            case UnitRecord():
                place = self._partition_of(record.id)
                self._units[place][record.id] = tuple(self._unit(version) for version in record.versions)
                self._news[place]["unit", record.id] = None
            case GatewayRecord():
                held = tuple(self._gateway(version) for version in record.versions)
                for place in {self._partition_of(version.unit_id) for version in held}:
                    self._gateways[place][record.id] = held
                    self._news[place]["gateway", record.id] = None
            case PackRecord():
                self._packs[record.id] = tuple(pack_version(version, self._rate) for version in record.versions)
                self._news[EVERY_PARTITION]["pack", record.id] = None
            case _:
                pass  # contacts and departments are of no concern here

    def rows(self, partition: int) -> Rows:
        self._news.pop(partition, None)  # told with the rest
        return Rows(dict(self._units[partition]), dict(self._gateways[partition]), dict(self._packs))

    def take_news(self) -> Mapping[int, Rows]:
        news, self._news = self._news, defaultdict(dict)
        return {place: self._pick(place, names) for place, names in sorted(news.items())}

    def _pick(self, place: int, names: Iterable[tuple[str, str]]) -> Rows:
        units: dict[str, tuple[facts.UnitVersion, ...]] = {}
        gateways: dict[str, tuple[facts.GatewayVersion, ...]] = {}
        packs: dict[str, tuple[facts.PackVersion, ...]] = {}
        for kind, key in names:
            if kind == "unit":
                units[key] = self._units[place][key]
            elif kind == "gateway":
                gateways[key] = self._gateways[place][key]
            else:
                packs[key] = self._packs[key]
        return Rows(units, gateways, packs)

    @property
    def has_pack(self) -> bool:
        return bool(self._packs)

    def _partition_of(self, unit_id: str) -> int:
        place = self._places.get(unit_id)
        if place is None:
            place = self._places[unit_id] = self._hash(unit_id)
        return place

    def _same(self, value: T) -> T:
        """Return one object for equal values: towns, categories and fact sets repeat for every unit."""
        return self._spellings.setdefault(value, value)  # type: ignore[return-value] # equal, hence of the same type

    def _unit(self, version: UnitVersion) -> facts.UnitVersion:
        true = [name for name in _FLAGS if getattr(version, name)]
        if version.construction is not Construction.EXISTING:
            true.append(_CONSTRUCTION[version.construction].value)
        return facts.UnitVersion(
            valid_from=self._same(version.valid_from),
            recorded_at=self._same(micros(version.recorded_at)),
            name=version.name,
            name_en=version.name_en,
            district=self._same(version.district),
            town=self._same(version.town),
            community=self._same(version.community),
            category=self._same(version.category),
            address=version.address,
            lead_department=self._same(version.lead_department),
            copy_departments=self._same(version.copy_departments),
            routed=version.routed,
            facts=self._same(frozenset(true)),
            accepted_on=version.accepted_on,
            commissioned_on=version.commissioned_on,
            retired_on=version.retired_on,
            exempt_from=version.exempt_from,
            exempt_until=version.exempt_until,
            profile=version.profile,
        )

    def _gateway(self, version: GatewayVersion) -> facts.GatewayVersion:
        return facts.GatewayVersion(
            valid_from=self._same(version.valid_from),
            recorded_at=self._same(micros(version.recorded_at)),
            unit_id=version.unit_id,
            carrier=self._same(version.carrier),
            retired_on=version.retired_on,
        )


def pack_version(version: PackVersion, rate: float) -> facts.PackVersion:
    """Return what rules needs of a pack. `blind_after_s` is not divided by `rate`: ticks come in real seconds."""
    pack = version.pack
    profiles = {
        name: facts.Profile.of(
            profile.interval_s, profile.misses, profile.grace_s, profile.stable_heartbeats, profile.clock_skew_s, rate
        )
        for name, profile in pack.profiles.items()
    }
    return facts.PackVersion(
        valid_from=max(version.valid_from, pack.valid_from),
        recorded_at=micros(version.recorded_at),
        pack_id=pack.pack_id,
        version=pack.version,
        district=pack.district,
        blind_after=span(pack.blind_after_s),
        default_profile=pack.default_profile,
        profiles=profiles,
        scopes=_scopes(pack),
        ladder_clauses=_ladder_clauses(pack),
    )


def _scopes(pack: Pack) -> tuple[facts.Scope, ...]:
    return tuple(
        facts.Scope(
            name,
            tuple(
                frozenset(fact.value for fact in wanted.any) if isinstance(wanted, AnyOf) else frozenset([wanted.value])
                for wanted in scope.all
            ),
            scope.starts == "acceptance_date",
            scope.clause,
        )
        for name, scope in pack.scopes.items()
    )


def _ladder_clauses(pack: Pack) -> dict[Kind, str]:
    clauses: dict[Kind, str] = {}
    for ladder in pack.ladders.values():
        for kind in Kind:
            if kind.value in ladder.kinds:
                clauses.setdefault(kind, ladder.steps[0].clause)
    return clauses
