"""Which refusals people must hear of: something came on the alarm lane and told nobody anything.

Of a gateway that is known this is an unreadable alarm of its unit. Of one that is in no register it may be the fire of
a building that was forgotten. Both are reported, and neither without end: whoever can send can send nonsense.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.domain.values import UnusableAlarm

EVERY = timedelta(seconds=10)
"""How often one gateway that is known is reported."""
UNREGISTERED_EVERY = timedelta(seconds=60)
MAX_UNREGISTERED = 64
"""So many identities of nobody are reported each by itself, all further ones as one: inventing ids costs nothing."""
REMEMBERED = timedelta(hours=1)
MAX_GATEWAYS = 10_000
"""Known gateways with trouble at the same time; beyond, the one reported longest ago is reported anew too early."""


@dataclass(slots=True)
class _Reports:
    """When one sender was last reported and last seen, and how often it came unreported since."""

    reported_at: datetime
    seen_at: datetime
    unreported: int = 0


class UnusableAlarmThrottle:
    """Says which unusable alarms are reported, and how many were not since the one before."""

    def __init__(self) -> None:
        self._gateways: OrderedDict[str | None, _Reports] = OrderedDict()
        self._unregistered: OrderedDict[str | None, _Reports] = OrderedDict()

    def bound(self, alarm: UnusableAlarm, at: datetime) -> UnusableAlarm:
        """Return `alarm` as it is to be reported, or with `reported` false."""
        if alarm.unit_id:
            return _throttled(self._gateways, MAX_GATEWAYS, alarm, at, EVERY)
        self._forget(at)
        room = MAX_UNREGISTERED + (None in self._unregistered)
        if alarm.gateway_id not in self._unregistered and len(self._unregistered) >= room:
            alarm = alarm._replace(gateway_id=None)
        return _throttled(self._unregistered, MAX_UNREGISTERED + 1, alarm, at, UNREGISTERED_EVERY)

    def _forget(self, at: datetime) -> None:
        while self._unregistered:
            oldest = next(iter(self._unregistered))
            if at - self._unregistered[oldest].seen_at < REMEMBERED:
                return
            del self._unregistered[oldest]


def _throttled(
    senders: OrderedDict[str | None, _Reports], limit: int, alarm: UnusableAlarm, at: datetime, every: timedelta
) -> UnusableAlarm:
    """Count one alarm of a sender. The sender seen longest ago stands first, and goes first when there are too many."""
    sender = senders.get(alarm.gateway_id)
    if sender is None:
        senders[alarm.gateway_id] = _Reports(at, at)
        if len(senders) > limit:
            senders.popitem(last=False)
        return alarm
    senders.move_to_end(alarm.gateway_id)
    sender.seen_at = at
    if at - sender.reported_at < every:
        sender.unreported += 1
        return alarm._replace(reported=False)
    further, sender.unreported, sender.reported_at = sender.unreported, 0, at
    return alarm._replace(further=further)
