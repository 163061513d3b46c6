"""Whether the tasks of a process make progress: what readiness says of each."""

from collections.abc import Callable

from services.runtime.clock import Clock

STALL_S = 30.0
"""A task that has not turned for so long makes the service not ready."""
OK = "ok"


class TaskHealth:
    """When each task last turned. `turned` is called with its name each time."""

    def __init__(self, clock: Clock, turned: Callable[[str], None]) -> None:
        self._clock = clock
        self._turned = turned
        self._last: dict[str, float | None] = {}

    def expect(self, *tasks: str) -> None:
        """Have tasks checked that may not have turned yet."""
        for task in tasks:
            self._last.setdefault(task, None)

    def beat(self, task: str) -> None:
        """A task has turned."""
        self._last[task] = self._clock.monotonic()
        self._turned(task)

    def checks(self) -> dict[str, str]:
        """Return how each task is: "ok", "not started" or "stalled"."""
        now = self._clock.monotonic()
        return {
            task: "not started" if last is None else OK if now - last < STALL_S else "stalled"
            for task, last in sorted(self._last.items())
        }
