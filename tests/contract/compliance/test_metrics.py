"""The metrics of figures.md 6, each boundary by itself (R25 to R33)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import DAY, MINUTE, Scenario, iso


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


# -------------------------------------------------- instants


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


# -------------------------------------------------- time


def test_coverage_counts_what_was_known_and_has_no_unknown_of_its_own(district: Scenario) -> None:
    """Unproven for the first minute; never connected is known."""
    district.unit("U2", commissioned_on=None).heartbeats(60, 3600)
    assert district.counts("coverage", 0, 3600) == (7140, 7200, 0, 0)


def test_who_is_listed_in_mid_month_counts_for_his_days_only(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit("U2", since="2026-03-11", commissioned_on=None)
    assert district.counts("time_weighted_networking_rate", 0, 2 * DAY, unit="U2") == (0, DAY, 0, 0)
    assert district.counts("unit_availability", 0, DAY, unit="U2") == (0, 0, 0, 0)


def test_a_retired_unit_counts_up_to_the_day_it_is_retired_on(district: Scenario) -> None:
    district.ticks(3660, 2 * DAY, 60).unit("U2", commissioned_on=None, retired_on="2026-03-11")
    assert district.counts("unit_availability", 0, 2 * DAY, unit="U2") == (0, DAY, 0, 0)


EXEMPT_TODAY = {"exempt_from": "2026-03-10", "exempt_until": "2026-03-10", "exempt_reason": "x"}


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


# -------------------------------------------------- heartbeats


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


# -------------------------------------------------- points


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


# -------------------------------------------------- faults


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


# -------------------------------------------------- duty checks


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


# -------------------------------------------------- windows


def test_a_span_of_days_ends_at_the_instant_and_one_of_months_begins_at_the_same_wall_time(district: Scenario) -> None:
    told = district.figure("coverage", span="7d", at=iso(3600))
    assert (told["from"], told["to"]) == (iso(3600 - 7 * DAY), iso(3600))
    pack = district.pack.replace("valid_from: '2026-01-01'", "valid_from: '2022-01-01'")
    district.pack = pack.replace("valid_to: '2026-12-31'", "valid_to: '2028-12-31'")
    leap = district.figure("coverage", span="12m", at="2024-02-29T01:00:00+08:00")
    assert leap["from"] == "2023-02-27T17:00:00.000000Z"
    short = district.figure("coverage", span="1m", at="2023-03-31")
    assert short["from"] == "2023-02-27T16:00:00.000000Z"


def test_a_span_without_at_ends_at_the_horizon(district: Scenario) -> None:
    assert district.figure("coverage", span="1d")["to"] == iso(3600)


def test_a_window_that_begins_at_the_horizon_has_not_begun(district: Scenario) -> None:
    told = district.figure("coverage", 3600, 7200)
    assert (told["reason"], told["through"], told["detail"]) == ("not_begun", iso(3600), {})
    assert district.figure("coverage", 3600 - MINUTE, 7200)["denominator"] == 60_000_000


def test_the_packs_of_all_days_are_named_and_that_of_the_last_judges(district: Scenario) -> None:
    district.second_pack = (
        district.pack.replace("version: 1", "version: 2")
        .replace("valid_from: '2026-01-01'", "valid_from: '2026-03-11'")
        .replace("    value: 1.0\n    due: 12-31", "    value: 0.25\n    due: 12-31")
    )
    told = district.figure("time_weighted_networking_rate", 0, 2 * DAY)
    assert [pack["version"] for pack in told["packs"]] == [1, 2]
    assert (told["pack"]["version"], told["target"]["value"]) == (2, "0.25")
    before = district.figure("time_weighted_networking_rate", 0, DAY)
    assert (before["pack"]["version"], len(before["packs"])) == (1, 1)
