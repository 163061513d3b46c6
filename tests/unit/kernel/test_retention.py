"""From when on nothing may go: a year at least, the open year whole, what is not closed; of figures whole years."""

from datetime import UTC, datetime

import pytest

from services.kernel.retention import BEGINNING, MIN_DAYS, archive_from, kept_from, whole_years_from


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "days", "unclosed", "expected"),
    [
        pytest.param("2026-11-29T04:00Z", 400, None, "2025-10-24T16:00Z", id="whole days of Shanghai"),
        pytest.param("2026-11-29T04:00Z", 366, "2025-01-01T16:00Z", "2025-01-01T16:00Z", id="the first open period"),
        pytest.param("2026-11-29T04:00Z", 366, "2026-10-01T16:00Z", "2025-11-27T16:00Z", id="closed beyond that"),
        pytest.param("2027-02-28T04:00Z", 366, None, "2025-12-31T16:00Z", id="a year that may not be closed yet"),
        pytest.param("2027-12-31T16:00Z", 366, None, "2026-12-30T16:00Z", id="a year that has just begun"),
        pytest.param("2029-02-28T04:00Z", MIN_DAYS, None, "2027-12-31T16:00Z", id="a leap year is kept whole"),
    ],
)
def test_what_has_aged_is_older_than_all_three(now: str, days: int, unclosed: str | None, expected: str) -> None:
    assert kept_from(at(now), days, at(unclosed) if unclosed else None) == at(expected)


@pytest.mark.parametrize(
    ("now", "unclosed", "expected"),
    [
        pytest.param("2027-03-03T04:00Z", "2026-12-31T16:00Z", "2025-12-31T16:00Z", id="closed and still corrected"),
        pytest.param("2028-02-04T04:00Z", "2027-12-31T16:00Z", "2025-12-31T16:00Z", id="400 days after its end"),
        pytest.param(
            "2028-02-04T16:00Z", "2027-12-31T16:00Z", "2026-12-31T16:00Z", id="a day later it goes as a whole"
        ),
        pytest.param("2028-06-01T04:00Z", "2026-03-09T16:00Z", "2025-12-31T16:00Z", id="nothing of it is closed"),
    ],
)
def test_what_figures_come_from_goes_a_year_at_a_time(now: str, unclosed: str, expected: str) -> None:
    assert whole_years_from(at(now), 400, at(unclosed)) == at(expected)


@pytest.mark.parametrize(
    ("days", "needed", "expected"),
    [
        pytest.param(1, "2024-12-31T16:00Z", "2024-12-31T16:00Z", id="what figures need, however short the setting"),
        pytest.param(800, "2024-12-31T16:00Z", "2023-12-31T16:00Z", id="the setting, where that is longer"),
        pytest.param(1, None, None, id="nothing goes before it is known"),
    ],
)
def test_the_archive_keeps_the_longer_of_what_is_asked_for_and_needed(
    days: int, needed: str | None, expected: str | None
) -> None:
    found = archive_from(at("2026-11-29T04:00Z"), days, None if needed is None else at(needed))
    assert found == (BEGINNING if expected is None else at(expected))
