"""Duties to test: when a unit has one, and over which of its time the last test was not too long ago (R45).

At an instant t under a duty with the deadline D a unit is *tested* when a test came in (t - D, t]; else it is *unknown*
when any of that time was blind, impaired or without this very duty; else *overdue*. So it depends on nothing older than
D, a test in our blindness is never missed at the unit's cost, and a duty that is new gives a full deadline first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from services.compliance.domain.adjustments import Adjustments
from services.compliance.domain.policy import DutyToTest, Policies
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.visibility import NEVER, Span, Visibility, joined
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.ratio import NOTHING, Ratio


class Due(NamedTuple):
    """[start, end), over which a unit has the same duty to test without a break; `exempt`: it is let off from it."""

    start: int
    end: int
    duty: DutyToTest
    exempt: bool

    def follows(self, before: "Due") -> bool:
        """Tell whether it only goes on with what was `before`."""
        same = (before.duty.asked, before.exempt) == (self.duty.asked, self.exempt)
        return same and before.end == self.start


def duties(rows: Sequence[UnitRow], adjustments: Adjustments, policies: Policies) -> list[Due]:
    """Return the duties of a unit over all time, in order: on days on which it is commissioned and not retired."""
    if not policies.ask_for_tests():
        return []
    turns = {midnight(day) for row in rows for day in row.turning_days()}
    for district in {row.district for row in rows}:
        turns.update(midnight(day) for day in policies.turning_days(district))
    turns.update(adjustments.edges())
    first = midnight(rows[0].valid_from)
    found: list[Due] = []
    for start, end in pairwise([first, *sorted(at for at in turns if first < at < NEVER), NEVER]):
        duty = _duty(rows, policies, day_of(start))
        if duty is None:
            continue
        row = in_force(rows, day_of(start))
        due = Due(start, end, duty, adjustments.exempt(start, row is not None and row.exempt(day_of(start))))
        if found and due.follows(found[-1]):
            due = due._replace(start=found.pop().start)
        found.append(due)
    return found


def _duty(rows: Sequence[UnitRow], policies: Policies, day: int) -> DutyToTest | None:
    row = in_force(rows, day)
    pack = None if row is None else policies.on(row.district, day)
    if row is None or pack is None or row.retired(day) or not row.commissioned(day):
        return None
    return pack.test_duty(row.facts, row.dimensions["category"], accepted=row.accepted(day))


def within(found: Sequence[Due], start: int, end: int) -> Iterator[Due]:
    """Yield the duties that hold within [start, end), whole."""
    for index in range(bisect_right(found, start, key=lambda due: due.end), len(found)):
        if found[index].start >= end:
            return
        yield found[index]


def tested(due: Due, tests: Sequence[int], visibility: Visibility, start: int, end: int) -> Ratio:
    """Return the time tested, and unknown, of that part of [start, end) over which the duty holds. Microseconds.

    `tests`: when each was received, in order.
    """
    start, end, deadline = max(start, due.start), min(end, due.end), due.duty.deadline
    if due.exempt or start >= end:
        return NOTHING if start >= end else Ratio(0, 0, exempt=end - start)
    first, last = bisect_right(tests, start - deadline), bisect_left(tests, end)
    proven = [Span(at, at + deadline) for at in tests[first:last]]
    doubtful = [Span(due.start, due.start + deadline)]
    unseen = visibility.unseen_between(start - deadline, end)
    doubtful += (Span(each.start, each.end + deadline) for each in unseen)
    known = _length(proven, start, end)
    return Ratio(known, end - start, _length(proven + doubtful, start, end) - known)


def _length(spans: Sequence[Span], start: int, end: int) -> int:
    """Return how much of [start, end) these cover together."""
    cut = (Span(max(each.start, start), min(each.end, end)) for each in spans)
    return sum(each.end - each.start for each in joined(sorted(each for each in cut if each.start < each.end)))
