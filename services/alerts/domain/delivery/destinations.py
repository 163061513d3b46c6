"""How much is on its way to each destination, and which ones rest after a failure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.ids import NoticeId
from services.kernel.words import Channel


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that waits for an attempt, or a digest, which goes under an id of its own."""

    notice_id: NoticeId
    channel: Channel
    address: str
    is_digest: bool = False


@dataclass(slots=True)
class Destinations:
    """How much is on its way to each destination, and which ones rest after a failure.

    One dead or slow endpoint holds at most `per_address` of the `slots`, and one only while it keeps failing. Whoever
    chooses with a `reserve` leaves that many slots free: attempts that fail again and again keep no first one waiting.
    """

    slots: int
    per_address: int
    per_channel: dict[Channel, int]
    rest: timedelta = timedelta(seconds=2)
    _in_flight: dict[str, int] = field(default_factory=dict)
    _channels: dict[Channel, int] = field(default_factory=dict)
    _resting: dict[str, datetime] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)

    @property
    def free(self) -> int:
        return self.slots - sum(self._channels.values())

    def crowded(self, now: datetime) -> bool:
        """Say whether a notice that is due may be waiting for one that is on its way to land."""
        return self.free <= 0 or bool(self.busy_channels()) or bool(self.busy_addresses(now))

    def busy_addresses(self, now: datetime) -> list[str]:
        """Return the addresses that get nothing more now."""
        self._resting = {address: until for address, until in self._resting.items() if until > now}
        full = {address for address, in_flight in self._in_flight.items() if in_flight >= self._most(address)}
        return sorted(full | set(self._resting))

    def _most(self, address: str) -> int:
        return 1 if address in self._failing else self.per_address

    def busy_channels(self) -> list[Channel]:
        return [channel for channel, most in self.per_channel.items() if self._channels.get(channel, 0) >= most]

    def choose(self, due: Iterable[Due], now: datetime, reserve: int = 0) -> list[Due]:
        """Return what may start now, in the given order, and count it as on its way."""
        chosen = []
        busy = set(self.busy_addresses(now))
        for notice in due:
            if self.free <= reserve:
                break
            if notice.address in busy or notice.channel in self.busy_channels():
                continue
            self._in_flight[notice.address] = self._in_flight.get(notice.address, 0) + 1
            self._channels[notice.channel] = self._channels.get(notice.channel, 0) + 1
            if self._in_flight[notice.address] >= self._most(notice.address):
                busy.add(notice.address)
            chosen.append(notice)
        return chosen

    def finished(self, notice: Due, *, failed: bool | None, now: datetime) -> None:
        """Count it as back. After a failure the address rests a moment before it is tried with another notice.

        `failed` None: it was not sent after all.
        """
        self._channels[notice.channel] -= 1
        self._in_flight[notice.address] -= 1
        if self._in_flight[notice.address] <= 0:
            del self._in_flight[notice.address]
        if failed:
            self._resting[notice.address] = now + self.rest
            self._failing.add(notice.address)
        elif failed is not None:
            self._failing.discard(notice.address)
