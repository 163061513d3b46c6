"""Threads for calls that may never come back: a process that ends does not wait for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThreads:
    """Runs blocking calls on at most `most` threads of its own, in the order they come.

    Those of a ThreadPoolExecutor are joined when Python exits, whatever they hang in. To be used from one event loop.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._started = 0
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    async def run(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, or raise what it raises. Who gives up waiting leaves the thread to the call."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        if self._started < self._most:
            self._started += 1
            Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself or with the process."""
        try:
            while True:
                waiting = self._calls.get_nowait()
                if waiting is not None:
                    waiting[0].cancel()
        except Empty:
            for _ in range(self._started):
                self._calls.put(None)

    def _work(self) -> None:
        while (waiting := self._calls.get()) is not None:
            future, call = waiting
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
                future.set_exception(error)
            else:
                future.set_result(result)
