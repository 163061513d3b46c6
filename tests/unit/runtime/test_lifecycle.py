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


async def test_work_that_ends_before_stop_is_waited_for_and_its_error_is_raised() -> None:
    async def failing() -> None:
        raise OSError("no registry")

    stop = Stop()
    assert await stop.or_until(asyncio.sleep(0)) is True
    with pytest.raises(OSError, match="no registry"):
        await stop.or_until(failing())


async def test_work_that_stop_overtakes_is_cancelled() -> None:
    stop = Stop()
    cancelled = asyncio.Event()

    async def endless() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert await stop.or_until(endless()) is False
    await cancelled.wait()
