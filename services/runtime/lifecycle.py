"""Start, stop and the rule that no background task may die unseen."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping
from typing import Any

from services.runtime.logging import get_logger


class TaskDied(Exception):
    """A task that should run until stop ended early; the service must go down and be started anew."""

    def __init__(self, name: str) -> None:
        super().__init__(f"task {name} ended before the service was stopped")
        self.name = name


class Stop:
    """An order to stop that anybody may give and everybody can wait for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    async def wait_for(self, seconds: float) -> bool:
        """Return True as soon as stop was ordered, False after `seconds` without."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True

    async def or_until(self, work: Coroutine[Any, Any, object]) -> bool:
        """Wait for `work` or stop; return whether `work` ended, else cancel it. Raises what it raises."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            return working.done()
        finally:
            working.cancel()
            stopping.cancel()


def install_signal_handlers(stop: Stop) -> None:
    """SIGINT and SIGTERM ask for an orderly stop; a second one ends the process at once."""

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        get_logger().info("stop_requested", signal=signal.Signals(number).name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)


async def supervise(stop: Stop, tasks: Mapping[str, Coroutine[Any, Any, None]], drain_s: float = 10) -> None:
    """Run `tasks` until `stop`; each must return soon after stop is set.

    Raises:  TaskDied when a task ended or failed before stop was set (its error is the cause). The others are asked to
             stop first and cancelled when they take longer than `drain_s` seconds.
    """
    running = {asyncio.create_task(work, name=name) for name, work in tasks.items()}
    stopper = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait({*running, stopper}, return_when=asyncio.FIRST_COMPLETED)
    died = [] if stop.is_set() else [task for task in done if task is not stopper]
    stop.set()
    stopper.cancel()
    _, late = await asyncio.wait(running, timeout=drain_s)
    for task in late:
        get_logger().warning("task_cancelled", task=task.get_name(), drain_s=drain_s)
        task.cancel()
    results = await asyncio.gather(*running, return_exceptions=True)
    errors = [error for error in results if isinstance(error, Exception)]
    for task in died:
        error = None if task.cancelled() else task.exception()
        get_logger().error("task_died", task=task.get_name(), error=repr(error), exc_info=error)
        raise TaskDied(task.get_name()) from error
    if errors:
        raise errors[0]
