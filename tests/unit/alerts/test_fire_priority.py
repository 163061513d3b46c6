"""While a fire is on its way the others wait, but never for ever."""

import asyncio

from services.alerts.worker import fire_priority
from services.alerts.worker.fire_priority import FirePriority


async def test_others_wait_until_the_last_fire_is_told() -> None:
    gate = FirePriority()
    with gate.fire():
        with gate.fire():
            other = asyncio.create_task(gate.give_way())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not other.done()
    async with asyncio.timeout(60):
        await other


async def test_without_fire_nobody_waits() -> None:
    async with asyncio.timeout(60):
        await FirePriority().give_way()


async def test_patience_ends() -> None:
    fire_priority.PATIENCE_S, before = 0.01, fire_priority.PATIENCE_S
    try:
        gate = FirePriority()
        with gate.fire():
            async with asyncio.timeout(60):
                await gate.give_way()
    finally:
        fire_priority.PATIENCE_S = before
