"""Which ends of fires are urgent: those of fires that this process has passed on.

A GB/T 26875.3 device says with every status that nothing burns. All of that on the fire lane would be a stream of
heartbeats before the next fire. An end that finds nothing burning here still stands among the signals, and rules ends
by it whatever burns: a fire that another process passed on is over a moment later, never earlier.
"""

from collections import OrderedDict

from services.ingest.domain.values import EVERY_COMPONENT, Accepted, Message
from services.kernel.words import Restores, SignalKind

MAX_UNITS = 10_000
"""Units with active fires; an end in one that was forgotten is in no hurry, and rules ends by it all the same."""
MAX_POINTS = 1024
"""Of one unit; while so many have active fires every end in it is urgent."""

_ENDS_FIRE = frozenset({Restores.FIRE, Restores.ALL})

_Location = tuple[str | None, str]


class ActiveFires:
    """The points of each unit whose fire was passed on and goes on. Beyond `MAX_UNITS` the oldest are forgotten."""

    def __init__(self) -> None:
        self._units: OrderedDict[str, set[_Location]] = OrderedDict()

    def follow(self, accepted: Accepted) -> Accepted:
        """Take in what is passed on, in order; return it with the ends marked that nothing waits for."""
        signals = accepted.signals
        if len(signals) == 1 and signals[0].message.kind is not SignalKind.FIRE and signals[0].message.restores is None:
            return accepted
        followed = []
        for signal in signals:
            message = signal.message
            if message.kind is SignalKind.FIRE:
                self._began(signal.unit_id, message)
            elif message.restores in _ENDS_FIRE and not self._ended(signal.unit_id, message):
                signal = signal._replace(message=message._replace(ends_no_fire=True))
            followed.append(signal)
        return accepted._replace(signals=tuple(followed))

    def _began(self, unit_id: str, message: Message) -> None:
        points = self._units.setdefault(unit_id, set())
        self._units.move_to_end(unit_id)
        if len(points) < MAX_POINTS and message.point is not None:
            points.add((message.point.system, message.point.address))
        if len(self._units) > MAX_UNITS:
            self._units.popitem(last=False)

    def _ended(self, unit_id: str, message: Message) -> bool:
        """Return whether an end is urgent. One that is no status, but said by somebody for itself, always is."""
        point = message.point
        if message.frame is None or point is None or point.address == EVERY_COMPONENT:
            return True
        points = self._units.get(unit_id)
        location = (point.system, point.address)
        if points is None or (location not in points and len(points) < MAX_POINTS):
            return False
        points.discard(location)
        if not points:
            del self._units[unit_id]
        return True
