"""Scores that the service publishes are those that the command line makes of the same log and entries."""

import io
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.listing import ListingActed, ListingActedData
from schemas.topics import LISTINGS
from services.compliance.adapters.log_fold import ArchiveFold
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.adapters.postgres_scores import PostgresScores
from services.compliance.cli import figures
from services.compliance.domain.scores import evaluated
from services.compliance.metrics import ClosingMetrics
from services.compliance.worker.closing import Closing
from services.compliance.worker.scoring import Scoring
from services.kernel.ratio import Ratio
from services.kernel.words import ListingAct
from services.runtime.postgres import Pool, open_pool
from tests.contract.compliance.archived import Sent, ms
from tests.contract.compliance.closings import EVERYTHING, PLACES, Archived, sent, until_done
from tests.contract.compliance.scenario import DAY, PACK, Scenario
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW
from tests.unit.compliance.test_scores import EVALUATION, known, month, months, of_years

SLOW = (
    PACK.replace("default_profile: CN-FAST", "default_profile: NB-BATTERY").replace(
        "blind_after_s: 60", "blind_after_s: 90000"
    )
    + "\nclose_after_s: 7200\n"
    + EVALUATION.replace("scope: S1, left_out", "scope: S3, left_out")
)
BY_LISTINGS = SLOW.replace("points: 20, manual", "points: 10, manual").replace(
    "      patrol:",
    "      listed: {points: 10, listings: {left_out_if_empty: true}, name_zh: 按期, name_en: Listings, clause: x}\n"
    "      patrol:",
)
ENTRY = {
    "entry_id": "S2026-000001", "district": "sample", "scheme_id": "towns", "body_id": "T001", "criterion_id": "patrol",
    "month": "2026-03-01", "points": "20", "most": 20, "reason": "visited", "account": "li",
    "recorded_at": "2026-04-02T01:00:00Z",
}  # fmt: skip


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "test", 1, 3) as opened:
        yield opened


def scored(pool: Pool, root: Path) -> Closing:
    metrics = ClosingMetrics(CollectorRegistry())
    return Closing(
        log=ArchiveFold(root, PLACES, step_s=DAY, tell=lambda *_, **__: None),
        store=PostgresFacts(pool),
        metrics=metrics,
        clock=ManualClock(NOW),
        tell=lambda *_, **__: None,
        wake=lambda: None,
        poll_s=1.0,
        kept_from=lambda *_: EVERYTHING,
        scoring=Scoring(PostgresScores(pool), metrics, lambda *_, **__: None),
    )


def march(work: Path) -> Scenario:
    told = Scenario(work)
    told.unit("U1").gateway("G1", "U1")
    told.unit("U2", town="T002", fire_alarm_system=False).gateway("G2", "U2")  # access is not asked of it
    told.ticks(0, 24 * DAY, DAY)
    told.unit("U3", town="T003", key_unit=False).gateway("G3", "U3")  # in no scope that is evaluated
    told.heartbeats(30, 24 * DAY, DAY, gateway="G1", unit="U1")
    return told


def acts(*made: tuple[ListingAct, str], listing_id: str = "L1") -> list[Sent]:
    """Return acts of a listing of U1 that is due on 20 March, as alerts publishes them."""
    found = []
    for number, (act, at) in enumerate(made, 1):
        due = None if act is ListingAct.PROPOSE else datetime.fromisoformat("2026-03-21T00:00:00+08:00")
        data = ListingActedData(
            listing_id=listing_id, number=number, act=act, case_id="c1", unit_id="U1", district="sample", town="T001",
            lead_department="health", due_at=due,
        )  # fmt: skip
        event_id, when = f"{listing_id}-{number}", datetime.fromisoformat(at)
        event = ListingActed(id=event_id, source="/alerts", subject=f"{listing_id}/{number}", time=when, data=data)
        found.append(Sent(LISTINGS, 0, codec.listings.encode(event), ms(at)))
    return found


async def test_listings_on_the_log_are_scored_by_the_service_as_by_the_command_line(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    open_still = acts(
        (ListingAct.PROPOSE, "2026-03-02T01:00:00Z"), (ListingAct.LIST, "2026-03-03T01:00:00Z"),
        (ListingAct.HAND_IN, "2026-03-18T01:00:00Z"),
    )  # fmt: skip
    late = acts(
        (ListingAct.PROPOSE, "2026-03-02T01:00:00Z"), (ListingAct.LIST, "2026-03-03T01:00:00Z"), listing_id="L2"
    )
    told = sorted(
        [*sent(march(tmp_path), BY_LISTINGS), *open_still, *open_still, *late], key=lambda each: each.timestamp_ms
    )
    archived = Archived(tmp_path / "archive")
    archived.put(told)
    await until_done(scored(pool, archived.root))
    await until_done(scored(pool, archived.root))  # a restart finds nothing new

    first = stored(migrated_database)
    assert [row[2] for row in first] == [1] * 4
    score = next(row[3] for row in first if row[:2] == ("T001", "month"))
    listed = score["criteria"][2]
    assert (listed["id"], listed["low"], listed["high"], listed["gap"]) == ("listed", "0.0", "5.0", "not_decided")
    assert listed["listings"]["due"] == [
        {"id": "L1", "unit": "U1", "due": "2026-03-20T16:00:00.000000Z", "outcome": "undecided"},
        {"id": "L2", "unit": "U1", "due": "2026-03-20T16:00:00.000000Z", "outcome": "late"},
    ]
    assert [row[3]["criteria"][2]["left_out"] for row in first if row[:2] == ("T002", "month")] == [True]
    answers = answered(archived, tmp_path / "pipe", [], BY_LISTINGS)
    assert sorted(map(json.dumps, map(bare, answers))) == sorted(json.dumps(bare(row[3])) for row in first)


async def test_an_act_that_was_lost_with_its_database_and_done_again_is_scored_by_both_as_it_was_done_again(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    begun = (ListingAct.PROPOSE, "2026-03-02T01:00:00Z"), (ListingAct.LIST, "2026-03-03T01:00:00Z")
    evidence, passed = (ListingAct.HAND_IN, "2026-03-18T01:00:00Z"), (ListingAct.PASS_RECHECK, "2026-03-19T01:00:00Z")
    lost = acts(*begun, evidence, passed, (ListingAct.APPROVE_CLOSURE, "2026-03-19T02:00:00Z"))
    again = acts(*begun, evidence, (ListingAct.FAIL_RECHECK, "2026-03-19T04:00:00Z"))[3:]
    told = sorted([*sent(march(tmp_path), BY_LISTINGS), *lost, *again], key=lambda each: each.timestamp_ms)
    archived = Archived(tmp_path / "archive")
    archived.put(told)
    await until_done(scored(pool, archived.root))

    first = stored(migrated_database)
    score = next(row[3] for row in first if row[:2] == ("T001", "month"))
    assert [each["outcome"] for each in score["criteria"][2]["listings"]["due"]] == ["late"]
    answers = answered(archived, tmp_path / "pipe", [], BY_LISTINGS)
    assert sorted(map(json.dumps, map(bare, answers))) == sorted(json.dumps(bare(row[3])) for row in first)

    entered = PostgresScores(pool).entered
    before = await entered()
    with psycopg.connect(migrated_database) as connection:
        connection.execute("UPDATE compliance.listing_acts SET at = at + interval '1 second' WHERE number = 4")
    assert await entered() != before, "an act that takes the place of another is seen"


def stored(dsn: str) -> list[tuple[str, str, int, dict[str, Any]]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT body_id, period_kind, revision, score FROM compliance.scores "
            "ORDER BY period_kind, body_id, revision"
        ).fetchall()


def enter(dsn: str) -> None:
    columns = ", ".join(ENTRY)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            f"INSERT INTO registry.manual_scores ({columns}) VALUES ({', '.join(['%s'] * len(ENTRY))})".encode(),
            list(ENTRY.values()),
        )
        connection.execute(
            "INSERT INTO registry.score_decisions VALUES (%s, 'approved', 'second', '', %s)",
            (ENTRY["entry_id"], ENTRY["recorded_at"]),
        )


def answered(archived: Archived, work: Path, entries: list[dict[str, Any]], pack: str = SLOW) -> list[dict[str, Any]]:
    facts = archived.facts(work, pack)
    ask = {"from": "2026-01-01", "to": "2027-01-01", "entries": entries}
    (work / "ASK.json").write_text(json.dumps(ask), "utf-8")
    common = ["--pack", str(work / "PACK.yaml"), "--registry", str(work / "REGISTRY.jsonl")]
    out = io.BytesIO()
    asked = ["evaluate", *common, "--facts", "-", "--ask", str(work / "ASK.json")]
    assert figures.run(asked, io.BytesIO(facts), out) == 0
    found: list[dict[str, Any]] = json.loads(out.getvalue())["scores"]
    return found


def bare(score: dict[str, Any]) -> dict[str, Any]:
    """Return a score without what only publication gives: id and revision of its figures."""
    criteria = [
        each | {"figure": each["figure"] and each["figure"] | {"id": None, "revision": None}}
        for each in score["criteria"]
    ]
    return score | {"criteria": criteria}


async def test_a_score_that_is_not_made_any_more_is_withdrawn_once_and_may_come_again(
    pool: Pool, migrated_database: str
) -> None:
    scores = PostgresScores(pool)
    made = evaluated(known(), *months(Ratio(1, 1), "20", [month(3)]))
    assert [await scores.save(made), await scores.save(made)] == [2, 0]  # a month and the quarter that ends with it
    assert [await scores.save(made[:1]), await scores.save(made[:1])] == [1, 0]
    assert [await scores.save([]), await scores.save([])] == [1, 0]
    with psycopg.connect(migrated_database) as connection:
        standing = connection.execute(
            "SELECT revision, low, grade, provisional, list, withdrawn, score->>'body', score->>'list' "
            "FROM compliance.scores_now ORDER BY period_kind"
        ).fetchall()
    assert standing == [(2, None, None, True, None, True, "T1", None)] * 2

    assert await scores.save(made) == 2
    assert [row[3]["list"] for row in stored(migrated_database) if row[2] == 3] == ["green", None]


async def test_a_grade_is_told_once_every_reader_knows_the_word(pool: Pool, migrated_database: str) -> None:
    scores, years = PostgresScores(pool), of_years((Ratio(0, 1), "0", 2026))
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        connection.execute("DELETE FROM compliance.released_words")
        before = await scores.entered()
        await scores.save(years)
        told = "SELECT (SELECT count(*) FROM compliance.grade_findings), (SELECT count(*) FROM compliance.outbox)"
        assert connection.execute(told).fetchone() == (0, 0), "alerts of the version before would refuse it for good"
        connection.execute("INSERT INTO compliance.released_words VALUES ('not_competent')")  # as migrate --post does
        assert await scores.entered() != before, "bodies are scored anew without a new entry"
        await scores.save(years)
        assert connection.execute(told).fetchone() == (1, 1)


async def test_a_closed_month_is_scored_and_again_when_somebody_enters_points(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(march(tmp_path), SLOW))
    work = scored(pool, archived.root)
    await until_done(work)

    first = stored(migrated_database)
    assert [row[:3] for row in first] == [
        ("T001", "month", 1), ("T002", "month", 1), ("T001", "quarter", 1), ("T002", "quarter", 1)
    ]  # fmt: skip
    by_body = {row[0]: row[3] for row in first if row[1] == "month"}
    assert all(score["provisional"] and "not_entered" in score["gaps"] for score in by_body.values())
    assert by_body["T001"]["criteria"][0]["figure"]["revision"] == 1
    assert by_body["T001"]["criteria"][0]["figure"]["id"]
    assert [score["criteria"][1]["left_out"] for score in by_body.values()] == [False, True]
    assert sorted(map(json.dumps, map(bare, answered(archived, tmp_path / "pipe", [])))) == sorted(
        json.dumps(bare(row[3])) for row in first
    )

    enter(migrated_database)
    await until_done(work)
    await until_done(scored(pool, archived.root))  # a restart finds nothing new

    after = [row for row in stored(migrated_database) if row[2] == 2]
    assert [row[:2] for row in after] == [("T001", "month"), ("T001", "quarter")]
    (month, _) = (row[3] for row in after)
    assert month["criteria"][2]["entry"] == {"id": "S2026-000001", "points": "20", "account": "li", "reason": "visited"}
    assert "not_entered" not in month["gaps"]
    answers = [json.dumps(bare(each)) for each in answered(archived, tmp_path / "pipe", [ENTRY])]
    assert json.dumps(bare(month)) in answers
