"""Periods closed over an archived log, in a real database, are what the two command lines answer of that log."""

import io
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from deploy.stack.postgres import Postgres
from schemas import codec
from schemas.body_finding import BodyFinding
from schemas.inputs import json_line
from schemas.topics import EXCHANGES, FINDINGS, REGISTRY
from services.compliance.adapters.archive_files import days, folder_of
from services.compliance.adapters.kafka_copy import dated_by_versions
from services.compliance.cli import replay
from services.compliance.ports import LogRecord, Place
from services.compliance.worker import closing as worker
from services.kernel.calendar import day_of, micros
from services.kernel.retention import whole_years_from
from services.runtime.postgres import Pool, open_pool
from tests.contract.compliance.archived import Sent
from tests.contract.compliance.closings import PLACES, Archived, ask_of, closing, pack_event, sent, stored, until_done
from tests.contract.compliance.scenario import DAY, PACK, T0, Scenario, iso
from tests.contract.compliance.test_adjustments import approve, version
from tests.parts import fresh_database

HOUR = 3600
BEAT = 1500
"""Seconds between heartbeats and between ticks: CN-GB expects one each 1800 s, and is lost after 7200 s."""
PUBLISHING = (
    PACK.replace("default_profile: CN-FAST", "default_profile: CN-GB").replace(
        "blind_after_s: 60", "blind_after_s: 1800"
    )
    + "\nclose_after_s: 7200\n"
    + "publication: {availability: '0.9', cure_limit_s: 3600, transmission_limit_s: 60, findings: [day]}\n"
    + "test_duty: [{scopes: [S1], every_s: 86400, buffer_s: 3600, clause: c}]\n"
)


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "test", 1, 3) as opened:
        yield opened


@pytest.fixture
def other_database(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, migrated_template) as name:
        yield postgres_server.dsn(name)


def district(work: Path) -> Scenario:
    """Three days: one unit always there, one that is lost in the night, one never heard, one retired on the second."""
    told = Scenario(work)
    told.unit("U1").gateway("G1", "U1", points=3)
    told.unit("U2", town="T002", lead_department="education").gateway("G2", "U2", carrier="carrier-b")
    told.unit("U3", town="T002", commissioned_on=None).gateway("G3", "U3")
    told.unit("U4", retired_on="2026-03-11").gateway("G4", "U4")
    told.ticks(0, 2 * DAY + 12 * HOUR, BEAT)
    told.heartbeats(30, 2 * DAY + 12 * HOUR, BEAT, gateway="G1", unit="U1")
    told.heartbeats(31, 20 * HOUR, BEAT, gateway="G2", unit="U2")
    told.heartbeats(30 * HOUR, 2 * DAY + 12 * HOUR, BEAT, gateway="G2", unit="U2")
    told.heartbeats(32, 2 * DAY, 2 * BEAT, gateway="G4", unit="U4")
    told.signal(5 * HOUR, "fault", point="p1").signal(5 * HOUR + 900, "restore", point="p1", restores="fault")
    told.signal(23.5 * HOUR, "fault", point="p2").signal(40 * HOUR, "restore", point="p2", restores="fault")
    told.signal(50 * HOUR, "isolation", point="p3")
    told.check(9 * HOUR, "sent", "answered").check(33 * HOUR, "sent", "not_answered", gateway="G2")
    return told


def the_same(archived: Archived, dsn: str, work: Path, pack: str = PUBLISHING) -> int:
    """Hold every stored revision against the pipe of two commands, cut at its known_at; return how many there are."""
    rows, facts = stored(dsn), archived.facts(work, pack)
    for known_at, group in groupby(rows, key=lambda row: row[8]):
        told = list(group)
        answers = archived.figures(work, facts, known_at, [ask_of(row) for row in told])
        for row, answer in zip(told, answers, strict=True):
            assert row[9] == json_line(answer).rstrip("\n"), row[:9]
    return len(rows)


async def test_what_is_published_is_what_the_command_lines_answer(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))

    await until_done(closing(pool, archived.root, 4 * HOUR))

    assert the_same(archived, migrated_database, tmp_path / "pipe") > 100
    days = {row[5].isoformat() for row in stored(migrated_database, "period_kind = 'day'")}
    assert days == {"2026-03-09T16:00:00+00:00", "2026-03-10T16:00:00+00:00"}
    revised = {row[0] for row in stored(migrated_database, "revision > 1")}
    assert revised <= {"fault_cure_timely_rate"}, "nothing else came late"


def late(told: Scenario) -> Scenario:
    """What comes on the third day of the first: a proof in the gap of U2, a fault; and a row that was wrong."""
    told.log = []
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 2 * DAY + 18 * HOUR, BEAT)
    after = 2 * DAY + 13 * HOUR
    for number in range(4):
        told.signal((20 + number / 3) * HOUR, gateway="G2", unit="U2", recorded=after, signal_id=f"late{number}")
    told.signal(6 * HOUR, "fault", gateway="G2", unit="U2", recorded=after + 1, point="p9", signal_id="late-fault")
    rows = told.rows["unit", "U3"]
    row = rows[0] | {"recorded_at": iso(after), "commissioned_on": "2026-03-10"}
    return told.registry_line(after + 2, "unit", "U3", [*rows, row])


async def test_what_comes_late_gives_revisions_with_their_difference(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived, told = Archived(tmp_path / "archive"), district(tmp_path)
    archived.put(sent(told, PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    first = stored(migrated_database)

    archived.put([each for each in sent(late(told), PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS])
    await until_done(closing(pool, archived.root, 4 * HOUR))

    the_same(archived, migrated_database, tmp_path / "pipe")
    assert stored(migrated_database)[: len(first)] == first, "nothing published changes"
    revised = {(row[0], row[5].isoformat()[:10]) for row in stored(migrated_database, "revision > 1")}
    assert {("time_weighted_networking_rate", "2026-03-09"), ("access_rate", "2026-03-09")} <= revised
    assert ("coverage", "2026-03-09") not in revised
    [(difference, low)] = query(
        migrated_database,
        "SELECT difference, low FROM compliance.figures WHERE metric = 'access_rate' AND scope = 'S1' "
        "AND slice_kind = 'town' AND slice_id = 'T002' AND period_kind = 'day' AND revision = 2 "
        "ORDER BY period_from LIMIT 1",
    )
    lost = query(
        migrated_database,
        "SELECT started_at, ended_at, attribution, gateway_id, withdrawn FROM compliance.outages_now "
        "WHERE unit_id = 'U2' AND connection = 'offline' ORDER BY started_at LIMIT 2",  # of the night
    )
    assert [(row[2], row[3], row[4]) for row in lost] == [("unit", "G2", True), ("unit", "G2", False)]
    assert lost[1][0] > lost[0][0], "the late proof moves its beginning: the former stays, withdrawn"
    assert difference == {"numerator": [1, 2], "value": ["50.0", low], "low": ["50.0", low], "high": ["50.0", low]}


def decided(told: Scenario) -> Scenario:
    """What two people decide on the third day about the first two; one of it is ended sooner five hours later."""
    told.log = []
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 2 * DAY + 23 * HOUR, BEAT)
    at = 2 * DAY + 13 * HOUR
    lost = version("correction", 20 * HOUR, DAY, at, "A1", unit_id="U2", counted_as="connected")
    work = version("maintenance", 4 * HOUR, 8 * HOUR, at, "A2")
    sooner = version("maintenance", 4 * HOUR, 6 * HOUR, at + 5 * HOUR, "A2")
    midnight = version("exemption", 2 * DAY - HOUR, 2 * DAY + HOUR, at, "A3", unit_id="U2")
    test = version("test", 23 * HOUR, 25 * HOUR, at, "A4", trouble="fault", address="p2")
    approve(approve(approve(approve(told, lost, at=at), work, at=at), midnight, at=at), test, at=at)
    return approve(told, work, sooner, at=at + 5 * HOUR)


async def test_a_closed_day_follows_what_two_people_decided_of_it(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived, told = Archived(tmp_path / "archive"), district(tmp_path)
    archived.put(sent(told, PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    first = stored(migrated_database)

    archived.put([each for each in sent(decided(told), PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS])
    await until_done(closing(pool, archived.root, 4 * HOUR))

    the_same(archived, migrated_database, tmp_path / "pipe")
    assert stored(migrated_database)[: len(first)] == first, "nothing published changes"
    town = "SELECT difference FROM compliance.figures WHERE metric = 'time_weighted_networking_rate' AND scope = 'S1' "
    town += "AND slice_kind = 'town' AND period_kind = 'day' AND period_from = '2026-03-09T16:00:00Z' "
    [(gained,)] = query(migrated_database, town + "AND slice_id = 'T002' AND revision > 1")
    assert gained["numerator"][1] - gained["numerator"][0] == 4 * HOUR * 1_000_000
    [(less,), (more,)] = query(migrated_database, town + "AND slice_id = 'T001' AND revision > 1 ORDER BY revision")
    assert less["exempt"] == [0, 4 * HOUR * 1_000_000]
    assert more["exempt"] == [4 * HOUR * 1_000_000, 2 * HOUR * 1_000_000]
    revised = {(row[0], row[5].isoformat()[:10]) for row in stored(migrated_database, "revision > 1")}
    assert {("access_rate", "2026-03-10"), ("live_networking_rate", "2026-03-10")} <= revised, "exempt at midnight"
    assert {("device_intact_rate", "2026-03-09"), ("fault_cure_timely_rate", "2026-03-09")} <= revised


def third_day(told: Scenario) -> Scenario:
    """The rest of the third day and eight hours more, of which U2 was silent for six."""
    told.log = []
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 3 * DAY + 8 * HOUR, BEAT)
    told.heartbeats(2 * DAY + 12 * HOUR + 30 + BEAT, 3 * DAY + 8 * HOUR, BEAT, gateway="G1", unit="U1")
    return told.heartbeats(2 * DAY + 18 * HOUR, 3 * DAY + 8 * HOUR, BEAT, gateway="G2", unit="U2")


def later_still(told: Scenario) -> Scenario:
    """What comes on the fourth day: of the silence on the third, of the first day; and a row that was wrong."""
    told.log = []
    told.ticks(3 * DAY + 8 * HOUR + BEAT, 3 * DAY + 16 * HOUR, BEAT)
    after = 3 * DAY + 9 * HOUR
    told.signal(2 * DAY + 13 * HOUR, gateway="G2", unit="U2", recorded=after, signal_id="late-3")
    told.signal(20.5 * HOUR, gateway="G2", unit="U2", recorded=after, signal_id="late-1")
    [row] = told.rows["unit", "U3"]
    return told.registry_line(
        after, "unit", "U3", [row, row | {"recorded_at": iso(after), "commissioned_on": "2026-03-10"}]
    )


async def test_days_whose_facts_are_gone_stay_as_published_and_later_ones_are_computed_as_before(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINAL_DAYS", 1)
    archived, told, registry = Archived(tmp_path / "archive"), district(tmp_path), CollectorRegistry()
    archived.put(sent(told, PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    first = stored(migrated_database)

    work = closing(pool, archived.root, 4 * HOUR, registry, lambda *_: T0 + timedelta(days=2))
    await until_done(work)
    third = day_of(micros(T0)) + 2
    assert query(migrated_database, "SELECT kept_day FROM compliance.log_position") == [(third,)]
    assert query(migrated_database, "SELECT min(day) FROM compliance.unit_days") == [(third,)]
    assert query(migrated_database, "SELECT gateway_id, min(day) FROM compliance.heartbeats GROUP BY 1 ORDER BY 1") == [
        ("G1", third - 1), ("G2", third - 1), ("G4", third - 1),
    ]  # fmt: skip
    assert stored(migrated_database) == first, "nothing is published by that"
    assert query(migrated_database, "SELECT fact ->> 'kind' FROM compliance.signals ORDER BY received") == [
        ("fault",), ("fault",), ("restore",), ("isolation",)
    ], "what names a point first, the last test, what came since; the restore of p1 went"  # fmt: skip
    assert query(migrated_database, "SELECT count(*) FROM compliance.checks") == [(0,)]
    over = f"FROM compliance.outages WHERE ended_at < '{T0 + timedelta(days=2)}'"
    assert query(migrated_database, f"SELECT count(*) {over}") == [(0,)]
    for table in ("signals", "checks", "heartbeats", "unit_days", "outages"):
        assert (registry.get_sample_value("firenet_figures_rows_dropped_total", {"table": table}) or 0) > 0, table

    begun = int((T0 + timedelta(days=2, hours=12)).timestamp() * 1000)
    archived.put([each for each in sent(third_day(told), PUBLISHING) if each.timestamp_ms > begun])
    await until_done(work)
    ended = int((T0 + timedelta(days=3, hours=8)).timestamp() * 1000)
    archived.put([each for each in sent(later_still(told), PUBLISHING) if each.timestamp_ms > ended])
    await until_done(work)

    the_same(archived, migrated_database, tmp_path / "pipe")
    revised = {row[5].isoformat()[:10] for row in stored(migrated_database, "revision > 1 AND period_kind = 'day'")}
    assert "2026-03-11" in revised
    assert [row for row in stored(migrated_database) if row[5] < T0 + timedelta(days=2)] == [
        row for row in first if row[5] < T0 + timedelta(days=2)
    ]
    assert registry.get_sample_value("firenet_figures_refused_total", {"period": "day"}) == 2
    assert registry.get_sample_value("firenet_figures_too_late_total") == 1


async def test_a_fault_of_final_days_that_comes_now_is_counted_and_one_of_open_days_is_not(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINAL_DAYS", 1)
    archived, told, registry = Archived(tmp_path / "archive"), district(tmp_path), CollectorRegistry()
    archived.put(sent(told, PUBLISHING))
    work = closing(pool, archived.root, 4 * HOUR, registry, lambda *_: T0 + timedelta(days=2))
    await until_done(work)
    assert query(migrated_database, "SELECT kept_day FROM compliance.log_position") == [(day_of(micros(T0)) + 2,)]

    told.log, after = [], 3 * DAY + 9 * HOUR
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 3 * DAY + 16 * HOUR, BEAT)
    for refused, kind in ((20.5 * HOUR, "fault"), (21 * HOUR, "restore"), (3 * DAY, "fault")):
        replayed: dict[str, Any] = {"flags": ["replayed"], "first_received_at": iso(refused)}
        told.signal(after, kind, "G2", "U2", signal_id=f"late-{refused}-{kind}", **replayed)
    told.signal(21 * HOUR, gateway="G2", unit="U2", recorded=after, signal_id="late")
    archived.put(sent(told, PUBLISHING)[1:])
    await until_done(work)
    counted = {"firenet_figures_late_troubles_total": 1, "firenet_figures_too_late_total": 3}
    assert {name: registry.get_sample_value(name) for name in counted} == counted


async def test_a_log_that_is_folded_anew_without_its_beginning_restates_nothing_of_it(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived, told, registry = Archived(tmp_path / "archive"), district(tmp_path), CollectorRegistry()
    archived.put(sent(told, PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    first = stored(migrated_database)

    for place in PLACES:
        shutil.rmtree(days(folder_of(archived.root, place))[0])
    told.log = []
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 3 * DAY + 8 * HOUR, BEAT)
    at = T0 + timedelta(days=2, hours=13)
    stricter = pack_event(PUBLISHING.replace("blind_after_s: 1800", "blind_after_s: 1700"), at.isoformat())
    more = [each for each in sent(told, PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS]
    more.append(Sent(REGISTRY, 0, stricter, int(at.timestamp() * 1000)))
    archived.put(sorted(more, key=lambda each: each.timestamp_ms))
    await until_done(closing(pool, archived.root, 4 * HOUR, registry))

    now = stored(migrated_database, "period_kind = 'day'")
    assert [row for row in now if row[5] == T0] == [row for row in first if row[5] == T0]
    assert {row[5] for row in now} >= {T0, T0 + timedelta(days=2)}, "it goes on"
    assert (registry.get_sample_value("firenet_figures_refused_total", {"period": "day"}) or 0) > 0


NEW_YEAR = 297 * DAY
"""1 January 2027, 00:00 in Shanghai."""


async def test_a_closed_year_is_restated_with_its_months_for_as_long_as_those_are_kept(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINAL_DAYS", 1)
    archived, told, registry = Archived(tmp_path / "archive"), Scenario(tmp_path), CollectorRegistry()
    told.unit().gateway()
    told.ticks(NEW_YEAR - 3 * DAY, NEW_YEAR + 6 * HOUR, BEAT)
    told.heartbeats(NEW_YEAR - 3 * DAY, NEW_YEAR - 10 * HOUR, BEAT)
    archived.put(sent(told, PUBLISHING))

    def as_of_february_2028(_now: datetime, unclosed_from: datetime | None) -> datetime:
        return whole_years_from(datetime(2028, 2, 3, tzinfo=UTC), 400, unclosed_from)

    work = closing(pool, archived.root, 2 * HOUR, registry, as_of_february_2028)
    await until_done(work)
    assert stored(migrated_database, "period_kind = 'year'")
    told.log = []
    told.ticks(NEW_YEAR + 6 * HOUR + BEAT, NEW_YEAR + 8.9 * HOUR, BEAT)
    was_there = version("correction", NEW_YEAR - 10 * HOUR, NEW_YEAR, NEW_YEAR + 6.5 * HOUR, counted_as="connected")
    approve(told, was_there, at=NEW_YEAR + 6.5 * HOUR)
    since = (T0 + timedelta(seconds=NEW_YEAR + 6 * HOUR)).timestamp() * 1000
    archived.put([each for each in sent(told, PUBLISHING) if each.timestamp_ms > since])
    await until_done(work)

    networking = (
        "metric = 'time_weighted_networking_rate' AND slice_kind = 'district' AND scope = 'S1' AND revision > 1"
    )
    revised = {row[4] for row in stored(migrated_database, networking)}
    assert {"day", "month", "quarter", "half_year", "year"} <= revised
    assert not registry.get_sample_value("firenet_figures_refused_total", {"period": "year"})


async def test_a_log_that_is_folded_anew_forgets_no_trouble_check_point_or_last_proof_of_before_it(
    pool: Pool, migrated_database: str, other_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINAL_DAYS", 1)
    told = Scenario(tmp_path)
    told.unit("U2").gateway("G2", "U2").heartbeats(31, 2 * HOUR, BEAT, gateway="G2", unit="U2")
    told.unit(fire_alarm_system=True).gateway(points=0)
    told.ticks(0, 2 * DAY + 12 * HOUR, BEAT).heartbeats(30, 2 * DAY + 12 * HOUR, BEAT)
    told.signal(2 * HOUR, "fault", point="p1").signal(3 * HOUR, "state", point="p2")
    told.check(3 * HOUR, "sent", "answered").check(33 * HOUR, "sent", "not_answered")
    first, shortened, whole = sent(told, PUBLISHING), Archived(tmp_path / "short"), Archived(tmp_path / "whole")
    told.log = []
    told.ticks(2 * DAY + 12 * HOUR + BEAT, 3 * DAY + 8 * HOUR, BEAT)
    at = T0 + timedelta(days=2, hours=13)
    stricter = pack_event(PUBLISHING.replace("blind_after_s: 1800", "blind_after_s: 1700"), at.isoformat())
    more = [each for each in sent(told, PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS]
    more = sorted([*more, Sent(REGISTRY, 0, stricter, int(at.timestamp() * 1000))], key=lambda each: each.timestamp_ms)

    async with open_pool(other_database, "test", 1, 3) as other:
        for archived, database, goes in ((shortened, pool, True), (whole, other, False)):
            archived.put(first)
            first_day_goes = closing(database, archived.root, 4 * HOUR, None, lambda *_: T0 + timedelta(days=1))
            await until_done(first_day_goes)
            for place in [*PLACES, Place(EXCHANGES, 0)] if goes else ():
                shutil.rmtree(days(folder_of(archived.root, place))[0])
            archived.put(more)
            await until_done(closing(database, archived.root, 4 * HOUR))

    # whether a test was due is not known without the time that it is due within (R45)
    later = f"metric <> 'tested_in_time_rate' AND period_kind = 'day' AND period_from >= '{T0 + timedelta(days=1)}'"
    columns = "metric, scope, slice_kind, slice_id, period_from, figure::text"
    latest = f"SELECT DISTINCT ON (1, 2, 3, 4, 5) {columns} FROM compliance.figures WHERE {later} "
    latest += "ORDER BY 1, 2, 3, 4, 5, revision DESC"
    assert query(migrated_database, latest) == query(other_database, latest)
    steps = "SELECT gateway_id, command_id, step FROM compliance.checks ORDER BY position"
    left, met_again = query(migrated_database, steps), query(other_database, steps)
    assert (len(left), len(met_again)) == (2, 4), "of the day that is final they went, and are in no archive"
    assert set(left) < set(met_again)
    proofs = "SELECT gateway ->> 0, gateway ->> 1 FROM compliance.units, json_array_elements(kept) gateway ORDER BY 1"
    assert query(migrated_database, proofs) == query(other_database, proofs)
    assert [gateway_id for gateway_id, _ in query(migrated_database, proofs)] == ["G1", "G2"]


async def test_figures_of_a_log_that_goes_on_in_topics_made_anew_are_those_of_one_log(
    pool: Pool, migrated_database: str, other_database: str, tmp_path: Path
) -> None:
    """Kafka lost everything where a step of the figures ends; the register is published once more."""
    records = sent(district(tmp_path), PUBLISHING)
    lost_ms = int((T0 + timedelta(hours=32)).timestamp() * 1000)
    whole = Archived(tmp_path / "whole")
    register = [each._replace(timestamp_ms=lost_ms) for each in records if each.topic == REGISTRY]
    after = [each for each in records if each.timestamp_ms >= lost_ms]
    whole.put([each for each in records if each.timestamp_ms < lost_ms])
    whole.put([*register, *after])
    await until_done(closing(pool, whole.root, 4 * HOUR))

    folder = tmp_path / "archive"
    Archived(folder, "a").put([each for each in records if each.timestamp_ms <= lost_ms + BEAT * 1000])
    async with open_pool(other_database, "test", 1, 3) as other:
        await until_done(closing(other, folder, 4 * HOUR))
        folder.rename(tmp_path / "archive-before")
        Archived(folder, "b").put([*register, *after])
        await until_done(closing(other, folder, 4 * HOUR))

    assert stored(other_database) == stored(migrated_database)


async def test_a_process_that_ends_after_any_turn_changes_nothing(
    pool: Pool, migrated_database: str, other_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))

    async with open_pool(other_database, "test", 1, 3) as other:
        while await closing(other, archived.root, 4 * HOUR).turn():
            pass  # each turn by a process that knows nothing but what stands in the database
        after = CollectorRegistry()
        assert not await closing(other, archived.root, 4 * HOUR, after).turn()

    assert stored(other_database) == stored(migrated_database)
    assert query(other_database, MESSAGES) == query(migrated_database, MESSAGES)
    day = {"metric": "access_rate", "scope": "S1", "period": "day", "state": "closed", "slice": "district"}
    assert after.get_sample_value("firenet_figure_low_ratio", {**day, "id": "sample"}) is not None


async def test_outages_are_said_to_be_published_only_where_this_version_computed_them(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    where = "SELECT outages_to, outages_to = published_closed FROM compliance.log_position"
    assert query(migrated_database, where)[0][1] is True
    with psycopg.connect(migrated_database) as connection:  # the version before ended after it had computed
        connection.execute(
            "UPDATE compliance.log_position SET outages_to = NULL, published_at = published_at - 1,"
            " state = (state::jsonb || '{\"form\": 2}')::json"
        )
    assert await closing(pool, archived.root, 4 * HOUR).turn()
    assert query(migrated_database, where) == [(None, None)]


async def test_what_another_process_took_in_between_is_not_computed_from_old_memory(
    pool: Pool, migrated_database: str, other_database: str, tmp_path: Path
) -> None:
    """The last commit of a process that was killed may come after its successor has begun."""
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))

    async with open_pool(other_database, "test", 1, 3) as other:
        one, another = (closing(other, archived.root, 4 * HOUR) for _ in range(2))
        while await one.turn() or await another.turn():
            await another.turn()

    assert stored(other_database) == stored(migrated_database)
    assert query(other_database, MESSAGES) == query(migrated_database, MESSAGES)


async def test_replay_proves_what_stands_and_names_what_does_not(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)
    span = ["2026-03-10", "2026-03-11", "--archive", str(archived.root)]

    assert replayed(span) == (0, [])
    with psycopg.connect(migrated_database) as connection:
        connection.execute(
            "UPDATE compliance.figures SET figure = replace(figure::text, '\"closed\":true', '\"closed\":false')::json "
            "WHERE metric = 'coverage' AND scope = 'S1' AND slice_kind = 'district' AND period_kind = 'day'"
        )
    code, told = replayed(span)
    assert (code, [(each["metric"], each["revision"]) for each in told]) == (1, [("coverage", 1)])

    patient = tmp_path / "patient.yaml"
    patient.write_text(PUBLISHING.replace("misses: 4", "misses: 40"), "utf-8")
    code, told = replayed([*span, "--pack", str(patient)])
    assert code == 0
    assert "time_weighted_networking_rate" in {each["metric"] for each in told}


async def test_replay_needs_no_record_of_the_registry_that_a_newer_one_replaced(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka compacts the topic: of each entity it keeps the last record, with all versions."""
    archived, told = Archived(tmp_path / "archive"), district(tmp_path)
    first = sent(told, PUBLISHING)
    everything = [*first, *(each for each in sent(late(told), PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS)]
    archived.put(everything)
    await until_done(closing(pool, archived.root, 4 * HOUR))
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)

    registry = [each for each in everything if each.topic == REGISTRY]
    newest = {json.loads(each.value)["subject"]: number for number, each in enumerate(registry)}
    assert len(newest) < len(registry)
    kept = [
        LogRecord(number, registry[number].timestamp_ms, None, registry[number].value) for number in newest.values()
    ]
    compacted = Archived(tmp_path / "compacted")
    compacted.put(
        [
            *(Sent(REGISTRY, 0, each.value or b"", each.timestamp_ms) for each in dated_by_versions(kept)),
            *(each for each in everything if each.topic != REGISTRY),
        ]
    )

    assert replayed(["2026-03-10", "2026-03-12", "--archive", str(compacted.root)]) == (0, [])


def replayed(arguments: list[str]) -> tuple[int, list[dict[str, Any]]]:
    out = io.BytesIO()
    code = replay.run(arguments, out, io.StringIO())
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def query(dsn: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(text.encode()).fetchall()


MESSAGES = "SELECT topic, key, convert_from(payload, 'UTF8') FROM compliance.outbox ORDER BY position"
FIRST_HALF_MS = int((T0 + timedelta(days=2, hours=12)).timestamp() * 1000)


async def test_a_body_below_target_is_a_finding_until_it_is_not(
    pool: Pool, migrated_database: str, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(district(tmp_path), PUBLISHING))

    await until_done(closing(pool, archived.root, 4 * HOUR))

    raw = [row[2] for row in query(migrated_database, MESSAGES) if row[0] == FINDINGS]
    events = [event for each in raw if isinstance(event := codec.findings.decode(each.encode()), BodyFinding)]
    town = [event.data for event in events if event.data.subject.id == "T002"]
    told = [(data.phase.value, data.close.period_from.isoformat()[:10]) for data in town]
    assert told == [("began", "2026-03-09"), ("changed", "2026-03-10")]
    assert {event.data.subject.id for event in events} == {"sample", "T002", "education", "health"}
    assert len({event.id for event in events}) == len(events)
