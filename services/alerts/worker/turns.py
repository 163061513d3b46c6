"""The dull loop of every task: turn while there is work, else wait for a wake-up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from services.alerts.domain.errors import Conflict, NoPack, StoreUnavailable
from services.alerts.ports import StreamUnavailable
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.wake_event import WakeEvent
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s
from services.runtime.task_health import TaskHealth

QUICK_FOR_S = 2.0
"""So long after the last news of a fire its notices are looked for more often."""
LONGEST_PAUSE_S = 5.0
LONGEST_PAUSE_BESIDE_S = 20.0
"""Of a task beside the alarm whose turns fail."""
STREAK_S = 600.0
"""Failures that follow each other within this time are one streak, which is logged once."""
FIRE = frozenset({"fire-delivery", "interim"})
"""Tasks on a fire's way: they give way to nobody."""


class Turns:
    """Runs the tasks of one process."""

    def __init__(
        self,
        *,
        clock: Clock,
        health: TaskHealth,
        fire_priority: FirePriority,
        wake_events: Mapping[str, WakeEvent],
        pause_s: float,
        failed: Callable[[str], None] = lambda task: None,
    ) -> None:
        self._clock = clock
        self._health = health
        self._fire_priority = fire_priority
        self._wake_events = wake_events
        self._pause_s = pause_s
        self._failed = failed
        self._failed_at: dict[str, float] = {}

    async def run(
        self, name: str, turn: Callable[[], Awaitable[int]], stop: Stop, *, beside_alarms: bool = False
    ) -> None:
        """Turn until stop; what is down is waited for with growing pauses.

        Anything else that a turn raises ends the task, and its process with it. Not so of one `beside_alarms`, which no
        alarm needs: that is counted, logged once a streak and tried again later; the task has not turned meanwhile.
        """
        attempt = 0
        wake = self._wake_events.get(name)
        quick_until = 0.0
        while not stop.is_set():
            try:
                if name not in FIRE:
                    await self._fire_priority.give_way()
                busy = await turn() > 0
                attempt = 0
                self._health.beat(name)
            except (StoreUnavailable, Conflict, StreamUnavailable, NoPack) as error:
                attempt += 1
                busy = False
                get_logger().warning("task_waits", task=name, error=f"{type(error).__name__}: {error}", attempt=attempt)
                await stop.wait_for(backoff_s(attempt, LONGEST_PAUSE_S))
            except Exception as error:
                if not beside_alarms:
                    raise
                attempt += 1
                busy = False
                self._note(name, error)
                await stop.wait_for(backoff_s(attempt, LONGEST_PAUSE_BESIDE_S))
            if busy:
                await asyncio.sleep(0)
            elif wake is not None:
                # a fire notice whose case is locked just now is left for the next turn, which must not be far
                quick = name in FIRE and self._clock.monotonic() < quick_until
                if await wake.wait(self._pause_s / 5 if quick else self._pause_s):
                    quick_until = self._clock.monotonic() + QUICK_FOR_S
            else:
                await stop.wait_for(4 * self._pause_s)

    def _note(self, name: str, error: Exception) -> None:
        self._failed(name)
        now = self._clock.monotonic()
        before = self._failed_at.get(name)
        self._failed_at[name] = now
        if before is None or now - before > STREAK_S:
            get_logger().error("task_failing", task=name, error=type(error).__name__, exc_info=error)
