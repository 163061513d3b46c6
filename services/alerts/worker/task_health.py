"""What tasks wait for, and when each last made progress."""

import asyncio

from services.alerts.metrics import AlertsMetrics
from services.runtime.clock import Clock

STALL_S = 30.0
"""A task that has not turned for so long makes the service not ready."""


class WakeEvent:
    """An event that many may set and one task waits for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return True when somebody has set it, False after so many seconds without."""
        try:
            async with asyncio.timeout(seconds):
                return await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()


class TaskHealth:
    """When each task last made progress."""

    def __init__(self, clock: Clock, metrics: AlertsMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._last: dict[str, float] = {}

    def beat(self, task: str) -> None:
        self._last[task] = self._clock.monotonic()
        self._metrics.turns.labels(task).inc()

    def expect(self, *tasks: str) -> None:
        for task in tasks:
            self._last.setdefault(task, float("-inf"))

    def checks(self) -> dict[str, str]:
        now = self._clock.monotonic()
        return {task: "ok" if now - last < STALL_S else "no progress" for task, last in sorted(self._last.items())}
