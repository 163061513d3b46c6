"""A district that a seed decides: towns, units of every category, their gateways and the people who are told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.simulator.domain.makes import MAKES
from services.simulator.domain.names import GIVEN, PEOPLE, PLACES, QUARTERS, TRADES
from services.simulator.domain.seeded_random import SeededRandom

MAIL_DOMAIN = "demo.firenet.example"
"""Reserved for examples: mail to it can reach nobody."""

HERO = "U000001"
FIRST_ADDRESS = 100_001
LOOPBACK = "127.0.0.0/8"
CARRIERS = ("carrier-a", "carrier-b", "carrier-c")
VENDORS = ("Huoyan", "Anqiao", "Linghuo")
NEVER_CONNECTED = 0.015
WITHOUT_POSITION = 0.02
CENTRE = (118.15, 26.65)
"""Hills without a town: an invented district stands on nobody's."""
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
SECOND_GATEWAY = 0.05
NEW_BUILDING = 0.08
BODIES = (
    "emergency", "brigade", "finance", "police", "industry", "state-assets", "development", "construction", "housing",
    "natural-resources", "urban-management", "parks", "air-defence", "health", "culture-tourism", "education",
    "civil-affairs", "religion", "human-resources", "market", "commerce", "power-grid", "publicity", "veterans",
    "park-committee", "committee-office", "guidance-centre", "government",
)  # fmt: skip
ROLES = (("control_room", "消控室", "control"), ("manager", "管理人", "manager"),
         ("maintenance", "维保", "maintenance"), ("grid_officer", "网格员", "grid"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Town:
    code: str
    name_zh: str
    name_en: str
    communities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    unit_id: str
    name: str
    name_en: str
    town: str
    community: str
    category: str
    address: str
    key_unit: bool
    auto_fire_facilities: bool
    crowded_place: bool
    flammable_place: bool
    fire_alarm_system: bool
    construction: str
    accepted_on: date | None
    commissioned_on: date | None
    address_en: str = ""
    position: tuple[float, float] | None = None
    """Degrees east and north (WGS-84)."""

    @property
    def in_s1(self) -> bool:
        """Whether the 100 % clause for existing units counts it (000 二(二) last item)."""
        return self.key_unit and self.auto_fire_facilities and (self.crowded_place or self.flammable_place)


@dataclass(frozen=True, slots=True)
class Speech:
    """How a gateway speaks GB/T 26875.3: as which make and under which six address bytes.

    `calls_from` is the network of one that calls over TCP, None for one behind the MQTT broker.
    """

    make: str
    address: bytes
    calls_from: str | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """`device` is set where it speaks GB/T 26875.3 instead of JSON."""

    gateway_id: str
    unit_id: str
    carrier: str
    vendor: str
    device: Speech | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    contact_id: str
    body_code: str
    role: str
    name: str
    email: str
    webhook_url: str | None = None
    webhook_secret_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Devices:
    """How many gateways speak GB/T 26875.3, as far as there are so many."""

    over_mqtt: int = 0
    over_tcp: int = 0


@dataclass(frozen=True, slots=True)
class District:
    """Everything the registry takes, in the order of ids. The first unit is a hospital, connected and in S1."""

    code: str
    valid_from: date
    towns: Sequence[Town]
    units: Sequence[Unit]
    gateways: Sequence[Gateway]
    contacts: Sequence[Contact]

    @staticmethod
    def generate(
        seed: int,
        units: int = 200,
        towns: int = 20,
        *,
        year: int = 2026,
        centre_webhook: str | None = None,
        devices: Devices | None = None,
    ) -> "District":
        """Return the district of `seed`; the same arguments give the same district everywhere.

        Every category occurs when there are at least as many units. Facts hold from the first day of `year`. `devices`
        changes nothing but how some of the gateways speak.
        Raises:  ValueError unless 1 <= units <= 999 999 and 1 <= towns <= 999.
        """
        if not 1 <= units <= 999_999 or not 1 <= towns <= 999:
            raise ValueError("1 to 999999 units in 1 to 999 towns")
        made_towns = [_town(number) for number in range(1, towns + 1)]
        categories = _categories(SeededRandom(seed, "categories"), units)
        made_units = [
            _unit(SeededRandom(seed, f"unit{number}"), number, category, made_towns, year)
            for number, category in enumerate(categories, start=1)
        ]
        made_units = [
            replace(unit, position=_position(SeededRandom(seed, f"place{unit.unit_id}"), unit, made_towns))
            for unit in made_units
        ]
        gateways = [
            gateway for unit in made_units for gateway in _gateways(SeededRandom(seed, f"gw{unit.unit_id}"), unit)
        ]
        gateways = _with_devices(gateways, made_units, devices)
        contacts = [*_body_contacts(made_towns, centre_webhook)]
        for unit in made_units:
            contacts.extend(_unit_contacts(SeededRandom(seed, f"who{unit.unit_id}"), unit))
        return District("sample", date(year, 1, 1), made_towns, made_units, gateways, contacts)

    def unit(self, unit_id: str) -> Unit:
        return next(unit for unit in self.units if unit.unit_id == unit_id)

    def gateways_of(self, unit_id: str) -> list[Gateway]:
        return [gateway for gateway in self.gateways if gateway.unit_id == unit_id]

    def speaking(self) -> list[Gateway]:
        """Return the gateways that send: those of units whose connection was accepted."""
        connected = {unit.unit_id for unit in self.units if unit.commissioned_on is not None}
        return [gateway for gateway in self.gateways if gateway.unit_id in connected]


def _town(number: int) -> Town:
    turn, place = divmod(number - 1, len(PLACES))
    zh, en = PLACES[place]
    if turn:
        zh, en = f"{zh}{turn + 1}号", f"{en} {turn + 1}"
    word_zh, word_en = ("镇", "Town") if number % 3 == 0 else ("街道", "Street")
    communities = tuple(f"{zh}{quarter}社区" for quarter, _ in QUARTERS[:3])
    return Town(f"T{number:03d}", f"{zh}{word_zh}", f"{en} {word_en}", communities)


def _categories(rng: SeededRandom, units: int) -> list[str]:
    """Return a category per unit: the hospital first, then each once, then by weight."""
    names = ["HOSPITAL", *(name for name in TRADES if name != "HOSPITAL")]
    bag = [name for name, trade in TRADES.items() for _ in range(trade.weight)]
    return [*names, *(rng.pick(bag) for _ in range(max(0, units - len(names))))][:units]


def _unit(rng: SeededRandom, number: int, category: str, towns: Sequence[Town], year: int) -> Unit:
    trade = TRADES[category]
    town = towns[(number - 1) % len(towns)]
    hero = number == 1
    given_zh, given_en = GIVEN[0] if hero else rng.pick(GIVEN)
    kind_zh, kind_en = ("中心医院", "Central Hospital") if hero else rng.pick(trade.kinds)
    place_zh, place_en = town.name_zh.removesuffix("街道").removesuffix("镇"), town.name_en.rsplit(" ", 1)[0]
    facilities = hero or rng.chance(trade.facilities)
    new = not hero and (category == "NEW_BUILDING" or rng.chance(NEW_BUILDING))
    connected = hero or (number % 50 != 7 and not rng.chance(NEVER_CONNECTED / 2))
    accepted = date(year - 1, 1, 1) + timedelta(days=rng.below(365)) if new else None
    tested = date(year - 2, 1, 1) + timedelta(days=rng.below(700)) if accepted is None else accepted
    community, quarter, house = rng.pick(town.communities), rng.pick(QUARTERS), 1 + rng.below(300)
    return Unit(
        unit_id=f"U{number:06d}",
        name=f"{place_zh}{given_zh}{kind_zh}",
        name_en=f"{place_en} {given_en} {kind_en}",
        town=town.code,
        community=community,
        category=category,
        address=f"{place_zh}{quarter[0]}路{house}号",
        address_en=f"{house} {place_en} {quarter[1]} Road",
        key_unit=hero or rng.chance(trade.key),
        auto_fire_facilities=facilities,
        crowded_place=rng.chance(trade.crowded),
        flammable_place=rng.chance(trade.flammable),
        fire_alarm_system=facilities or new,
        construction=rng.pick(("new_build", "renovated", "extended")) if new else "existing",
        accepted_on=accepted,
        commissioned_on=tested if connected else None,
    )


def _position(rng: SeededRandom, unit: Unit, towns: Sequence[Town]) -> tuple[float, float] | None:
    """Return where the unit stands: towns around the first one, their communities around each. A few are not known."""
    place = next(place for place, town in enumerate(towns) if town.code == unit.town)
    if unit.unit_id != HERO and rng.chance(WITHOUT_POSITION):
        return None
    turn, reach = place * GOLDEN_ANGLE, 0.022 * math.sqrt(place)
    quarter = 2 * math.pi * towns[place].communities.index(unit.community) / len(towns[place].communities)
    spread, way = 0.005 * math.sqrt(rng.fraction()), 2 * math.pi * rng.fraction()
    east = reach * math.cos(turn) + 0.008 * math.cos(quarter) + spread * math.cos(way)
    north = reach * math.sin(turn) + 0.008 * math.sin(quarter) + spread * math.sin(way)
    return round(CENTRE[0] + east, 6), round(CENTRE[1] + north, 6)


def _gateways(rng: SeededRandom, unit: Unit) -> list[Gateway]:
    number = unit.unit_id.removeprefix("U")
    count = 2 if unit.unit_id != HERO and rng.chance(SECOND_GATEWAY) else 1
    return [
        Gateway(f"G{number}{'ab'[place] if count > 1 else ''}", unit.unit_id, rng.pick(CARRIERS), rng.pick(VENDORS))
        for place in range(count)
    ]


def _with_devices(gateways: Sequence[Gateway], units: Sequence[Unit], devices: Devices | None) -> list[Gateway]:
    """Have some gateways speak GB/T 26875.3, of each make in turn; never those of the stories' heroes."""
    devices = devices or Devices()
    firsts: dict[str, str] = {}
    for unit in units:
        if unit.commissioned_on is not None:
            firsts.setdefault(unit.category, unit.unit_id)
    silent = {unit.unit_id for unit in units if unit.commissioned_on is None}
    left_out = silent | set(firsts.values())
    makes = list(MAKES.values())
    made: list[Gateway] = []
    number = 0
    for gateway in gateways:
        if number < devices.over_mqtt + devices.over_tcp and gateway.unit_id not in left_out:
            network = None if number < devices.over_mqtt else LOOPBACK
            make = makes[number % len(makes)]
            speech = Speech(make.name, make.address(FIRST_ADDRESS + number), network)
            gateway = replace(gateway, device=speech)
            number += 1
        made.append(gateway)
    return made


def _body_contacts(towns: Sequence[Town], centre_webhook: str | None) -> list[Contact]:
    centre = Contact(
        "C-centre", "centre", "office", "监控中心值班席", f"centre@{MAIL_DOMAIN}",
        centre_webhook, "centre" if centre_webhook else None,
    )  # fmt: skip
    offices = [Contact(f"C-{code}", code, "office", "值班室", f"{code}@{MAIL_DOMAIN}") for code in BODIES]
    stations = [
        Contact(
            f"C-{town.code}", town.code, "office", f"{town.name_zh}消防工作站", f"{town.code.lower()}@{MAIL_DOMAIN}"
        )
        for town in towns
    ]
    return [centre, *offices, *stations]


def _unit_contacts(rng: SeededRandom, unit: Unit) -> list[Contact]:
    return [
        Contact(
            f"C-{unit.unit_id}-{word}", unit.unit_id, role, f"{rng.pick(PEOPLE)}师傅（{zh}）",
            f"{word}.{unit.unit_id.lower()}@{MAIL_DOMAIN}",
        )
        for role, zh, word in ROLES
    ]  # fmt: skip
