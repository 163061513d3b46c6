"""Fire first inside one event loop: while a fire is on its way, everything else waits for a moment.

Connections and tasks of its own do not help the fire lane when a storm's decisions keep the loop itself busy. So the
others ask here between small pieces of work.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 0.5
"""A single wait is never longer, so that a flood of fires slows the rest down but does not stop it."""


class FirePriority:
    """Counts fires on their way; `give_way` returns at once when there are none."""

    def __init__(self) -> None:
        self._fires = 0
        self._clear = asyncio.Event()
        self._clear.set()

    @contextmanager
    def fire(self) -> Iterator[None]:
        """Hold the others back while the block runs."""
        self._fires += 1
        self._clear.clear()
        try:
            yield
        finally:
            self._fires -= 1
            if self._fires == 0:
                self._clear.set()

    async def give_way(self) -> None:
        """Let the event loop turn, and wait while a fire is on its way, half a second at most."""
        await asyncio.sleep(0)
        if self._fires:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._clear.wait()
            except TimeoutError:
                return
