"""Brings findings from the outbox to their topic."""

import asyncio
import contextlib
from typing import Protocol

from services.rules.ports import FindingPublisher, StoreUnavailable
from services.rules.worker.loop import RulesWorker
from services.runtime.patience import backoff_s

PUBLISH_EVERY_S = 1.0
BACKOFF_CAP_S = 5.0


class Stopping(Protocol):
    """A wish to stop."""

    def is_set(self) -> bool: ...
    async def wait_for(self, seconds: float) -> bool: ...


async def publish_findings(worker: RulesWorker, publisher: FindingPublisher, stop: Stopping) -> None:
    """Bring findings to their topic until stop: at once after a checkpoint that made some, else every second."""
    failures = 0
    while not stop.is_set():
        worker.checkpoints.found.clear()
        try:
            sent = await publisher.publish(sorted(worker.held))
            worker.metrics.published.inc(sent)
            failures = 0
        except StoreUnavailable as error:
            failures += 1
            worker.metrics.retries.labels("kafka").inc()
            worker.log("publishing_waits", error=str(error), attempt=failures)
            await stop.wait_for(backoff_s(failures, BACKOFF_CAP_S))
            continue
        if not sent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_EVERY_S):
                    await worker.checkpoints.found.wait()
