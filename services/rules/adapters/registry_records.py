"""Records of firenet.registry.v1 to facts of the domain.

A restart reads the whole registry. Units and gateways in the very form that our own encoder writes are recognised by
compiled patterns, several times cheaper than building the wire model; anything else goes through the codec. A test
holds both ways equal.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from schemas import codec
from schemas.pack import AnyOf, Pack, UnitFact
from schemas.registry import GatewayRecord, GatewayVersion, PackRecord, PackVersion, UnitRecord, UnitVersion
from services.kernel.words import Construction, FindingKind
from services.rules.domain import facts
from services.rules.domain.instants import micros, span

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


def read(value: bytes, rate: float) -> Units | Gateways | Packs | None:
    """Return what the record says, None for kinds that are of no concern here. Raises codec.BadRecord."""
    return read_plain(value) or read_any(value, rate)


# --- the short way

_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_IDS = rf'\[(?:"{_ID}"(?:,"{_ID}")*)?\]'
_TEXT = r'[^"\\\x00-\x1f]{0,200}'
_DAY = r"\d{4}-\d\d-\d\d"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_DAY_OR_NULL = rf'(?:"({_DAY})"|null)'
_ID_OR_NULL = rf'(?:"({_ID})"|null)'

_SAID = ",".join(f'"{name}":(?:true|false)' for name in _FLAGS)

_PHONE = r'(?:"[0-9]{3,12}(?:-[0-9]{1,10}){0,2}"|null)'
"""Nobody is called from here; records from before have no numbers."""
_HEAD = re.compile(
    r'\{"specversion":"1\.0","id":"[!#-\[\]-~]{1,128}","source":"/registry","subject":"[!#-\[\]-~]{0,128}",'
    rf'"time":"({_TIME})Z","datacontenttype":"application/json",'
    rf'"data":\{{"record":\{{"kind":"(unit|gateway)","id":"({_ID})","versions":\[',
    re.ASCII,
).match
_TAIL = ']}},"type":"cn.firenet.registry.v1"}'
_UNIT = re.compile(
    rf'\{{"valid_from":"({_DAY})","recorded_at":"({_TIME})Z","unit_id":"{_ID}","name":"({_TEXT})","name_en":"({_TEXT})",'
    rf'"district":"({_ID})","town":"({_ID})","community":"({_TEXT})","category":"({_ID})","address":"({_TEXT})",'
    rf'({_SAID},"construction":"(?:existing|new_build|renovated|extended)"),'
    rf'"accepted_on":{_DAY_OR_NULL},"commissioned_on":{_DAY_OR_NULL},"retired_on":{_DAY_OR_NULL},'
    rf'(?:"exempt_from":"({_DAY})","exempt_until":"({_DAY})","exempt_reason":"{_TEXT}"'
    r'|"exempt_from":null,"exempt_until":null,"exempt_reason":null),'
    rf'"profile":{_ID_OR_NULL},"also_told":{_IDS},'
    rf'(?:"control_room_phone":{_PHONE},"responsible_person":(?:"{_TEXT}"|null),"responsible_phone":{_PHONE},)?'
    rf'"lead_department":"({_ID})","copy_departments":({_IDS}),'
    rf'"routed":(true|false),"route_clause":"{_TEXT}"\}}',
    re.ASCII,
).match
_GATEWAY = re.compile(
    rf'\{{"valid_from":"({_DAY})","recorded_at":"({_TIME})Z","gateway_id":"{_ID}","unit_id":"({_ID})",'
    rf'"carrier":"({_ID})","vendor":"{_TEXT}","device_profile":(?:"{_ID}"|null),'
    rf'"device_address":(?:"[0-9a-f]{{12}}"|null),"networks":\[\],'
    rf'(?:"points":(?:null|0|[1-9]\d{{0,17}}),)?"retired_on":{_DAY_OR_NULL}\}}',
    re.ASCII,
).match


def read_plain(value: bytes) -> Units | Gateways | None:
    """Return a unit or a gateway in the very form that our encoder writes; None for anything else."""
    try:
        text = value.decode()
        head = _HEAD(text)
        if head is None:
            return None
        time, kind, name = head.groups()
        _instant(time)
        if kind == "unit":
            return Units(name, tuple(_plain_unit(*found) for found in _versions(_UNIT, text, head.end())))
        return Gateways(name, tuple(_plain_gateway(*found) for found in _versions(_GATEWAY, text, head.end())))
    except ValueError:
        return None


def _versions(match: Callable[[str, int], re.Match[str] | None], text: str, position: int) -> Iterator[tuple[str, ...]]:
    """Yield the parts of each version. Raises ValueError when anything else stands in between or behind."""
    while True:
        found = match(text, position)
        if found is None:
            raise ValueError("not a version as we write it")
        yield found.groups()
        position = found.end()
        if not text.startswith(",", position):
            break
        position += 1
    if text[position:] != _TAIL:
        raise ValueError("not the end as we write it")


def _plain_unit(
    valid_from: str, recorded_at: str, name: str, name_en: str, district: str, town: str, community: str, category: str,
    address: str, flags: str, accepted_on: str | None, commissioned_on: str | None, retired_on: str | None,
    exempt_from: str | None, exempt_until: str | None, profile: str | None, lead_department: str,
    copy_departments: str, routed: str,
) -> facts.UnitVersion:  # fmt: skip
    if exempt_from and exempt_until and exempt_until < exempt_from:
        raise ValueError("exempt_until lies before exempt_from")
    return facts.UnitVersion(
        _day(valid_from),
        _instant(recorded_at),
        name,
        intern(district),
        intern(town),
        intern(community),
        intern(category),
        intern(lead_department),
        name_en,
        address,
        _names(copy_departments),
        routed == "true",
        _facts(flags),
        _day_or_none(accepted_on),
        _day_or_none(commissioned_on),
        _day_or_none(retired_on),
        _day_or_none(exempt_from),
        _day_or_none(exempt_until),
        profile,
    )


def _plain_gateway(
    valid_from: str, recorded_at: str, unit_id: str, carrier: str, retired_on: str | None
) -> facts.GatewayVersion:
    return facts.GatewayVersion(
        _day(valid_from), _instant(recorded_at), intern(unit_id), intern(carrier), _day_or_none(retired_on)
    )


# Days, instants, routes and sets of facts repeat for every unit: read once, and one object for all.


@lru_cache(maxsize=50_000)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _day_or_none(text: str | None) -> date | None:
    return None if text is None else _day(text)


@lru_cache(maxsize=50_000)
def _instant(text: str) -> int:
    return micros(datetime.fromisoformat(text + "+00:00"))


@lru_cache(maxsize=10_000)
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=10_000)
def _facts(text: str) -> frozenset[str]:
    said = json.loads(f"{{{text}}}")
    return _true_facts([name for name in _FLAGS if said[name]], Construction(said["construction"]))


def _true_facts(flags: list[str], construction: Construction) -> frozenset[str]:
    built = () if construction is Construction.EXISTING else (_CONSTRUCTION[construction].value,)
    return frozenset((*flags, *built))


# --- any record


def read_any(value: bytes, rate: float) -> Units | Gateways | Packs | None:
    """Return what any record of the topic says, by its wire model. Raises codec.BadRecord."""
    match codec.registry.decode(value).data.record:
        case UnitRecord(id=name, versions=versions):
            return Units(name, tuple(_unit(version) for version in versions))
        case GatewayRecord(id=name, versions=versions):
            return Gateways(name, tuple(_gateway(version) for version in versions))
        case PackRecord(id=name, versions=versions):
            return Packs(name, tuple(pack_version(version, rate) for version in versions))
        case _:
            return None


def _unit(version: UnitVersion) -> facts.UnitVersion:
    return facts.UnitVersion(
        valid_from=version.valid_from,
        recorded_at=micros(version.recorded_at),
        name=version.name,
        name_en=version.name_en,
        district=intern(version.district),
        town=intern(version.town),
        community=intern(version.community),
        category=intern(version.category),
        address=version.address,
        lead_department=intern(version.lead_department),
        copy_departments=version.copy_departments,
        routed=version.routed,
        facts=_true_facts([name for name in _FLAGS if getattr(version, name)], version.construction),
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
        unit_id=intern(version.unit_id),
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
        valid_to=pack.valid_to,
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


def _ladder_clauses(pack: Pack) -> dict[FindingKind, str]:
    clauses: dict[FindingKind, str] = {}
    for ladder in pack.ladders.values():
        for kind in FindingKind:
            if kind.value in ladder.kinds:
                clauses.setdefault(kind, ladder.steps[0].clause)
    return clauses
