"""Wait for a condition with a limit; never for a time."""

from collections.abc import Callable

import psutil

from deploy.stack.process import wait_until
from services.runtime.clock import SystemClock

LIMIT_S = 60.0


def soon(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Return when the condition holds; fail the test when it does not within the limit."""
    assert wait_until(condition, limit_s=limit_s, clock=SystemClock()), f"not within {limit_s:.0f} s: {what}"


def gone(process: psutil.Process) -> bool:
    """Tell whether exactly this process has ended; one that nobody has collected yet has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
