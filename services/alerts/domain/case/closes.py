"""Closes of periods: what a body has missed so far, as its case remembers it.

A close is told by a finding about the body. One that is not missed any more, after a revision, is forgotten: no step
and no paper may rest on a figure that has been taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.kernel.calendar import CHINA
from services.kernel.words import PERIODS_BY_LENGTH, CaseCondition, Period

GRAVE_RESULT = "grave_result"
"""In the place of a metric: what a person entered of a grave result, on the day on which it was entered."""
KEPT = 10
"""Closes of one kind of period that a case remembers; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Close:
    """One target of a body at the close of one period. `value` and `target` are percentages as compliance writes them.

    `ends` is the first instant after the period. `is_missed`: the figure is below the target for certain.
    """

    period: Period
    begins: datetime
    ends: datetime
    metric: str
    scope: str
    value: str | None
    target: str
    revision: int
    is_missed: bool = True

    @property
    def about(self) -> tuple[Period, datetime, str, str]:
        """What stays the same when it is revised."""
        return self.period, self.begins, self.metric, self.scope

    def reaches(self, period: Period) -> bool:
        """Say whether its period is that long, or longer."""
        return PERIODS_BY_LENGTH.index(self.period) >= PERIODS_BY_LENGTH.index(period)


def remembered(closes: Sequence[Close], close: Close) -> tuple[Close, ...]:
    """Return what is remembered once `close` is known, in the order of their ends."""
    before = next((one for one in closes if one.about == close.about), None)
    if before is not None and before.revision > close.revision:
        return tuple(closes)
    others = [one for one in closes if one is not before]
    known = sorted([*others, *([close] if close.is_missed else [])], key=lambda one: (one.ends, one.about))
    kept = [one for period in Period for one in [each for each in known if each.period is period][-KEPT:]]
    return tuple(sorted(kept, key=lambda one: (one.ends, one.about)))


def holds(condition: CaseCondition, closes: Sequence[Close], close: Close) -> bool:
    """Say whether the condition holds with `close`, which is the newest."""
    match condition:
        case CaseCondition.TWO_YEARS_RUNNING:
            return close.period is Period.YEAR and any(
                one.period is Period.YEAR
                and (one.metric, one.scope) == (close.metric, close.scope)
                and _year(one) == _year(close) - 1
                for one in closes
            )
        case CaseCondition.MAJOR_DANGER:
            return False  # of a unit: it is a time in the ladder of the case


def _year(close: Close) -> int:
    return close.begins.astimezone(CHINA).year
