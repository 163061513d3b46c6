"""Small values: percentages, ids, days, scopes."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.words import VisibilityState
from services.rules.domain.facts import holding
from services.rules.domain.instants import DAY, day_end, day_start, instant, micros
from services.rules.domain.rate import bounds, percent_floored
from services.rules.domain.watch import sight_now
from tests.unit.rules.world import unit_version


@pytest.mark.parametrize(
    ("connected", "of", "shown"),
    [
        (199, 200, "99.5"),
        (999, 1000, "99.9"),
        (9999, 10000, "99.9"),
        (200, 200, "100.0"),
        (0, 7, "0.0"),
        (0, 0, None),
    ],
)
def test_percentages_are_floored_and_an_empty_scope_has_none(connected: int, of: int, shown: str | None) -> None:
    assert percent_floored(connected, of) == shown


@given(st.integers(1, 10**6), st.data())
def test_one_hundred_percent_appears_only_when_both_counts_are_equal(of: int, data: st.DataObject) -> None:
    connected = data.draw(st.integers(0, of))
    assert (percent_floored(connected, of) == "100.0") == (connected == of)


@pytest.mark.parametrize(("connected", "of"), [(3, 2), (-1, 2), (1, -1)])
def test_what_is_no_rate_is_refused(connected: int, of: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        percent_floored(connected, of)


def test_unknown_widens_the_rate() -> None:
    assert bounds(150, 30, 200) == ("75.0", "90.0")


def test_a_day_begins_at_midnight_in_shanghai() -> None:
    assert instant(day_start(date(2026, 3, 2))) == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert day_end(date(2026, 3, 2)) - day_start(date(2026, 3, 2)) == DAY


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_instants_survive_the_round_trip(at: datetime) -> None:
    assert instant(micros(at)) == at


def test_the_last_version_that_is_known_and_valid_holds() -> None:
    first = unit_version()
    later = unit_version(valid_from=date(2026, 3, 1), recorded_at=day_start(date(2026, 3, 5)))
    assert holding((first, later), day_start(date(2026, 3, 4))) is first
    assert holding((first, later), day_start(date(2026, 3, 5))) is later
    assert holding((first,), day_start(date(2025, 3, 5))) is None


@pytest.mark.parametrize(
    ("watermark", "now", "shown"),
    [(None, 5, VisibilityState.BLIND), (0, 11, VisibilityState.BLIND), (0, 10, VisibilityState.IMPAIRED)],
)
def test_behind_a_stalled_watermark_nobody_looks(watermark: int | None, now: int, shown: VisibilityState) -> None:
    assert sight_now(VisibilityState.IMPAIRED, watermark, 10, now) is shown
