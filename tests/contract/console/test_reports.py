"""Reports from a real PostgreSQL: what is published, whose the outages are, and what became of cases and papers."""

import threading
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from services.console.adapters import postgres_reports
from services.console.adapters.postgres_reports import PostgresReports
from services.console.domain.history import Subject
from services.console.domain.report import (
    Attribution,
    CaseCounts,
    FireFindings,
    Outage,
    PaperCounts,
    Report,
    ReportQuery,
    Withheld,
    period_of,
)
from services.kernel.ratio import Ratio
from services.kernel.words import Dimension, Period
from services.runtime.postgres import open_pool
from tests.integration.console import reports as facts
from tests.integration.console.history import publish
from tests.integration.console.scenario import Scenario, district

LIMIT_S = 60.0
DISTRICT, HEALTH = Subject(Dimension.DISTRICT, "sample"), Subject(Dimension.DEPARTMENT, "health")


@pytest.fixture
async def reports(empty_scenario: Scenario) -> AsyncIterator[PostgresReports]:
    facts.empty(empty_scenario)
    empty_scenario.put(district(8))
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        yield PostgresReports(pool, LIMIT_S)


@pytest.fixture
def month(empty_scenario: Scenario) -> tuple[date, date]:
    """The last month that is over."""
    return period_of(Period.MONTH, empty_scenario.today().replace(day=1) - timedelta(days=1))


async def made(
    reports: PostgresReports, scenario: Scenario, month: tuple[date, date], subject: Subject = DISTRICT
) -> Report:
    query = ReportQuery(subject, Period.MONTH, *month)
    return await reports.report(query, scenario.now(), centre=subject is DISTRICT)


async def test_figures_come_with_every_revision_and_only_those_of_the_period_and_subject(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    publish(empty_scenario, *month, kind="month", low=190)
    publish(empty_scenario, *month, kind="month", low=192, revision=2)
    publish(empty_scenario, *month, kind="month", low=7, scope="S2")
    publish(empty_scenario, *month, kind="month", subject=("town", "dongjie"), low=1)
    publish(empty_scenario, month[0], kind="day", low=2)
    empty_scenario.execute(
        'UPDATE compliance.figures SET difference = \'{"low": ["95.0", "96.0"], "value": ["95.0", "96.0"]}\''
        " WHERE revision = 2"
    )
    found = await made(reports, empty_scenario, month)
    assert [(one.scope, len(one.publications)) for one in found.figures] == [("S1", 2), ("S2", 1)]
    first = found.figures[0]
    assert [one.revision for one in first.publications] == [1, 2]
    assert first.differences == ({}, {"low": ("95.0", "96.0")})
    assert (first.pack, found.revision, found.closed) == (("sample-2026", 1), 2, True)


async def test_the_periods_that_are_closed_are_listed_with_their_last_revision(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    publish(empty_scenario, *month, kind="month")
    publish(empty_scenario, *month, kind="month", revision=2)
    publish(empty_scenario, month[0])
    publish(empty_scenario, month[1], subject=("department", "health"))
    found = await reports.periods(DISTRICT)
    assert [(one.kind, one.first, one.last, one.revision) for one in found] == [
        (Period.DAY, month[0], month[0], 1), (Period.MONTH, *month, 2)
    ]  # fmt: skip
    assert [one.first for one in await reports.periods(HEALTH)] == [month[1]]


async def test_outages_are_those_of_the_slice_and_by_whose_they_are(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    first, hour = month[0], timedelta(hours=1)
    hospital, school = "U00000", "U00001"
    facts.outage(empty_scenario, hospital, facts.at(first, 2), facts.at(first, 5))
    facts.outage(empty_scenario, hospital, facts.at(first, 8), facts.at(first, 9), "self")
    facts.outage(empty_scenario, school, facts.at(first, -2), None)
    facts.outage(empty_scenario, school, facts.at(first, -2), facts.at(first, 1), "carrier", revision=2)
    facts.outage(empty_scenario, school, facts.at(first, 3), facts.at(first, 4))
    facts.outage(empty_scenario, school, facts.at(first, 3), facts.at(first, 4), revision=2, withdrawn=True)
    facts.published_to(empty_scenario, facts.at(first, 24 * 40))
    found = (await made(reports, empty_scenario, month)).outages
    assert found is not None
    assert [(one.unit_id, one.attribution, one.lasted) for one in found] == [
        (hospital, Attribution.UNIT, 3 * hour), (hospital, Attribution.SELF, hour), (school, Attribution.CARRIER, hour)
    ]  # fmt: skip
    own = (await made(reports, empty_scenario, month, HEALTH)).outages
    assert own is not None
    assert {one.unit_id for one in own} == {hospital}


async def test_no_fire_waits_while_outages_are_put_together(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def made_in(*said: Any) -> Outage:
        threads.append(threading.current_thread())
        return Outage(*said)

    monkeypatch.setattr(postgres_reports, "Outage", made_in)
    monkeypatch.setattr(postgres_reports, "AT_ONCE", 1)
    for hour in (2, 4, 6):
        facts.outage(empty_scenario, "U00000", facts.at(month[0], hour), facts.at(month[0], hour + 1))
    facts.published_to(empty_scenario, facts.at(month[0], 24 * 40))
    assert len((await made(reports, empty_scenario, month)).outages or ()) == 3
    assert len(threads) == 3
    assert threading.main_thread() not in threads


async def test_where_figures_are_published_and_outages_are_not_yet_nothing_is_said_of_outages(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    facts.published_to(empty_scenario, facts.at(month[0], 24 * 40))
    empty_scenario.execute(
        "UPDATE compliance.log_position SET published_closed = outages_to, outages_to = NULL"
    )  # as the version before leaves it
    found = await made(reports, empty_scenario, month)
    assert (found.outages, found.withheld) == (None, {"outages": Withheld.NOT_SEEN})


async def test_nothing_is_said_of_time_that_nobody_has_seen(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    facts.outage(empty_scenario, "U00000", facts.at(month[0], -1), None)
    assert (await made(reports, empty_scenario, month)).withheld == {"outages": Withheld.NOT_SEEN}, "nobody published"
    facts.published_to(empty_scenario, facts.at(month[0], 6))
    (outage,) = (await made(reports, empty_scenario, month)).outages or ()
    assert (outage.began, outage.ended) == (facts.at(month[0], 0), facts.at(month[0], 6))
    facts.published_to(empty_scenario, facts.at(month[0], -6))
    unseen = await made(reports, empty_scenario, month)
    assert (unseen.outages, unseen.withheld) == (None, {"outages": Withheld.NOT_SEEN})


async def test_the_units_below_a_target_are_those_whose_days_make_up_the_figure(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    days = (month[1] - month[0]).days + 1
    for index in range(8):
        facts.unit_days(
            empty_scenario, f"U0000{index}", month[0], days, lost_hours=3 * (index in (2, 5)) + (index == 5)
        )
    publish(empty_scenario, *month, kind="month", units=8, low=8)
    lost = 7 * 3_600_000_000
    empty_scenario.execute("UPDATE compliance.figures SET numerator = numerator - %s", [lost])
    (found,) = (await made(reports, empty_scenario, month)).blocking or ()
    assert [(one.unit_id, one.lost) for one in found.units] == [("U00005", lost // 7 * 4), ("U00002", lost // 7 * 3)]
    assert (found.shortest, found.exact) == (2, True)
    empty_scenario.execute("UPDATE compliance.figures SET numerator = numerator - 1")
    (other,) = (await made(reports, empty_scenario, month)).blocking or ()
    assert not other.exact


async def test_a_report_over_too_many_days_of_units_says_so_instead_of_waiting(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(empty_scenario, *month, kind="month", low=190)
    monkeypatch.setattr(postgres_reports, "MAX_UNIT_DAYS", 8 * 28 - 1)
    found = await made(reports, empty_scenario, month)
    assert (found.blocking, found.withheld["blocking"]) == (None, Withheld.TOO_MANY)


async def test_fires_are_counted_by_the_last_word_of_their_verification(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    scenario, opened = empty_scenario, facts.at(month[0], 1)
    for number in range(5):
        scenario.open_case(f"F{number}", f"U0000{number}", "fire", opened_at=opened)
    scenario.open_case("F9", "U00006", "fire", opened_at=facts.at(month[0], -1))
    said: list[tuple[str, str, str | None]] = [
        ("F0", "true_alarm", None),
        ("F0", "false_alarm", "insect"),
        ("F1", "false_alarm", "insect"),
        ("F2", "true_alarm", "cooking"),
        ("F3", "false_alarm", None),
        ("F9", "true_alarm", None),
    ]
    for case_id, finding, cause in said:
        scenario.verify(case_id, "x", finding, cause=cause)
    found = await made(reports, scenario, month)
    assert found.findings == (
        FireFindings("true_alarm", "cooking", 1), FireFindings("false_alarm", "insect", 2),
        FireFindings("false_alarm", None, 1), FireFindings(None, None, 1),
    )  # fmt: skip


async def test_cases_steps_and_papers_of_the_period_and_the_slice_are_counted(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    scenario, opened = empty_scenario, facts.at(month[0], 1)
    scenario.open_case("C1", "U00000", opened_at=opened)
    scenario.open_case("C2", "U00001", opened_at=opened, state="closed", closed_at=opened)
    scenario.open_case("C3", "U00002", opened_at=facts.at(month[0], -1))
    scenario.take_case("C1")
    scenario.take_step("C1", "H0", ["health"], opened)
    scenario.take_step("C3", "H0", ["commerce"], opened)
    facts.paper(scenario, "D1", "C1", opened, reply_due_at=opened, receipt_due_at=opened, state="received")
    facts.paper(scenario, "D2", "C1", opened, receipt_due_at=opened)
    facts.paper(scenario, "D3", "C1", opened, state="draft")
    facts.paper(scenario, "D4", "C1", facts.at(month[0], -1))
    scenario.execute(
        "INSERT INTO documents.receipts (document_id, party, at, name, by, via)"
        " VALUES ('D1', 'health', now(), 'n', 'x', 'console')"
    )
    found = await made(reports, scenario, month)
    assert found.cases == (CaseCounts("connection_lost", 2, 1, 1),)
    assert found.steps == (("H0", 1),)
    assert found.papers == (PaperCounts("I4", 2, 1, 0, 0, 0, 0, 0, 1, 1),)
    own = await made(reports, scenario, month, Subject(Dimension.DEPARTMENT, "education"))
    assert (own.cases, own.papers) == ((CaseCounts("connection_lost", 1, 1, 0),), ())


async def test_the_centres_times_run_from_what_was_shown_to_what_a_person_did(
    reports: PostgresReports, empty_scenario: Scenario, month: tuple[date, date]
) -> None:
    shown = facts.at(month[0], 1)
    for number in range(3):
        empty_scenario.open_case(f"F{number}", f"U0000{number}", "fire", opened_at=shown)
    facts.audit(empty_scenario, "F0", "notice_cancelled", shown)
    facts.audit(empty_scenario, "F0", "owned", shown + timedelta(seconds=20))
    facts.audit(empty_scenario, "F0", "acknowledged", shown + timedelta(seconds=80))
    facts.audit(empty_scenario, "F1", "acknowledged", shown + timedelta(seconds=90))
    centre = (await made(reports, empty_scenario, month)).centre
    assert centre is not None
    assert (centre.fires, centre.touched, centre.touched_within, centre.acted, centre.acted_within) == (3, 2, 1, 2, 0)
    assert (centre.slowest_touch, centre.slowest_act) == (timedelta(seconds=90), timedelta(seconds=90))
    assert (centre.cases, centre.hours, centre.busiest, centre.flooded) == (3, 1, 3, 0)
    assert (await made(reports, empty_scenario, month, HEALTH)).centre is None


async def test_what_is_not_surely_kept_any_more_is_not_counted(
    reports: PostgresReports, empty_scenario: Scenario
) -> None:
    long_ago = period_of(Period.MONTH, date(2020, 3, 1))
    publish(empty_scenario, *long_ago, kind="month", low=200)
    found = await made(reports, empty_scenario, long_ago)
    assert (found.outages, found.cases, found.papers, found.centre) == (None, None, None, None)
    assert found.withheld == dict.fromkeys(("outages", "cases", "papers", "centre"), Withheld.NOT_KEPT)
    assert found.figures[0].publications[0].ratio == Ratio(*(200 * 31 * facts.DAY,) * 2)
