"""Small values: ids, days, scopes."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.words import VisibilityState
from services.rules.domain.facts import holding, pack_texts
from services.rules.domain.time.instants import DAY, day_end, day_start, instant, micros
from services.rules.domain.time.watch import visibility_now
from tests.unit.rules.scenario import unit_version


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
    assert visibility_now(VisibilityState.IMPAIRED, watermark, 10, now) is shown


@pytest.mark.parametrize(
    "texts", [("第一医院", "First Hospital", "人民路 1 号"), ("", "", ""), ("2 3 4", " ", "\n"), ("\x00", "", "7")]
)
def test_the_texts_of_a_unit_are_read_as_they_were_packed(texts: tuple[str, str, str]) -> None:
    assert unit_version(packed_texts=pack_texts(*texts)).texts() == texts
