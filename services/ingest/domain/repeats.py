"""What ingest has heard before: what a broker delivers again, and what a gateway sends again.

Whether an alarm is an echo is never seen by what it says: a gateway that starts anew repeats its numbers, its time
and its very words and means a new fire. So only the broker's mark takes the effect from an alarm or from the end of
one, and only where that delivery is stored and came over an earlier connection of ours (a broker delivers again when
we come back, never meanwhile): a confirm of what is lost would lose it for good. A gateway's resend of an
alarm is passed on: who follows the state of the component finds that nothing has changed. What is no trouble and comes
again soon, under the same number and before any later one, is kept once.

One thing is certain without the broker's word: a client whose connection broke sends all that went unanswered again, a
fire and its end and the next fire, and a broker that only stood still handles both times. Words that name one moment,
by a clock that is right and a count that has come far, are said once however often they come.

Another instance of ingest, or another life of this one, knows nothing of it. There the first digits of a signal's id
do what this does: they name the delivery (`services.kernel.ids`). A broker that marks nothing and numbers anew on each
connection (rumqttd) leaves only the state of the component: after a kill between storing and acknowledging, a fire that
was over by then is reported once more, as begun and ended. The other way round a fire could be lost.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.domain.values import Accepted, Message, Outcome, Signal
from services.kernel.words import Flag, Lane, SignalKind

SOON = timedelta(minutes=1)
"""A gateway that saw no confirm sends again within half a minute."""
WINDOW = timedelta(minutes=10)
MAX_REMEMBERED = 32
"""Messages that are remembered of each gateway, some 4 KiB at most."""

COUNTED = 16
"""From this number on a device is not just starting: a start says the same numbers each time."""

_ODD_CLOCK = frozenset({Flag.CLOCK_AHEAD, Flag.CLOCK_BEHIND, Flag.NO_DEVICE_TIME, Flag.REPLAYED})

_ALWAYS_NEW = frozenset({SignalKind.HEARTBEAT, SignalKind.LINK_UP, SignalKind.LINK_DOWN})
"""They say what is now, each time anew."""

_KEPT_ONCE = frozenset({SignalKind.TEST, SignalKind.ANALOG, SignalKind.STATE, SignalKind.OPERATION, SignalKind.REPORT})
"""They change no state: sent again, they are the same record."""


class _Sent(NamedTuple):
    """`number` is None where the gateway gave none. `content` is a hash, only ever compared within one gateway.

    `delivery` is the number that the broker delivered it under, with its lane; `epoch` the connection it came over.
    `dated`: it names one moment.
    """

    number: int | None
    content: int
    delivery: tuple[Lane, int]
    epoch: int
    at: datetime
    dated: bool = False


class Repeats:
    """Remembers what was stored of each gateway in the last ten minutes, at most `MAX_REMEMBERED` messages."""

    def __init__(self) -> None:
        self._stored: dict[str, deque[_Sent]] = {}

    def batch(self) -> "Batch":
        """Return what compares messages that are stored together."""
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
            known = self._stored[gateway_id] = deque(maxlen=MAX_REMEMBERED)
        return known


class Batch:
    """Compares messages that are stored together: one that repeats another of them will be stored when it is."""

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
            if self._is_repeated(accepted, group):
                repeated += 1
                signals.append(_sign_of_life(group[0]))
            else:
                signals += group
        if not repeated:
            return accepted
        return accepted._replace(signals=tuple(signals), repeated=repeated == groups)

    def _is_repeated(self, accepted: Accepted, group: Sequence[Signal]) -> bool:
        signal = group[0]
        sent = _sent(accepted, signal)
        if sent is None:
            return False
        new = self._new.setdefault(signal.gateway_id, [])
        known = self._repeats.newest_of(signal.gateway_id)
        if sent.dated and _is_said(sent, (*known, *new)):
            return True  # in another delivery too: the connections of the client and ours may break together
        if accepted.arrival.duplicate:
            if any(_is_same_delivery(one, sent) for one in (*known, *new)):
                return True
        elif all(one.message.kind in _KEPT_ONCE for one in group):
            newest = new[-1] if new else known[-1] if known else None
            if newest is not None and _is_sent_again(newest, sent):
                return True
        new.append(sent)
        return False


def _is_same_delivery(known: _Sent, sent: _Sent) -> bool:
    """Say whether the broker delivered this before. On one connection a number that comes again is another delivery."""
    return (
        known.delivery == sent.delivery
        and known.epoch != sent.epoch
        and known.content == sent.content
        and known.at >= sent.at - WINDOW
    )


def _is_said(sent: _Sent, known: Sequence[_Sent]) -> bool:
    """Say whether this very message of one moment came before.

    A number that also stands on other words counts nothing: then the moment alone, a second long with many devices,
    does not tell a fire, its end and the next fire apart.
    """
    alike = {one.content for one in known if one.number == sent.number and one.at >= sent.at - WINDOW}
    return alike == {sent.content}


def _is_sent_again(newest: _Sent, sent: _Sent) -> bool:
    """Say whether a gateway sent its newest message again. Without a number nothing tells that from a new one."""
    if sent.number is None or newest.number != sent.number:
        return False
    return newest.content == sent.content and newest.at >= sent.at - SOON


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
    message, arrival = signal.message, accepted.arrival
    if message.kind in _ALWAYS_NEW:
        return None
    delivery = (signal.lane, arrival.mid)
    number = message.seq if message.frame is None else message.frame.serial
    content = hash(arrival.payload if message.frame is None else message.frame.identity)
    is_right = message.occurred_at is not None and _ODD_CLOCK.isdisjoint(signal.flags)
    dated = is_right and number is not None and number >= COUNTED
    return _Sent(number, content, delivery, arrival.epoch, arrival.received_at, dated)


def _sign_of_life(signal: Signal) -> Signal:
    flags = tuple([flag for flag in signal.flags if flag in (Flag.REDELIVERED, Flag.RECONNECTED)])
    message = Message(SignalKind.HEARTBEAT, frame=signal.message.frame)
    return signal._replace(message=message, flags=(*flags, Flag.REPEATED))
