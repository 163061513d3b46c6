"""What the demo prints of the notices that reach the monitoring centre: the first few of a kind, then how many more."""

import threading
from collections import Counter
from collections.abc import Callable

SHOWN = 3
"""So many of one kind are printed one by one before the rest is only counted."""
WINDOW_S = 5.0
"""Seconds behind the first of a kind, after which the rest is told and the next is printed again."""
HEAD = "    监控中心收到 centre's webhook: "


class CentreLines:
    """Fire is always printed, each for itself. Safe to call from several threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def received(self, kind: str, subject: str) -> None:
        """Take in a notice; `kind` is the type of its event."""
        if ".fire." in kind:
            self._say(HEAD + subject)
            return
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
            if count == 1:
                timer = threading.Timer(WINDOW_S, self.tell_rest, (kind,))
                timer.daemon = True
                timer.start()
        if count <= SHOWN:
            self._say(HEAD + subject)

    def tell_rest(self, kind: str) -> None:
        """Print how many of this kind were not printed, and begin to count anew."""
        with self._lock:
            more = self._counts.pop(kind, 0) - SHOWN
        if more > 0:
            self._say(f"{HEAD}另有 {more} 件同类通知 and {more} more of this kind")
