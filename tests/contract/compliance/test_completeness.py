"""Heartbeats that came of those due (R30)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import EXEMPT_TODAY, Scenario


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def test_heartbeats_are_capped_at_those_due(district: Scenario) -> None:
    district.heartbeats(0, 3590, 10)
    assert district.counts("data_completeness", 0, 3600) == (60, 60, 0, 0)


def test_heartbeats_that_were_due_and_did_not_come_are_missing(district: Scenario) -> None:
    district.heartbeats(0, 3540, 120)
    assert district.counts("data_completeness", 0, 3600) == (30, 60, 0, 0)


def test_due_are_whole_intervals_of_supervised_time_by_gateway_and_day(district: Scenario) -> None:
    district.gateway("G2")
    assert district.counts("data_completeness", 0, 179) == (0, 4, 0, 0)


def test_in_blind_time_no_heartbeat_is_due_and_none_counts(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 600).ticks(1200, 3600).heartbeats(0, 3600, 30)
    assert district.counts("data_completeness", 600, 1200) == (0, 0, 0, 0)
    assert district.counts("data_completeness", 0, 1800) == (20, 20, 0, 0)


@pytest.mark.parametrize("flag", ["repeated", "replayed", "retained"])
def test_a_heartbeat_that_is_no_new_one_does_not_count(district: Scenario, flag: str) -> None:
    district.signal(30, flags=[flag]).signal(90)
    assert district.counts("data_completeness", 0, 3600)[0] == 1


def test_only_heartbeats_count_for_the_completeness_of_data(district: Scenario) -> None:
    district.signal(30, "analog").signal(60, flags=["redelivered"])
    assert district.counts("data_completeness", 0, 3600)[0] == 1


def test_who_is_exempt_or_not_commissioned_owes_no_heartbeat(district: Scenario) -> None:
    district.unit("U2", commissioned_on=None).gateway("G2", "U2").unit("U3", **EXEMPT_TODAY).gateway("G3", "U3")
    assert district.counts("data_completeness", 0, 3600)[1] == 60
