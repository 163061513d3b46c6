"""What one number is beside those before it."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class SequenceStep(StrEnum):
    """What a number is, beside the highest one so far.

    `ahead`: by a faster way. `late`: it fills a gap. `found`: it had been reported as lost. `restart`: a count begun
    anew, once that is sure. `forgotten`: there are too many gaps, and one of them will not be reported.
    """

    NEXT = "next"
    AHEAD = "ahead"
    REPEATED = "repeated"
    LATE = "late"
    GAP = "gap"
    FOUND = "found"
    RESTART = "restart"
    WRAP = "wrap"
    FORGOTTEN = "forgotten"


class Numbered(NamedTuple):
    """`missing`: so many numbers are known to be lost now; below 0: so many reported so, at `reported_at`, came."""

    step: SequenceStep
    missing: int = 0
    reported_at: datetime | None = None


class Reception(NamedTuple):
    """When and how a number came. All that was sent before `proven` has come, by all lanes; None: who knows.

    `overtakes`: by a way that is faster than that of other messages. `again`: the broker says that it brought it once.
    """

    at: datetime
    proven: datetime | None
    overtakes: bool = False
    again: bool = False


class ReportedLoss(NamedTuple):
    """All numbers from `first` to `last`."""

    first: int
    last: int
    at: datetime


NEXT = Numbered(SequenceStep.NEXT)
AHEAD = Numbered(SequenceStep.AHEAD)
REPEATED = Numbered(SequenceStep.REPEATED)
LATE = Numbered(SequenceStep.LATE)
GAP = Numbered(SequenceStep.GAP)
RESTART = Numbered(SequenceStep.RESTART)
FORGOTTEN = Numbered(SequenceStep.FORGOTTEN)
