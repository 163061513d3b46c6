"""Shares of points: what a rate gives, and what several parts come to. A share is from 0 to 1, exactly."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from services.kernel.ratio import Ratio

WHOLE = 100
"""Points that a score is counted in."""


class Span(NamedTuple):
    """Between what a share lies; both are the same where all of it is known."""

    low: Fraction
    high: Fraction


ANYTHING = Span(Fraction(0), Fraction(1))
"""What is said of a part that nobody knows: neither nought nor full points."""


def given(ratio: Ratio, none_at: Fraction, full_at: Fraction) -> Span | None:
    """Return the share of its points that a rate is given: none up to `none_at`, all from `full_at`, evenly between.

    None for a rate of nothing. `none_at` is below `full_at`.
    """
    if ratio.low is None or ratio.high is None:
        return None
    width = full_at - none_at
    low, high = (min(Fraction(1), max(Fraction(0), (rate - none_at) / width)) for rate in (ratio.low, ratio.high))
    return Span(low, high)


def of_points(points: Fraction, most: int) -> Span:
    """Return points that somebody gave as the share of those that could be had."""
    share = points / most
    return Span(share, share)


def part_of_whole(share: Span, most: int) -> Span:
    """Return the share of the whole score that a criterion of `most` points is."""
    return Span(share.low * most / WHOLE, share.high * most / WHOLE)


def weighted(parts: Iterable[tuple[int, Span]]) -> Span | None:
    """Return the mean by weight; None where nothing weighs."""
    held = [(weight, span) for weight, span in parts if weight]
    if not held:
        return None
    total = sum(weight for weight, _ in held)
    low, high = (sum((weight * span[end] for weight, span in held), Fraction(0)) for end in (0, 1))
    return Span(low / total, high / total)


def mean(spans: Sequence[Span]) -> Span | None:
    return weighted((1, span) for span in spans)
