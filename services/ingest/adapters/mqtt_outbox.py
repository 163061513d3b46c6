"""What the event loop has for the thread of a broker connection, and how it wakes that thread."""

import contextlib
import selectors
import socket
from collections import deque
from typing import Any

MAX_ANSWERS = 65536
"""Answers that wait for the connection; beyond that the oldest are dropped, and their devices ask again."""
MAX_CONTROLS = 16384
"""Controls that wait; beyond that none is taken, for one that is dropped here would look like one that was sent."""


class Outbox:
    """Filled by the event loop, emptied by the thread. Every part is a deque, whose ends need no lock.

    `acks` are (epoch, message id), in the order in which they must be sent; `answers` and `controls` (topic, payload).
    """

    def __init__(self) -> None:
        self.acks: deque[tuple[int, int]] = deque()
        self.answers: deque[tuple[str, bytes]] = deque(maxlen=MAX_ANSWERS)
        self.controls: deque[tuple[str, bytes]] = deque(maxlen=MAX_CONTROLS)
        self.probe_wanted = False

    @property
    def takes_controls(self) -> bool:
        return len(self.controls) < MAX_CONTROLS

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that an orderly end must still send: a control goes at its time or never."""
        return not self.acks and not self.answers


class Waker:
    """Waits for one socket at a time, and for whoever calls `wake` from another thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._woken, self._waking = socket.socketpair()
        for end in (self._woken, self._waking):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # a full pipe wakes as well
            self._waking.send(b"\0")

    def attach(self, sock: Any) -> None:
        self._selector.register(sock, selectors.EVENT_READ)

    def detach(self, sock: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):  # closed, and so gone, meanwhile
            self._selector.unregister(sock)

    def wait(self, limit_s: float, sock: Any = None, *, read: bool = False, write: bool = False) -> None:
        """Return once `sock`, which is attached, can be read or written as asked, when woken, or after `limit_s`."""
        wanted = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if sock is not None:
            if wanted:
                self._selector.modify(sock, wanted)
            else:
                self._selector.unregister(sock)  # a selector cannot wait for nothing of a socket
        for key, _ in self._selector.select(limit_s):
            if key.fileobj is self._woken:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
        if sock is not None and not wanted:
            self._selector.register(sock, selectors.EVENT_READ)

    def close(self) -> None:
        for part in (self._selector, self._woken, self._waking):
            part.close()
