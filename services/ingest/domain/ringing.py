"""Whom a refusal must not leave untold: something came on the alarm lane and told nobody anything.

Of a gateway that is known this is an unreadable alarm of its unit. Of one that is in no register it may be the fire of
a building that was forgotten. Both ring, and neither may ring without end: whoever can send can send nonsense.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.domain.values import Ring

EVERY = timedelta(seconds=10)
"""How often a gateway that is known may ring."""
STRANGER_EVERY = timedelta(seconds=60)
STRANGERS = 64
"""So many identities of nobody ring by themselves; all further ones ring together."""
REMEMBERED = timedelta(hours=1)
MAX_GATEWAYS = 10_000


@dataclass(slots=True)
class _Bell:
    told_at: datetime
    seen_at: datetime
    untold: int = 0


class Ringing:
    """Says which of the refusals that ring are told, and how many were not since the one before."""

    def __init__(self) -> None:
        self._gateways: OrderedDict[str | None, _Bell] = OrderedDict()
        self._strangers: OrderedDict[str | None, _Bell] = OrderedDict()

    def bound(self, ring: Ring, at: datetime) -> Ring:
        """Return `ring` as it is to be told, or not: `told` false."""
        if ring.unit_id:
            return _rung(self._gateways, MAX_GATEWAYS, ring.gateway_id, ring, at, EVERY)
        self._forget(at)
        if ring.gateway_id not in self._strangers and len(self._strangers) >= STRANGERS + (None in self._strangers):
            ring = ring._replace(gateway_id=None)
        return _rung(self._strangers, STRANGERS + 1, ring.gateway_id, ring, at, STRANGER_EVERY)

    def _forget(self, at: datetime) -> None:
        while self._strangers:
            oldest = next(iter(self._strangers))
            if at - self._strangers[oldest].seen_at < REMEMBERED:
                return
            del self._strangers[oldest]


def _rung(
    bells: OrderedDict[str | None, _Bell], room: int, name: str | None, ring: Ring, at: datetime, every: timedelta
) -> Ring:
    """Ring one bell. The one that was rung longest ago stands first, and goes first when there are too many."""
    bell = bells.get(name)
    if bell is None:
        bells[name] = _Bell(at, at)
        if len(bells) > room:
            bells.popitem(last=False)
        return ring
    bells.move_to_end(name)
    bell.seen_at = at
    if at - bell.told_at < every:
        bell.untold += 1
        return ring._replace(told=False)
    further, bell.untold, bell.told_at = bell.untold, 0, at
    return ring._replace(further=further)
