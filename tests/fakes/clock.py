"""A clock for tests, of every service."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class ManualClock:
    """Stands still until it is told. `at` is what the wall says, `seconds` the monotonic time; `forward` moves both."""

    at: datetime
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def forward(self, seconds: float = 0.0, *, days: float = 0.0) -> None:
        passed = timedelta(days=days, seconds=seconds)
        self.at += passed
        self.seconds += passed.total_seconds()
