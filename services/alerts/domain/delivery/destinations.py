"""How much is on its way to each destination, and which ones rest after a failure."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.delivery.budgets import Budget
from services.alerts.domain.ids import NoticeId
from services.kernel.words import Channel


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that waits for an attempt, or a digest, which goes under an id of its own.

    `is_retry`: an attempt was made before.
    """

    notice_id: NoticeId
    channel: Channel
    address: str
    is_digest: bool = False
    is_retry: bool = False


def _no_limit(address: str) -> Budget | None:
    return None


@dataclass(slots=True)
class Destinations:
    """How much is on its way to each destination, and which ones rest after a failure.

    One dead or slow endpoint holds at most `per_address` of the `slots`, and one only while it keeps failing. Where
    `slots` are as many as those of all channels together, no channel that hangs takes any from another. Of a channel's
    slots retries hold at most `for_retries`: attempts that fail again and again keep no first one waiting.
    `budget` is how many an address takes from us: a robot that gets more takes none for much longer.
    """

    slots: int
    per_address: int
    per_channel: dict[Channel, int]
    rest: timedelta = timedelta(seconds=2)
    budget: Callable[[str], Budget | None] = _no_limit
    for_retries: Mapping[Channel, int] = field(default_factory=dict)
    _in_flight: dict[str, int] = field(default_factory=dict)
    _channels: dict[Channel, int] = field(default_factory=dict)
    _retries: dict[Channel, int] = field(default_factory=dict)
    _resting: dict[str, datetime] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    _begun: dict[str, deque[datetime]] = field(default_factory=dict)
    """When the attempts within its window began, of addresses with a budget only."""

    @property
    def free(self) -> int:
        return self.slots - sum(self._channels.values())

    def crowded(self, now: datetime) -> bool:
        """Say whether a notice that is due may be waiting for one that is on its way to land."""
        return self.free <= 0 or any((self.busy_channels(), self.without_retries(), self.busy_addresses(now)))

    def busy_addresses(self, now: datetime) -> list[str]:
        """Return the addresses that get nothing more now."""
        self._resting = {address: until for address, until in self._resting.items() if until > now}
        full = {address for address, in_flight in self._in_flight.items() if in_flight >= self._most(address)}
        return sorted(full | set(self._resting) | self._spent(now))

    def _spent(self, now: datetime) -> set[str]:
        """Return the addresses that have had what they take."""
        found = set()
        for address, begun in list(self._begun.items()):
            budget = self.budget(address)
            if budget is not None and _is_spent(begun, budget, now):
                found.add(address)
            if not begun:
                del self._begun[address]
        return found

    def _most(self, address: str) -> int:
        return 1 if address in self._failing else self.per_address

    def busy_channels(self) -> list[Channel]:
        """Return the channels that get nothing more now."""
        return sorted(channel for channel, most in self.per_channel.items() if self._channels.get(channel, 0) >= most)

    def without_retries(self) -> list[Channel]:
        """Return the channels that get no retry now."""
        return sorted(channel for channel, most in self.for_retries.items() if self._retries.get(channel, 0) >= most)

    def choose(self, due: Iterable[Due], now: datetime) -> list[Due]:
        """Return what may start now, in the given order, and count it as on its way."""
        chosen = []
        busy = set(self.busy_addresses(now))
        for notice in due:
            if self.free <= 0:
                break
            if notice.address in busy or notice.channel in self.busy_channels():
                continue
            if notice.is_retry:
                if notice.channel in self.without_retries():
                    continue
                self._retries[notice.channel] = self._retries.get(notice.channel, 0) + 1
            self._in_flight[notice.address] = self._in_flight.get(notice.address, 0) + 1
            self._channels[notice.channel] = self._channels.get(notice.channel, 0) + 1
            last = self._spend(notice.address, now)
            if last or self._in_flight[notice.address] >= self._most(notice.address):
                busy.add(notice.address)
            chosen.append(notice)
        return chosen

    def _spend(self, address: str, now: datetime) -> bool:
        """Count an attempt that begins; return whether it was the last that the address takes for now."""
        budget = self.budget(address)
        if budget is None:
            return False
        begun = self._begun.setdefault(address, deque())
        begun.append(now)
        return _is_spent(begun, budget, now)

    def finished(self, notice: Due, *, failed: bool | None, now: datetime) -> None:
        """Count it as back. After a failure the address rests a moment before it is tried with another notice.

        `failed` None: it was not sent after all.
        """
        self._channels[notice.channel] -= 1
        if notice.is_retry:
            self._retries[notice.channel] -= 1
        self._in_flight[notice.address] -= 1
        if self._in_flight[notice.address] <= 0:
            del self._in_flight[notice.address]
        if failed:
            self._resting[notice.address] = now + self.rest
            self._failing.add(notice.address)
        elif failed is not None:
            self._failing.discard(notice.address)
        elif begun := self._begun.get(notice.address):
            begun.pop()


def _is_spent(begun: deque[datetime], budget: Budget, now: datetime) -> bool:
    """Forget what has left the window; say whether there is no more."""
    while begun and now - begun[0] >= budget.window:
        begun.popleft()
    return len(begun) >= budget.most
