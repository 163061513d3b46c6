"""Windows: spans, packs within them, those not begun (figures.md 2, R33, R36)."""

from pathlib import Path

import pytest

from tests.contract.compliance.scenario import DAY, MINUTE, Scenario, iso


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute; nobody has been heard yet."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


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
