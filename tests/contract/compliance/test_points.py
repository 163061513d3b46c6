"""Points: intact, isolated, known (R25)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import EXEMPT_TODAY, Scenario


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def test_points_are_those_registered_or_those_seen_if_they_are_more(district: Scenario) -> None:
    district.rows["gateway", "G1"][0]["points"] = 2
    for second, point in enumerate(("p1", "p2", "p3")):
        district.signal(600 + second, "supervisory", point=point)
    assert district.counts("isolation_rate", 600) == (0, 2, 0, 0)
    assert district.counts("isolation_rate", 602) == (0, 3, 0, 0)


def test_a_star_is_no_point_and_a_retained_signal_shows_none(district: Scenario) -> None:
    district.signal(600, "restore", point="*", restores="all").signal(600, "fault", point="p", flags=["retained"])
    assert district.counts("isolation_rate", 700) == (0, 0, 0, 0)


def test_an_isolation_of_the_whole_gateway_holds_for_every_point(district: Scenario) -> None:
    district.rows["gateway", "G1"][0]["points"] = 5
    district.signal(600, "isolation", point="p1").signal(660, "isolation")
    assert district.counts("isolation_rate", 659) == (1, 5, 0, 0)
    assert district.counts("isolation_rate", 660) == (5, 5, 0, 0)


def test_points_of_exempt_units_are_neither_isolated_nor_known(district: Scenario) -> None:
    district.unit("U2", **EXEMPT_TODAY).gateway("G2", "U2", points=7)
    assert district.counts("isolation_rate", 600) == (0, 0, 0, 0)
    assert district.counts("device_intact_rate", 0, 100) == (0, 0, 0, 700)


def test_a_point_is_intact_only_on_a_connected_gateway_and_unknown_without_trouble_on_another(
    district: Scenario,
) -> None:
    """Connected up to 600, offline from there; one of 2 points has a fault from 300 on."""
    district.rows["gateway", "G1"][0]["points"] = 2
    district.heartbeats(0, 600).signal(300, "fault", point="p1")
    assert district.counts("device_intact_rate", 0, 1000) == (2 * 300 + 300, 2000, 400, 0)


def test_a_fault_of_the_whole_gateway_spoils_all_points(district: Scenario) -> None:
    district.rows["gateway", "G1"][0]["points"] = 3
    district.heartbeats(0, 3600).signal(300, "fault").signal(600, "restore", restores="fault")
    assert district.counts("device_intact_rate", 0, 900) == (3 * 600, 2700, 0, 0)
