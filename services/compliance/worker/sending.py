"""What was published is told of on the topics: in order, each once, and again after a crash in between."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from services.compliance.ports import Outbox, StopSignal, Unavailable

PAUSE_S = 5.0
WAIT_S = 1.0
MAX_WAIT_S = 30.0


class Sending:
    def __init__(self, outbox: Outbox, tell: Callable[..., Any]) -> None:
        self._outbox = outbox
        self._tell = tell
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something waits to be sent."""
        self._news.set()

    async def run(self, stop: StopSignal) -> None:
        """Send until stop; what is down is waited for."""
        wait_s = WAIT_S
        while not stop.is_set():
            self._news.clear()
            try:
                busy = await self._outbox.send() > 0
            except Unavailable as error:
                if wait_s == WAIT_S:
                    self._tell("sending_waits", reason=str(error))
                await stop.wait_for(wait_s)
                wait_s = min(MAX_WAIT_S, 2 * wait_s)
                continue
            wait_s = WAIT_S
            if not busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE_S):
                        await self._news.wait()
