"""What a database that was put back to an earlier state has forgotten: the numbers that were told of since.

Numbers stand on paper. firenet.documents.v1 has every document that was told of, so before the first number is given
out each start reads what came there since the newest document that the database has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from services.documents.domain.errors import StoreUnavailable
from services.documents.domain.numbering import ReportedNumber
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import ReportedNumbers
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s

GRACE = timedelta(hours=1)
"""Clocks of database, service and Kafka may differ by less than this."""
AT_ONCE = 500
Read = Callable[[datetime], Awaitable[Sequence[ReportedNumber]]]
"""Return the numbers of all documents that were told of since an instant."""


class NumbersWatch:
    """`known` is set once no number can be given out twice; until then none is."""

    def __init__(self, *, store: ReportedNumbers, read: Read, metrics: DocumentsMetrics) -> None:
        self._store = store
        self._read = read
        self._metrics = metrics
        self.known = asyncio.Event()

    async def run(self, stop: Stop) -> None:
        """Return once the numbers are known, or at the stop; what is down is waited for."""
        attempt = 0
        while not (self.known.is_set() or stop.is_set()):
            try:
                newest = await self._store.newest_numbered()
                told = await self._read(newest - GRACE)
                taken = 0
                for first in range(0, len(told), AT_ONCE):
                    taken += await self._store.take_told(told[first : first + AT_ONCE])
            except StoreUnavailable as error:
                attempt += 1
                get_logger().warning("numbers_not_known_yet", error=str(error), attempt=attempt)
                await stop.wait_for(backoff_s(attempt))
                continue
            if stop.is_set():
                return
            if taken:
                self._metrics.numbers_told.inc(taken)
                get_logger().error("database_older_than_documents", numbers=taken, since=newest.isoformat())
            self.known.set()
