"""Tested in time: who has a duty to test, what meets it, and what our blindness leaves unknown (R45)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import DAY, EXEMPT_TODAY, PACK, Scenario
from tests.contract.compliance.test_adjustments import approve, version

HOUR = 3600
DUTY = "\ntest_duty: [{scopes: [S1], every_s: 3000, buffer_s: 600, clause: c}]\n"
"""A test each 50 minutes, overdue ten minutes later: an hour in all."""


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1, looked at each minute from an hour before midnight to six hours after it."""
    return Scenario(tmp_path, PACK + DUTY).unit().gateway().ticks(-HOUR, 6 * HOUR)


def rate(district: Scenario, start: float, end: float, **asked: Any) -> tuple[int, ...]:
    return district.counts("tested_in_time_rate", start, end, **asked)


def test_r45_the_worked_example_of_the_rule(district: Scenario) -> None:
    """First seen at -1 h, tests at 0:30 and 2:00: unknown to 0:00, overdue to 0:30, tested to 1:30 and 2:00 to 3:00."""
    district.signal(1800, "test").signal(2 * HOUR, "fire")
    assert rate(district, -HOUR, 0) == (0, HOUR, HOUR, 0)
    assert rate(district, 0, 1800) == (0, 1800, 0, 0)
    assert rate(district, 1800, 5400) == (HOUR, HOUR, 0, 0)
    assert rate(district, 5400, 2 * HOUR) == (0, 1800, 0, 0)
    figure = district.figure("tested_in_time_rate", -HOUR, 6 * HOUR)
    assert rate(district, -HOUR, 6 * HOUR) == (2 * HOUR, 7 * HOUR, HOUR, 0)
    assert (figure["low"], figure["high"]) == ("28.5", "42.8")
    assert district.figure("tested_in_time_rate", 0, HOUR)["counts"] == "us"


def test_r45_a_test_exactly_on_the_deadline_is_in_time(district: Scenario) -> None:
    district.signal(0, "test").signal(HOUR, "test").signal(2 * HOUR + 1, "test")
    assert rate(district, 0, 2 * HOUR + 1) == (2 * HOUR, 2 * HOUR + 1, 0, 0)


@pytest.mark.parametrize(
    ("kind", "more", "alarms", "anything"),
    [
        ("test", {}, True, True),
        ("fire", {}, True, True),
        ("test", {"flags": ["repeated"]}, True, True),
        ("fault", {}, False, True),
        ("operation", {}, False, True),
        ("heartbeat", {}, False, False),
        ("link_up", {}, False, False),
        ("link_down", {}, False, False),
        ("test", {"flags": ["retained"]}, False, False),
        ("test", {"flags": ["replayed"]}, False, False),
    ],
)
def test_r45_what_is_a_test(tmp_path: Path, kind: str, more: dict[str, Any], *, alarms: bool, anything: bool) -> None:
    for counts, meets in (("alarms", alarms), ("any_signal", anything)):
        pack = PACK + DUTY.replace("clause", f"counts: {counts}, clause")
        told = Scenario(tmp_path, pack).unit().gateway().ticks(-HOUR, HOUR).signal(0, kind, **more)
        assert rate(told, 0, 60)[0] == (60 if meets else 0), counts


def test_r45_blindness_leaves_a_full_deadline_unknown_and_takes_no_test_back(tmp_path: Path) -> None:
    told = Scenario(tmp_path, PACK + DUTY).unit().gateway().ticks(-HOUR, HOUR).ticks(HOUR + 120, 6 * HOUR)
    assert rate(told, 1800, HOUR) == (0, 1800, 0, 0)
    assert rate(told, HOUR, 2 * HOUR + 120) == (0, HOUR + 120, HOUR + 120, 0)
    assert rate(told, 2 * HOUR + 120, 3 * HOUR) == (0, HOUR - 120, 0, 0)
    told.signal(HOUR + 60, "test")  # received while nobody vouches for it: a test all the same
    assert rate(told, HOUR + 60, 2 * HOUR + 60) == (HOUR, HOUR, 0, 0)


def test_r45_impaired_time_leaves_a_full_deadline_unknown(tmp_path: Path) -> None:
    told = Scenario(tmp_path, PACK + DUTY).unit().gateway().ticks(-HOUR, 6 * HOUR)
    told.ticks(-HOUR, HOUR, instance="i2").ticks(HOUR + 600, 6 * HOUR, instance="i2")
    assert rate(told, 1800, HOUR - 60)[2] == 0
    assert rate(told, HOUR + 300, HOUR + 1200) == (0, 900, 900, 0)
    assert rate(told, 3 * HOUR, 4 * HOUR) == (0, HOUR, 0, 0)


def test_r45_who_is_new_to_the_duty_has_a_full_deadline(district: Scenario) -> None:
    district.unit("U2", commissioned_on="2026-03-10").gateway("G2", "U2")
    assert rate(district, -HOUR, 0, unit="U2") == (0, 0, 0, 0)
    assert rate(district, 0, 2 * HOUR, unit="U2") == (0, 2 * HOUR, HOUR, 0)


def test_r45_who_is_let_off_owes_no_test_and_begins_anew(district: Scenario) -> None:
    approve(district, version("maintenance", HOUR, 2 * HOUR, 100), at=100)
    assert rate(district, 0, 4 * HOUR) == (0, 3 * HOUR, HOUR, HOUR)


def test_r45_an_exempt_day_is_shown_as_exempt(tmp_path: Path) -> None:
    told = Scenario(tmp_path, PACK + DUTY).unit(**EXEMPT_TODAY).gateway().ticks(-HOUR, HOUR)
    assert rate(told, 0, HOUR) == (0, 0, 0, HOUR)


def test_r45_the_first_duty_that_fits_holds_and_units_without_one_are_in_neither_count(tmp_path: Path) -> None:
    duty = """
test_duty:
  - {categories: [SCHOOL], every_s: 7200, clause: c}
  - {scopes: [S1], categories: [HOSPITAL], every_s: 3600, clause: c}
"""
    told = Scenario(tmp_path, PACK + duty).ticks(-4 * HOUR, 6 * HOUR)
    for number, category in enumerate(("HOSPITAL", "SCHOOL", "HOTEL_STAR"), 1):
        told.unit(f"U{number}", category=category).gateway(f"G{number}", f"U{number}")
        told.signal(0, "test", f"G{number}", f"U{number}")
    assert [rate(told, 0, 4 * HOUR, unit=f"U{number}")[:2] for number in (1, 2, 3)] == [
        (HOUR, 4 * HOUR), (2 * HOUR, 4 * HOUR), (0, 0),
    ]  # fmt: skip
    assert rate(told, 0, 4 * HOUR) == (3 * HOUR, 8 * HOUR, 0, 0)


def test_r45_the_same_duty_in_another_pack_goes_on_and_another_one_begins_anew(tmp_path: Path) -> None:
    def told(second: str) -> Scenario:
        pack = PACK + DUTY
        later = pack.replace("version: 1\n", "version: 2\n").replace("'2026-01-01'", "'2026-03-10'")
        made = Scenario(tmp_path, pack, later.replace("every_s: 3000", second)).unit().gateway()
        return made.ticks(-4 * HOUR, 6 * HOUR)

    assert rate(told("every_s: 3000"), -HOUR, HOUR) == (0, 2 * HOUR, 0, 0)
    assert rate(told("every_s: 1200"), -HOUR, HOUR) == (0, 2 * HOUR, 1800, 0)


def test_r45_windows_add_up_and_a_target_is_judged(tmp_path: Path) -> None:
    pack = (PACK + DUTY).replace(
        "targets:\n", "targets:\n  T90: {metric: tested_in_time_rate, scope: S1, value: 0.5, due: '12-31', clause: t}\n"
    )
    told = Scenario(tmp_path, pack).unit().gateway().ticks(-HOUR, DAY).signal(1800, "test").signal(9 * HOUR, "test")
    whole = rate(told, 0, 10 * HOUR)
    halves = [rate(told, 0, 7777), rate(told, 7777, 10 * HOUR)]
    assert whole == tuple(sum(each) for each in zip(*halves, strict=True))
    figure = told.figure("tested_in_time_rate", 0, 10 * HOUR)
    assert (figure["value"], figure["verdict"], figure["target"]["id"]) == ("20.0", "non_compliant", "T90")
    assert told.figure("tested_in_time_rate", 1800, 5400)["verdict"] == "compliant"
    assert told.figure("tested_in_time_rate", -HOUR, 0)["verdict"] == "undetermined"
