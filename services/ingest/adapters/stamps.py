"""The instants that arrivals get: one source for all lanes of a process."""

import itertools
import threading
from datetime import datetime, timedelta

from services.runtime.clock import Clock

MICROSECOND = timedelta(microseconds=1)
"""How far apart messages are stamped that were read together."""
SLOWED = 0.9
"""A deadline takes a ninth longer while stamps are ahead of the clock, and an hour is caught up with in ten."""


class Stamps:
    """`received_at` for all lanes of an instance: wall time that never goes back, whatever the clock does.

    When the clock was set back, stamps go on a little slower than time until it has caught up: standing still would
    stop all proof, and with it supervision, for as long as the step was; and whatever they lose makes deadlines late.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock.now()
        self._last_at = clock.monotonic()
        self.numbers = itertools.count(1)
        """What tells apart the messages of one millisecond."""

    def next(self, count: int = 1) -> datetime:
        """Return the next stamp, the first of `count` that follow each other by a microsecond."""
        with self._lock:
            now, at = self._clock.now(), self._clock.monotonic()
            if now < self._last:
                now = self._last + timedelta(seconds=(at - self._last_at) * SLOWED)
            self._last, self._last_at = (now if count <= 1 else now + (count - 1) * MICROSECOND), at
            return now

    def go_on_from(self, instant: datetime) -> None:
        """Give no stamp before `instant`, where an earlier process had come to."""
        with self._lock:
            if instant > self._last:
                self._last, self._last_at = instant, self._clock.monotonic()

    @property
    def ahead_s(self) -> float:
        """How far the stamps are ahead of the clock, in seconds; not 0 only after it was set back."""
        with self._lock:
            return max(0.0, (self._last - self._clock.now()).total_seconds())
