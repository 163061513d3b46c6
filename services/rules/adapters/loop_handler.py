"""Between the consuming loop and the worker: errors of the ports become those that the loop knows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from services.rules.ports import Fenced, LogRecord, StoreUnavailable
from services.runtime.kafka_loop import ConsumedRecord, Unavailable


class Worker(Protocol):
    async def assigned(self, partition: int) -> int: ...
    async def handle(self, batches: Mapping[int, Sequence[LogRecord]]) -> None: ...
    async def idle(self) -> None: ...
    async def revoked(self, partitions: Sequence[int]) -> None: ...


class LoopHandler:
    """Implements runtime's PartitionHandler.

    A fenced partition ends the consumer as an outage does: it joins the group anew, and whatever the group gives it
    then is claimed and loaded afresh.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def assigned(self, partition: int) -> int:
        async with _translated():
            return await self._worker.assigned(partition)
        raise AssertionError("not reached")

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        async with _translated():
            await self._worker.handle(batches)

    async def idle(self) -> None:
        async with _translated():
            await self._worker.idle()

    async def revoked(self, partitions: Sequence[int]) -> None:
        await self._worker.revoked(partitions)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (StoreUnavailable, Fenced) as error:
        raise Unavailable(str(error)) from error
