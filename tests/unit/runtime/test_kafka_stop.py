"""Stopping a consumer or producer of aiokafka: whose cancellation is whose, and what goes on behind it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.runtime.kafka import BatchProducer, stop_consumer


def consumer_that(stop: Any) -> Any:
    async def close() -> None:
        return None

    return SimpleNamespace(stop=stop, _client=SimpleNamespace(close=close))


async def test_a_cancellation_that_the_client_keeps_to_itself_still_ends_the_caller() -> None:
    async def stop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    stopping = asyncio.create_task(stop_consumer(consumer_that(stop)))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def test_a_client_that_does_not_stop_is_left_after_a_while() -> None:
    async def stop() -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(60):
        await stop_consumer(consumer_that(stop), limit_s=0.01)


async def test_a_limit_around_it_holds_too() -> None:
    async def stop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await stop_consumer(consumer_that(stop))


async def test_a_cancellation_of_the_client_itself_ends_nobody() -> None:
    async def stop() -> None:
        raise asyncio.CancelledError

    await stop_consumer(consumer_that(stop))


async def test_a_producer_that_does_not_stop_sends_nothing_later() -> None:
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    async def stop() -> None:
        await asyncio.wait([sending])  # as aiokafka does: its own cancellation cancels nothing of what it waits for

    sending = asyncio.create_task(asyncio.Event().wait())
    producer = BatchProducer("127.0.0.1:1", "test")
    producer._producer = SimpleNamespace(
        stop=stop,
        client=SimpleNamespace(close=close),
        _sender=SimpleNamespace(sender_task=sending),
        _message_accumulator=SimpleNamespace(fail_all=lambda _: None),
    )
    await producer.stop(limit_s=0.01)
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert closed.is_set()
