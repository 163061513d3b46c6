"""What the escalation auditor sees of the whole database."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures of the whole database for gauges; not of one process."""

    open_cases: dict[tuple[str, str], int]
    waiting: dict[tuple[str, str], int]
    oldest_due: datetime | None
    no_next_step: int
    overdue_steps: int
    unsealed: int
