"""What tasks wait for."""

import asyncio


class WakeEvent:
    """An event that many may set and one task waits for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return True when somebody has set it, False after so many seconds without."""
        try:
            async with asyncio.timeout(seconds):
                return await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()
