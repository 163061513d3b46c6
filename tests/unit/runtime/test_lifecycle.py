"""No task of a service ends unseen."""

import asyncio

import pytest

from services.runtime.lifecycle import Stop, TaskDied, supervise


async def test_a_task_that_ends_cancelled_by_itself_is_named_as_one_that_died() -> None:
    stop = Stop()

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(TaskDied, match="feed"):
        await supervise(stop, {"feed": cancelled(), "work": stop.wait()})
    assert stop.is_set()
