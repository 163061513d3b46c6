"""`Changes` on PostgreSQL's LISTEN."""

from collections.abc import AsyncIterator

from services.runtime.lifecycle import Stop
from services.runtime.postgres import listen

CHANNEL = "firenet_live"


class PostgresChanges:
    """Payloads do not matter: whatever changed, the slices in use are read anew."""

    def __init__(self, dsn: str, stop: Stop) -> None:
        self._dsn = dsn
        self._stop = stop

    async def wakes(self) -> AsyncIterator[None]:
        async for _ in listen(self._dsn, CHANNEL, self._stop):
            yield None
