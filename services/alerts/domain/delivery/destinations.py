"""How much is on its way to each destination, and which ones rest after a failure."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.ids import NoticeId
from services.kernel.words import Channel


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that waits for an attempt."""

    notice_id: NoticeId
    channel: Channel
    address: str


MINUTE = timedelta(minutes=1)


def _no_limit(address: str) -> int | None:
    return None


@dataclass(slots=True)
class Destinations:
    """How much is on its way to each destination, and which ones rest after a failure.

    One dead or slow endpoint holds at most `per_address` of the `slots`, and one only while it keeps failing. Whoever
    chooses with a `reserve` leaves that many slots free: attempts that fail again and again keep no first one waiting.
    `per_minute` is how many an address takes in a minute from us: a robot that gets more takes none for much longer.
    """

    slots: int
    per_address: int
    per_channel: dict[Channel, int]
    rest: timedelta = timedelta(seconds=2)
    per_minute: Callable[[str], int | None] = _no_limit
    _in_flight: dict[str, int] = field(default_factory=dict)
    _channels: dict[Channel, int] = field(default_factory=dict)
    _resting: dict[str, datetime] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    _begun: dict[str, deque[datetime]] = field(default_factory=dict)
    """When the attempts of the last minute began, of addresses with a budget only."""

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
        return sorted(full | set(self._resting) | self._spent(now))

    def _spent(self, now: datetime) -> set[str]:
        """Return the addresses that have had what they take in a minute."""
        for address, begun in list(self._begun.items()):
            while begun and now - begun[0] >= MINUTE:
                begun.popleft()
            if not begun:
                del self._begun[address]
        return {address for address, begun in self._begun.items() if self._has_spent(address, begun)}

    def _has_spent(self, address: str, begun: deque[datetime]) -> bool:
        most = self.per_minute(address)
        return most is not None and len(begun) >= most

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
            if self._in_flight[notice.address] >= self._most(notice.address) or self._spend(notice.address, now):
                busy.add(notice.address)
            chosen.append(notice)
        return chosen

    def _spend(self, address: str, now: datetime) -> bool:
        """Count an attempt that begins; return whether it was the last of this minute."""
        if self.per_minute(address) is None:
            return False
        begun = self._begun.setdefault(address, deque())
        begun.append(now)
        return self._has_spent(address, begun)

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
        elif notice.address in self._begun:
            self._begun[notice.address].pop()
