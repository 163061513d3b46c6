"""Numbers as GB/T 9704 writes them, one series per body, mark and year of China."""

from datetime import UTC, datetime

from services.documents.domain.numbering import Number, Series, series_of

MARKS = {"centre": "消监"}


def test_a_number_has_six_corner_brackets_and_no_leading_zeros() -> None:
    assert Number(Series("centre", "消监告", 2026), 7).text == "消监告〔2026〕7号"


def test_the_year_is_that_of_the_calendar_in_china() -> None:
    new_year_in_china = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert series_of("centre", "告", new_year_in_china, MARKS).year == 2027


def test_a_body_without_a_mark_has_its_code_so_that_no_two_write_the_same_number() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert series_of("centre", "告", now, MARKS).mark == "消监告"
    assert series_of("centre-b", "告", now, MARKS).mark == "centre-b告"
