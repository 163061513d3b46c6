"""What the escalation auditor sees of the whole database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.kernel.words import AlarmState

RETURNED_COUNTED = 10_000
"""What came back and was never taken is counted up to here: years of it may lie there."""


class Violation(StrEnum):
    """What must not be: an open case that nothing would happen to, that is late, or that nobody answers for; a notice
    that should have left and that nobody will send."""

    NO_NEXT_STEP = "no_next_step"
    OVERDUE = "overdue"
    NO_OWNER = "no_owner"
    STRANDED = "stranded"


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures of the whole database for gauges; not of one process."""

    open_cases: dict[tuple[str, str], int]
    waiting: dict[tuple[str, str], int]
    oldest_due: datetime | None
    no_next_step: int
    overdue_steps: int
    unsealed: int
    no_owner: int = 0
    stranded: int = 0
    alarm_states: Mapping[AlarmState, int] = field(default_factory=dict)
    """How many cases are in each; of `returned_unacknowledged` at most `RETURNED_COUNTED`, of `normal` none."""

    @property
    def violations(self) -> Mapping[Violation, int]:
        return {
            Violation.NO_NEXT_STEP: self.no_next_step,
            Violation.OVERDUE: self.overdue_steps,
            Violation.NO_OWNER: self.no_owner,
            Violation.STRANDED: self.stranded,
        }
