"""The short way from a record of firenet.registry.v1 to facts of the domain.

A restart reads the whole registry. Units and gateways in the very form that our own encoder writes are recognised by
compiled patterns, several times cheaper than building the wire model; anything else goes through the codec. A test
holds both ways equal.
"""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from sys import intern
from typing import TypeVar

from services.kernel.words import Construction
from services.rules.adapters.registry_records import FLAGS, Adjustments, Gateways, Packs, Units, read_any, true_facts
from services.rules.domain import facts
from services.rules.domain.time.instants import micros

V = TypeVar("V")

_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_IDS = rf'\[(?:"{_ID}"(?:,"{_ID}")*)?\]'
_TEXT = r'[^"\\\x00-\x1f]{0,200}'
_DAY = r"\d{4}-\d\d-\d\d"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_DAY_OR_NULL = rf'(?:"({_DAY})"|null)'
_ID_OR_NULL = rf'(?:"({_ID})"|null)'

_SAID = ",".join(f'"{name}":(?:true|false)' for name in FLAGS)

_PHONE = r'(?:"[0-9]{3,12}(?:-[0-9]{1,10}){0,2}"|null)'
"""Nobody is called from here; records from before have no numbers."""
_DEGREES = r"(?:\d{1,3}\.\d{1,17}|null)"
"""Nothing is drawn here; records from before have no positions."""
_HEAD = re.compile(
    r'\{"specversion":"1\.0","id":"[!#-\[\]-~]{1,128}","source":"/registry","subject":"[!#-\[\]-~]{0,128}",'
    rf'"time":"({_TIME})Z","datacontenttype":"application/json",'
    rf'"data":\{{"record":\{{"kind":"(unit|gateway)","id":"({_ID})","versions":\[',
    re.ASCII,
).match
_TAIL = ']}},"type":"cn.firenet.registry.v1"}'
_UNIT = re.compile(
    rf'\{{"valid_from":"({_DAY})","recorded_at":"({_TIME})Z","unit_id":"{_ID}","name":"({_TEXT})","name_en":"({_TEXT})",'
    rf'("district":"{_ID}","town":"{_ID}","community":"{_TEXT}","category":"{_ID}"),"address":"({_TEXT})",'
    rf'({_SAID},"construction":"(?:existing|new_build|renovated|extended)"),'
    rf'"accepted_on":{_DAY_OR_NULL},"commissioned_on":{_DAY_OR_NULL},"retired_on":{_DAY_OR_NULL},'
    rf'(?:"exempt_from":"({_DAY})","exempt_until":"({_DAY})","exempt_reason":"{_TEXT}"'
    r'|"exempt_from":null,"exempt_until":null,"exempt_reason":null),'
    rf'"profile":{_ID_OR_NULL},"also_told":{_IDS},'
    rf'(?:"control_room_phone":{_PHONE},"responsible_person":(?:"{_TEXT}"|null),"responsible_phone":{_PHONE},)?'
    rf'(?:"address_en":"{_TEXT}","longitude":{_DEGREES},"latitude":{_DEGREES},)?'
    rf'("lead_department":"{_ID}","copy_departments":{_IDS},"routed":(?:true|false)),"route_clause":"{_TEXT}"\}}',
    re.ASCII,
).match
_GATEWAY = re.compile(
    rf'\{{"valid_from":"({_DAY})","recorded_at":"({_TIME})Z","gateway_id":"{_ID}","unit_id":"({_ID})",'
    rf'"carrier":"({_ID})","vendor":"{_TEXT}","device_profile":(?:"{_ID}"|null),'
    rf'"device_address":(?:"[0-9a-f]{{12}}"|null),"networks":\[\],'
    rf'(?:"points":(?:null|0|[1-9]\d{{0,17}}),)?"retired_on":{_DAY_OR_NULL}\}}',
    re.ASCII,
).match


def read(value: bytes, rate: float) -> Units | Gateways | Packs | Adjustments | None:
    """Return what the record says, None for kinds that are of no concern here. Raises codec.BadRecord."""
    return read_plain(value) or read_any(value, rate)


def read_plain(value: bytes) -> Units | Gateways | None:
    """Return a unit or a gateway in the very form that our encoder writes; None for anything else."""
    try:
        text = value.decode()
        head = _HEAD(text)
        if head is None:
            return None
        time, kind, name = head.groups()
        _INSTANTS[time]  # no date that there is not
        if kind == "unit":
            return Units(name, _versions(_UNIT, _unit, text, head.end()))
        return Gateways(name, _versions(_GATEWAY, _gateway, text, head.end()))
    except ValueError:
        return None


def _versions(
    match: Callable[[str, int], re.Match[str] | None], make: Callable[..., V], text: str, position: int
) -> tuple[V, ...]:
    """Return all versions. Raises ValueError when anything else stands in between or behind."""
    made: list[V] = []
    while True:
        found = match(text, position)
        if found is None:
            raise ValueError("not a version as we write it")
        made.append(make(*found.groups()))
        position = found.end()
        if not text.startswith(",", position):
            break
        position += 1
    if text[position:] != _TAIL:
        raise ValueError("not the end as we write it")
    return tuple(made)


def _unit(
    valid_from: str, recorded_at: str, name: str, name_en: str, place: str, address: str, flags: str,
    accepted_on: str | None, commissioned_on: str | None, retired_on: str | None, exempt_from: str | None,
    exempt_until: str | None, profile: str | None, route: str,
) -> facts.UnitVersion:  # fmt: skip
    if exempt_from and exempt_until and exempt_until < exempt_from:
        raise ValueError("exempt_until lies before exempt_from")
    return facts.UnitVersion(
        _DAYS[valid_from],
        _INSTANTS[recorded_at],
        facts.pack_texts(name, name_en, address),
        _PLACES[place],
        _ROUTES[route],
        _FACTS[flags],
        None if accepted_on is None else _DAYS[accepted_on],
        None if commissioned_on is None else _DAYS[commissioned_on],
        None if retired_on is None else _DAYS[retired_on],
        None if exempt_from is None else _DAYS[exempt_from],
        None if exempt_until is None else _DAYS[exempt_until],
        None if profile is None else intern(profile),
    )


def _gateway(
    valid_from: str, recorded_at: str, unit_id: str, carrier: str, retired_on: str | None
) -> facts.GatewayVersion:
    return facts.GatewayVersion(
        _DAYS[valid_from],
        _INSTANTS[recorded_at],
        unit_id,
        intern(carrier),
        None if retired_on is None else _DAYS[retired_on],
    )


class _Read(dict[str, V]):
    """What texts say that very many units have: read once, and one object for all of them.

    Ids of units are not among them: a table of those would take more room than their copies.
    """

    def __init__(self, read_text: Callable[[str], V], most: int) -> None:
        """`read_text` raises ValueError; beyond `most` texts all are forgotten."""
        super().__init__()
        self._read_text = read_text
        self._most = most

    def __missing__(self, text: str) -> V:
        if len(self) >= self._most:
            self.clear()
        found = self[text] = self._read_text(text)
        return found


def _place(text: str) -> facts.Place:
    return facts.Place(*map(intern, json.loads(f"{{{text}}}").values()))


def _route(text: str) -> facts.Route:
    lead, copies, routed = json.loads(f"{{{text}}}").values()
    return facts.Route(intern(lead), tuple(map(intern, copies)), routed)


def _true_facts(text: str) -> frozenset[str]:
    said = json.loads(f"{{{text}}}")
    return true_facts([name for name in FLAGS if said[name]], Construction(said["construction"]))


_DAYS = _Read(date.fromisoformat, 50_000)
_INSTANTS = _Read(lambda text: micros(datetime.fromisoformat(text + "+00:00")), 50_000)
_PLACES = _Read(_place, 50_000)
_ROUTES = _Read(_route, 10_000)
_FACTS = _Read(_true_facts, 10_000)
