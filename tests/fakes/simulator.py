"""Connections of the simulator that lead nowhere, and a listener to its story, for tests."""

import asyncio
from datetime import datetime

from services.simulator.domain.district import Gateway
from services.simulator.domain.script import Event
from services.simulator.domain.signals import Signal
from services.simulator.ports import FrameListener, Line, LinkRefused


class MemoryLink:
    """Takes every signal and forgets it."""

    async def publish(self, signal: Signal) -> None: ...

    async def cut(self) -> None: ...

    async def restore(self) -> None: ...

    async def close(self) -> None: ...


class MemoryLinks:
    async def open(self, name: str, gateway_id: str | None = None) -> MemoryLink:
        return MemoryLink()

    def line(self, gateway: Gateway, listener: FrameListener) -> Line:
        raise LinkRefused("no devices here")


class MemoryNarrator:
    """Keeps what was told; `next` waits for what comes."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, at: datetime, event: Event) -> None:
        self._told.put_nowait(event.en)

    async def next(self) -> str:
        async with asyncio.timeout(60):
            return await self._told.get()
