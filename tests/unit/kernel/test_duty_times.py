"""When somebody is on duty: what a text says, and who has no duty times that anybody could read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.calendar import CHINA
from services.kernel.duty_times import DAYS, MAX_LENGTH, parse

OFFICE = "Mo-Fr 08:30-12:00,14:00-17:30; Sa,Su 09:00-12:00"
MONDAY = datetime(2026, 3, 2, tzinfo=CHINA)


def on(days: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=days, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("text", "at", "off_until"),
    [
        (OFFICE, on(0, 8, 30), None),
        (OFFICE, on(0, 8, 29), on(0, 8, 30)),
        (OFFICE, on(0, 12), on(0, 14)),
        (OFFICE, on(4, 17, 30), on(5, 9)),
        (OFFICE, on(6, 12), on(7, 8, 30)),
        ("Fr 20:00-08:00", on(5, 7, 59), None),
        ("Fr 20:00-08:00", on(5, 8), on(11, 20)),
        ("Su 20:00-08:00", on(0, 7), None),
        ("Sa-Mo 00:00-24:00", on(0, 23, 59), None),
        ("Sa-Mo 00:00-24:00", on(1, 0), on(5, 0)),
        ("Mo-Su 00:00-24:00", on(6, 23, 59), None),
    ],
)
def test_duty_begins_with_its_minute_and_is_over_at_its_end(
    text: str, at: datetime, off_until: datetime | None
) -> None:
    assert parse(text).off_until(at) == off_until
    assert parse(text).on_duty(at) is (off_until is None)
    assert parse(text).off_until(at.astimezone(UTC)) == off_until, "an instant, whatever its zone"


SPANS = st.tuples(st.sampled_from(DAYS), st.integers(0, 1439), st.integers(1, 1440)).filter(
    lambda one: one[1] != one[2]
)


@given(st.lists(SPANS, min_size=1, max_size=6), st.integers(0, 8 * 24 * 60 * 60))
def test_who_is_off_duty_is_on_duty_next_within_a_week(spans: list[tuple[str, int, int]], seconds: int) -> None:
    duty = parse("; ".join(f"{day} {a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for day, a, b in spans))
    at = MONDAY + timedelta(seconds=seconds)
    until = duty.off_until(at)
    assert (until is None) is duty.on_duty(at)
    if until is not None:
        assert at < until <= at + timedelta(days=7)
        assert duty.on_duty(until)
        assert not duty.on_duty(until - timedelta(minutes=1))


@pytest.mark.parametrize(
    "text",
    [
        "", "always", "Mo-Fr", "08:00-17:00", "Mo 8:00-17:00", "Mo 08:00-08:00", "Mo 24:00-08:00", "Mo 08:00-24:01",
        "Mo 08:60-09:00", "mo 08:00-17:00", "Mo 08:00-17:00;", "Mo 08:00-17:00;Tu 08:00-17:00", "PH 08:00-17:00",
        "Mo 08:00-17:00\n", "Mo 0８:00-17:00", "; ".join(["Mo 08:00-17:00"] * 8),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
    assert len(text) <= MAX_LENGTH or text.count(";") == 7
