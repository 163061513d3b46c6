"""Faults: begun, cured in time, open by age (R31)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import DAY, Scenario


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def cure(district: Scenario, limit_s: float, start: float = 0, end: float = 3600) -> tuple[Any, ...]:
    return district.counts("fault_cure_timely_rate", start, end, limit_s=limit_s)


def test_a_fault_that_ends_exactly_at_the_limit_is_in_time(district: Scenario) -> None:
    district.signal(100, "fault", point="p").signal(700, "restore", point="p", restores="fault")
    assert cure(district, 600) == (1, 1, 0, 0)
    assert cure(district, 599.999999) == (0, 1, 0, 0)


def test_an_open_fault_is_unknown_until_it_is_older_than_the_limit(district: Scenario) -> None:
    district.signal(3000, "fault", point="p")
    assert cure(district, 600) == (0, 1, 1, 0)
    assert cure(district, 599) == (0, 1, 0, 0)


def test_a_fault_counts_in_the_window_it_began_in_though_it_ended_after_it(district: Scenario) -> None:
    district.signal(100, "fault", point="p").signal(700, "restore", point="p", restores="all")
    assert cure(district, 600, 100, 101) == (1, 1, 0, 0)
    assert cure(district, 600, 101, 3600) == (0, 0, 0, 0)


def test_a_fault_of_a_unit_out_of_scope_does_not_count(district: Scenario) -> None:
    district.unit("U2", key_unit=False).gateway("G2", "U2").signal(100, "fault", "G2", "U2")
    assert cure(district, 600) == (0, 0, 0, 0)


def test_a_fault_counts_whoever_the_gateway_is_registered_for(district: Scenario) -> None:
    """Troubles do not ask for runs (R44)."""
    district.signal(100, "fault", "G9", "U1")
    assert cure(district, 9999) == (0, 1, 1, 0)


def test_median_and_90th_percentile_are_those_of_the_nearest_rank(district: Scenario) -> None:
    for number in range(1, 5):
        district.signal(100, "fault", point=f"p{number}")
        district.signal(100 + number, "restore", point=f"p{number}", restores="fault")
    district.signal(100, "fault")
    detail = district.figure("fault_cure_timely_rate", 0, 3600, limit_s=3)["detail"]
    assert detail == {
        "cured": 4, "median_us": 2_000_000, "p90_us": 4_000_000,
        "open_by_age": {"under_1d": 1, "under_3d": 0, "under_7d": 0, "from_7d": 0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("age", "group"),
    [(DAY - 1, "under_1d"), (DAY, "under_3d"), (3 * DAY, "under_7d"), (7 * DAY - 1, "under_7d"), (7 * DAY, "from_7d")],
)
def test_open_faults_are_grouped_by_their_age_at_the_horizon(tmp_path: Path, age: int, group: str) -> None:
    district = Scenario(tmp_path).unit().gateway().signal(0, "fault").tick(0).tick(age)
    detail = district.figure("fault_cure_timely_rate", 0, 1, limit_s=1)["detail"]
    assert [name for name, count in detail["open_by_age"].items() if count] == [group]
    assert (detail["median_us"], detail["p90_us"], detail["cured"]) == (None, None, 0)
