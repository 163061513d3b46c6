"""The only place that reads a clock. Everything else takes `now` as an argument or a `Clock`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for facts, monotonic time for deadlines."""

    def now(self) -> datetime:
        """Return the present instant, UTC and aware."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never steps back, unaffected by clock changes."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
