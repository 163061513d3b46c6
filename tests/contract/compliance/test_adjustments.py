"""Approved adjustments: time is counted otherwise from their approval on, and what was said before stays as it was."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from services.kernel.words import CountedAs
from tests.contract.compliance.scenario import EXEMPT_TODAY, Scenario, iso

HOUR = 3600
LOST = (1800, 3660)
"""From the last proof before the silence to the second proof in a row after it."""
METRICS = [
    "time_weighted_networking_rate", "coverage", "data_completeness", "device_intact_rate", "live_networking_rate",
    "online_rate", "access_rate", "isolation_rate",
]  # fmt: skip


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """Two hours of a unit with ten points that was silent from 1800 s to 3600 s."""
    made = Scenario(tmp_path).unit().gateway(points=10).ticks(-HOUR, 2 * HOUR)
    return made.heartbeats(0, 1800).heartbeats(HOUR, 2 * HOUR)


def version(what: str, start: float, end: float, known: float, name: str = "A1", **more: Any) -> dict[str, Any]:
    return {
        "valid_from": "2026-03-10", "recorded_at": iso(known), "adjustment_id": name, "unit_id": "U1", "what": what,
        "starts_at": iso(start), "ends_at": iso(end), "reason": "申诉成立", "requested_by": "li",
        "requested_at": iso(known), "approved_by": ["wang"], **more,
    }  # fmt: skip


def approve(scenario: Scenario, *versions: dict[str, Any], at: float = 7000) -> Scenario:
    return scenario.registry_line(at, "adjustment", versions[0]["adjustment_id"], list(versions))


def correct(
    scenario: Scenario, counted_as: str, start: float, end: float, at: float = 7000, name: str = "A1"
) -> Scenario:
    return approve(scenario, version("correction", start, end, at, name, counted_as=counted_as), at=at)


def rate(scenario: Scenario, **asked: Any) -> tuple[int, ...]:
    return scenario.counts("time_weighted_networking_rate", 0, 2 * HOUR, **asked)


def test_a_correction_is_counted_from_its_approval_on_and_not_before(scenario: Scenario) -> None:
    measured = scenario.figure("time_weighted_networking_rate", 0, 2 * HOUR, known_at=iso(6999))
    correct(scenario, "connected", *LOST)
    assert rate(scenario) == (7200, 7200, 0, 0)
    assert scenario.figure("time_weighted_networking_rate", 0, 2 * HOUR, known_at=iso(6999)) == measured
    assert scenario.connection(1700, 3700) == [
        (1700, 1800, "online", "signal", None), (1800, 3660, "online", "correction", None),
        (3660, 3700, "online", "signal", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("counted_as", "wanted"),
    [
        ("connected", (5340 + 600, 7200, 0, 0)),
        ("offline", (5340, 7200, 0, 0)),
        ("unknown", (5340, 7200, 600, 0)),
        ("exempt", (5340, 6600, 0, 600)),
        ("measured", (5340, 7200, 0, 0)),
    ],
)
def test_ten_minutes_are_counted_as_the_correction_says(
    scenario: Scenario, counted_as: str, wanted: tuple[int, ...]
) -> None:
    assert rate(correct(scenario, counted_as, 1800, 2400)) == wanted


def test_every_word_of_a_correction_is_tried_above() -> None:
    assert set(CountedAs) == {"connected", "offline", "unknown", "exempt", "measured"}


def test_a_correction_may_also_take_connected_time_away_and_it_is_the_units_own(scenario: Scenario) -> None:
    correct(scenario, "offline", 600, 900)
    assert rate(scenario)[0] == 5340 - 300
    assert (600, 900, "offline", "correction", "unit") in scenario.connection(0, 1000)
    told = scenario.ask("outages", outages=[{"scope": "S1", "from": iso(0), "to": iso(1000)}])["outages"][0]["outages"]
    assert [(each["from"], each["to"], each["attribution"]) for each in told] == [(iso(600), iso(900), "unit")]


def test_of_two_corrections_the_one_approved_last_holds_and_measured_takes_back(scenario: Scenario) -> None:
    correct(scenario, "connected", *LOST, at=6000)
    correct(scenario, "unknown", 1800, 2400, at=6500, name="A0")
    assert rate(scenario) == (7200 - 600, 7200, 600, 0)
    correct(scenario, "measured", *LOST, at=7000, name="A9")
    assert rate(scenario) == (5340, 7200, 0, 0)
    assert rate(scenario, known_at=iso(6600)) == (6600 - 600, 6600, 600, 0)


def test_a_correction_counts_time_of_a_unit_that_its_row_exempts(scenario: Scenario) -> None:
    scenario.rows["unit", "U1"][0] |= EXEMPT_TODAY
    correct(scenario, "connected", 600, 1200)
    assert rate(scenario) == (600, 600, 0, 6600)


def test_a_correction_makes_nobody_commissioned(tmp_path: Path) -> None:
    """The online rate is of commissioned members, by their row."""
    scenario = Scenario(tmp_path).unit(commissioned_on=None).gateway().ticks(-HOUR, 2 * HOUR)
    correct(scenario, "connected", 0, HOUR)
    assert scenario.counts("online_rate", 600) == (0, 0, 0, 0)
    assert scenario.counts("live_networking_rate", 600) == (1, 1, 0, 0)


def test_time_without_a_row_and_after_retirement_is_no_matter_for_a_correction(tmp_path: Path) -> None:
    scenario = Scenario(tmp_path).unit(retired_on="2026-03-10").gateway().ticks(-HOUR, HOUR).heartbeats(-HOUR, HOUR)
    correct(scenario, "connected", 0, HOUR, at=HOUR)
    assert scenario.counts("time_weighted_networking_rate", -HOUR, HOUR)[1] == HOUR


def test_maintenance_and_exemption_to_the_minute_leave_numerator_and_denominator(scenario: Scenario) -> None:
    approve(scenario, version("maintenance", 1800, 2400, 100), at=100)
    approve(scenario, version("exemption", 2400, 3000, 100, "A2"), at=100)
    assert rate(scenario) == (5340, 6000, 0, 1200)
    assert scenario.connection(1800, 3060) == [
        (1800, 2400, "exempt", "maintenance", None), (2400, 3000, "exempt", "exemption", None),
        (3000, 3060, "offline", "deadline", "unit"),
    ]  # fmt: skip
    assert scenario.counts("live_networking_rate", 2000) == (0, 0, 0, 1)
    assert scenario.counts("access_rate", 2000) == (1, 1, 0, 1)


@pytest.mark.parametrize("first", ["maintenance", "exemption"])
def test_of_an_exemption_and_maintenance_at_once_the_exemption_is_the_cause_whichever_came_first(
    scenario: Scenario, first: str
) -> None:
    for number, what in enumerate(sorted(("maintenance", "exemption"), key=lambda each: each != first)):
        approve(scenario, version(what, 600, 1200, 100 + number, f"A{number}"), at=100 + number)
    assert (600, 1200, "exempt", "exemption", None) in scenario.connection(0, 1300)


def test_heartbeats_are_due_outside_of_maintenance_only_and_counted_by_the_whole_day(scenario: Scenario) -> None:
    approve(scenario, version("maintenance", 1830, 3570, 100), at=100)
    # 1830 s and 3630 s of one day make 91 heartbeats, not 30 and 60
    assert scenario.counts("data_completeness", 0, 2 * HOUR)[:2] == (91, 91)


def test_a_test_leaves_the_connection_as_it_is(scenario: Scenario) -> None:
    approve(scenario, version("test", 1800, 2400, 100), at=100)
    assert rate(scenario) == (5340, 7200, 0, 0)


def test_one_that_is_ended_early_lets_off_until_then_and_was_longer_as_known_before(scenario: Scenario) -> None:
    first, second = version("maintenance", 1800, 3600, 100), version("maintenance", 1800, 2400, 2400)
    approve(scenario, first, second, at=100)
    assert rate(scenario) == (5340, 6600, 0, 600)
    before, after = (
        scenario.ask(known_at=iso(known), forecast=[{"target": "T01", "at": iso(2200)}])["forecast"][0]["future_us"]
        for known in (2300, 2500)
    )
    assert after - before == (3600 - 2400) * 1_000_000


def test_what_was_measured_can_be_asked_for_at_any_time(scenario: Scenario) -> None:
    figure = {"metric": "time_weighted_networking_rate", "scope": "S1", "from": iso(0), "to": iso(2 * HOUR)}
    measured = scenario.ask(figures=[figure])
    approve(scenario, version("maintenance", 0, 600, 100), at=100)
    correct(scenario, "connected", *LOST, name="A2")
    assert scenario.ask(figures=[figure], adjusted=False) == measured
    assert scenario.ask(figures=[figure]) != measured


def test_maintenance_to_come_is_no_time_that_may_be_lost(scenario: Scenario) -> None:
    ask = {"target": "T01", "at": iso(2 * HOUR)}
    before = scenario.ask(forecast=[ask])["forecast"][0]
    approve(scenario, version("maintenance", 3 * HOUR, 4 * HOUR, 100), at=100)
    after = scenario.ask(forecast=[ask])["forecast"][0]
    assert before["future_us"] - after["future_us"] == HOUR * 1_000_000


def intact(scenario: Scenario, start: float, end: float) -> tuple[int, ...]:
    return scenario.counts("device_intact_rate", start, end)


def test_a_component_that_is_let_off_leaves_the_points_with_its_trouble(scenario: Scenario) -> None:
    scenario.signal(600, "fault", point="7", system="1").signal(600, "fault", point="8", system="1")
    assert intact(scenario, 600, 1200) == (8 * 600, 10 * 600, 0, 0)
    approve(scenario, version("maintenance", 900, 1200, 100, system="1", address="7"), at=100)
    assert intact(scenario, 600, 1200) == (8 * 600, 10 * 600 - 300, 0, 300)
    assert rate(scenario) == (5340, 7200, 0, 0)


@pytest.mark.parametrize(
    ("narrowed", "isolated"),
    [
        ({"system": "1"}, (0, 8)),
        ({"address": "7"}, (1, 9)),
        ({"system": "2"}, (2, 10)),
        ({"trouble": "isolation"}, (0, 8)),
        ({"trouble": "fault"}, (2, 10)),
        ({}, (0, 0)),
    ],
    ids=str,
)
def test_a_test_lets_off_what_it_names_from_the_isolation_rate(
    scenario: Scenario, narrowed: dict[str, str], isolated: tuple[int, int]
) -> None:
    scenario.signal(600, "isolation", point="7", system="1").signal(600, "isolation", point="8", system="1")
    approve(scenario, version("test", 900, 1200, 100, **narrowed), at=100)
    assert scenario.counts("isolation_rate", 1000)[:2] == isolated
    assert scenario.counts("isolation_rate", 1200)[:2] == (2, 10)


def test_the_isolation_of_a_whole_gateway_on_test_takes_all_its_points_out(scenario: Scenario) -> None:
    scenario.signal(600, "isolation")
    approve(scenario, version("test", 900, 1200, 100, trouble="isolation"), at=100)
    assert scenario.counts("isolation_rate", 700)[:2] == (10, 10)
    assert scenario.counts("isolation_rate", 1000)[:2] == (0, 0)
    assert intact(scenario, 900, 1200) == (0, 0, 0, 3000)


def test_a_fault_that_begins_on_test_is_no_fault_to_be_cured(scenario: Scenario) -> None:
    for point, at in (("7", 600), ("8", 950)):
        scenario.signal(at, "fault", point=point, system="1")
    approve(scenario, version("test", 900, 1200, 100), at=100)
    told = scenario.figure("fault_cure_timely_rate", 0, 2 * HOUR, limit_s=HOUR)
    assert told["denominator"] == 1


def test_the_health_stays_what_the_controller_says(scenario: Scenario) -> None:
    scenario.signal(950, "fire", point="7", system="1")
    approve(scenario, version("maintenance", 900, 1200, 100), at=100)
    assert scenario.health(900, 1200)[-1] == (950, 1200, "fire")


def test_figures_follow_by_a_revision_with_its_difference(scenario: Scenario) -> None:
    correct(scenario, "connected", *LOST, at=7000)
    figure = {"metric": "time_weighted_networking_rate", "scope": "S1", "from": iso(0), "to": iso(6000)}
    published = [iso(6500), iso(6900), iso(7200)]
    told = scenario.ask(revisions=[{"figure": figure, "published_at": published}])["revisions"][0]["revisions"]
    assert [each["number"] for each in told] == [1, 2]
    assert told[1]["difference"]["numerator"] == [4140 * 1_000_000, 6000 * 1_000_000]


# --- properties over random histories


def random_district(chance: random.Random, work: Path) -> Scenario:
    scenario = Scenario(work).ticks(-HOUR, 2 * HOUR)
    for number in range(2):
        unit, gateway = f"U{number}", f"G{number}"
        scenario.unit(unit).gateway(gateway, unit, points=chance.choice([None, 5]))
        for at in range(0, 2 * HOUR, 60):
            if chance.random() < 0.9 and not 2000 < at < 2000 + 400 * number:
                scenario.signal(at, gateway=gateway, unit=unit)
        for _ in range(chance.randrange(6)):
            kind = chance.choice(["fault", "isolation", "fire", "restore"])
            more: dict[str, Any] = (
                {"restores": chance.choice(["fault", "isolation", "all"])} if kind == "restore" else {}
            )
            point = chance.choice([None, "1", "2"])
            system = None if point is None else chance.choice([None, "s"])
            at = chance.randrange(2 * HOUR)
            scenario.signal(at, kind, gateway, unit, point=point, system=system, **more)
    return scenario


def random_adjustment(chance: random.Random, number: int) -> dict[str, Any]:
    what = chance.choice(["correction", "exemption", "maintenance", "test"])
    start = 60 * chance.randrange(100)
    end = start + 60 * chance.randrange(1, 60)
    more: dict[str, Any] = {"unit_id": chance.choice(["U0", "U1"])}
    if what == "correction":
        more["counted_as"] = chance.choice(list(CountedAs))
    else:
        more |= {name: chance.choice([None, *values]) for name, values in NARROWED.items()}
    return version(what, start, end, 5000 + number, f"A{number}", **more)


NARROWED = {"system": ["s", ""], "address": ["1"], "trouble": ["fault", "isolation"]}


def whole_ask(known_at: str | None, *windows: tuple[float, float]) -> dict[str, Any]:
    figures = []
    for start, end in windows:
        for metric in METRICS[:4]:
            figures.append({"metric": metric, "scope": "S1", "from": iso(start), "to": iso(end)})
        figures += [{"metric": metric, "scope": "S1", "at": iso(start)} for metric in METRICS[4:]]
    intervals = [{"from": iso(0), "to": iso(2 * HOUR)}]
    return {"known_at": known_at, "figures": figures, "intervals": intervals}


@pytest.mark.parametrize("seed", range(12))
def test_known_before_the_approvals_all_is_as_without_them_and_after_them_windows_add_up(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    plain = random_district(chance, tmp_path)
    middle = 60 * chance.randrange(1, 100) + chance.randrange(60)
    windows = [(0.0, 6600.0), (0.0, float(middle)), (float(middle), 6600.0)]
    without = plain.ask(**whole_ask(iso(4999), *windows))
    for number in range(chance.randrange(1, 8)):
        row = random_adjustment(chance, number)
        approve(plain, row, at=5000 + number)
    assert json.dumps(plain.ask(**whole_ask(iso(4999), *windows))) == json.dumps(without)

    told = plain.ask(**whole_ask(None, *windows))["figures"]
    whole, *halves = (told[start : start + len(METRICS)] for start in range(0, len(told), len(METRICS)))
    for index, metric in enumerate(METRICS):
        figure = whole[index]
        assert 0 <= figure["numerator"] <= figure["numerator"] + figure["unknown"] <= figure["denominator"], metric
        if metric in ("time_weighted_networking_rate", "coverage", "device_intact_rate"):
            for field in ("numerator", "denominator", "unknown", "exempt"):
                assert figure[field] == sum(half[index][field] for half in halves), (metric, field)
