"""Waiting: how long before the next attempt, and no longer than one can afford for what may hang."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

from services.runtime.clock import SystemClock

T = TypeVar("T")

CLOCK = SystemClock()
BACKOFF_CAP_S = 30.0
OVERSLEPT = 1.5
"""A wait that took so many times its limit was not the other side's fault."""

_left: set[asyncio.Task[Any]] = set()


def backoff_s(attempt: int, cap_s: float = BACKOFF_CAP_S) -> float:
    """Return a jittered wait in seconds, doubling from 0.1 and capped."""
    return random.uniform(0.5, 1.0) * min(cap_s, 0.1 * 2.0 ** min(attempt, 12))


async def within(work: Coroutine[Any, Any, T], limit_s: float) -> T:
    """Return what `work` returns, or raise TimeoutError after `limit_s` seconds and let it go on by itself.

    It is not cancelled: a driver that is cancelled asks its server, which hangs, and so keeps the caller waiting. What
    was begun may therefore still take effect later, and its error is nobody's then.
    """
    task = asyncio.ensure_future(work)
    if await is_done(task, limit_s):
        return task.result()
    leave(task)
    raise TimeoutError(f"no answer within {limit_s:g} s")


async def is_done(task: asyncio.Task[Any], limit_s: float | None) -> bool:
    """Wait for `task` and say whether it is done; cancelled with us when we are cancelled.

    A wait that took much longer than the limit says nothing of the other side: this process was frozen, or had no turn,
    and the answer may lie here unread. So it is waited for once more.
    """
    while True:
        begun = CLOCK.monotonic()
        try:
            done, _ = await asyncio.wait({task}, timeout=limit_s)
        except asyncio.CancelledError:
            task.cancel()
            leave(task)
            raise
        if done or limit_s is None or CLOCK.monotonic() - begun < OVERSLEPT * limit_s:
            return bool(done)


def leave(task: asyncio.Task[Any]) -> None:
    """Let a task go on without anybody who waits for it."""
    _left.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # asked for, so that the loop does not complain that nobody did
