"""When somebody of us was looking: blind and impaired times and the horizon (R3 to R7)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from services.compliance.domain.policy import Policies
from services.kernel.calendar import day_of

NEVER = 2**62
"""Later than any instant of a log."""


class Span(NamedTuple):
    """[start, end)"""

    start: int
    end: int


class TickFact(NamedTuple):
    """What rules established of one tick; see schemas/facts.py."""

    seen: int
    watermark: int
    impaired_from: int | None
    impaired_to: int | None


@dataclass(frozen=True, slots=True)
class Visibility:
    """`blind` begins with the time before the first seen point and ends, if known_at is far beyond the watermark, with
    the time since; two that touch at a seen point are two. `watermark` is None without a tick. `end` is the first
    instant of which nothing is said."""

    watermark: int | None
    through: int
    blind: Sequence[Span]
    impaired: Sequence[Span]

    @property
    def end(self) -> int:
        return self.through + 1

    def impaired_between(self, start: int, end: int) -> Iterator[Span]:
        """Yield the impaired times that end after `start` and begin before `end`, in order."""
        for index in range(bisect_right(self.impaired, start, key=lambda span: span.end), len(self.impaired)):
            if self.impaired[index].start >= end:
                return
            yield self.impaired[index]

    def sighted(self, start: int, end: int) -> Iterator[Span]:
        """Yield the parts of [start, end) that are not blind, in order."""
        for index in range(bisect_right(self.blind, start, key=lambda span: span.end), len(self.blind)):
            blind = self.blind[index]
            if blind.start >= end:
                break
            if start < blind.start:
                yield Span(start, blind.start)
            start = blind.end
        if start < end:
            yield Span(start, end)

    def known_blind(self) -> list[Span]:
        """Return blind times without the time before the first tick."""
        return [Span(start, min(end, self.through)) for start, end in self.blind[1:]]

    def known_impaired(self) -> list[Span]:
        cut = [Span(start, min(end, self.through)) for start, end in self.impaired]
        return [span for span in cut if span.start < span.end]


def visibility_of(ticks: Sequence[TickFact], policies: Policies, known_at: int | None) -> Visibility:
    """Fold the ticks known at `known_at`, in the order of the log."""
    if not ticks:
        return Visibility(None, known_at or 0, [Span(-NEVER, NEVER)], [])
    watermark = ticks[-1].watermark
    points = sorted({tick.seen for tick in ticks if tick.seen <= watermark})
    blind = [Span(-NEVER, points[0])]
    for earlier, later in pairwise(points):
        if later - earlier > policies.blind_after(day_of(earlier)):
            blind.append(Span(earlier, later))
    through = watermark
    if known_at is not None and known_at - watermark > policies.blind_after(day_of(watermark)):
        blind.append(Span(watermark, NEVER))
        through = known_at
    return Visibility(watermark, through, blind, _impaired(ticks))


def _impaired(ticks: Sequence[TickFact]) -> list[Span]:
    spans: list[Span] = []
    start: int | None = None
    for tick in ticks:
        if tick.impaired_from is not None:
            start = tick.impaired_from
        if tick.impaired_to is not None and start is not None:
            spans.append(Span(start, tick.impaired_to))
            start = None
    if start is not None:
        spans.append(Span(start, NEVER))
    return _joined(sorted(span for span in spans if span.start < span.end))


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Join spans in order that touch or overlap (R6)."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(span.end, joined[-1].end))
        else:
            joined.append(span)
    return joined
