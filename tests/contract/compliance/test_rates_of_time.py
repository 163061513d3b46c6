"""Rates of time in scope: connected, known, meeting an availability (R26 to R28)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import DAY, EXEMPT_TODAY, Scenario


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def test_coverage_counts_what_was_known_and_has_no_unknown_of_its_own(district: Scenario) -> None:
    """Unproven for the first minute; never connected is known."""
    district.unit("U2", commissioned_on=None).heartbeats(60, 3600)
    assert district.counts("coverage", 0, 3600) == (7140, 7200, 0, 0)


def test_who_is_listed_in_mid_month_counts_for_his_days_only(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit("U2", since="2026-03-11", commissioned_on=None)
    assert district.counts("time_weighted_networking_rate", 0, 2 * DAY, unit="U2") == (0, DAY, 0, 0)
    assert district.counts("unit_availability", 0, DAY, unit="U2") == (0, 0, 0, 0)


def test_who_leaves_the_key_unit_list_in_mid_month_counts_for_his_days_only(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit(since="2026-03-11", key_unit=False)
    assert district.counts("time_weighted_networking_rate", 0, 2 * DAY)[1] == DAY
    assert district.counts("unit_availability", DAY, 2 * DAY, unit="U1") == (0, 0, 0, 0)


def test_a_department_that_is_merged_into_another_keeps_the_days_before(district: Scenario) -> None:
    """The pack of the new day has another department for the category, so the registry has another row."""
    district.ticks(3660, 2 * DAY, 60).unit(since="2026-03-11", lead_department="civil-affairs")
    for department in ("health", "civil-affairs"):
        told = district.counts("time_weighted_networking_rate", 0, 2 * DAY, slice={"department": department})
        assert told[1] == DAY
    assert district.counts("access_rate", 2 * DAY - 1, slice={"department": "health"})[1] == 0


def test_a_retired_unit_counts_up_to_the_day_it_is_retired_on(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit("U2", commissioned_on=None, retired_on="2026-03-11")
    assert district.counts("unit_availability", 0, 2 * DAY, unit="U2") == (0, DAY, 0, 0)


def test_exempt_time_is_neither_above_nor_below_and_is_shown(district: Scenario) -> None:
    district.ticks(3660, DAY + 3600, 60)
    district.rows["unit", "U1"] = []
    district.unit(**EXEMPT_TODAY)
    assert district.counts("time_weighted_networking_rate", 0, DAY + 3600) == (0, 3600, 0, DAY)


def test_a_slice_goes_by_the_row_of_the_moment(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit(since="2026-03-11", town="T002")
    for town in ("T001", "T002"):
        told = district.counts("time_weighted_networking_rate", 0, 2 * DAY, slice={"town": town})
        assert told[1] == DAY
    both = {"town": "T002", "category": "SCHOOL"}
    assert district.counts("time_weighted_networking_rate", 0, 2 * DAY, slice=both) == (0, 0, 0, 0)


def test_a_union_counts_a_unit_of_both_scopes_once(district: Scenario) -> None:
    district.heartbeats(0, 3600)
    assert district.counts("time_weighted_networking_rate", 0, 3600, scope="S1+S3+S1") == (3600, 3600, 0, 0)


@pytest.mark.parametrize(
    ("availability", "expected"),
    [("0.5", (1, 2, 0, 1)), ("0.500001", (0, 2, 1, 1)), ("0.75", (0, 2, 1, 1)), ("0.750001", (0, 2, 0, 1)),
     ("0", (2, 2, 0, 1))],
)  # fmt: skip
def test_a_unit_meets_an_availability_that_it_reaches_exactly(
    district: Scenario, availability: str, expected: tuple[int, ...]
) -> None:
    """U1: connected 30 of 60 minutes, and 15 unknown, for blind; U2 never; U3 has only exempt time."""
    district.log.clear()
    district.unit("U2", commissioned_on=None).unit("U3", **EXEMPT_TODAY)
    district.ticks(0, 1800).ticks(2700, 4000).heartbeats(0, 1800)
    told = district.counts("meeting_units_rate", 0, 3600, availability=availability)
    # blind 1800..2700, then a full deadline is over with no proof: lost from 2700
    assert told == expected
