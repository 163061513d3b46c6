"""What a gateway sent before: a resend has one effect, and is confirmed all the same.

A device that saw no confirm sends the same frame under the same number again, and so does a gateway that saw no
PUBACK. What was stored counts, never what only arrived: a confirm of what is lost would lose it for good. Another
instance of ingest knows nothing of it; there the ids of the signals, which are the same, do what this does.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from services.ingest.domain.values import Accepted, Flag, Kind, Message, Outcome, Signal

WINDOW = timedelta(minutes=10)
KEPT = 32
"""Messages that are remembered of each gateway, some 4 KiB at most. Resends come within half a minute."""

_ALWAYS_NEW = frozenset({Kind.HEARTBEAT, Kind.LINK_UP, Kind.LINK_DOWN})
"""They say what is now, each time anew."""


class _Sent(NamedTuple):
    """`number` is None where the gateway gave none. `content` is a hash, only ever compared within one gateway."""

    number: int | None
    content: int
    at: datetime


class Repeats:
    """Remembers what was stored of each gateway in the last ten minutes, at most `KEPT` messages."""

    def __init__(self) -> None:
        self._stored: dict[str, deque[_Sent]] = {}

    def batch(self) -> "Batch":
        """Return a judge of messages that are stored together."""
        return Batch(self)

    def stored(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what is stored now."""
        for outcome in outcomes:
            if isinstance(outcome, Accepted) and not _is_new_by_nature(outcome):
                for group in _frames(outcome.signals):
                    sent = _sent(outcome, group[0])
                    if sent is not None:
                        known = self.newest_of(group[0].gateway_id)
                        while known and known[0].at < sent.at - WINDOW:
                            known.popleft()
                        known.append(sent)

    def newest_of(self, gateway_id: str) -> deque[_Sent]:
        """Return what is remembered of a gateway, the newest last."""
        known = self._stored.get(gateway_id)
        if known is None:
            known = self._stored[gateway_id] = deque(maxlen=KEPT)
        return known


class Batch:
    """Judges messages that are stored together: one that repeats another of them will be stored when it is."""

    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats
        self._new: dict[str, list[_Sent]] = {}

    def once(self, accepted: Accepted) -> Accepted:
        """Return what is new in `accepted`, and a heartbeat flagged `repeated` for each frame or message that is not.

        `repeated` of the answer says that nothing is new.
        """
        if _is_new_by_nature(accepted):
            return accepted
        signals: list[Signal] = []
        groups = repeated = 0
        for group in _frames(accepted.signals):
            groups += 1
            if self._is_repeated(accepted, group[0]):
                repeated += 1
                signals.append(_sign_of_life(group[0]))
            else:
                signals += group
        if not repeated:
            return accepted
        return accepted._replace(signals=tuple(signals), repeated=repeated == groups)

    def _is_repeated(self, accepted: Accepted, signal: Signal) -> bool:
        sent = _sent(accepted, signal)
        if sent is None:
            return False
        new = self._new.setdefault(signal.gateway_id, [])
        newest_first = chain(reversed(new), reversed(self._repeats.newest_of(signal.gateway_id)))
        if _is_among(newest_first, sent, redelivered=accepted.arrival.duplicate):
            return True
        new.append(sent)
        return False


def _is_among(newest_first: Iterator[_Sent], sent: _Sent, *, redelivered: bool) -> bool:
    """Say whether `sent` was sent before.

    Without a number only the broker's word makes it a repetition. A number that has meant something else since is that
    of a device that does not count: what it says is new.
    """
    for known in newest_first:
        if known.number == sent.number and known.at >= sent.at - WINDOW:
            if known.content == sent.content:
                return redelivered or sent.number is not None
            if not redelivered and sent.number is not None:
                return False
    return False


def _is_new_by_nature(accepted: Accepted) -> bool:
    signals = accepted.signals
    return (len(signals) == 1 and signals[0].message.kind in _ALWAYS_NEW) or accepted.arrival.retained


def _frames(signals: Sequence[Signal]) -> Iterator[Sequence[Signal]]:
    """Yield the signals of each frame of a payload; what is no frame stands alone."""
    start = 0
    for at, signal in enumerate(signals):
        frame = signal.message.frame
        if at > start and (frame is None or frame.part == 0):
            yield signals[start:at]
            start = at
    yield signals[start:]


def _sent(accepted: Accepted, signal: Signal) -> _Sent | None:
    """Return what names a frame or message, None for what is always new."""
    message = signal.message
    if message.kind in _ALWAYS_NEW:
        return None
    if message.frame is not None:
        return _Sent(message.frame.serial, hash(message.frame.identity), accepted.arrival.received_at)
    return _Sent(message.seq, hash(accepted.arrival.payload), accepted.arrival.received_at)


def _sign_of_life(signal: Signal) -> Signal:
    flags = tuple([flag for flag in signal.flags if flag in (Flag.REDELIVERED, Flag.RECONNECTED)])
    message = Message(Kind.HEARTBEAT, frame=signal.message.frame)
    return signal._replace(message=message, flags=(*flags, Flag.REPEATED))
