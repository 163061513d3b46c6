"""Small but nasty histories, each from its seed alone.

All instants lie on a coarse grid of `step` seconds around midnights of Shanghai, now and then one microsecond off, so
that deadlines, gaps and borders of days meet exactly far more often than in life.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import yaml

from tests.naive.inputs import US, History, Row, date_of, day_number, day_of, midnight, told

MINUTES = (30, 60, 60, 100, 300)
HOURS = (600, 3600, 3600, 6 * 3600)
TOWNS = ("T1", "T2")
CARRIERS = ("carrier-a", "carrier-b")
CATEGORIES = ("HOSPITAL", "SCHOOL")
ADDRESSES = ("p1", "p1", "p2")
KINDS = (
    "fire", "fault", "fault", "fault", "isolation", "isolation", "restore", "restore", "restore", "restore",
    "link_down", "link_down", "link_up", "gap", "supervisory", "test", "state", "unreadable_alarm",
)  # fmt: skip
INSTANT_METRICS = ("access_rate", "live_networking_rate", "online_rate", "isolation_rate")
WINDOW_METRICS = (
    "time_weighted_networking_rate", "unit_availability", "coverage", "meeting_units_rate", "data_completeness",
    "device_intact_rate", "fault_cure_timely_rate", "duty_check_answer_rate", "tested_in_time_rate",
    "transmission_timely_rate",
)  # fmt: skip
SCOPES = ("S1", "S2", "ALL", "S1+S2", "S2+ALL", "S1")


@dataclass(frozen=True)
class Flavour:
    """What a history is rich in."""

    steps_s: tuple[int, ...] = MINUTES + HOURS
    units: tuple[int, ...] = (1, 1, 2, 2, 3, 4)
    gateways: tuple[int, ...] = (1, 1, 2, 2, 3, 4, 5)
    versions: tuple[int, ...] = (1, 1, 1, 2, 2, 3)
    odd: tuple[float, ...] = (0.02, 0.15, 0.4)
    outages: tuple[int, ...] = (0, 0, 1)
    tick_gaps: tuple[int, ...] = (0, 0, 0, 1, 1, 2)
    silent: bool = False
    """Whether a second ingest instance keeps falling silent."""
    blind_in_outages: bool = False
    """Whether nobody looks at the end of an outage, so that what follows it goes on from what was before."""
    systems: tuple[str | None, ...] = (None, "1", "2")


FLAVOURS = (
    Flavour(),
    Flavour(steps_s=MINUTES[:4], gateways=(1, 1, 2), versions=(1, 1, 2), tick_gaps=(0, 0, 1), silent=True),
    Flavour(steps_s=MINUTES[:4], gateways=(1, 2, 3), versions=(1,), odd=(0.05,), tick_gaps=(0,), silent=True),
    Flavour(
        units=(1, 2), gateways=(1, 1, 2), odd=(0.5, 0.9), outages=(0,), tick_gaps=(0, 0, 1), systems=(None, None, "1")
    ),
    Flavour(steps_s=HOURS, units=(2, 2, 3), gateways=(1, 2, 3), versions=(2, 3, 3)),
    Flavour(units=(3, 4), gateways=(4, 5), versions=(1, 1, 1, 2), odd=(0.02,), outages=(1, 2, 2), tick_gaps=(0, 1, 2)),
    Flavour(units=(2, 3), gateways=(3, 4), versions=(1,), odd=(0.0,), outages=(1, 2), blind_in_outages=True),
)


@dataclass(frozen=True)
class Line:
    """One event, when it was recorded, and on which topic."""

    recorded_at: int
    topic: str
    event: Row


def history(seed: int) -> History:
    """Return the history of a seed."""
    return Writer(Random(seed)).write()


class Writer:
    """Draws one history."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.flavour = dice.choice(FLAVOURS)
        self.step = dice.choice(self.flavour.steps_s) * US
        self.units = [f"U{n + 1}" for n in range(dice.choice(self.flavour.units))]
        self.gateways = [f"G{n + 1}" for n in range(dice.choice(self.flavour.gateways))]
        self.count = dice.randint(12, max(14, 150 // (1 + len(self.gateways))))
        middle = midnight(day_number("2026-03-10"))
        self.start = middle - dice.randint(0, self.count) * self.step
        self.end = self.start + self.count * self.step
        self.last_day = max(day_of(self.end), day_of(middle))
        self.lines: list[Line] = []
        self.ids = 0

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.dice.random() < probability

    def write(self) -> History:
        """Return the whole history."""
        packs = self.packs()
        self.rows = {
            **{("unit", unit): self.unit_versions(unit) for unit in self.units},
            **{("gateway", gateway): self.gateway_versions(gateway) for gateway in self.gateways},
        }
        registry = self.registry()
        two = self.flavour.silent or self.chance(0.5)
        self.instances = ["ingest-1", "ingest-2"] if two else ["ingest-1"]
        longest = 20 if self.flavour.blind_in_outages else 10
        self.outages = [self.gap(longest) for _ in range(self.dice.choice(self.flavour.outages))]
        if not self.chance(0.01):
            for instance in self.instances:
                self.ticks(instance)
        for gateway in self.gateways:
            self.life(gateway)
        self.checks()
        log = self.in_order()
        return History(tuple(packs), tuple(registry), tuple(log), self.ask())

    def on_grid(self, start: int | None = None, end: int | None = None) -> int:
        """Return an instant of the grid, seldom one microsecond off."""
        start, end = self.start if start is None else start, self.end if end is None else end
        at = start + self.dice.randint(0, max(0, (end - start) // self.step)) * self.step
        return at + self.dice.choice((-1, 1)) if self.chance(0.04) else at

    def day(self) -> str:
        """Return a day near the history, more often within it."""
        return date_of(self.dice.randint(day_of(self.start) - 1, self.last_day + 1)).isoformat()

    def shown(self, at: int) -> str:
        """Return an instant in one of the forms that mean the same."""
        if self.chance(0.1):
            local = told(at + 8 * 3600 * US)
            return local[:-1] + "+08:00"
        return told(at)

    def seconds(self, least: int, most: int) -> float:
        """Return a number of seconds on the grid, seldom an odd one."""
        whole = self.dice.randint(least, most) * self.step // US
        return whole + self.dice.choice((0.5, 0.000001, 0.000003)) if self.chance(0.04) else whole

    # packs

    def packs(self) -> list[str]:
        """Return one to three packs; the first holds always."""
        first = self.pack(1, "2024-01-01", "2030-12-31")
        further = []
        for number in range(self.dice.choice((0, 0, 1, 1, 2))):
            valid_from = self.day()
            days = self.dice.choice((0, 1, 2, 400))
            valid_to = date_of(day_number(valid_from) + days).isoformat()
            further.append(self.pack(number + 2, valid_from, valid_to))
        packs = [first, *further]
        self.dice.shuffle(packs)
        return packs

    def pack(self, version: int, valid_from: str, valid_to: str) -> str:
        """Return a pack as YAML."""
        dice = self.dice
        said: Row = {
            "pack_id": dice.choice(("sample", "sample", "other")),
            "version": version,
            "district": "sample",
            "name_zh": "示范",
            "name_en": "Sample",
            "valid_from": valid_from,
            "valid_to": valid_to,
            "blind_after_s": self.seconds(1, 2 if self.flavour.silent else 4),
            "default_profile": dice.choice(("P1", "P2")),
            "group_wait_s": 0,
            "reopen_within_s": 0,
            "departments": [],
            "routes": [
                {"code": code, "name_zh": "类", "name_en": "kind", "lead": None, "confidence": "gap", "clause": "c"}
                for code in CATEGORIES
            ],
            "default_route": {"copies": [], "clause": "c"},
            "scopes": self.scopes(version),
            "targets": self.targets(),
            "profiles": {name: self.profile() for name in ("P1", "P2", *(["P3"] if self.chance(0.7) else []))},
            "ladders": {},
            "common_cause": {
                "by": dice.choice((["carrier", "town"], ["town", "carrier"], ["town"], ["carrier"])),
                "units": dice.choice((2, 2, 3)),
                "window_s": self.seconds(1, 3),
                "hold_s": 1,
                "tells": [],
                "clause": "c",
            },
        }
        if self.chance(0.6):
            said["test_duty"] = [self.test_duty(list(said["scopes"])) for _ in range(dice.choice((1, 1, 2)))]
        if self.chance(0.8):
            said["close_after_s"] = self.seconds(0, 5)
        return yaml.dump(said, allow_unicode=True, sort_keys=False)

    def scopes(self, version: int) -> Row:
        """Return scopes; one may be missing in a later pack."""
        names = {"name_zh": "域", "name_en": "scope"}
        scopes: Row = {
            "S1": {
                "all": ["key_unit", *(["fire_alarm_system"] if self.chance(0.2) else [])],
                "clause": f"one {version}",
            },
            "S2": {
                "all": [{"any": ["new_build", "renovated", "extended"]}, "fire_alarm_system"],
                "starts": "acceptance_date",
                "clause": "two",
            },
            "ALL": {"all": [{"any": ["key_unit", "fire_alarm_system", "crowded_place"]}], "clause": "all"},
        }
        if version > 1 and self.chance(0.1):
            del scopes["S2"]
        return {name: {**scope, **names} for name, scope in scopes.items()}

    def test_duty(self, scopes: list[str]) -> Row:
        """Return a duty to test in steps of the grid."""
        dice = self.dice
        duty: Row = {"every_s": self.seconds(2, 12), "buffer_s": self.seconds(0, 2), "clause": "c"}
        if self.chance(0.6):
            duty["scopes"] = dice.sample(scopes, dice.choice((1, 1, 2)))
        if self.chance(0.2):
            duty["categories"] = [dice.choice(CATEGORIES)]
        if self.chance(0.5):
            duty["counts"] = dice.choice(("any_signal", "alarms"))
        return duty

    def targets(self) -> Row:
        """Return targets on S1 and ALL."""
        due = date_of(day_number(self.day()) + self.dice.randint(0, 3)).isoformat()[5:]
        metrics = {
            "T01": "time_weighted_networking_rate",
            "T02": "access_rate",
            "T03": "live_networking_rate",
            "T04": self.dice.choice(
                (
                    "coverage",
                    "online_rate",
                    "time_weighted_networking_rate",
                    "device_intact_rate",
                    "tested_in_time_rate",
                )
            ),
        }
        return {
            name: {
                "metric": metric,
                "scope": "S1" if name != "T02" else "ALL",
                "value": self.dice.choice((0.0, 0.3, 0.5, 0.6, 0.75, 0.9, 0.99, 1.0)),
                "due": due,
                "clause": f"clause {name}",
            }
            for name, metric in metrics.items()
        }

    def profile(self) -> Row:
        """Return a supervision profile in steps of the grid."""
        short = self.flavour.silent and self.chance(0.6)
        return {
            "interval_s": self.seconds(1, 1 if short else 3),
            "misses": self.dice.choice((1, 2) if short else (1, 1, 2, 3)),
            "grace_s": self.seconds(0, 1 if short else 2),
            "stable_heartbeats": self.dice.choice((1, 2, 2, 3)),
            "anchor": "a",
        }

    # registry

    def unit_versions(self, unit: str) -> list[Row]:
        """Return one to three rows of a unit."""
        return self.versions(lambda: self.unit_row(unit))

    def gateway_versions(self, gateway: str) -> list[Row]:
        """Return one to three rows of a gateway."""
        return self.versions(lambda: self.gateway_row(gateway))

    def versions(self, row: Any) -> list[Row]:
        """Return rows, the first of long ago, the others of days nearby, some recorded late, no two at one instant."""
        number = self.dice.choice(self.flavour.versions)
        rows = []
        for n in range(number):
            long_ago = n == 0 and self.chance(0.8)
            recorded_at = self.start - 400 * self.step if n == 0 and self.chance(0.9) else self.on_grid()
            rows.append(
                {
                    "valid_from": "2025-01-01" if long_ago else self.day(),
                    "recorded_at": told(recorded_at + 3 * n),
                    **row(),
                }
            )
        return sorted(rows, key=lambda each: (each["valid_from"], each["recorded_at"]))

    def some_day(self, probability: float) -> str | None:
        """Return a day nearby with this probability, else None."""
        return self.day() if self.chance(probability) else None

    def unit_row(self, unit: str) -> Row:
        """Return one row of a unit."""
        dice = self.dice
        exempt_from = self.some_day(0.15)
        days = dice.choice((0, 0, 1, 3))
        until = None if exempt_from is None else date_of(day_number(exempt_from) + days).isoformat()
        commissioned = "2025-06-30" if self.chance(0.8) else self.some_day(0.7)
        return {
            "unit_id": unit,
            "name": unit,
            "district": "sample" if self.chance(0.9) else "east",
            "town": dice.choice(TOWNS),
            "community": dice.choice(("东", "西")),
            "category": dice.choice(CATEGORIES),
            "key_unit": self.chance(0.85),
            "auto_fire_facilities": True,
            "crowded_place": True,
            "flammable_place": False,
            "fire_alarm_system": self.chance(0.9),
            "construction": dice.choice(("existing", "new_build", "extended")),
            "accepted_on": self.some_day(0.5),
            "commissioned_on": commissioned,
            "retired_on": self.some_day(0.06),
            "exempt_from": exempt_from,
            "exempt_until": until,
            "exempt_reason": None if exempt_from is None else "r",
            "profile": dice.choice((None, "P1", "P2", "P3", "P9")),
            "lead_department": dice.choice(("health", "education")),
            "routed": True,
            "route_clause": "c",
        }

    def gateway_row(self, gateway: str) -> Row:
        """Return one row of a gateway."""
        return {
            "gateway_id": gateway,
            "unit_id": self.home(gateway) if self.chance(0.85) else self.dice.choice([*self.units, *self.units, "U9"]),
            "carrier": CARRIERS[0] if self.chance(0.7) else CARRIERS[1],
            "points": self.dice.choice((None, 0, 1, 2, 10)),
            "retired_on": self.some_day(0.06),
        }

    def home(self, gateway: str) -> str:
        """Return the unit that a gateway is most often at."""
        return self.units[self.gateways.index(gateway) % len(self.units)]

    def registry(self) -> list[str]:
        """Return the lines known from the beginning; some records are told again, longer, in the log."""
        lines = []
        for (kind, name), rows in self.rows.items():
            if len(rows) > 1 and self.chance(0.4):
                first, later = rows[: self.dice.randint(1, len(rows) - 1)], rows
                lines.append(json.dumps(self.record(kind, name, first), ensure_ascii=False))
                self.tell(self.on_grid(), "firenet.registry.v1", self.record(kind, name, later))
            else:
                if self.chance(0.05):
                    lines.append(json.dumps(self.record(kind, name, rows[:1]), ensure_ascii=False))
                lines.append(json.dumps(self.record(kind, name, rows), ensure_ascii=False))
        if self.chance(0.5):
            for number in range(self.dice.choice((1, 1, 2, 3, 5))):
                lines += self.adjustment(f"A{number}")
        if self.chance(0.1):
            contact = {
                "valid_from": "2025-01-01",
                "recorded_at": told(self.start),
                "contact_id": "C1",
                "body_code": "U1",
            }
            contact |= {"role": "office", "name": "c", "email": "c@example.org"}
            lines.append(json.dumps(self.record("contact", "C1", [contact])))
        return lines

    def adjustment(self, name: str) -> list[str]:
        """Return what is known of an adjustment from the beginning; others are told in the log, some end early."""
        dice = self.dice
        what = dice.choice(("correction", "correction", "exemption", "maintenance", "test"))
        start, approved = self.on_grid(), self.on_grid()
        end = start + dice.randint(1, self.count) * self.step // dice.choice((1, 2, 3))
        row: Row = {
            "valid_from": date_of(day_of(start)).isoformat(),
            "recorded_at": told(approved),
            "adjustment_id": name,
            "unit_id": dice.choice(self.units),
            "what": what,
            "starts_at": self.shown(start),
            "ends_at": self.shown(end),
            "reason": "r",
            "requested_by": "li",
            "requested_at": told(approved),
            "approved_by": ["wang"],
        }
        if what == "correction":
            row["counted_as"] = dice.choice(("connected", "offline", "unknown", "exempt", "measured"))
        elif self.chance(0.5):
            row |= {"system": dice.choice((None, "", "1")), "address": dice.choice((None, "p1"))}
            row["trouble"] = dice.choice((None, "fault", "isolation"))
        sooner = {**row, "ends_at": told(start + (end - start) // 2), "recorded_at": told(approved + self.step)}
        versions = [row, sooner] if self.chance(0.2) else [row]
        if self.chance(0.3):
            return [json.dumps(self.record("adjustment", name, versions))]
        for many in range(1, len(versions) + 1):
            self.tell(approved + (many - 1) * self.step, "firenet.registry.v1",
                      self.record("adjustment", name, versions[:many]))  # fmt: skip
        return []

    def record(self, kind: str, name: str, rows: list[Row]) -> Row:
        """Return a RegistryEvent."""
        self.ids += 1
        return {
            "specversion": "1.0",
            "id": f"reg-{self.ids}",
            "source": "/registry",
            "type": "cn.firenet.registry.v1",
            "subject": f"{kind}:{name}",
            "time": "2026-01-01T00:00:00.000000Z",
            "datacontenttype": "application/json",
            "data": {"record": {"kind": kind, "id": name, "versions": rows}},
        }

    def unit_of(self, gateway: str, at: int) -> str:
        """Return the unit of the last row of a gateway that is valid on the day of an instant, as a register would."""
        day = date_of(day_of(at)).isoformat()
        rows = [row for row in self.rows["gateway", gateway] if row["valid_from"] <= day]
        return str((rows or self.rows["gateway", gateway])[-1]["unit_id"])

    # log

    def tell(self, recorded_at: int, topic: str, event: Row) -> None:
        """Put an event into the log."""
        self.lines.append(Line(recorded_at, topic, event))

    def delay(self) -> int:
        """Return how much later than its time something is recorded."""
        return self.dice.randint(1, 8) * self.step if self.chance(0.05) else 0

    def ticks(self, instance: str) -> None:
        """Tell the ticks of one ingest instance: steady, with gaps, leaving, coming back, falling behind."""
        dice, epoch, number = self.dice, 1, 0
        offset = dice.choice((0, 0, self.step // 3))
        falls_silent = self.flavour.silent and instance != "ingest-1"
        gaps = [
            self.gap(12 if falls_silent else 8)
            for _ in range(dice.choice((1, 2, 3) if falls_silent else self.flavour.tick_gaps))
        ]
        if falls_silent:
            self.outages += [
                (start + dice.randint(-3, 3) * self.step, end + dice.randint(-3, 4) * self.step) for start, end in gaps
            ]
        if self.flavour.blind_in_outages:
            gaps = [(end - self.dice.randint(3, 6) * self.step, end) for _, end in self.outages]
        leaves = self.on_grid() if self.chance(0.2) else None
        end = self.on_grid() if instance != "ingest-1" and self.chance(0.3) else self.end
        left = False
        for n in range(self.count + 1):
            at = self.start + n * self.step + offset
            if at > end or any(start < at < until for start, until in gaps):
                continue
            if left and not self.chance(0.2):
                continue
            if left or self.chance(0.02):
                epoch, number, left = epoch + 1, 0, False
            number += 1
            left = leaves is not None and at >= leaves
            leaves = None if left else leaves
            lag = dice.randint(1, 3) * self.step if self.chance(0.08) else 0
            self.tick(instance, at, (epoch, number), "leaving" if left else "live", at - lag)

    def gap(self, longest: int) -> tuple[int, int]:
        """Return a time in which something is silent."""
        start = self.on_grid()
        return start, start + self.dice.randint(1, longest) * self.step

    def tick(self, instance: str, at: int, place: tuple[int, int], state: str, proven: int) -> None:
        """Tell one tick, now and then late or twice."""
        event = {
            "specversion": "1.0",
            "id": f"{instance}-{place[0]}-{place[1]}",
            "source": f"/ingest/{instance}",
            "type": "cn.firenet.tick.v1",
            "time": self.shown(at),
            "datacontenttype": "application/json",
            "data": {
                "instance": instance,
                "epoch": place[0],
                "number": place[1],
                "state": state,
                "proven_until": self.shown(proven),
            },
        }
        recorded_at = at + self.delay()
        self.tell(recorded_at, "firenet.signals.v1", event)
        if self.chance(0.03):
            self.tell(recorded_at + self.delay(), "firenet.signals.v1", event)

    def life(self, gateway: str) -> None:
        """Tell the signals of one gateway: heartbeats with gaps, troubles, last wills, oddities."""
        gaps = [self.gap(10) for _ in range(self.dice.choice((0, 1, 1, 2, 3)))]
        if self.chance(0.8):
            gaps += [(start + self.dice.randint(0, 1) * self.step, end) for start, end in self.outages]
        every = self.dice.choice((1, 1, 1, 2, 3))
        odd = self.dice.choice(self.flavour.odd)
        offset = self.dice.choice((0, 0, 0, self.step // 3, self.step // 2))
        for n in range(0, self.count + 1, every):
            at = self.start + n * self.step + offset
            if any(start < at < until for start, until in gaps):
                continue
            kind = self.kind() if self.chance(odd) else "heartbeat"
            self.signal(gateway, kind, at + (self.dice.choice((-1, 1)) if self.chance(0.02) else 0))
            if self.chance(odd / 3):
                self.signal(gateway, self.kind(), at)

    def kind(self) -> str:
        """Return a kind of signal, troubles and their ends being frequent."""
        return self.dice.choice(KINDS)

    def signal(self, gateway: str, kind: str, at: int) -> None:
        """Tell one signal, now and then late, twice, or at another time once more."""
        self.ids += 1
        unit = self.unit_of(gateway, at) if self.chance(0.97) else self.dice.choice(self.units)
        data: Row = {
            "gateway_id": gateway,
            "unit_id": unit,
            "kind": kind,
            "carrier": "mqtt_json",
            "lane": "up",
            "instance": self.dice.choice(self.instances),
        }
        self.dress(data, at)
        event = {
            "specversion": "1.0",
            "id": f"{self.dice.choice('abc')}{self.ids}",
            "source": f"/gateways/{gateway}",
            "type": "cn.firenet.signal.v1",
            "subject": unit,
            "time": self.shown(at),
            "datacontenttype": "application/json",
            "data": data,
        }
        recorded_at = at + self.delay()
        self.tell(recorded_at, "firenet.signals.v1", event)
        if self.chance(0.04):
            again = {**event, "time": self.shown(at + self.dice.choice((-2, -1, 0, 1, 2)) * self.step)}
            self.tell(recorded_at + self.delay(), "firenet.signals.v1", again)

    def dress(self, data: Row, at: int) -> None:
        """Add what goes with the kind of a signal: point, what it restores, the device's clock, flags."""
        dice, kind = self.dice, data["kind"]
        if self.chance(0.8):
            data["seq"] = dice.randint(0, 5)
        if kind == "gap":
            data["missing"] = 1
        if kind == "restore":
            data["restores"] = dice.choice(("fire", "fault", "fault", "isolation", "isolation", "all", "supervisory"))
        if kind in ("fire", "fault", "isolation", "restore", "state") and self.chance(0.75):
            every = kind == "restore" and self.chance(0.2)
            data["point"] = {
                "address": "*" if every else dice.choice(ADDRESSES),
                "system": dice.choice(self.flavour.systems),
            }
        if kind not in ("heartbeat", "gap", "link_down", "link_up") and self.chance(0.4):
            early = dice.choice((-1, 0, 1, 1, 2, 3, 6)) * self.step
            soon = dice.choice((1, 100_000, 100_001, 300 * US, 300 * US + 1, dice.randint(0, 60 * US)))
            data["occurred_at"] = self.shown(at - dice.choice((early, early, soon, soon, 86_400 * US, 86_401 * US)))
        flags = self.flags(kind)
        if "replayed" in flags:
            data["first_received_at"] = self.shown(at - dice.randint(0, 6) * self.step)
        if flags:
            data["flags"] = flags

    def flags(self, kind: str) -> list[str]:
        """Return the flags of a signal."""
        plain = kind in ("heartbeat", "gap", "link_down", "link_up")
        if self.chance(0.96 if plain else 0.8):
            return []
        clock = ("clock_behind", "clock_ahead", "no_device_time")
        return [self.dice.choice(("repeated", "replayed", "retained", "test_or_omission", "redelivered", *clock))]

    def checks(self) -> None:
        """Tell duty checks, step by step, some of them twice, some without an end."""
        for number in range(self.dice.choice((0, 0, 1, 3, 5))):
            gateway, ordered = self.dice.choice(self.gateways), self.on_grid()
            what = "set_clock" if self.chance(0.1) else "duty_check"
            ends = ("answered", "answered", "not_answered", "failed", "unknown")
            steps = ["began", "sent", "confirmed"][: self.dice.randint(0, 3)]
            steps += [self.dice.choice(ends) for _ in range(self.dice.choice((0, 1, 1, 2)))]
            at = ordered
            for place, step in enumerate(steps):
                at += self.dice.randint(0, 1) * self.step
                self.exchange(f"check-{number}", f"x-{number}-{place}", gateway, (what, step), ordered, at)
                if self.chance(0.1):
                    self.exchange(f"check-{number}", f"x-{number}-{place}", gateway, (what, step), ordered, at)

    def exchange(
        self, command: str, name: str, gateway: str, what_step: tuple[str, str], ordered: int, at: int
    ) -> None:
        """Tell one step of an exchange."""
        what, step = what_step
        data: Row = {
            "command_id": command,
            "gateway_id": gateway,
            "what": what,
            "by": "centre",
            "ordered_at": self.shown(ordered),
            "step": step,
            "instance": self.dice.choice(self.instances),
        }
        event = {
            "specversion": "1.0",
            "id": name,
            "source": "/ingest",
            "type": "cn.firenet.exchange.v1",
            "subject": gateway,
            "time": told(at),
            "datacontenttype": "application/json",
            "data": data,
        }
        self.tell(at + self.delay(), "firenet.exchanges.v1", event)

    def in_order(self) -> list[str]:
        """Return the log's lines: by recorded_at, those of one instant in any order."""
        self.dice.shuffle(self.lines)
        self.lines.sort(key=lambda line: line.recorded_at)
        return [
            json.dumps(
                {
                    "recorded_at": told(line.recorded_at),
                    "topic": line.topic,
                    "partition": 0,
                    "offset": offset,
                    "event": line.event,
                },
                ensure_ascii=False,
            )
            for offset, line in enumerate(self.lines)
        ]

    # ask

    def ask(self) -> Row:
        """Return an ask for a bit of everything."""
        dice = self.dice
        ask: Row = {"figures": [self.figure() for _ in range(dice.randint(3, 8))]}
        if self.chance(0.02):
            wrong = {"metric": "verified_rate", "scope": "S9", "unit": "U99", "from": told(self.end + 99 * self.step)}
            key = dice.choice(sorted(wrong))
            ask["figures"] = [{"metric": "coverage", "scope": "S1", **self.window(), key: wrong[key]}]
        if self.chance(0.4):
            ask["known_at"] = self.asked(self.on_grid(self.start - 2 * self.step, self.end + 8 * self.step))
        if self.chance(0.8):
            ask["intervals"] = [self.window()]
            if self.chance(0.3):
                ask["intervals"][0]["units"] = dice.sample(self.units, dice.randint(1, len(self.units)))
        if self.chance(0.3):
            ask["blocking"] = [self.outlook(dice.choice(("T01", "T02", "T03")))]
        if self.chance(0.3):
            ask["forecast"] = [self.outlook("T01")]
        if self.chance(0.2):
            moments = [self.on_grid(self.start, self.end + 5 * self.step) for _ in range(dice.randint(1, 4))]
            moments = moments if self.chance(0.2) else sorted(moments)
            ask["revisions"] = [{"figure": self.figure(), "published_at": [self.asked(at) for at in moments]}]
        return ask

    def asked(self, at: int) -> str:
        """Return an instant in one of the forms of an ask: 00:00 of a day may stand as a bare date."""
        bare = at == midnight(day_of(at)) and self.chance(0.5)
        return date_of(day_of(at)).isoformat() if bare else self.shown(at)

    def window(self) -> Row:
        """Return from and to: of the grid, or whole days."""
        if self.chance(0.3):
            start = day_number(self.day())
            return {"from": date_of(start).isoformat(), "to": date_of(start + self.dice.randint(1, 3)).isoformat()}
        start = self.on_grid(self.start - self.step, self.start + 2 * self.count * self.step // 3)
        return {"from": self.asked(start), "to": self.asked(start + self.dice.randint(1, self.count) * self.step)}

    def outlook(self, target: str) -> Row:
        """Return what blocking and forecast take."""
        ask: Row = {"target": target}
        if self.chance(0.7):
            ask["from"] = self.asked(self.start + self.dice.randint(-1, 3) * self.step)
        if self.chance(0.5):
            ask["at"] = self.asked(self.on_grid(self.start + 4 * self.step, self.end + 2 * self.step))
        return ask

    def figure(self) -> Row:
        """Return the ask of one figure."""
        dice = self.dice
        instant_one = self.chance(0.35)
        ask: Row = {
            "metric": dice.choice(INSTANT_METRICS if instant_one else WINDOW_METRICS),
            "scope": dice.choice(SCOPES),
        }
        if instant_one:
            if self.chance(0.7):
                ask["at"] = self.asked(self.on_grid(self.start, self.end + 2 * self.step))
        elif self.chance(0.15):
            ask |= {"span": dice.choice(("7d", "12m")), "at": self.asked(self.on_grid())}
        else:
            ask |= self.window()
        if self.chance(0.2):
            ask["slice"] = dict([self.slice()])
        self.add_own(ask)
        return ask

    def slice(self) -> tuple[str, str]:
        """Return one condition of a slice."""
        return self.dice.choice(
            (
                ("town", "T1"),
                ("town", "T2"),
                ("category", "SCHOOL"),
                ("community", "东"),
                ("department", "health"),
                ("district", "sample"),
            )
        )

    def add_own(self, ask: Row) -> None:
        """Add what only one metric takes."""
        if ask["metric"] == "unit_availability" or self.chance(0.05):
            ask["unit"] = self.dice.choice(self.units)
        if ask["metric"] == "meeting_units_rate":
            ask["availability"] = self.dice.choice(("0.5", "0.9", "0.99", "1"))
        if ask["metric"] in ("fault_cure_timely_rate", "transmission_timely_rate"):
            ask["limit_s"] = self.dice.randint(0, 6) * self.step // US
