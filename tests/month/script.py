"""A month of a simulated district, and three days after it, as the topics hold it: all of it decided by a seed.

The district is the simulator's own, and so is the pace of its heartbeats. What is odd is dealt out by the number of the
unit, so that a small month has it as well: units that retire, are exempt, get another gateway, were registered wrongly;
gateways that are silent, a carrier that is away, an ingest that is away twice (once what came meanwhile is lost, once
it comes afterwards); faults, isolations, fires and duty checks; signals that come twice; and what comes late, some of
it after the month was closed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from schemas.topics import EXCHANGES, REGISTRY, SIGNALS, all_topics
from services.runtime.kafka import partition_of
from services.simulator.domain.district import District, Gateway, Unit
from services.simulator.domain.fleet import Fleet
from services.simulator.domain.seeded_random import SeededRandom
from tests.contract.compliance.archived import Sent
from tests.contract.compliance.closings import pack_event

START = datetime(2026, 2, 28, 16, tzinfo=UTC)
"""1 March 2026, 00:00 in Shanghai."""
KNOWN_BEFORE = "2025-12-31T00:00:00Z"
MINUTE, HOUR, DAY = 60, 3600, 86_400
DAYS = 31
END = (DAYS + 3) * DAY
LATE = (DAYS + 1) * DAY + 11 * HOUR
"""When what is told of the closed month comes to be known."""
CARRIER_AWAY = (9 * DAY + 2 * HOUR, 9 * DAY + 17 * HOUR)
INGEST_AWAY = (13 * DAY + 7 * HOUR, 13 * DAY + 15 * HOUR)
INGEST_BEHIND = (21 * DAY + 20 * HOUR, 22 * DAY + 5 * HOUR)
FILLED_LATER = (24 * DAY + 3 * HOUR, 24 * DAY + 20 * HOUR)
"""Some gateways are silent; what their units said meanwhile comes at LATE."""
ODDITIES = ("plain", "filled_later", "corrected", "registered_wrongly", "other_gateway", "exempt", "retired", "tested")
PACK_FILE = Path(__file__).parents[2] / "deploy" / "packs" / "sample-2026.yaml"
PARTITIONS = {topic.name: topic.partitions for topic in all_topics().values()}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two heartbeats of a gateway, and between two ticks; for what there are figures.

    `leads`: the departments that lead, in turn; those of the pack's routes where it is empty.
    """

    beat_s: int
    tick_s: int
    scopes: tuple[str, ...]
    dimensions: tuple[str, ...]
    leads: tuple[str, ...] = ()


SMALL = Pace(2 * HOUR, 2 * HOUR, ("S1", "S2"), ("district", "department"), ("health", "education"))
LARGE = Pace(HOUR // 2, HOUR // 4, ("S1", "S2", "S3", "KEY"), ("district", "town", "department"))


class Month(NamedTuple):
    """The pack as YAML, and what is written to the topics, in the order in which it is."""

    pack: str
    records: list[Sent]


def iso(at: float) -> str:
    return (START + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(at: float) -> int:
    """Return seconds of the month as Kafka's milliseconds."""
    return int(START.timestamp() * 1000) + round(at * 1000)


def day(number: int) -> str:
    """Return the day of the month, the first is 1; later ones are of April."""
    return (date(2026, 3, 1) + timedelta(days=number - 1)).isoformat()


@cache
def pack_of(pace: Pace) -> str:
    """Return the sample pack with one profile that is as patient as the pace asks for, and with what is published."""
    said: Row = yaml.safe_load(PACK_FILE.read_text("utf-8"))
    said["profiles"] = {"MONTH": {"interval_s": pace.beat_s, "misses": 2, "grace_s": pace.beat_s // 6, "anchor": "x"}}
    said["scopes"] = {name: scope for name, scope in said["scopes"].items() if name in pace.scopes}
    said["targets"] = {name: target for name, target in said["targets"].items() if target["scope"] in pace.scopes}
    said["dimensions"] = list(pace.dimensions)
    del said["evaluation"]  # it scores towns, which a small month does not publish
    said |= {"default_profile": "MONTH", "blind_after_s": pace.tick_s * 3 // 2, "close_after_s": 2 * HOUR}
    said["publication"] = {"availability": "0.9", "cure_limit_s": HOUR, "findings": ["day", "month"]}
    return yaml.safe_dump(said, allow_unicode=True, sort_keys=False)


def month(seed: int, units: int, pace: Pace) -> Month:
    """Return the month of a seed; the same arguments give the same bytes."""
    return Month(pack_of(pace), _Writer(seed, units, pace).write())


@dataclass
class _Writer:
    seed: int
    units: int
    pace: Pace
    found: list[tuple[float, int, Sent]] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.district = District.generate(self.seed, self.units, towns=max(2, self.units // 10))
        leads = {route["code"]: route["lead"] for route in yaml.safe_load(PACK_FILE.read_text("utf-8"))["routes"]}
        self.lead = {unit.unit_id: leads[unit.category] or unit.town for unit in self.district.units}
        if few := self.pace.leads:
            self.lead = {unit: few[number % len(few)] for number, unit in enumerate(self.lead)}
        self.odd = {unit.unit_id: ODDITIES[number % len(ODDITIES)] for number, unit in enumerate(self.district.units)}
        self.speaking = [*self.district.speaking(), *self._other_gateways()]
        self.silent = {gateway.gateway_id: list(self._silences(gateway)) for gateway in self.speaking}

    def write(self) -> list[Sent]:
        self._registry()
        self._heartbeats()
        for unit in self.district.units:
            if unit.commissioned_on is not None:
                self._unit(unit)
        self._late()
        self._ticks()
        return [record for _, _, record in sorted(self.found, key=lambda each: each[:2])]

    def _dice(self, name: str) -> SeededRandom:
        return SeededRandom(self.seed, f"month {name}")

    # registry

    def _registry(self) -> None:
        self._put(0, REGISTRY, 0, pack_event(pack_of(self.pace), KNOWN_BEFORE))
        for unit in self.district.units:
            self._record(0, "unit", unit.unit_id, self._unit_rows(unit))
        for gateway in self.district.gateways:
            self._record(0, "gateway", gateway.gateway_id, [self._gateway_row(gateway)])
        for gateway in self._other_gateways():
            self._record(0, "gateway", gateway.gateway_id, [self._gateway_row(gateway) | {"valid_from": day(17)}])

    def _unit_rows(self, unit: Unit) -> list[Row]:
        row: Row = {
            "valid_from": "2026-01-01", "recorded_at": KNOWN_BEFORE, "unit_id": unit.unit_id, "name": unit.name,
            "name_en": unit.name_en, "district": self.district.code, "town": unit.town, "community": unit.community,
            "category": unit.category, "address": unit.address, "key_unit": unit.key_unit,
            "auto_fire_facilities": unit.auto_fire_facilities, "crowded_place": unit.crowded_place,
            "flammable_place": unit.flammable_place, "fire_alarm_system": unit.fire_alarm_system,
            "construction": unit.construction, "accepted_on": _day(unit.accepted_on),
            "commissioned_on": _day(unit.commissioned_on), "lead_department": self.lead[unit.unit_id],
            "routed": True, "route_clause": "x",
        }  # fmt: skip
        match self.odd[unit.unit_id]:
            case "retired":
                return [row, row | {"valid_from": day(5), "retired_on": day(20)}]
            case "exempt":
                return [row | {"exempt_from": day(10), "exempt_until": day(12), "exempt_reason": "x"}]
            case "registered_wrongly":
                return [row | {"key_unit": False}]
            case _:
                return [row]

    def _gateway_row(self, gateway: Gateway) -> Row:
        retired = day(17) if self._is_replaced(gateway) else None
        return {
            "valid_from": "2026-01-01", "recorded_at": KNOWN_BEFORE, "gateway_id": gateway.gateway_id,
            "unit_id": gateway.unit_id, "carrier": gateway.carrier, "vendor": gateway.vendor, "points": 8,
            "retired_on": retired,
        }  # fmt: skip

    def _is_replaced(self, gateway: Gateway) -> bool:
        return self.odd[gateway.unit_id] == "other_gateway" and not gateway.gateway_id.endswith("n")

    def _other_gateways(self) -> list[Gateway]:
        units = [unit for unit in self.district.units if self.odd[unit.unit_id] == "other_gateway"]
        return [
            Gateway(f"G{unit.unit_id[1:]}n", unit.unit_id, "carrier-c", "Anqiao")
            for unit in units
            if unit.commissioned_on is not None
        ]

    # what devices say

    def _silences(self, gateway: Gateway) -> Iterator[tuple[float, float]]:
        dice = self._dice(gateway.gateway_id)
        if self._is_replaced(gateway):
            yield 16 * DAY + 9 * HOUR, END
        if gateway.gateway_id.endswith("n"):
            yield 0, 16 * DAY + 10 * HOUR
        if gateway.carrier == "carrier-b":
            yield CARRIER_AWAY
        if self.odd[gateway.unit_id] == "filled_later":
            yield FILLED_LATER
        for _ in range(dice.below(4)):
            start = dice.fraction() * (DAYS + 1) * DAY
            yield start, start + (4 + 60 * dice.fraction() ** 3) * HOUR

    def _heartbeats(self) -> None:
        by_id = {gateway.gateway_id: gateway for gateway in self.speaking}
        fleet, dice = Fleet(list(by_id), self.pace.beat_s, self.seed), self._dice("heartbeats")
        for at in range(0, END, MINUTE):
            for place, gateway_id in enumerate(fleet.due(at)):
                now = at + place % 5000 * 0.01
                if not any(start <= now < end for start, end in self.silent[gateway_id]):
                    self._hear(now, dice, by_id[gateway_id])

    def _hear(self, now: float, dice: SeededRandom, gateway: Gateway) -> None:
        if INGEST_AWAY[0] <= now < INGEST_AWAY[1]:
            return
        if INGEST_BEHIND[0] <= now < INGEST_BEHIND[1]:
            now = INGEST_BEHIND[1] + (now - INGEST_BEHIND[0]) / 1000
        recorded = now
        if dice.chance(0.003):  # held back by an ingest that lost Kafka
            recorded = min(now + (0.2 + 2 * dice.fraction()) * DAY, END - HOUR)
        name = self._signal(now, "heartbeat", gateway, recorded=recorded)
        if dice.chance(0.005):
            self._signal(now, "heartbeat", gateway, recorded=recorded + 5, name=name)

    def _unit(self, unit: Unit) -> None:
        dice, gateway = self._dice(unit.unit_id), self.district.gateways_of(unit.unit_id)[0]
        for number in range(1 + dice.below(4)):
            kind = dice.pick(("fault", "fault", "isolation", "fire"))
            begun = dice.fraction() * DAYS * DAY
            ended = begun + (0.2 + 50 * dice.fraction() ** 2) * HOUR
            point = {"system": "1", "address": f"p{number}"}
            self._signal(_seen(begun), kind, gateway, point=point)
            if dice.chance(0.9):
                self._signal(_seen(ended), "restore", gateway, point=point, restores=kind)
        ordered = dice.fraction() * DAYS * DAY
        last = dice.pick(("answered", "answered", "not_answered"))
        for place, step in enumerate(("sent", last)):
            self._exchange(ordered + 20 * place, gateway, f"check-{unit.unit_id}", ordered, step)

    # what comes to be known after the month was closed

    def _late(self) -> None:
        for unit in self.district.units:
            gateway = self.district.gateways_of(unit.unit_id)[0]
            match self.odd[unit.unit_id]:
                case "registered_wrongly":
                    rows = self._unit_rows(unit)
                    right = rows[0] | {"recorded_at": iso(LATE), "key_unit": True}
                    self._record(LATE, "unit", unit.unit_id, [*rows, right])
                case "corrected":
                    self._approve(unit, "correction", CARRIER_AWAY, counted_as="connected")
                case "tested":
                    self._approve(unit, "test", (0, DAYS * DAY), trouble="fault")
                case "filled_later" if unit.commissioned_on is not None:
                    start, end = FILLED_LATER
                    for number in range(int((end - start) // self.pace.beat_s)):
                        at = start + number * self.pace.beat_s
                        self._signal(at, "heartbeat", gateway, recorded=LATE + number * 0.001)
                    point = {"system": "1", "address": "p-late"}
                    self._signal(5 * DAY, "fault", gateway, recorded=LATE + 1, point=point)
                case _:
                    pass

    def _approve(self, unit: Unit, what: str, span: tuple[float, float], **more: str) -> None:
        row = {
            "valid_from": day(DAYS + 2), "recorded_at": iso(LATE), "adjustment_id": f"A-{unit.unit_id}",
            "unit_id": unit.unit_id, "what": what, "starts_at": iso(span[0]), "ends_at": iso(span[1]),
            "reason": "申诉成立", "requested_by": "li", "requested_at": iso(LATE), "approved_by": ["wang"], **more,
        }  # fmt: skip
        self._record(LATE, "adjustment", f"A-{unit.unit_id}", [row])

    # events

    def _ticks(self) -> None:
        for number, at in enumerate(range(0, END + 1, self.pace.tick_s), 1):
            if any(start <= at < end for start, end in (INGEST_AWAY, INGEST_BEHIND)):
                continue
            epoch = 1 + (at >= INGEST_AWAY[1])
            data = {"instance": "ingest-1", "epoch": epoch, "number": number, "state": "live", "proven_until": iso(at)}
            value = _event("tick", "/ingest/ingest-1", f"t{number}", None, at, data)
            for partition in range(PARTITIONS[SIGNALS]):
                self._put(at, SIGNALS, partition, value)

    def _signal(
        self, at: float, kind: str, gateway: Gateway, *, recorded: float | None = None, name: str = "", **more: Any
    ) -> str:
        self.numbers[gateway.gateway_id] += 1
        seq = self.numbers[gateway.gateway_id]
        name = name or f"{gateway.gateway_id}-{seq}"
        data = {
            "gateway_id": gateway.gateway_id, "unit_id": gateway.unit_id, "kind": kind, "carrier": "mqtt_json",
            "lane": "up", "instance": "ingest-1", "seq": seq, "occurred_at": iso(at - 1 - seq % 7), "flags": [], **more,
        }  # fmt: skip
        value = _event("signal", f"/gateways/{gateway.gateway_id}", name, gateway.unit_id, at, data)
        place = partition_of(gateway.unit_id.encode(), PARTITIONS[SIGNALS])
        self._put(at if recorded is None else recorded, SIGNALS, place, value)
        return name

    def _exchange(self, at: float, gateway: Gateway, command: str, ordered: float, step: str) -> None:
        data = {
            "command_id": command, "gateway_id": gateway.gateway_id, "what": "duty_check", "by": "x", "step": step,
            "ordered_at": iso(ordered), "instance": "ingest-1",
        }  # fmt: skip
        value = _event("exchange", "/ingest", f"{command}-{step}", gateway.gateway_id, at, data)
        self._put(at, EXCHANGES, partition_of(gateway.gateway_id.encode(), PARTITIONS[EXCHANGES]), value)

    def _record(self, at: float, kind: str, name: str, rows: list[Row]) -> None:
        event_id, data = f"{kind}-{name}-{at:.0f}", {"record": {"kind": kind, "id": name, "versions": rows}}
        value = _event("registry", "/registry", event_id, f"{kind}:{name}", at, data)
        self._put(at, REGISTRY, partition_of(f"{kind}:{name}".encode(), PARTITIONS[REGISTRY]), value)

    def _put(self, at: float, topic: str, partition: int, value: bytes) -> None:
        self.found.append((at, len(self.found), Sent(topic, partition, value, stamp(at))))


def _seen(at: float) -> float:
    """Return when ingest takes in what is said at `at`: a fire that comes while it is away waits for it."""
    for start, end in (INGEST_AWAY, INGEST_BEHIND):
        if start <= at < end:
            return end + (at - start) / 1000
    return at


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _event(kind: str, source: str, event_id: str, subject: str | None, at: float, data: Row) -> bytes:
    event = {
        "specversion": "1.0", "id": event_id, "source": source, "subject": subject, "time": iso(at),
        "datacontenttype": "application/json", "data": data, "type": f"cn.firenet.{kind}.v1",
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
