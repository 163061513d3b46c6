"""Records of firenet.registry.v1 to facts of the domain.

Any record, by its wire model; `registry_plain` reads most of them several times cheaper.
"""

from sys import intern
from typing import NamedTuple

from schemas import codec
from schemas.pack import AnyOf, Pack, UnitFact
from schemas.registry import (
    AdjustmentRecord,
    AdjustmentVersion,
    GatewayRecord,
    GatewayVersion,
    PackRecord,
    PackVersion,
    UnitRecord,
    UnitVersion,
)
from services.kernel.words import AdjustmentKind, Construction, FindingKind
from services.rules.domain import facts
from services.rules.domain.time.instants import SECOND, micros, span

_CONSTRUCTION = {
    Construction.NEW_BUILD: UnitFact.NEW_BUILD,
    Construction.RENOVATED: UnitFact.RENOVATED,
    Construction.EXTENDED: UnitFact.EXTENDED,
}
FLAGS = tuple(
    fact.value
    for fact in (
        UnitFact.KEY_UNIT,
        UnitFact.AUTO_FIRE_FACILITIES,
        UnitFact.CROWDED_PLACE,
        UnitFact.FLAMMABLE_PLACE,
        UnitFact.FIRE_ALARM_SYSTEM,
    )
)
"""Facts of a unit that its record says by yes or no."""


class Units(NamedTuple):
    """All versions of one unit."""

    id: str
    versions: tuple[facts.UnitVersion, ...]


class Gateways(NamedTuple):
    """All versions of one gateway."""

    id: str
    versions: tuple[facts.GatewayVersion, ...]


class Packs(NamedTuple):
    """All versions of one policy pack."""

    id: str
    versions: tuple[facts.PackVersion, ...]


class Adjustments(NamedTuple):
    """All versions of one adjustment that lets a whole unit off."""

    id: str
    versions: tuple[facts.AdjustmentVersion, ...]


def read_any(value: bytes, rate: float) -> Units | Gateways | Packs | Adjustments | None:
    """Return what any record of the topic says, by its wire model. Raises codec.BadRecord."""
    match codec.registry.decode(value).data.record:
        case UnitRecord(id=name, versions=versions):
            return Units(name, tuple(_unit(version) for version in versions))
        case GatewayRecord(id=name, versions=versions):
            return Gateways(name, tuple(_gateway(version) for version in versions))
        case PackRecord(id=name, versions=versions):
            return Packs(name, tuple(pack_version(version, rate) for version in versions))
        case AdjustmentRecord(id=name, versions=versions) if _excuses(versions[0]):
            return Adjustments(name, tuple(_adjustment(version) for version in versions))
        case _:
            return None


def true_facts(flags: list[str], construction: Construction) -> frozenset[str]:
    """Return what holds of a unit: the flags that are true, and how it was built when it is new."""
    built = () if construction is Construction.EXISTING else (_CONSTRUCTION[construction].value,)
    return frozenset((*flags, *built))


def _excuses(version: AdjustmentVersion) -> bool:
    """Tell whether it lets a whole unit off.

    A correction is of time that is over, a test leaves the unit its duty, and the troubles of a unit are told as they
    are: whatever is odd around an alarm never costs one.
    """
    whole = version.system is None and version.address is None and version.trouble is None
    return whole and version.what in (AdjustmentKind.EXEMPTION, AdjustmentKind.MAINTENANCE)


def _adjustment(version: AdjustmentVersion) -> facts.AdjustmentVersion:
    return facts.AdjustmentVersion(
        version.unit_id, micros(version.starts_at), micros(version.ends_at), micros(version.recorded_at)
    )


def _unit(version: UnitVersion) -> facts.UnitVersion:
    return facts.UnitVersion(
        valid_from=version.valid_from,
        recorded_at=micros(version.recorded_at),
        packed_texts=facts.pack_texts(version.name, version.name_en, version.address),
        place=facts.Place(
            intern(version.district), intern(version.town), intern(version.community), intern(version.category)
        ),
        route=facts.Route(intern(version.lead_department), version.copy_departments, version.routed),
        facts=true_facts([name for name in FLAGS if getattr(version, name)], version.construction),
        accepted_on=version.accepted_on,
        commissioned_on=version.commissioned_on,
        retired_on=version.retired_on,
        exempt_from=version.exempt_from,
        exempt_until=version.exempt_until,
        profile=version.profile,
    )


def _gateway(version: GatewayVersion) -> facts.GatewayVersion:
    return facts.GatewayVersion(
        valid_from=version.valid_from,
        recorded_at=micros(version.recorded_at),
        unit_id=version.unit_id,
        carrier=intern(version.carrier),
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
        union=pack.union_scopes(),
        dimensions=pack.dimensions,
        ladder_clauses=_ladder_clauses(pack),
        test_duties=tuple(
            facts.DutyToTest(
                duty.scopes,
                duty.categories,
                round((duty.every_s + duty.buffer_s) * SECOND / rate),
                duty.counts,
                duty.clause,
            )
            for duty in pack.test_duty
        ),
        runaway=_runaway(pack, rate),
        valid_to=pack.valid_to,
    )


def _runaway(pack: Pack, rate: float) -> facts.RunawayRule | None:
    said = pack.runaway_component
    if said is None:
        return None
    window, quiet = (max(1, round(seconds * SECOND / rate)) for seconds in (said.window_s, said.quiet_s))
    return facts.RunawayRule(said.begins, window, quiet, said.clause)


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


def _ladder_clauses(pack: Pack) -> dict[FindingKind, str]:
    clauses: dict[FindingKind, str] = {}
    for ladder in pack.ladders.values():
        for kind in FindingKind:
            if kind.value in ladder.kinds:
                clauses.setdefault(kind, ladder.steps[0].clause)
    return clauses
