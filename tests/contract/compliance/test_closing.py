"""Periods closed over an archived log, in a real database, are what the two command lines answer of that log."""

import json
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import pytest

from schemas.inputs import json_line
from services.runtime.postgres import Pool, open_pool
from tests.contract.compliance.closings import Archived, ask_of, closing, sent, stored, until_done
from tests.contract.compliance.scenario import DAY, PACK, Scenario

HOUR = 3600
PUBLISHING = PACK + "\nclose_after_s: 7200\npublication: {availability: '0.9', cure_limit_s: 3600, findings: [day]}\n"


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "test", 1, 3) as opened:
        yield opened


def district(work: Path) -> Scenario:
    """Three days: one unit always there, one that is lost in the night, one never heard, one retired on the second."""
    told = Scenario(work)
    told.unit("U1").gateway("G1", "U1", points=3)
    told.unit("U2", town="T002", lead_department="education").gateway("G2", "U2", carrier="carrier-b")
    told.unit("U3", town="T002", commissioned_on=None).gateway("G3", "U3")
    told.unit("U4", retired_on="2026-03-11").gateway("G4", "U4")
    told.ticks(0, 2 * DAY + 12 * HOUR, 50)
    told.heartbeats(30, 2 * DAY + 12 * HOUR, gateway="G1", unit="U1")
    told.heartbeats(31, 20 * HOUR, gateway="G2", unit="U2")
    told.heartbeats(30 * HOUR, 2 * DAY + 12 * HOUR, gateway="G2", unit="U2")
    told.heartbeats(32, 2 * DAY, 110, gateway="G4", unit="U4")
    told.signal(5 * HOUR, "fault", point="p1").signal(5 * HOUR + 900, "restore", point="p1", restores="fault")
    told.signal(23.5 * HOUR, "fault", point="p2").signal(40 * HOUR, "restore", point="p2", restores="fault")
    told.signal(50 * HOUR, "isolation", point="p3")
    told.check(9 * HOUR, "sent", "answered").check(33 * HOUR, "sent", "not_answered", gateway="G2")
    return told


def the_same(archived: Archived, dsn: str, work: Path, pack: str = PUBLISHING) -> int:
    """Hold every stored revision against the pipe of two commands, cut at its known_at; return how many there are."""
    rows = stored(dsn)
    for known_at, group in groupby(rows, key=lambda row: row[8]):
        told = list(group)
        answers = archived.pipe(work, known_at, [ask_of(row) for row in told], pack)
        for row, answer in zip(told, answers, strict=True):
            assert row[9] == json_line(answer).rstrip("\n"), row[:9]
    return len(rows)


async def test_what_is_published_is_what_the_command_lines_answer(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))

    await until_done(closing(pool, archived.root))

    assert the_same(archived, migrated_database, tmp_path / "pipe") > 100
    days = {row[5].isoformat() for row in stored(migrated_database, "period_kind = 'day'")}
    assert days == {"2026-03-09T16:00:00+00:00", "2026-03-10T16:00:00+00:00"}
    revised = stored(migrated_database, "revision > 1")
    assert {row[0] for row in revised} == {"fault_cure_timely_rate"} or not revised, json.dumps(
        [r[:8] for r in revised], default=str
    )
