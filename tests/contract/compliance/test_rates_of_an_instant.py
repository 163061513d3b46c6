"""Rates of an instant: connected, online (R18, R33)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import EXEMPT_TODAY, Scenario, iso


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def test_the_online_rate_leaves_out_who_is_not_commissioned_and_shows_the_exempt(district: Scenario) -> None:
    district.unit("U2", commissioned_on=None).unit("U3", **EXEMPT_TODAY).heartbeats(0, 3600)
    assert district.counts("online_rate", 600) == (1, 1, 0, 1)
    assert district.counts("live_networking_rate", 600) == (1, 2, 0, 1)


def test_partly_connected_units_are_shown_and_stay_out_of_the_numerator(district: Scenario) -> None:
    district.gateway("G2").heartbeats(0, 3600).signal(0, gateway="G2")
    told = district.figure("online_rate", 600)
    assert (told["numerator"], told["detail"]) == (0, {"partly_connected": 1})


def test_an_instant_beyond_the_horizon_has_not_begun_and_the_horizon_itself_has(district: Scenario) -> None:
    district.heartbeats(0, 3600)
    beyond = district.figure("live_networking_rate", 3600.000001)
    assert (beyond["denominator"], beyond["verdict"], beyond["reason"]) == (0, "not_applicable", "not_begun")
    assert (beyond["detail"], beyond["complete"], beyond["through"]) == ({}, False, iso(3600))
    assert district.counts("live_networking_rate", 3600) == (1, 1, 0, 0)
