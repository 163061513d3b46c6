"""Issued documents are told of: once each, and again after a crash in between."""

import asyncio
import contextlib
from collections.abc import Callable

from services.documents.domain.errors import StoreUnavailable
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import ChangeOutbox, DocumentStream, Outbox, StreamUnavailable
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s

AT_ONCE = 100
LONGEST_PAUSE_S = 5.0


class PublishingService:
    """Puts on firenet.documents.v1 what was issued, in the order of issue, and what became of it."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        changes: ChangeOutbox,
        stream: DocumentStream,
        metrics: DocumentsMetrics,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._changes = changes
        self._stream = stream
        self._metrics = metrics
        self._clock = clock
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something was issued, or has become of it."""
        self._news.set()

    async def turn(self) -> int:
        """Publish what waits and return how many. A crash before the mark repeats some, with the same ids."""
        documents = await self._outbox.unpublished(AT_ONCE)
        if documents:
            await self._stream.send(documents)
            await self._outbox.mark_published([document.document_id for document in documents])
            now = self._clock.now()
            for document in documents:
                self._metrics.age.observe(max(0.0, (now - document.request.requested_at).total_seconds()))
            self._metrics.published.inc(len(documents))
        return len(documents) + await self._publish_changes()

    async def _publish_changes(self) -> int:
        changes = await self._changes.unpublished_changes(AT_ONCE)
        if changes:
            await self._stream.send_changes([(key, event) for _, key, event in changes])
            await self._changes.mark_changes_published([change_id for change_id, _, _ in changes])
        return len(changes)

    async def run(self, pause_s: float, on_progress: Callable[[], None], stop: Stop) -> None:
        """Turn until stop; what is down is waited for with growing pauses."""
        attempt = 0
        while not stop.is_set():
            self._news.clear()
            try:
                busy = await self.turn() > 0
            except (StoreUnavailable, StreamUnavailable) as error:
                attempt += 1
                get_logger().warning("publishing_waits", error=f"{type(error).__name__}: {error}", attempt=attempt)
                await stop.wait_for(backoff_s(attempt, LONGEST_PAUSE_S))
                continue
            attempt = 0
            on_progress()
            if not busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._news.wait()
