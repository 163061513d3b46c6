"""A log of a few days in an archive, and the closing over it against a real database."""

import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.pack import Pack
from schemas.registry import PackRecord, PackVersion, RegistryData, RegistryEvent
from schemas.topics import EXCHANGES, LISTINGS, REGISTRY, SIGNALS
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.adapters.log_fold import ArchiveFold
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.cli import figures, log
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import LogRecord, Place
from services.compliance.worker.closing import Closing
from services.rules.command import facts
from services.runtime.postgres import Pool
from tests import quick_yaml
from tests.contract.compliance.archived import Sent, ms
from tests.contract.compliance.scenario import PACK, Scenario, iso
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW

PARTITIONS = 2
PLACES = [Place(SIGNALS, number) for number in range(PARTITIONS)]
TOPIC_OF = {"signal": SIGNALS, "tick": SIGNALS, "exchange": EXCHANGES, "registry": REGISTRY}


def pack_event(source: str, recorded_at: str) -> bytes:
    pack = Pack.model_validate(quick_yaml.read(source))
    at = datetime.fromisoformat(recorded_at)
    record = PackRecord(
        id=pack.district, versions=(PackVersion(valid_from=pack.valid_from, recorded_at=at, pack=pack),)
    )
    data = RegistryData(record=record)
    event = RegistryEvent(
        id=f"pack-{pack.version}", source="/registry", subject=f"pack:{pack.district}", time=at, data=data
    )
    return codec.registry.encode(event)


def sent(told: Scenario, pack: str = PACK) -> list[Sent]:
    """Return what the topics hold of a scenario: pack and registry first, ticks in every partition."""
    lines = [json.loads(line) for line in told.log_lines().splitlines()]
    first_ms = ms(lines[0]["recorded_at"])
    registry = [pack_event(pack, iso(0)), *told.registry_lines().splitlines()]
    found = [Sent(REGISTRY, 0, value, first_ms) for value in registry]
    for line in lines:
        kind = line["event"]["type"].split(".")[2]
        value, at_ms = json.dumps(line["event"]).encode(), ms(line["recorded_at"])
        if kind == "tick":
            found += [Sent(SIGNALS, number, value, at_ms) for number in range(PARTITIONS)]
        else:
            unit_id = line["event"]["data"].get("unit_id", "")
            number = crc32(unit_id.encode()) % PARTITIONS if kind == "signal" else 0
            found.append(Sent(TOPIC_OF[kind], number, value, at_ms))
    return found


class Archived:
    """An archive that grows; each `put` makes it whole up to the last record."""

    def __init__(self, root: Path, topic_id: str = "a") -> None:
        """`topic_id`: Kafka's of every topic; another one where the topics were made anew."""
        self.root = root
        self._topic_id = topic_id
        self._next: dict[Place, int] = defaultdict(int)

    def put(self, records: Sequence[Sent]) -> None:
        archive = FileArchive(
            self.root,
            roll_bytes=1 << 30,
            roll_s=3600,
            min_free_bytes=0,
            clock=ManualClock(datetime(2027, 1, 1, tzinfo=UTC)),
        )
        # as the service does: first what signals are read by
        by_place: dict[Place, list[LogRecord]] = {
            place: [] for place in [Place(REGISTRY, 0), Place(EXCHANGES, 0), Place(LISTINGS, 0), *PLACES]
        }
        for each in records:
            place = Place(each.topic, each.partition)
            by_place[place].append(LogRecord(self._next[place], each.timestamp_ms, None, each.value))
            self._next[place] += 1
        archive.open(dict.fromkeys(by_place))
        archive.belongs_to({place.topic: self._topic_id for place in by_place})
        for place, held in by_place.items():
            if held:
                archive.append(place, held[0].offset, held)
        archive.close()

    def facts(self, work: Path, pack: str = PACK) -> bytes:
        """Return what the first command line establishes of all that is archived."""
        work.mkdir(exist_ok=True)
        (work / "PACK.yaml").write_text(pack, "utf-8")
        (work / "REGISTRY.jsonl").write_bytes(b"")
        lines, told = io.BytesIO(), io.BytesIO()
        assert log.run(["2020-01-01", "2029-01-01", "--archive", str(self.root)], lines, io.StringIO()) == 0
        (work / "LOG.jsonl").write_bytes(lines.getvalue())
        common = ["--pack", str(work / "PACK.yaml"), "--registry", str(work / "REGISTRY.jsonl")]
        assert facts.run([*common, "--log", str(work / "LOG.jsonl")], told) == 0
        return told.getvalue()

    def figures(self, work: Path, told_facts: bytes, known_at: datetime, asked: list[dict[str, Any]]) -> list[Any]:
        """Return what the second one answers of them."""
        (work / "ASK.json").write_text(json.dumps({"known_at": known_at.isoformat(), "figures": asked}), "utf-8")
        common = ["--pack", str(work / "PACK.yaml"), "--registry", str(work / "REGISTRY.jsonl")]
        told, out = io.BytesIO(told_facts), io.BytesIO()
        assert figures.run(["figures", *common, "--facts", "-", "--ask", str(work / "ASK.json")], told, out) == 0
        found: list[Any] = json.loads(out.getvalue())["figures"]
        return found


EVERYTHING = datetime(2020, 1, 1, tzinfo=UTC)


def closing(
    pool: Pool,
    root: Path,
    step_s: int = 3600,
    registry: CollectorRegistry | None = None,
    kept_from: Callable[[datetime, datetime | None], datetime] = lambda *_: EVERYTHING,
) -> Closing:
    return Closing(
        log=ArchiveFold(root, PLACES, step_s=step_s, tell=lambda *_, **__: None),
        store=PostgresFacts(pool),
        metrics=ClosingMetrics(registry or CollectorRegistry()),
        clock=ManualClock(NOW),
        tell=lambda *_, **__: None,
        wake=lambda: None,
        poll_s=1.0,
        kept_from=kept_from,
    )


async def until_done(work: Closing) -> int:
    """Turn until nothing is left to do; return how often something was."""
    turns = 0
    while await work.turn():
        turns += 1
    return turns


COLUMNS = "metric, scope, slice_kind, slice_id, period_kind, period_from, period_to, revision, known_at, figure::text"


def stored(dsn: str, where: str = "true") -> list[tuple[Any, ...]]:
    order = "known_at, period_kind, period_from, metric, scope, slice_kind, slice_id"
    with psycopg.connect(dsn) as connection:
        query = f"SELECT {COLUMNS} FROM compliance.figures WHERE {where} ORDER BY {order}"
        return connection.execute(query.encode()).fetchall()


def ask_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return what the command line is asked for a stored figure."""
    metric, scope, kind, value, _, start, end = row[:7]
    asked: dict[str, Any] = {"metric": metric, "scope": scope, "slice": {kind: value}}
    if metric in ("access_rate", "live_networking_rate", "online_rate", "isolation_rate"):
        return asked | {"at": end.isoformat()}
    asked |= {"from": start.isoformat(), "to": end.isoformat()}
    if metric == "meeting_units_rate":
        asked["availability"] = "0.9"
    if metric == "fault_cure_timely_rate":
        asked["limit_s"] = 3600
    if metric == "transmission_timely_rate":
        asked["limit_s"] = 60
    return asked
