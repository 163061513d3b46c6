"""The rate of a district, town or department by day: closed and published figures, live samples until then."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.console.domain.errors import NotFound
from services.console.domain.rates import LIVE_RATE
from services.console.domain.viewer import Viewer
from services.kernel.policy import Target
from services.kernel.ratio import Ratio, Reason, Verdict, verdict
from services.kernel.words import Dimension, Period

CLOSED_RATE = "time_weighted_networking_rate"
"""What a closed day is told by; a day that is not closed has the live rate as it was last sampled."""

DIMENSIONS = (Dimension.DISTRICT, Dimension.TOWN, Dimension.DEPARTMENT)
MAX_DAYS = 400
"""Days of one answer: a year and what a reader turns back by."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose rate: `value` is the code of a district, town or department."""

    dimension: Dimension
    value: str

    @property
    def district(self) -> str | None:
        """The district that it is, None for a part of one."""
        return self.value if self.dimension is Dimension.DISTRICT else None

    @property
    def town(self) -> str | None:
        """The town that it is, None for whoever lies in several."""
        return self.value if self.dimension is Dimension.TOWN else None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Days of Asia/Shanghai, `first` and `last` included."""

    subject: Subject
    scope: str
    first: date
    last: date

    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Publication:
    """A closed figure as it was published at a time; `revision` counts from 1. Counts are units times microseconds."""

    revision: int
    published_at: datetime
    ratio: Ratio
    verdict: Verdict
    reason: Reason
    target: str | None
    """The target that it was judged by, from 0 to 1 as text."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The live rate as the last sample of a day has it. Counts are units."""

    sampled_at: datetime
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class DayRate:
    """What one day came to. `publications` oldest first, the last one holds; without any, `sample` stands in for it."""

    day: date
    publications: tuple[Publication, ...] = ()
    sample: Sample | None = None

    @property
    def closed(self) -> bool:
        return bool(self.publications)

    @property
    def metric(self) -> str | None:
        return CLOSED_RATE if self.closed else LIVE_RATE if self.sample else None

    @property
    def ratio(self) -> Ratio | None:
        return self.publications[-1].ratio if self.closed else self.sample.ratio if self.sample else None

    def judged(self, live_target: Target | None) -> tuple[Verdict, Reason] | None:
        """Return the published verdict, or that of the sample on the target of the live rate; None without a figure."""
        if self.closed:
            return self.publications[-1].verdict, self.publications[-1].reason
        return verdict(self.sample.ratio, live_target.value if live_target else None) if self.sample else None


@dataclass(frozen=True, slots=True)
class PeriodRate:
    """A closed period longer than a day; `publications` as for a day, never empty."""

    kind: Period
    first: date
    last: date
    publications: tuple[Publication, ...]


@dataclass(frozen=True, slots=True)
class RateHistory:
    """Every day that was asked for, in order, and the longer closed periods that lie within them, the longest last."""

    days: tuple[DayRate, ...]
    periods: tuple[PeriodRate, ...] = ()


def may_see(viewer: Viewer, subject: Subject) -> None:
    """Raise NotFound outside the slice, as for a subject that does not exist.

    A department sees its own rate, a street that of its area; neither sees that of another, or of the whole.
    """
    if subject.dimension not in DIMENSIONS or not (viewer.slice.whole or _is_own(viewer, subject)):
        raise NotFound


def _is_own(viewer: Viewer, subject: Subject) -> bool:
    own = viewer.slice.department
    return bool(own) and subject.value == own and subject.dimension in (Dimension.TOWN, Dimension.DEPARTMENT)
