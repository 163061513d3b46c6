"""Which version holds: valid time and known time."""

from datetime import date
from typing import NamedTuple

import pytest

from services.kernel.effective import in_force, ordered


class Row(NamedTuple):
    name: str
    valid_from: date
    recorded_at: int


class Numbered(NamedTuple):
    valid_from: int


FIRST = Row("first", date(2026, 1, 1), 10)
LATER = Row("later", date(2026, 3, 1), 20)
CORRECTED = Row("corrected", date(2026, 2, 1), 30)
"""Recorded last, but dated back before `LATER`."""
ROWS = ordered([LATER, CORRECTED, FIRST])


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), FIRST),
        (date(2026, 1, 31), FIRST),
        (date(2026, 2, 1), CORRECTED),
        (date(2026, 3, 1), LATER),
    ],
)
def test_a_correction_dated_back_reaches_only_up_to_the_later_version(day: date, held: Row | None) -> None:
    assert in_force(ROWS, day) == held


@pytest.mark.parametrize(("known_at", "held"), [(9, None), (10, FIRST), (29, FIRST), (30, CORRECTED)])
def test_a_version_does_not_hold_before_it_was_known(known_at: int, held: Row | None) -> None:
    assert in_force(ROWS, date(2026, 2, 15), known_at) == held


def test_of_two_of_one_day_the_one_recorded_last_holds() -> None:
    again = FIRST._replace(name="again", recorded_at=11)
    assert in_force(ordered([again, FIRST]), date(2026, 1, 1)) is again


def test_days_may_be_numbers() -> None:
    assert in_force([Numbered(3), Numbered(5)], 4) == Numbered(3)
    assert in_force([], 4) is None
