"""Periods closed over random histories, with late, repeated and shuffled signals, are those of the command lines."""

import io
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from schemas import codec
from schemas.inputs import json_line
from schemas.pack import Pack
from schemas.registry import AdjustmentRecord, AdjustmentVersion, PackRecord, PackVersion, RegistryData, RegistryEvent
from schemas.topics import REGISTRY, SIGNALS
from services.compliance.adapters.facts import known, read_facts
from services.compliance.adapters.packs import policies
from services.compliance.cli import figures, log
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.outages import outages
from services.compliance.domain.unit_day import every_unit
from services.kernel.calendar import moment
from services.rules.command import facts
from services.runtime.postgres import open_pool
from tests import quick_yaml
from tests.contract.compliance.archived import Sent, ms
from tests.contract.compliance.closings import PARTITIONS, TOPIC_OF, Archived, ask_of, closing, stored, until_done
from tests.contract.compliance.test_unit_days import adjustments
from tests.naive.histories import history

STEP_S = 21_600
PUBLICATION = (
    "\npublication: {availability: '0.9', cure_limit_s: 3600, transmission_limit_s: 60, findings: [day]}\n"
    "close_after_s: 0\n"
)


def packs_event(packs: Sequence[str], at: datetime) -> list[bytes]:
    """Return the packs as the registry tells them, those of a district as one record."""
    by_district: dict[str, list[Pack]] = defaultdict(list)
    for source in packs:
        pack = Pack.model_validate(quick_yaml.read(source))
        by_district[pack.district].append(pack)
    found = []
    for district, held in by_district.items():
        versions = [PackVersion(valid_from=pack.valid_from, recorded_at=at, pack=pack) for pack in held]
        record = PackRecord(id=district, versions=tuple(sorted(versions, key=lambda each: each.valid_from)))
        data = RegistryData(record=record)
        event = RegistryEvent(id=district, source="/registry", subject=f"pack:{district}", time=at, data=data)
        found.append(codec.registry.encode(event))
    return found


def decided(seed: int, many: int, times_ms: Sequence[int]) -> list[Sent]:
    """Return adjustments that were approved at some of these times; half of them are ended early at a later one."""
    chance, found = Random(seed), []
    for event in adjustments(seed, many):
        at_ms, later_ms = sorted(chance.choices(times_ms, k=2))
        [row] = event.data.record.versions
        assert isinstance(row, AdjustmentVersion)
        middle = row.starts_at + (row.ends_at - row.starts_at) / 2
        first = row.model_copy(update={"recorded_at": datetime.fromtimestamp(at_ms / 1000, UTC)})
        sooner = row.model_copy(update={"recorded_at": datetime.fromtimestamp(later_ms / 1000, UTC), "ends_at": middle})
        histories: list[tuple[int, tuple[AdjustmentVersion, ...]]] = [(at_ms, (first,))]
        if at_ms < later_ms and chance.random() < 0.5:
            histories.append((later_ms, (first, sooner)))
        for told_ms, versions in histories:
            record = AdjustmentRecord(id=row.adjustment_id, versions=versions)
            said = event.model_copy(update={"id": f"{event.id}-{told_ms}", "data": RegistryData(record=record)})
            found.append(Sent(REGISTRY, 0, codec.registry.encode(said), told_ms))
    return sorted(found, key=lambda each: each.timestamp_ms)


def on_topics(seed: int, decisions: int) -> tuple[list[str], list[Sent]]:
    """Return packs and records of a history with adjustments; ticks in every partition, and the time after it."""
    told = history(seed)
    packs = [re.sub(r"^close_after_s: .*\n", "", source, flags=re.MULTILINE) + PUBLICATION for source in told.packs]
    lines = [json.loads(line) for line in told.log]
    first_ms = min(ms(line["recorded_at"]) for line in lines)
    registry = [
        *packs_event(packs, datetime.fromtimestamp(first_ms / 1000, UTC)),
        *(row.encode() for row in told.registry),
    ]
    found = [Sent(REGISTRY, 0, value, first_ms) for value in registry]
    for line in lines:
        kind = line["event"]["type"].split(".")[2]
        value, at_ms = json.dumps(line["event"]).encode(), ms(line["recorded_at"])
        numbers = range(PARTITIONS) if kind == "tick" else [0]
        found += [Sent(TOPIC_OF[kind], number, value, at_ms) for number in numbers]
    found += decided(seed, decisions, sorted({ms(line["recorded_at"]) for line in lines}))
    after_ms = max(each.timestamp_ms for each in found) + STEP_S * 1000 + 1
    return packs, found + [Sent(SIGNALS, number, b"later", after_ms) for number in range(PARTITIONS)]


def answers(archived: Archived, packs: Sequence[str], work: Path, rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return what the two command lines say of the same figures, each as known when it was published."""
    work.mkdir()
    common = ["--registry", str(work / "REGISTRY.jsonl")]
    (work / "REGISTRY.jsonl").write_bytes(b"")
    for number, source in enumerate(packs):
        (work / f"PACK-{number}.yaml").write_text(source, "utf-8")
        common += ["--pack", str(work / f"PACK-{number}.yaml")]
    lines, told = io.BytesIO(), io.BytesIO()
    assert log.run(["2020-01-01", "2029-01-01", "--archive", str(archived.root)], lines, io.StringIO()) == 0
    (work / "LOG.jsonl").write_bytes(lines.getvalue())
    assert facts.run([*common, "--log", str(work / "LOG.jsonl")], told) == 0
    found: list[str] = []
    for known_at, group in groupby(rows, key=lambda row: row[8]):
        asked = {"known_at": known_at.isoformat(), "figures": [ask_of(row) for row in group]}
        (work / "ASK.json").write_text(json.dumps(asked), "utf-8")
        told.seek(0)
        out = io.BytesIO()
        assert figures.run(["figures", *common, "--facts", "-", "--ask", str(work / "ASK.json")], told, out) == 0
        found += [json_line(each).rstrip("\n") for each in json.loads(out.getvalue())["figures"]]
    return found


def standing_outages(dsn: str) -> list[tuple[Any, ...]]:
    """Return the outages that stand, by unit and time."""
    columns = "unit_id, started_at, ended_at, cause, attribution, gateway_id, lost_at, group_id, group_from"
    with psycopg.connect(dsn) as connection:
        query = f"SELECT {columns}, group_units FROM compliance.outages_now WHERE NOT withdrawn ORDER BY 1, 2"
        return connection.execute(query.encode()).fetchall()


def outages_of_the_log(work: Path, packs: Sequence[str], dsn: str) -> list[tuple[Any, ...]]:
    """Return all outages of every unit, as the formulas say of the log as it was known at the last publication."""
    with psycopg.connect(dsn) as connection:
        [(known_at,)] = connection.execute("SELECT published_at FROM compliance.log_position").fetchall()
    common = ["--registry", str(work / "REGISTRY.jsonl")]
    for number in range(len(packs)):
        common += ["--pack", str(work / f"PACK-{number}.yaml")]
    told = io.BytesIO()
    assert facts.run([*common, "--log", str(work / "LOG.jsonl")], told) == 0
    told.seek(0)
    judged_by = policies([Pack.model_validate(quick_yaml.read(source)) for source in packs])
    knowledge = Knowledge(known([], read_facts(told), known_at), judged_by)
    watermark = knowledge.visibility.watermark
    assert watermark is not None
    found = []
    for unit_id in knowledge.unit_ids:
        for each in outages(every_unit(knowledge, unit_id), knowledge.visibility.blind[0].end, watermark):
            evidence = each.evidence
            end = None if each.end == watermark else moment(each.end)
            times = [None if at is None else moment(at) for at in (evidence.lost_at, evidence.begun)]
            row = (unit_id, moment(each.start), end, each.cause, evidence.attribution, evidence.gateway_id, times[0])
            found.append((*row, evidence.group, times[1], len(evidence.units) or None))
    return found


@pytest.mark.parametrize(("seed", "decisions"), [(5, 0), (14, 0), (5, 12)])
async def test_every_revision_is_what_the_command_lines_answer(
    seed: int, decisions: int, migrated_database: str, tmp_path: Path
) -> None:
    packs, records = on_topics(seed, decisions)
    archived = Archived(tmp_path / "archive")
    archived.put(records)

    async with open_pool(migrated_database, "test", 1, 3) as pool:
        await until_done(closing(pool, archived.root, STEP_S))

    rows = stored(migrated_database)
    assert any(row[7] > 1 for row in rows)
    assert [row[9] for row in rows] == answers(archived, packs, tmp_path / "pipe", rows)
    assert standing_outages(migrated_database) == outages_of_the_log(tmp_path / "pipe", packs, migrated_database)
