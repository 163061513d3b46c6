"""In which order, and whether at all, deliveries of the broker may be acknowledged."""

from collections import deque


class Link:
    """One delivery that waits in the chain."""

    __slots__ = ("done", "epoch", "mid")

    def __init__(self, epoch: int, mid: int) -> None:
        self.epoch = epoch
        self.mid = mid
        self.done = False


class AckChain:
    """Deliveries of one connection in the order of arrival; each is released once it and all before it are done.

    `epoch` numbers the connections. What came over an older one can no longer be acknowledged: its message id may by
    now belong to another message. Such links leave the chain silently, whether done or not.
    """

    def __init__(self) -> None:
        self._links: deque[Link] = deque()
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._links)

    def arrived(self, epoch: int, mid: int) -> Link:
        """Append a delivery; a newer `epoch` than before means that the connection was made anew."""
        if epoch > self._epoch:
            self.reconnected(epoch)
        link = Link(epoch, mid)
        if epoch == self._epoch:
            self._links.append(link)
        return link

    def reconnected(self, epoch: int) -> None:
        """Forget everything of older connections."""
        if epoch > self._epoch:
            self._epoch = epoch
            self._links.clear()

    def release(self) -> list[tuple[int, int]]:
        """Return (epoch, mid) of all that may be acknowledged now, in the order of arrival, each once."""
        ready: list[tuple[int, int]] = []
        links = self._links
        while links and links[0].done:
            link = links.popleft()
            ready.append((link.epoch, link.mid))
        return ready
