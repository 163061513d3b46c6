"""Who blocks a target, what may still be lost, and what was restated (R35 to R42)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import DAY, Scenario, iso

US = 1_000_000


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 connected for an hour, U2 silent after 1800 s, U3 never connected."""
    made = Scenario(tmp_path).unit().unit("U2").unit("U3", commissioned_on=None).gateway().gateway("G2", "U2")
    return made.ticks(0, 3600).heartbeats(0, 3600).heartbeats(0, 1800, gateway="G2", unit="U2")


def with_target(district: Scenario, **changed: str) -> Scenario:
    """Change T01: metric, value, due."""
    old = {"metric": "time_weighted_networking_rate", "value": "1.0", "due": "12-31"}
    before = "  T01:\n    metric: {metric}\n    scope: S1\n    value: {value}\n    due: {due}\n"
    assert before.format(**old) in district.pack
    district.pack = district.pack.replace(before.format(**old), before.format(**(old | changed)))
    return district


def blocking(district: Scenario, **asked: Any) -> Any:
    return district.ask(blocking=[{"target": "T01", "from": iso(0), **asked}])["blocking"][0]


def forecast(district: Scenario, **asked: Any) -> Any:
    return district.ask(forecast=[{"target": "T01", "from": iso(0), **asked}])["forecast"][0]


def test_r37_units_stand_by_their_loss_and_the_shortest_list_ends_where_the_target_is_reached(
    district: Scenario,
) -> None:
    """Of 3 x 3600 s 5400 are lost; half of all needs the 3600 of U3 only."""
    told = blocking(with_target(district, value="0.5"))
    assert told["units"] == [{"unit": "U3", "loss": 3600 * US}, {"unit": "U2", "loss": 1800 * US}]
    assert (told["shortest"], told["at"]) == ([], iso(3600))


@pytest.mark.parametrize(("value", "shortest"), [("0.5", []), ("0.51", ["U3"]), ("0.84", ["U3", "U2"])])
def test_r37_the_shortest_list_is_the_smallest_prefix_that_cures(
    district: Scenario, value: str, shortest: list[str]
) -> None:
    assert blocking(with_target(district, value=value))["shortest"] == shortest


def test_r37_what_is_unknown_is_nobodys_loss(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 600).ticks(1200, 1800).heartbeats(0, 1800)
    assert blocking(district, at=iso(1800))["units"] == []


def test_r37_an_access_target_is_blocked_by_who_is_not_commissioned_exempt_or_not(district: Scenario) -> None:
    district.unit("U4", commissioned_on=None, exempt_from="2026-03-01", exempt_until="2026-03-31", exempt_reason="x")
    told = blocking(with_target(district, metric="access_rate"))
    assert told["units"] == [{"unit": "U3", "loss": 1}, {"unit": "U4", "loss": 1}]


def test_r37_a_live_target_is_blocked_by_who_is_neither_connected_nor_unknown_nor_exempt(district: Scenario) -> None:
    district.unit("U4", exempt_from="2026-03-01", exempt_until="2026-03-31", exempt_reason="x")
    district.unit("U5").gateway("G5", "U5", since="2026-03-10")
    told = blocking(with_target(district, metric="live_networking_rate"), at=iso(100))
    assert told["units"] == [{"unit": "U3", "loss": 1}, {"unit": "U5", "loss": 1}]


def test_beyond_the_horizon_is_the_horizon(district: Scenario) -> None:
    for told in (blocking(district, at=iso(DAY)), forecast(district, at=iso(DAY))):
        assert told["at"] == iso(3600)


def test_from_is_the_first_of_january_where_it_is_not_given(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit(commissioned_on=None).ticks(0, 600)
    told = district.ask(blocking=[{"target": "T01", "at": iso(0)}])["blocking"][0]
    assert told["units"] == [{"unit": "U1", "loss": (31 + 28 + 9) * DAY * US}]


def test_r38_under_a_target_of_all_one_second_makes_the_year_unreachable(district: Scenario) -> None:
    told = forecast(with_target(district, due="03-10"))
    assert (told["budget_us"], told["reachable"], told["budget_minutes"]) == (-5400 * US, False, -90)


def test_r38_the_whole_is_what_was_counted_and_what_is_to_come_and_the_budget_is_floored(district: Scenario) -> None:
    told = forecast(with_target(district, due="03-10", value="0.8"))
    future = 3 * (DAY - 3600)
    assert (told["to"], told["future_us"]) == (iso(DAY), future * US)
    assert (told["lost_us"], told["unknown_us"]) == (5400 * US, 0)
    assert told["budget_us"] == 3 * DAY * US // 5 - 5400 * US
    assert told["budget_minutes"] == told["budget_us"] // (60 * US)


def test_r38_what_is_unknown_lowers_the_low_budget_only(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 600).ticks(1200, 1800).heartbeats(0, 1800)
    told = forecast(with_target(district, due="03-10", value="0.9"))
    assert (told["lost_us"], told["unknown_us"]) == (0, 600 * US)
    assert told["budget_us"] - told["budget_low_us"] == 600 * US


def test_r38_time_to_come_leaves_out_exempt_days_and_days_out_of_scope(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit(retired_on="2026-03-14").gateway().ticks(0, 600).heartbeats(0, 600)
    district.rows["unit", "U1"] = []
    exempt = {"exempt_from": "2026-03-11", "exempt_until": "2026-03-12", "exempt_reason": "x"}
    district.unit(**exempt, retired_on="2026-03-14")
    told = forecast(with_target(district, due="03-20"))
    assert told["future_us"] == (2 * DAY - 600) * US


def test_r39_who_is_connected_keeps_the_days_on_which_it_is_commissioned(district: Scenario) -> None:
    """U1 loses its commissioning for the 12th; U2 and U3 are not connected."""
    district.unit(since="2026-03-12", commissioned_on=None)
    told = forecast(with_target(district, due="03-12", value="0.2"))
    assert told["projected"]["numerator"] == (2 * DAY + 1800) * US
    assert told["projected"]["denominator"] == 3 * 3 * DAY * US
    assert told["on_course"] is True
    district.pack = Scenario(district.work).pack
    assert forecast(with_target(district, due="03-12", value="0.3"))["on_course"] is False


def test_r40_each_unit_with_counted_time_so_far_has_a_budget_of_its_own_whole(district: Scenario) -> None:
    district.unit("U9", since="2026-03-11")
    told = forecast(with_target(district, due="03-11", value="0.5"))
    assert told["units"] == {
        "U1": {"lost_us": 0, "budget_us": DAY * US},
        "U2": {"lost_us": 1800 * US, "budget_us": (DAY - 1800) * US},
        "U3": {"lost_us": 3600 * US, "budget_us": (DAY - 3600) * US},
    }


def test_after_the_due_day_nothing_is_to_come(district: Scenario) -> None:
    told = forecast(with_target(district, due="03-01"))
    assert (told["to"], told["future_us"]) == (iso(-8 * DAY), 0)


def test_an_empty_scope_is_never_on_course(tmp_path: Path) -> None:
    told = forecast(Scenario(tmp_path).unit(key_unit=False).ticks(0, 600))
    assert (told["projected"], told["on_course"]) == ({"numerator": 0, "denominator": 0, "value": None}, False)


def test_r35_a_period_is_closed_when_the_watermark_is_far_enough_beyond_it(tmp_path: Path) -> None:
    district = Scenario(tmp_path, Scenario(tmp_path).pack + "close_after_s: 600\n").unit().gateway().ticks(0, 1200)
    assert district.figure("coverage", 0, 600)["closed"] is True
    assert district.figure("coverage", 0, 600.000001)["closed"] is False
    assert district.figure("coverage", 0, 600, known_at=iso(1199))["closed"] is False


def test_r36_what_may_lie_on_either_side_of_the_target_is_undetermined(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 600).ticks(1200, 1800).heartbeats(0, 1800)
    told = district.figure("time_weighted_networking_rate", 0, 1800)
    assert (told["verdict"], told["reason"]) == ("undetermined", "unknown_between")


def test_r29_a_target_is_compared_exactly_and_not_by_the_rounded_text(district: Scenario) -> None:
    """1 of 3 is 33.3 in text and less than 0.3334, more than 0.3333."""
    for value, verdict in (("0.3333", "compliant"), ("0.3334", "non_compliant")):
        district.pack = Scenario(district.work).pack
        with_target(district, metric="live_networking_rate", value=value)
        told = district.figure("live_networking_rate", 3600)
        assert (told["value"], told["verdict"], told["target"]["value"]) == ("33.3", verdict, value)


def test_a_target_of_a_union_judges_that_union_and_none_of_its_parts(district: Scenario) -> None:
    with_target(district, metric="live_networking_rate", value="0.2")
    district.pack = district.pack.replace("    scope: S1\n    value: 0.2", "    scope: S1+S3\n    value: 0.2")
    assert district.figure("live_networking_rate", 3600, scope="S1+S3")["target"]["id"] == "T01"
    assert district.figure("live_networking_rate", 3600, scope="S3+S1")["target"] is None
    assert district.figure("live_networking_rate", 3600)["target"] is None


def published(district: Scenario, *at: float) -> Any:
    figure = {"metric": "time_weighted_networking_rate", "scope": "S1", "from": iso(0), "to": iso(600)}
    told = district.ask(revisions=[{"figure": figure, "published_at": [iso(each) for each in at]}])["revisions"][0]
    return [(each["number"], each["published_at"], each["difference"]) for each in told["revisions"]]


def test_r42_late_data_restate_a_period_and_nothing_new_is_no_revision(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 3600, 30).heartbeats(0, 300).heartbeats(600, 3600)
    district.signal(450, recorded=2000)
    found = published(district, 900, 1000, 2000, 3000)
    assert [(number, at) for number, at, _ in found] == [(1, iso(900)), (2, iso(2000))]
    assert found[0][2] == {}
    assert found[1][2]["numerator"] == [300 * US, 600 * US]
    assert set(found[1][2]) == {"numerator", "value", "low", "high", "verdict"}


def test_r41_what_was_published_stays_askable_by_its_publication(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().gateway().ticks(0, 3600, 30).heartbeats(0, 300).heartbeats(600, 3600)
    district.signal(450, recorded=2000)
    told = district.figure("time_weighted_networking_rate", 0, 600, known_at=iso(1000))
    assert told["numerator"] == 300 * US
