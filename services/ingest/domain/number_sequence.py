"""What the numbers that one gateway gives its messages prove: which of them never came.

Nothing is said to be lost that may still come, or that may have come before this process began to listen: a loss that
is not reported is a pity, a loss that was none is a false witness.
"""

from bisect import insort
from datetime import datetime, timedelta

from services.ingest.domain.sequence_steps import (
    AHEAD,
    FORGOTTEN,
    GAP,
    LATE,
    NEXT,
    REPEATED,
    Numbered,
    Reception,
    ReportedLoss,
    SequenceStep,
)

GRACE = timedelta(seconds=120)
"""How long a missing number may still come, by another lane or sent again, before it is reported as lost."""

IN_A_ROW = 8
"""So many steps of one must have come in a row before anything is missed: not everything that grows is a count."""

MAX_RUNS = 128
"""Runs of numbers above a gap that are remembered of a gateway, some 16 KiB; beyond, the oldest gap is forgotten."""

MAX_AHEAD = 256
"""Numbers of a gateway that wait, since the fire lane overtakes, until the others have come up to them."""

MAX_REPORTED = 16
"""Losses reported that can be taken back, of each count."""


class NumberSequence:
    """One count of one gateway, its numbers unwrapped: they go on without end.

    All up to `floor` have come, were reported, or nobody can know; above it are gaps between `runs`, the last of which
    ends with `high`. What overtook waits in `ahead`, in order, until the others have come up to it. Nothing is missed
    before the count is `sure`.
    """

    __slots__ = (
        "_above",
        "_due",
        "_grace",
        "_in_a_row",
        "_reported",
        "ahead",
        "began_at",
        "first",
        "floor",
        "heard_at",
        "high",
        "runs",
        "sure",
        "was_followed",
    )

    def __init__(self, number: int, reception: Reception, grace: timedelta) -> None:
        self._grace = grace
        self.was_followed = False
        self.first = self.floor = self.high = number
        self.runs: list[tuple[int, int]] = []
        self.ahead: list[int] = []
        self.began_at = self.heard_at = reception.at
        self._in_a_row = 0
        self.sure = False
        self._due: tuple[int, datetime] | None = None
        self._above = 0
        self._reported: list[ReportedLoss] = []

    @property
    def is_steady(self) -> bool:
        """Whether its numbers came one by one, and no others between."""
        return self._in_a_row >= IN_A_ROW

    def interrupt(self) -> None:
        """A number of another count came."""
        self._in_a_row = 0

    def knows(self, number: int) -> bool:
        """Say whether a number that is not ahead fills a gap, stands in a run, or was reported as lost."""
        return number > self.floor or self._loss_of(number) is not None

    def has_passed(self, number: int) -> bool:
        """Say whether a number lies between the first and the highest one of this count."""
        return self.first <= number <= self.high

    def follows(self, number: int) -> bool:
        """Say whether a number is the next one of a run, or behind what came by a faster way."""
        before = number - 1
        if before == self.floor or any(last == before for _, last in self.runs):
            return True
        return before in self.ahead and all(between in self.ahead for between in range(self.high + 1, before))

    def hear(self, number: int, reception: Reception, excused: int = 0) -> Numbered:
        """Take in a number; `excused`: so many messages came that nobody could number."""
        self.heard_at = reception.at
        if reception.overtakes and number > self.high:
            insort(self.ahead, number)
            if len(self.ahead) <= MAX_AHEAD:
                return AHEAD
            number = self.ahead.pop(0)
        while self.ahead and self.ahead[0] < number:
            self._take(self.ahead.pop(0), reception)
        if self.ahead and self.ahead[0] == number:
            self.ahead.pop(0)
        step = self._take(number, reception)
        missing = self._due_losses(reception, excused) if self.sure and step.missing == 0 else 0
        return step._replace(missing=missing) if missing else step

    def hear_next(self, at: datetime, proven: datetime | None) -> bool:
        """Take in the number behind the highest one where nothing is missing; False when something is, or waits."""
        if self.runs or self.ahead:
            return False
        self.floor = self.high = self.high + 1
        self.heard_at = at
        if not self.sure:
            self._in_a_row += 1
            self._get_sure(proven)
        return True

    def keep_ahead(self, number: int, at: datetime) -> None:
        """Remember a number that may be of this count or of another one: it proves nothing until this comes up to it.

        Where those are too many, nobody knows any more what came of this count.
        """
        if len(self.ahead) < MAX_AHEAD:
            insort(self.ahead, number)
        else:
            self.begin_anew(at)

    def begin_anew(self, at: datetime) -> None:
        """Miss nothing any more of what came so far: it is not sure of which count each number was."""
        self.sure, self._due, self._in_a_row = False, None, 0
        self.floor = self.high
        self.began_at = at
        self.runs.clear()
        self.ahead.clear()

    def take_all_back(self) -> Numbered | None:
        """Return what stands reported as lost, None when that is nothing, and forget it: the count was none."""
        if not self._reported:
            return None
        found = Numbered(
            SequenceStep.FOUND, -sum(last - first + 1 for first, last, _ in self._reported), self._reported[-1].at
        )
        self._reported.clear()
        return found

    def report_before(self, high: int, at: datetime) -> Numbered:
        """Return the loss of all between `high`, where the count before this ended, and the first number of this."""
        self._reported.append(ReportedLoss(high + 1, self.first - 1, at))
        return Numbered(SequenceStep.NEXT, self.first - 1 - high)

    def _take(self, number: int, reception: Reception) -> Numbered:
        if not self.sure:
            return self._get_to_know(number, reception)
        if number > self.high:
            return self._append(number)
        if number <= self.floor:
            return self._take_back(number)
        return self._fill(number)

    def _get_to_know(self, number: int, reception: Reception) -> Numbered:
        """Take in a number before anything can be missed.

        Whoever was here before us may have stored what we shall never hear: so first all must have come that was sent
        or sent again when we began to listen, and then the next number must follow a row.
        """
        step = number - self.high
        if step < 1:
            return REPEATED
        self.floor = self.high = number
        self._in_a_row = self._in_a_row + 1 if step == 1 else 0
        self._get_sure(reception.proven)
        return NEXT if step == 1 else GAP

    def _get_sure(self, proven: datetime | None) -> None:
        self.sure = self.is_steady and proven is not None and proven >= self.began_at + self._grace

    def _append(self, number: int) -> Numbered:
        runs = self.runs
        step = number - self.high
        self.high = number
        self._above += 1
        if step > 1:
            runs.append((number, number))
            return GAP if self._is_bounded() else FORGOTTEN
        if runs:
            runs[-1] = (runs[-1][0], number)
        else:
            self.floor = number
        return NEXT

    def _fill(self, number: int) -> Numbered:
        """Put a number into the gap where it was missing."""
        runs = self.runs
        at = next(at for at, (_, last) in enumerate(runs) if number <= last)
        if runs[at][0] <= number:
            return REPEATED
        if self._due is not None and number < self._due[0]:
            self._due = None  # the rest of the gap may come as well
        first, last = number, number
        if runs[at][0] == number + 1:
            last = runs.pop(at)[1]
        if at and runs[at - 1][1] == number - 1:
            at -= 1
            first = runs.pop(at)[0]
        runs.insert(at, (first, last))
        while runs and runs[0][0] == self.floor + 1:
            self.floor = runs.pop(0)[1]
        return LATE if self._is_bounded() else FORGOTTEN

    def _is_bounded(self) -> bool:
        """Give up the oldest gap where there are too many; return whether there were not."""
        if len(self.runs) <= MAX_RUNS:
            return True
        self.floor = self.runs.pop(0)[1]
        return False

    def _due_losses(self, reception: Reception, excused: int) -> int:
        """Return how many numbers are known to be lost now.

        Told is what lies below the highest number so far, when everything has come that was sent until the grace was
        over, some numbers of the count among it, and none of those that are missing.
        """
        if not self.runs:
            self._due = None
        elif self._due is None:
            self._due = self.high, reception.at + self._grace
            self._above = 0
        elif reception.proven is not None and reception.proven >= self._due[1] and self._above >= IN_A_ROW:
            passed, self._due = self._due[0], None
            return self._report_losses(passed, reception.at, excused)
        return 0

    def _report_losses(self, passed: int, at: datetime, excused: int) -> int:
        missing = 0
        while self.runs and self.runs[0][0] <= passed:
            first, last = self.floor + 1, self.runs[0][0] - 1
            spared = min(excused, last - first + 1)
            excused -= spared
            first += spared
            if first <= last:
                missing += last - first + 1
                self._reported.append(ReportedLoss(first, last, at))
            self.floor = self.runs.pop(0)[1]
        del self._reported[:-MAX_REPORTED]
        return missing

    def _loss_of(self, number: int) -> ReportedLoss | None:
        return next((one for one in self._reported if one.first <= number <= one.last), None)

    def _take_back(self, number: int) -> Numbered:
        """Take back that a number was lost: with all behind it, if it is where the count would go on."""
        loss = self._loss_of(number)
        if loss is None:
            return REPEATED
        at = self._reported.index(loss)
        if number == loss.first:
            del self._reported[at]
            return Numbered(SequenceStep.FOUND, loss.first - loss.last - 1, loss.at)
        left = (loss._replace(last=number - 1), loss._replace(first=number + 1))
        self._reported[at : at + 1] = [part for part in left if part.first <= part.last]
        return Numbered(SequenceStep.FOUND, -1, loss.at)
