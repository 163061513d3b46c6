"""How a figure changed from one publication to the next (R41)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.compliance.domain.figure import Figure
from services.kernel.ratio import percent

Value = int | str | None
PUBLISHED = ("numerator", "denominator", "unknown", "exempt", "value", "low", "high", "verdict")
"""What makes another revision when it differs."""


class Revision(NamedTuple):
    """`published_at` in microseconds; `difference`: old and new value of each field that is another than before."""

    number: int
    published_at: int
    figure: Mapping[str, Value]
    difference: Mapping[str, tuple[Value, Value]]


def revisions(published: Iterable[tuple[int, Figure]]) -> list[Revision]:
    """Return the publications that said something new, numbered from 1."""
    found: list[Revision] = []
    for published_at, made in published:
        now = published_fields(made)
        before = found[-1].figure if found else {}
        if now != before:
            difference = between(before, now)
            found.append(Revision(len(found) + 1, published_at, now, difference))
    return found


def between(before: Mapping[str, Value], now: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """Return old and new value of what differs; nothing where there is none before."""
    return {name: (before[name], now[name]) for name in before if before[name] != now[name]}


def published_fields(made: Figure) -> dict[str, Value]:
    ratio = made.counted.ratio
    return {
        "numerator": ratio.numerator,
        "denominator": ratio.denominator,
        "unknown": ratio.unknown,
        "exempt": ratio.exempt,
        "value": percent(ratio.low),
        "low": percent(ratio.low),
        "high": percent(ratio.high),
        "verdict": made.verdict.value,
    }
