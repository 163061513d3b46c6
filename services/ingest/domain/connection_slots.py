"""Who may have a connection when there are more callers than places: whoever has proven itself, then the newest.

A caller is a newcomer until a frame of it is believed. Newcomers take each other's places only, the one that has waited
longest without a word goes first; so slow callers keep nobody out, and nobody pushes out who has proven itself.
"""

from collections.abc import Iterable

SPARE = 64
"""One place in so many more is kept for newcomers when all others have proven themselves."""


class ConnectionSlots:
    """Places by connection number. `connections` may be proven, and as many in all, but for the spare places."""

    def __init__(self, connections: int, per_peer: int) -> None:
        self._connections = connections
        self._per_peer = per_peer
        self._spare = max(1, connections // SPARE)
        self._peers: dict[int, str] = {}
        self._proven: set[int] = set()
        # Newcomers in the order in which they must go: in all, and of each peer.
        self._silent = _Queue()
        self._vouched = _Queue()

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, number: int) -> bool:
        return number in self._peers

    def enter(self, number: int, peer: str) -> int | None:
        """Give a newcomer a place; return who has to leave for it, None when nobody has to."""
        leaving = None
        if self._silent.of(peer) + self._vouched.of(peer) >= self._per_peer:
            leaving = self._first_to_go(peer)
        elif len(self._silent) + len(self._vouched) >= max(self._spare, self._connections - len(self._proven)):
            leaving = self._first_to_go(None)
        if leaving is not None:
            self.leave(leaving)
        self._peers[number] = peer
        self._silent.put(number, peer)
        return leaving

    def vouch(self, number: int) -> None:
        """A newcomer has shown a certificate, or a whole frame of a registered address: it goes after the silent."""
        self._move(number, self._silent, self._vouched)

    def doubt(self, number: int) -> None:
        """What spoke for a newcomer was not believed."""
        self._move(number, self._vouched, self._silent)

    def prove(self, number: int) -> bool:
        """A frame of it was believed: nobody takes its place any more. False where too many have proven themselves."""
        if number in self._proven or number not in self._peers:
            return True
        if len(self._proven) >= self._connections:
            return False
        peer = self._peers[number]
        self._silent.take(number, peer)
        self._vouched.take(number, peer)
        self._proven.add(number)
        return True

    def leave(self, number: int) -> None:
        """Free a place; it may be free already."""
        peer = self._peers.pop(number, None)
        if peer is not None:
            self._proven.discard(number)
            self._silent.take(number, peer)
            self._vouched.take(number, peer)

    def _first_to_go(self, peer: str | None) -> int | None:
        first = self._silent.first(peer)
        return self._vouched.first(peer) if first is None else first

    def _move(self, number: int, before: "_Queue", after: "_Queue") -> None:
        peer = self._peers.get(number)
        if peer is not None and before.take(number, peer):
            after.put(number, peer)


class _Queue:
    """Numbers in the order of their coming, in all and by peer; every step costs the same however many there are."""

    def __init__(self) -> None:
        self._all: dict[int, None] = {}
        self._of_peer: dict[str, dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def of(self, peer: str) -> int:
        return len(self._of_peer.get(peer, ()))

    def first(self, peer: str | None) -> int | None:
        """Return the number that came first, of a peer or of all."""
        numbers: Iterable[int] = self._all if peer is None else self._of_peer.get(peer, ())
        return next(iter(numbers), None)

    def put(self, number: int, peer: str) -> None:
        self._all[number] = None
        self._of_peer.setdefault(peer, {})[number] = None

    def take(self, number: int, peer: str) -> bool:
        """Take a number out; return whether it was there."""
        if number not in self._all:
            return False
        del self._all[number]
        of_peer = self._of_peer[peer]
        del of_peer[number]
        if not of_peer:
            del self._of_peer[peer]
        return True
