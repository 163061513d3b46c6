"""When somebody of us was looking: blind and impaired times and the horizon (R3 to R7)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
        return _between(self.impaired, start, end)

    def unseen_between(self, start: int, end: int) -> Iterator[Span]:
        """Yield the blind and the impaired times that end after `start` and begin before `end`."""
        yield from _between(self.blind, start, end)
        yield from _between(self.impaired, start, end)

    def sighted(self, start: int, end: int) -> Iterator[Span]:
        """Yield the parts of [start, end) that are not blind, in order."""
        for blind in _between(self.blind, start, end):
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


@dataclass(slots=True)
class VisibilityFold:
    """The same, tick by tick, in memory that does not grow with the log: of seen points only the gaps are kept.

    `limit`: gaps up to it are forgotten, so no pack may call a shorter one blind; microseconds. `gaps` are in order,
    `ahead` are the points beyond the watermark.
    """

    limit: int
    watermark: int | None = None
    first: int | None = None
    last: int = 0
    gaps: list[Span] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)
    impaired: list[Span] = field(default_factory=list)
    impaired_from: int | None = None

    def take(self, tick: TickFact) -> None:
        """Take the next tick of the log."""
        self.watermark = tick.watermark
        self.ahead.append(tick.seen)
        for point in [each for each in self.ahead if each <= tick.watermark]:
            self._see(point)
        self.ahead = [each for each in self.ahead if each > tick.watermark]
        if tick.impaired_from is not None:
            self.impaired_from = tick.impaired_from
        if tick.impaired_to is not None and self.impaired_from is not None:
            self.impaired.append(Span(self.impaired_from, tick.impaired_to))
            self.impaired_from = None

    def _see(self, point: int) -> None:
        if self.first is None:
            self.first = self.last = point
        elif point > self.last:
            self._gap(len(self.gaps), self.last, point)
            self.last = point
        elif point < self.first:
            self._gap(0, point, self.first)
            self.first = point
        else:
            index = bisect_right(self.gaps, point, key=lambda gap: gap.start) - 1
            if index >= 0 and self.gaps[index].start < point < self.gaps[index].end:
                start, end = self.gaps.pop(index)
                self._gap(index, point, end)
                self._gap(index, start, point)

    def _gap(self, index: int, start: int, end: int) -> None:
        if end - start > self.limit:
            self.gaps.insert(index, Span(start, end))

    def visibility(self, policies: Policies, known_at: int) -> Visibility:
        """Return what `visibility_of` returns of the same ticks."""
        if self.watermark is None:
            return visibility_of((), policies, known_at)
        blind = [] if self.first is None else [Span(-NEVER, self.first), *_too_long(self.gaps, policies)]
        return _judged(self.watermark, blind, _spans(self.impaired, self.impaired_from), policies, known_at)


def _between(spans: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """Yield those of some spans in order that end after `start` and begin before `end`."""
    for index in range(bisect_right(spans, start, key=lambda span: span.end), len(spans)):
        if spans[index].start >= end:
            return
        yield spans[index]


def visibility_of(ticks: Sequence[TickFact], policies: Policies, known_at: int | None) -> Visibility:
    """Fold the ticks known at `known_at`, in the order of the log."""
    if not ticks:
        return Visibility(None, known_at or 0, [Span(-NEVER, NEVER)], [])
    watermark = ticks[-1].watermark
    points = sorted({tick.seen for tick in ticks if tick.seen <= watermark})
    blind = [Span(-NEVER, points[0]), *_too_long(pairwise(points), policies)]
    return _judged(watermark, blind, _impaired(ticks), policies, known_at)


def _too_long(gaps: Iterable[tuple[int, int]], policies: Policies) -> Iterator[Span]:
    for earlier, later in gaps:
        if later - earlier > policies.blind_after(day_of(earlier)):
            yield Span(earlier, later)


def _judged(
    watermark: int, blind: list[Span], impaired: Sequence[Span], policies: Policies, known_at: int | None
) -> Visibility:
    """Return the visibility with the horizon, which is `known_at` where nobody has looked for too long (R7)."""
    through = watermark
    if known_at is not None and known_at - watermark > policies.blind_after(day_of(watermark)):
        blind.append(Span(watermark, NEVER))
        through = known_at
    return Visibility(watermark, through, blind, impaired)


def _impaired(ticks: Sequence[TickFact]) -> list[Span]:
    spans: list[Span] = []
    start: int | None = None
    for tick in ticks:
        if tick.impaired_from is not None:
            start = tick.impaired_from
        if tick.impaired_to is not None and start is not None:
            spans.append(Span(start, tick.impaired_to))
            start = None
    return _spans(spans, start)


def _spans(ended: Iterable[Span], begun: int | None) -> list[Span]:
    """Return impaired times in order, each once; `begun` is that which has no end yet."""
    spans = [*ended, *(() if begun is None else (Span(begun, NEVER),))]
    return joined(sorted(span for span in spans if span.start < span.end))


def joined(spans: Sequence[Span]) -> list[Span]:
    """Join spans in order that touch or overlap (R6)."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(span.end, joined[-1].end))
        else:
            joined.append(span)
    return joined
