"""Counts, bounds, floors and verdicts: the only place that knows them."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.ratio import NOTHING, Ratio, Reason, Verdict, floored, live, percent, verdict

ALL = Fraction(1)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (199, 200, "99.5"),
        (999, 1000, "99.9"),
        (9999, 10000, "99.9"),
        (200, 200, "100.0"),
        (0, 7, "0.0"),
        (2, 3, "66.6"),
        (0, 0, None),
    ],
)
def test_percentages_are_floored_and_an_empty_scope_has_none(part: int, whole: int, shown: str | None) -> None:
    assert percent(Ratio(part, whole).low) == shown


@given(st.integers(1, 10**6), st.data())
def test_one_hundred_percent_appears_only_when_both_counts_are_equal(whole: int, data: st.DataObject) -> None:
    low = Ratio(data.draw(st.integers(0, whole)), whole).low
    assert low is not None
    assert (percent(low) == "100.0") == (low == 1) == (floored(low) == 1.0)
    assert percent(low) == f"{floored(low) * 100:.1f}", "a gauge shows what the page shows"


@pytest.mark.parametrize(("part", "whole", "unknown"), [(3, 2, 0), (-1, 2, 0), (1, -1, 0), (1, 2, 2), (1, 2, -1)])
def test_what_is_no_rate_is_refused(part: int, whole: int, unknown: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        Ratio(part, whole, unknown)


def test_unknown_widens_the_interval_and_leaves_the_verdict_open() -> None:
    rate = Ratio(190, 200, unknown=10)
    assert (percent(rate.low), percent(rate.high), rate.high_numerator) == ("95.0", "100.0", 200)
    assert verdict(rate, ALL) == (Verdict.UNDETERMINED, Reason.UNKNOWN_BETWEEN)


@pytest.mark.parametrize(
    ("connected", "unknown", "target", "said"),
    [
        (200, 0, ALL, Verdict.COMPLIANT),
        (199, 0, ALL, Verdict.NON_COMPLIANT),
        (150, 49, ALL, Verdict.NON_COMPLIANT),
        (60, 140, Fraction("0.3"), Verdict.COMPLIANT),
        (59, 0, Fraction("0.3"), Verdict.NON_COMPLIANT),
        (59, 0, None, Verdict.NO_TARGET),
    ],
)
def test_the_verdict_compares_exact_counts(
    connected: int, unknown: int, target: Fraction | None, said: Verdict
) -> None:
    assert verdict(Ratio(connected, 200, unknown), target)[0] is said


@pytest.mark.parametrize(("exempt", "reason"), [(0, Reason.EMPTY_SCOPE), (3, Reason.ALL_EXEMPT)])
def test_an_empty_scope_has_no_verdict_and_no_percentage(exempt: int, reason: Reason) -> None:
    rate = Ratio(0, 0, exempt=exempt)
    assert (percent(rate.low), percent(rate.high)) == (None, None)
    assert verdict(rate, ALL) == (Verdict.NOT_APPLICABLE, reason)


@pytest.mark.parametrize(
    ("rate", "target", "missing"),
    [
        (Ratio(190, 200), ALL, 10),
        (Ratio(190, 200, unknown=4), ALL, 6),
        (Ratio(59, 199), Fraction("0.3"), 1),
        (Ratio(60, 199), Fraction("0.3"), 0),
        (NOTHING, ALL, 0),
    ],
)
def test_so_many_more_are_missing_until_the_target_is_met(rate: Ratio, target: Fraction, missing: int) -> None:
    assert rate.missing(target) == missing


def test_the_live_rate_is_what_is_connected_of_all_that_are_not_exempt() -> None:
    units = {"online": 5, "late": 1, "offline": 2, "unknown": 3, "never_connected": 4, "commissioning": 6, "exempt": 7}
    assert live(units) == Ratio(numerator=6, denominator=21, unknown=3, exempt=7)
    assert live({}) == NOTHING


def test_a_unit_that_is_in_no_scope_is_not_counted_silently() -> None:
    with pytest.raises(ValueError, match="retired"):
        live({"online": 1, "retired": 1})


@given(st.lists(st.sampled_from(["online", "late", "offline", "unknown", "never_connected", "exempt"])), st.data())
def test_the_rate_of_two_parts_is_that_of_the_whole(states: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(states)))
    assert live(Counter(states[:cut])) + live(Counter(states[cut:])) == live(Counter(states))
