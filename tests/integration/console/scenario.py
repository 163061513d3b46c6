"""A district in the tables that the console reads, put there without rules and alerts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from services.runtime.clock import SystemClock
from tests import quick_yaml

PACK = Path(__file__).resolve().parents[3] / "deploy" / "packs" / "sample-2026.yaml"
PARTITIONS = 4
TOWNS = [
    ("dongjie", "东街街道"), ("nanjie", "南街街道"), ("antai", "安泰街道"), ("huada", "华大街道"),
    ("shuibu", "水部街道"), ("wufeng", "五凤街道"), ("hongshan", "洪山镇"), ("wenquan", "温泉街道"),
]  # fmt: skip
KINDS = [
    ("HOSPITAL", "health", "第{}医院"), ("SCHOOL", "education", "实验小学第{}校区"),
    ("COMPLEX", "commerce", "万象城{}期"), ("ELDERLY", "civil-affairs", "康养中心{}院"),
    ("HOTEL_STAR", "culture-tourism", "闽江饭店{}号楼"), ("RESIDENTIAL", "housing", "锦绣花园{}区"),
    ("CINEMA", "publicity", "星光影城{}店"), ("OFFICE", None, "金融大厦{}座"),
]  # fmt: skip


@dataclass
class Unit:
    unit_id: str
    name: str
    town: str
    category: str
    lead: str
    copies: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("S1",)
    connection: str = "online"
    health: str = "normal"
    partly: bool = False
    name_en: str = ""
    community: str = "第一社区"
    address: str = "八一七路 1 号"
    routed: bool = True
    partition: int = 0
    since: datetime | None = None
    fires: int = 0
    faults: int = 0
    line_drops: int = 0
    unstable_until: datetime | None = None


def district(count: int = 200) -> list[Unit]:
    """Return a well district: every unit online and normal, S2 for each tenth as well."""
    units = []
    for index in range(count):
        category, lead, pattern = KINDS[index % len(KINDS)]
        town = TOWNS[(index // len(KINDS)) % len(TOWNS)][0]
        units.append(
            Unit(
                unit_id=f"U{index:05d}",
                name=TOWNS[(index // len(KINDS)) % len(TOWNS)][1].removesuffix("街道") + pattern.format(index),
                name_en=f"{category.title()} {index}",
                town=town,
                category=category,
                lead=lead or town,
                copies=("brigade",) if lead is None else ("health",) if category == "ELDERLY" else (),
                scopes=("S1", "S2") if index % 10 == 3 else ("S1",),
                routed=lead is not None,
                partition=index % PARTITIONS,
                address=f"八一七路 {index + 1} 号",
            )
        )
    return units


@contextmanager
def opened(dsn: str) -> Iterator["Scenario"]:
    """Yield a scenario in a migrated database, over one connection."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield Scenario(dsn, connection)


@dataclass
class Scenario:
    """Writes what rules and alerts would write, and tells the console as they do."""

    dsn: str
    connection: Connection[TupleRow]
    units: dict[str, Unit] = field(default_factory=dict)
    clock: SystemClock = field(default_factory=SystemClock)

    def now(self) -> datetime:
        return self.clock.now()

    def execute(self, statement: str, parameters: Sequence[Any] = (), *, notify: bool = True) -> None:
        with self.connection.transaction():
            self.connection.execute(statement.encode(), parameters)
            if notify:
                self.connection.execute("NOTIFY firenet_live")

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[TupleRow]:
        return self.connection.execute(statement.encode(), parameters).fetchall()

    def create(self) -> None:
        """Put a pack, the towns and partitions that see clearly into a migrated database."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            self._registry()
            cursor.executemany(
                "INSERT INTO rules.partitions (partition, watermark, visibility, blind_after_s, saved_at)"
                " VALUES (%s, %s, 'clear', 10, %s)",
                [(number, self.now(), self.now()) for number in range(PARTITIONS)],
            )

    def clear(self) -> None:
        """Leave it as `create` did: no units, cases or accounts, in sight."""
        self.execute(
            "TRUNCATE rules.units, rules.rate_counts, rules.transitions, rules.component_transitions, rules.signals,"
            " alerts.cases, documents.documents, console.accounts, console.sessions CASCADE"
        )
        self.execute("UPDATE rules.partitions SET blind_after_s = 10, saved_at = %s", [self.now()], notify=False)
        self.see()

    def put(self, units: Iterable[Unit]) -> None:
        """Add units, or replace them, with their counters. They are copied: another test may use the same ones."""
        added = [replace(unit) for unit in units]
        self.units |= {unit.unit_id: unit for unit in added}
        self._save(added)

    def change(self, unit_id: str, **changes: Any) -> None:
        """Change a unit as a checkpoint of rules would: its row, the counters, one NOTIFY."""
        self.change_all([unit_id], **changes)

    def change_all(self, unit_ids: Iterable[str], **changes: Any) -> None:
        changed = [self.units[unit_id] for unit_id in unit_ids]
        for unit in changed:
            for name, value in changes.items():
                setattr(unit, name, value)
        self._save(changed)

    def see(self, watermark: datetime | None = None, visibility: str = "clear", partition: int | None = None) -> None:
        """Set what the partitions have proven; the default is now and clear."""
        self.execute(
            "UPDATE rules.partitions SET watermark = %s, visibility = %s WHERE partition = coalesce(%s, partition)",
            [watermark or self.now(), visibility, partition],
        )

    def stay_fresh(self, blind_after: timedelta = timedelta(minutes=30)) -> None:
        """Be patient with the watermark, so that a test that is not about time never becomes blind."""
        self.execute("UPDATE rules.partitions SET blind_after_s = %s", [blind_after.total_seconds()], notify=False)
        self.see()

    def open_case(self, case_id: str, unit_id: str | None, kind: str = "connection_lost", **changes: Any) -> None:
        unit = self.units.get(unit_id) if unit_id else None
        now = self.now()
        ladder = _pack()["ladders"]["fire" if kind == "fire" else "hazard"]["steps"]
        row: dict[str, Any] = {
            "case_id": case_id,
            "kind": kind,
            "unit_id": unit_id,
            "finding_id": f"finding-{case_id}",
            "state": "open",
            "effective_at": now - timedelta(minutes=5),
            "detected_at": now - timedelta(minutes=1),
            "opened_at": now,
            "unit_name": unit.name if unit else "",
            "unit_name_en": unit.name_en if unit else "",
            "district": "sample",
            "town": unit.town if unit else "",
            "category": unit.category if unit else "",
            "lead_department": unit.lead if unit else "",
            "copy_departments": list(unit.copies) if unit else [],
            "route_clause": "003 health 二",
            "last_sighting_at": now,
            "pack_id": "sample-2026",
            "pack_version": 1,
            "clause": "000 二(二) last item",
            "evidence": json.dumps({"topic": "firenet.signals.v1", "partition": 3, "offset": 4711}),
            "ladder": json.dumps([] if kind == "common_cause" else ladder),
            "step": ladder[0]["code"],
        }
        further = len(ladder) > 1
        clock = {
            "next_step": ladder[1]["code"] if further else None,
            "next_step_at": now + timedelta(minutes=30) if further else None,
        }
        clock |= {name: changes.pop(name) for name in list(changes) if name in clock}
        row |= changes
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        self.execute(f"INSERT INTO alerts.cases ({names}) VALUES ({marks})", list(row.values()))
        if clock["next_step_at"] is not None:
            self.execute(
                "INSERT INTO alerts.clocks (case_id, kind, due_at, step) VALUES (%s, 'step', %s, %s)",
                [case_id, clock["next_step_at"], clock["next_step"] or ""],
            )

    def unread(self, case_id: str, unit_id: str) -> None:
        """Something came on the alarm lane of a unit, and could not be read."""
        self.open_case(case_id, unit_id, "unreadable_alarm", **_told_once("报警无法识读", "Unreadable alarm"))
        body = {"text": "not_json: the body is no JSON", "refusal_id": "ab" * 16}
        self.signal(unit_id, "unreadable_alarm", **body)

    def unregistered(self, case_id: str, gateway_id: str) -> None:
        """A gateway that is in no register rang; "" stands for further ones."""
        self.open_case(
            case_id,
            f"?{gateway_id}",
            "unregistered_alarm",
            unit_name=f"未登记网关 {gateway_id}" if gateway_id else "其他未登记网关",
            unit_name_en=f"Unregistered gateway {gateway_id}" if gateway_id else "Further unregistered gateways",
            **_told_once("未登记网关报警", "Alarm of an unregistered gateway"),
        )

    def signal(self, unit_id: str, kind: str, **body: Any) -> None:
        """Store a signal that was received now, as rules does."""
        document = {"carrier": "mqtt_json", "lane": "alarm", "flags": []} | body
        self.execute(
            'INSERT INTO rules.signals (signal_id, received_at, unit_id, gateway_id, kind, body, partition, "offset")'
            " VALUES (%s, %s, %s, %s, %s, %s, 0, 0)",
            [f"{kind}-{self.now().isoformat()}", self.now(), unit_id, f"G{unit_id[1:]}", kind, json.dumps(document)],
        )

    def take_step(self, case_id: str, step: str, recipients: list[str], at: datetime | None = None) -> None:
        taken = at or self.now()
        self.execute(
            "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, recipients)"
            " VALUES (%s, %s, %s, %s, 'I1', '003 street 6', %s)",
            [case_id, step, taken, taken, recipients],
        )

    def document(self, document_id: str, case_id: str, number: str | None, files: dict[str, bytes]) -> None:
        """Write a document of a case as documents and alerts do, with a PDF for each of the languages."""
        now = self.now()
        self.execute(
            "INSERT INTO documents.documents (document_id, source, request_id, case_id, instrument, unit_id, issuer,"
            " template, state, requested_at, issued_at, request, published)"
            " VALUES (%s, '/alerts', %s, %s, 'I1', 'U', 'centre', 'I1@2', 'issued', %s, %s, '{}', true)",
            [document_id, document_id, case_id, now, now],
        )
        self.execute(
            "INSERT INTO documents.renditions (document_id, language, title, text, html)"
            " VALUES (%s, 'zh', '函', '', '')",
            [document_id],
        )
        for language, content in files.items():
            self.execute(
                "INSERT INTO documents.rendition_files (document_id, language, kind, content, sha256)"
                " VALUES (%s, %s, 'pdf', %s, '')",
                [document_id, language, content],
            )
        self.execute(
            "INSERT INTO alerts.requests (request_id, case_id, key, event, created_at, state, number, document_id,"
            " issued_at)"
            " VALUES (%s, %s, 'U', '{}', %s, 'issued', %s, %s, %s)",
            [document_id, case_id, now, number, document_id, now],
        )

    def sign(self, case_id: str, body: str, note: str = "") -> None:
        """Write the receipt of a body for all that the case has told it so far."""
        self.execute(
            "INSERT INTO alerts.receipts SELECT case_id, %s, coalesce(step, ''), %s, %s, 'console', %s"
            " FROM alerts.cases WHERE case_id = %s",
            [body, self.now(), body, note, case_id],
        )

    def own(self, case_id: str, account: str, hours: float = 8) -> None:
        """Let an account work on a case; with fewer hours than none it did so before."""
        self.execute(
            "INSERT INTO alerts.owners (case_id, account, since, until) VALUES (%s, %s, %s, %s)",
            [case_id, account, self.now(), self.now() + timedelta(hours=hours)],
        )

    def register(self, unit_id: str, **facts: Any) -> None:
        """Put a unit with these facts, by their fields, into the register."""
        day = datetime(2026, 1, 1, tzinfo=UTC).date()
        self.version("unit", unit_id, day, body={"unit_id": unit_id} | facts)

    def contact(self, contact_id: str, body_code: str, role: str, name: str, phone: str | None, **more: Any) -> None:
        day = datetime(2026, 1, 1, tzinfo=UTC).date()
        body = {"contact_id": contact_id, "body_code": body_code, "role": role, "name": name, "phone": phone}
        self.version("contact", contact_id, day, body=body | more)

    def comment(self, case_id: str, by: str, text: str, body_code: str = "") -> None:
        self.execute(
            "INSERT INTO alerts.comments SELECT %s, count(*) + 1, now(), %s, %s, %s FROM alerts.comments"
            " WHERE case_id = %s",
            [case_id, by, body_code, text, case_id],
        )

    def verify(self, case_id: str, by: str, finding: str, note: str = "", cause: str | None = None) -> None:
        self.execute(
            "INSERT INTO alerts.verifications (case_id, number, at, by, finding, note, cause)"
            " SELECT %s, count(*) + 1, now(), %s, %s, %s, %s FROM alerts.verifications WHERE case_id = %s",
            [case_id, by, finding, note, cause, case_id],
        )

    def take_case(self, case_id: str, by: str = "centre") -> None:
        self.execute(
            "UPDATE alerts.cases SET acknowledged_at = now(), acknowledged_by = %s, acknowledged_step = step"
            " WHERE case_id = %s",
            [by, case_id],
        )

    def work(self, act: str, case_id: str, asked: dict[str, Any]) -> None:
        """Do to the tables what alerts would do."""
        if act == "own":
            self.own(case_id, asked["account"])
        elif act == "release":
            self.execute("DELETE FROM alerts.owners WHERE case_id = %s", [case_id])
        elif act == "comments":
            self.comment(case_id, asked["account"], asked["text"], asked["body_code"] or "")
        elif act == "verify":
            self.verify(case_id, asked["account"], asked["finding"], asked["note"], asked.get("cause"))
        elif act == "shelve":
            self.execute(
                "INSERT INTO alerts.shelved (case_id, account, since, until, note) VALUES (%s, %s, now(), now() +"
                " make_interval(mins => %s), %s)",
                [case_id, asked["account"], asked["minutes"], asked["note"]],
            )
        elif act == "unshelve":
            self.execute("DELETE FROM alerts.shelved WHERE case_id = %s", [case_id])

    def many_cases(self, count: int, state: str = "open") -> None:
        """Add so many cases without a ladder, one of each unit `M00001`, `M00002` ..., opened a second apart."""
        self.execute(
            "INSERT INTO alerts.cases (case_id, kind, subject_kind, subject_id, finding_id, state, effective_at,"
            " detected_at, opened_at, closed_at, unit_name, town, lead_department, last_sighting_at, pack_id,"
            " pack_version, clause, evidence, ladder)"
            " SELECT %s || n, 'fault', 'unit', 'M' || lpad(n::text, 5, '0'), 'f', %s, at, at, at,"
            " CASE WHEN %s = 'closed' THEN at END, '单位' || n, 'nanjie', 'health', at, 'p', 1, 'c', '{}', '[]'"
            " FROM (SELECT n, now() - n * interval '1 second' AS at FROM generate_series(1, %s) n) AS made",
            [state, state, state, count],
        )

    def end(self, case_id: str, at: datetime | None = None) -> None:
        """Close a case as its end does; whether somebody has taken it stays as it is."""
        self.execute(
            "UPDATE alerts.cases SET state = 'closed', closed_at = %s, close_reason = 'restored' WHERE case_id = %s",
            [at or self.now(), case_id],
        )

    def notice(
        self, notice_id: str, case_id: str, step: str, body: str, state: str = "accepted", **changes: Any
    ) -> None:
        row: dict[str, Any] = {
            "notice_id": notice_id, "case_id": case_id, "step": step, "purpose": "notice", "body_code": body,
            "contact_id": f"c-{body}", "channel": "email", "address": f"duty@{body}.example", "lang": "zh",
            "template": "I1@1", "subject": "故障告知：联网中断", "body": "…", "clause": "003 street 6",
            "created_at": self.now(), "state": state, "attempts": 1, "ended_at": self.now(),
        } | changes  # fmt: skip
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        self.execute(f"INSERT INTO alerts.notices ({names}) VALUES ({marks})", list(row.values()))

    def _registry(self) -> None:
        bodies = [("pack", "sample-2026", {"pack": _pack()})]
        for code, name in TOWNS:
            body = {
                "code": code,
                "kind": "street",
                "name_zh": name,
                "name_en": f"{code.title()} Subdistrict",
                "clause": "x",
            }
            bodies.append(("department", code, {"department": body}))
        for kind, name, document in bodies:
            self.connection.execute(
                "INSERT INTO registry.versions (kind, id, valid_from, recorded_at, body) VALUES (%s, %s, %s, %s, %s)",
                [kind, name, datetime(2026, 1, 1, tzinfo=UTC).date(), self.now(), json.dumps(document, default=str)],
            )

    @contextmanager
    def kept_registry(self) -> Iterator[None]:
        """Let a test have a registry of its own; afterwards it is as it was."""
        self.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM registry.versions")
        self.execute("DELETE FROM registry.versions")
        try:
            yield
        finally:
            self.execute("DELETE FROM registry.versions")
            self.execute("INSERT INTO registry.versions SELECT * FROM kept")
            self.execute("DROP TABLE kept")

    @contextmanager
    def added_to_registry(self) -> Iterator[None]:
        """Let a test add to the registry; afterwards it is as it was."""
        self.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM registry.versions")
        try:
            yield
        finally:
            self.execute("DELETE FROM registry.versions")
            self.execute("INSERT INTO registry.versions SELECT * FROM kept")
            self.execute("DROP TABLE kept")

    def version(self, kind: str, name: str, valid_from: date, *, body: dict[str, Any], minute: int = 0) -> None:
        recorded_at = self.now() + timedelta(minutes=minute, microseconds=body.get("pack", {}).get("version", 0))
        self.execute(
            "INSERT INTO registry.versions (kind, id, valid_from, recorded_at, body) VALUES (%s, %s, %s, %s, %s)",
            [kind, name, valid_from, recorded_at, json.dumps(body)],
        )

    def declare(self, name_zh: str, name_en: str, *towns: str) -> None:
        """Have each pack say that an event of an area is declared of yesterday, today and tomorrow."""
        day = timedelta(days=1)
        event = {
            "name_zh": name_zh, "name_en": name_en, "towns": towns, "clause": "declared by the brigade",
            "first": str(self.today() - day), "last": str(self.today() + day),
        }  # fmt: skip
        self.execute(
            "UPDATE registry.versions SET body = jsonb_set(body, '{pack,area_events}', %s) WHERE kind = 'pack'",
            [json.dumps([event])],
        )

    def today(self) -> date:
        """Return the day of Asia/Shanghai by the database's clock."""
        ((day,),) = self.rows("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
        assert isinstance(day, date)
        return day

    def _save(self, units: Iterable[Unit]) -> None:
        now = self.now()
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(SAVE_UNIT, [_row(unit, now) for unit in units])
            recount(self.connection)
            cursor.execute("NOTIFY firenet_live")


SAVE_UNIT = """
INSERT INTO rules.units (unit_id, partition, name, name_en, district, town, community, category, address,
    lead_department, copy_departments, routed, carriers, scopes, connection, connection_since, connection_detected_at,
    health, health_since, last_proof_at, partly_connected, open_fires, open_faults, line_drops, unstable_until,
    updated_at)
VALUES (%s, %s, %s, %s, 'sample', %s, %s, %s, %s, %s, %s, %s, '{mobile}', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
    %s, %s)
ON CONFLICT (unit_id) DO UPDATE SET connection = excluded.connection, connection_since = excluded.connection_since,
    health = excluded.health, health_since = excluded.health_since, partly_connected = excluded.partly_connected,
    name = excluded.name, open_fires = excluded.open_fires, open_faults = excluded.open_faults,
    line_drops = excluded.line_drops, unstable_until = excluded.unstable_until, updated_at = excluded.updated_at
"""

RECOUNT = """
INSERT INTO rules.rate_counts
SELECT partition, scope, dimension, value, count(*),
       count(*) FILTER (WHERE connection IN ('online', 'late') AND NOT partly_connected),
       count(*) FILTER (WHERE connection = 'late' AND NOT partly_connected),
       count(*) FILTER (WHERE connection = 'offline' OR (partly_connected AND connection IN ('online', 'late'))),
       count(*) FILTER (WHERE connection = 'unknown'),
       count(*) FILTER (WHERE connection = 'never_connected'),
       count(*) FILTER (WHERE connection = 'commissioning'),
       count(*) FILTER (WHERE connection = 'exempt')
FROM rules.units CROSS JOIN LATERAL unnest(scopes) AS scope CROSS JOIN LATERAL (VALUES ('district', district),
    ('town', town), ('department', lead_department), ('category', category)) AS d (dimension, value)
WHERE connection <> 'retired'
GROUP BY 1, 2, 3, 4
"""


def recount(connection: Connection[TupleRow]) -> None:
    """Set the counters to what the units say, as rules keeps them."""
    connection.execute("DELETE FROM rules.rate_counts")
    connection.execute(RECOUNT)


def _row(unit: Unit, now: datetime) -> tuple[object, ...]:
    since = unit.since or now
    return (
        unit.unit_id, unit.partition, unit.name, unit.name_en, unit.town, unit.community, unit.category, unit.address,
        unit.lead, list(unit.copies), unit.routed, list(unit.scopes), unit.connection, since, now, unit.health, since,
        since, unit.partly, unit.fires, unit.faults, unit.line_drops, unit.unstable_until,
        now,
    )  # fmt: skip


def _told_once(name_zh: str, name_en: str) -> dict[str, Any]:
    """A ladder of one step, as alerts takes where the pack has none."""
    step = {"code": "U0", "name_zh": name_zh, "name_en": name_en, "document": "FIRE", "tells": ["centre"]}
    return {"ladder": json.dumps([step]), "step": "U0", "next_step": None, "next_step_at": None, "route_clause": ""}


@cache
def _pack() -> dict[str, Any]:
    found: dict[str, Any] = quick_yaml.read(PACK.read_text(encoding="utf-8"))
    return found
