"""Records of firenet.registry.v1 to facts of the domain, sorted to the partitions that they concern."""

from collections import defaultdict
from collections.abc import Callable, Mapping
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
_FLAGS = (
    UnitFact.KEY_UNIT,
    UnitFact.AUTO_FIRE_FACILITIES,
    UnitFact.CROWDED_PLACE,
    UnitFact.FLAMMABLE_PLACE,
    UnitFact.FIRE_ALARM_SYSTEM,
)

T = TypeVar("T")


class CompactedRegistryView:
    """Implements ports.RegistryView over a follower that calls `on_record`.

    `partition_of` maps a unit id to its partition of the signals topic; durations of profiles are divided by `rate`.
    """

    def __init__(self, partition_of: Callable[[str], int], rate: float) -> None:
        self._partition_of = partition_of
        self._rate = rate
        self._units: dict[str, tuple[facts.UnitVersion, ...]] = {}
        self._gateways: dict[str, tuple[facts.GatewayVersion, ...]] = {}
        self._packs: dict[str, tuple[facts.PackVersion, ...]] = {}
        self._news: list[tuple[str, str]] = []
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
                self._units[record.id] = tuple(self._unit(version) for version in record.versions)
            case GatewayRecord():
                self._gateways[record.id] = tuple(self._gateway(version) for version in record.versions)
            case PackRecord():
                self._packs[record.id] = tuple(pack_version(version, self._rate) for version in record.versions)
            case _:
                return  # contacts and departments are of no concern here
        self._news.append((record.kind, record.id))

    def rows(self, partition: int) -> Rows:
        return Rows(
            {key: held for key, held in self._units.items() if self._partition_of(key) == partition},
            {key: mine for key, held in self._gateways.items() if (mine := self._within(held, partition))},
            dict(self._packs),
        )

    def take_news(self) -> Mapping[int, Rows]:
        news, self._news = self._news, []
        sorted_out: dict[int, Rows] = defaultdict(lambda: Rows({}, {}, {}))
        packs = {key: self._packs[key] for kind, key in news if kind == "pack"}
        for kind, key in news:
            if kind == "unit":
                self._add(sorted_out[self._partition_of(key)].units, key, self._units[key])
            elif kind == "gateway":
                held = self._gateways[key]
                for partition in {self._partition_of(version.unit_id) for version in held}:
                    self._add(sorted_out[partition].gateways, key, self._within(held, partition))
        if packs:
            sorted_out[-1] = Rows({}, {}, packs)
        return sorted_out

    @property
    def has_pack(self) -> bool:
        return bool(self._packs)

    @property
    def has_news(self) -> bool:
        return bool(self._news)

    @staticmethod
    def _add(rows: Mapping[str, T], key: str, value: T) -> None:
        assert isinstance(rows, dict)
        rows[key] = value

    def _within(self, held: tuple[facts.GatewayVersion, ...], partition: int) -> tuple[facts.GatewayVersion, ...]:
        """Return all versions when one of them names a unit of `partition`: the others say when it left."""
        return held if any(self._partition_of(version.unit_id) == partition for version in held) else ()

    def _same(self, value: T) -> T:
        """Return one object for equal values: towns, categories and fact sets repeat for every unit."""
        return self._spellings.setdefault(value, value)  # type: ignore[return-value] # equal, hence of the same type

    def _unit(self, version: UnitVersion) -> facts.UnitVersion:
        true = {fact.value for fact in _FLAGS if getattr(version, fact.value)}
        if version.construction in _CONSTRUCTION:
            true.add(_CONSTRUCTION[version.construction].value)
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
