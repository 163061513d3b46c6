"""Duty checks: asked, answered (R32)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import Scenario


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def test_duty_checks_are_answered_or_not_or_unknown_or_left_out(district: Scenario) -> None:
    district.check(10, "began", "sent", "confirmed", "answered").check(20, "began", "not_answered")
    district.check(30, "unknown").check(40, "began", "sent").check(50, "failed")
    told = district.figure("duty_check_answer_rate", 0, 3600)
    assert district.counts("duty_check_answer_rate", 0, 3600) == (1, 4, 2, 0)
    assert (told["detail"], told["counts"]) == ({"failed": 1}, "checks")


def test_the_first_step_that_ends_a_check_holds(district: Scenario) -> None:
    district.check(10, "answered", "unknown").check(20, "not_answered", "answered")
    assert district.counts("duty_check_answer_rate", 0, 3600) == (1, 2, 0, 0)


def test_the_first_record_of_a_source_and_id_holds(district: Scenario) -> None:
    district.check(10, "answered", command="a").check(5000, "answered", command="a")
    assert district.counts("duty_check_answer_rate", 0, 3600) == (1, 1, 0, 0)


def test_duty_checks_count_by_when_they_were_ordered_and_no_horizon_cuts_them(district: Scenario) -> None:
    district.check(3599, "answered").check(3700, "answered").check(7200, "answered")
    assert district.counts("duty_check_answer_rate", 3599, 7200) == (2, 2, 0, 0)


def test_a_check_goes_to_the_unit_of_the_gateway_on_that_day_if_it_is_in_scope(district: Scenario) -> None:
    district.unit("U2", key_unit=False).gateway("G2", "U2").check(10, "answered", gateway="G2")
    district.check(20, "answered", gateway="G9").check(30, "answered")
    assert district.counts("duty_check_answer_rate", 0, 3600) == (1, 1, 0, 0)
