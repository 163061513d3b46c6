"""A district in a few lines: rows, ticks and signals by seconds after 10 March 2026, 00:00 in Shanghai."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.contract.compliance.pipe import answer

EXAMPLE = Path(__file__).parent / "examples" / "steady"
PACK = (EXAMPLE / "PACK.yaml").read_text("utf-8")
"""CN-FAST: a heartbeat each 60 s, late after 90 s, deadline 240 s, 2 in a row to return; blind after 60 s."""
T0 = datetime(2026, 3, 9, 16, tzinfo=UTC)
DAY = 86_400
MINUTE = 60
EXEMPT_TODAY = {"exempt_from": "2026-03-10", "exempt_until": "2026-03-10", "exempt_reason": "x"}


def iso(at: float) -> str:
    return (T0 + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    return (datetime.fromisoformat(text) - T0).total_seconds()


@dataclass
class Scenario:
    """`ticks` looks each 60 s up to `until`; what is told is received and recorded at once unless said otherwise."""

    work: Path
    pack: str = PACK
    second_pack: str | None = None
    rows: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    log: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)
    numbers: int = 0

    def unit(self, unit_id: str = "U1", since: str = "2025-01-01", **facts: Any) -> "Scenario":
        row = {
            "valid_from": since, "recorded_at": "2025-12-31T00:00:00Z", "unit_id": unit_id, "name": unit_id,
            "district": "sample", "town": "T001", "community": "", "category": "HOSPITAL", "key_unit": True,
            "auto_fire_facilities": True, "crowded_place": True, "flammable_place": False, "fire_alarm_system": True,
            "commissioned_on": "2025-06-30", "lead_department": "health", "routed": True, "route_clause": "x",
        }  # fmt: skip
        self.rows.setdefault(("unit", unit_id), []).append(row | facts)
        return self

    def gateway(
        self, gateway_id: str = "G1", unit_id: str = "U1", since: str = "2025-01-01", **facts: Any
    ) -> "Scenario":
        row = {
            "valid_from": since, "recorded_at": "2025-12-31T00:00:00Z", "gateway_id": gateway_id, "unit_id": unit_id,
            "carrier": "carrier-a",
        }  # fmt: skip
        self.rows.setdefault(("gateway", gateway_id), []).append(row | facts)
        return self

    def ticks(self, start: float, until: float, step: float = 60, instance: str = "i1", **data: Any) -> "Scenario":
        at = start
        while at <= until:
            self.tick(at, instance, **data)
            at += step
        return self

    def tick(self, at: float, instance: str = "i1", **data: Any) -> "Scenario":
        self.numbers += 1
        body = {"instance": instance, "epoch": 1, "number": self.numbers, "state": "live", "proven_until": iso(at)}
        self._record(at, f"/ingest/{instance}", f"t{self.numbers}", "tick", at, body | data)
        return self

    def heartbeats(self, start: float, until: float, step: float = 60, **more: Any) -> "Scenario":
        at = start
        while at <= until:
            self.signal(at, **more)
            at += step
        return self

    def signal(
        self,
        at: float,
        kind: str = "heartbeat",
        gateway: str = "G1",
        unit: str = "U1",
        *,
        recorded: float | None = None,
        signal_id: str | None = None,
        point: str | None = None,
        system: str | None = None,
        **data: Any,
    ) -> "Scenario":
        self.numbers += 1
        body = {"gateway_id": gateway, "unit_id": unit, "kind": kind, "carrier": "mqtt_json", "lane": "up",
                "instance": "i1", **data}  # fmt: skip
        if point is not None:
            body["point"] = {"address": point, "system": system}
        self._record(
            at if recorded is None else recorded, f"/gateways/{gateway}", signal_id or f"s{self.numbers}", "signal", at,
            body, unit,
        )  # fmt: skip
        return self

    def check(self, at: float, *steps: str, gateway: str = "G1", command: str | None = None) -> "Scenario":
        """`steps` of one duty check that was ordered at `at`."""
        self.numbers += 1
        command = command or f"c{self.numbers}"
        for number, step in enumerate(steps):
            body = {"command_id": command, "gateway_id": gateway, "what": "duty_check", "by": "x", "step": step,
                    "ordered_at": iso(at), "instance": "i1"}  # fmt: skip
            self._record(at, "/ingest", f"{command}-{step}-{number}", "exchange", at, body, gateway)
        return self

    def registry_line(self, at: float, kind: str, record_id: str, rows: list[dict[str, Any]]) -> "Scenario":
        self.numbers += 1
        record = {"record": {"kind": kind, "id": record_id, "versions": rows}}
        self._record(at, "/registry", f"r{self.numbers}", "registry", at, record, f"{kind}:{record_id}")
        return self

    def _record(
        self, at: float, source: str, event_id: str, kind: str, time: float, data: Any, subject: str | None = None
    ) -> None:
        event = _event(kind, source, event_id, subject, time, data)
        self.log.append((at, len(self.log), event))

    def registry_lines(self) -> bytes:
        events = []
        for (kind, name), rows in self.rows.items():
            record = {"record": {"kind": kind, "id": name, "versions": rows}}
            events.append(_event("registry", "/registry", f"{kind}-{name}", f"{kind}:{name}", 0, record))
        return "".join(json.dumps(event) + "\n" for event in events).encode()

    def log_lines(self) -> bytes:
        lines = [
            {"recorded_at": iso(at), "topic": "firenet.signals.v1", "partition": 0, "offset": offset, "event": event}
            for offset, (at, _, event) in enumerate(sorted(self.log, key=lambda each: each[:2]))
        ]
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def ask(self, command: str = "figures", **asked: Any) -> Any:
        """Return the whole answer of a command, or the error."""
        return json.loads(
            answer(
                EXAMPLE,
                self.work,
                pack=self.pack.encode(),
                registry=self.registry_lines(),
                log=self.log_lines(),
                ask=json.dumps(asked).encode(),
                second_pack=None if self.second_pack is None else self.second_pack.encode(),
                command=command,
            )[1]
        )

    def figure(self, metric: str, start: float | None = None, end: float | None = None, **asked: Any) -> Any:
        """Return one figure of scope S1: of a window where `end` is given, of an instant else."""
        known_at = asked.pop("known_at", None)
        window = {} if start is None else {"at": iso(start)} if end is None else {"from": iso(start), "to": iso(end)}
        return self.ask(known_at=known_at, figures=[{"metric": metric, "scope": "S1", **window, **asked}])["figures"][0]

    def counts(
        self, metric: str, start: float | None = None, end: float | None = None, **asked: Any
    ) -> tuple[int, ...]:
        """Return numerator, denominator, unknown and exempt of a figure, times in seconds."""
        told = self.figure(metric, start, end, **asked)
        unit = 1_000_000 if told["counts"].endswith("us") else 1
        return tuple(told[name] // unit for name in ("numerator", "denominator", "unknown", "exempt"))

    def connection(self, start: float, end: float, unit: str = "U1") -> list[tuple[Any, ...]]:
        """Return (from, to, connection, cause, attribution) of a unit."""
        told = self.ask(intervals=[{"units": [unit], "from": iso(start), "to": iso(end)}])["intervals"][0][unit]
        return [
            (seconds(each["from"]), seconds(each["to"]), each["connection"], each["cause"], each["attribution"])
            for each in told["connection"]
        ]

    def health(self, start: float, end: float, unit: str = "U1") -> list[tuple[Any, ...]]:
        told = self.ask(intervals=[{"units": [unit], "from": iso(start), "to": iso(end)}])["intervals"][0][unit]
        return [(seconds(each["from"]), seconds(each["to"]), each["health"]) for each in told["health"]]


def _event(kind: str, source: str, event_id: str, subject: str | None, time: float, data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"cn.firenet.{kind}.v1",
        "subject": subject,
        "time": iso(time),
        "datacontenttype": "application/json",
        "data": data,
    }
