"""What one unit said lately: what comes again is known, heartbeats are counted and not kept."""

from services.kernel.ids import DELIVERY_DIGITS, SIGNAL_DIGITS
from services.rules.domain.inputs import Signal

MAX_RECENT = 64
CONTENT_DIGITS = 12
"""So much of a content key tells the last messages of one unit apart."""


def same_delivery(one: str, other: str) -> bool:
    """Say whether two ids of signals name the same delivery by the broker (`kernel.ids`); other ids are whole."""
    return len(one) == SIGNAL_DIGITS and one[:DELIVERY_DIGITS] == other[:DELIVERY_DIGITS]


class Deduplication:
    """`recent` holds the last signals by id with the beginning of their content, None before the first.

    `beats` heartbeats came in the hour that began at `hour`. `overflow` counts points beyond the bound.
    """

    __slots__ = ("beats", "hour", "overflow", "recent")

    def __init__(self) -> None:
        self.recent: dict[str, str] | None = None
        self.hour = 0
        self.beats = 0
        self.overflow = 0

    def news(self, signal: Signal) -> Signal | None:
        """Keep a signal; return it, marked when the unit said the very same before, or None when it is known."""
        content = signal.content[:CONTENT_DIGITS]
        again = bool(content) and self.recent is not None and content in self.recent.values()
        if not self._remember(signal):
            return None
        return signal._replace(again=True) if again and not signal.replayed else signal

    def _remember(self, signal: Signal) -> bool:
        """Keep a signal among the last MAX_RECENT; return False when it stands there already.

        A record that comes twice has one id. Of what the broker delivers again the id begins alike.
        """
        recent = self.recent
        if recent is None:
            recent = self.recent = {}
        signal_id = signal.signal_id
        if signal_id in recent or (signal.redelivered and any(same_delivery(signal_id, known) for known in recent)):
            return False
        recent[signal_id] = signal.content[:CONTENT_DIGITS]
        if len(recent) > MAX_RECENT:
            del recent[next(iter(recent))]
        return True
