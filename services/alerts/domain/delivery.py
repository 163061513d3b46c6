"""Decisions about delivery: what an attempt's outcome leads to, what may be sent now, which destinations rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.alerts.domain.values import Case, Channel, Notice, NoticeId, Purpose, Reason


class Fate(StrEnum):
    """What becomes of a notice after an attempt."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    DEAD = "dead"


NEVER_AGAIN = frozenset({Reason.GONE, Reason.RECIPIENT_REFUSED, Reason.ADDRESS_REFUSED})
"""The receiver, or we, said that nothing is ever to go there."""
PERMANENT = NEVER_AGAIN | {Reason.REDIRECT, Reason.REJECTED}
"""Trying again would in all likelihood meet the same answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the channel answered. `reason` None means accepted; `detail` is short, without addresses or secrets."""

    reason: Reason | None
    detail: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often and how quickly a notice is tried again; a wait that the server names is obeyed up to `obeyed`.

    After one of the reasons `final` it is not.
    """

    final: frozenset[Reason]
    most: int
    first_wait: timedelta
    longest_wait: timedelta
    obeyed: timedelta


ORDINARY = Attempts(
    final=PERMANENT,
    most=14,
    first_wait=timedelta(seconds=2),
    longest_wait=timedelta(minutes=15),
    obeyed=timedelta(hours=1),
)
FIRE = Attempts(
    final=NEVER_AGAIN,  # a proxy answers 404 or redirects while what stands behind it is started anew
    most=60,
    first_wait=timedelta(milliseconds=500),
    longest_wait=timedelta(seconds=30),
    obeyed=timedelta(seconds=30),
)
FIRST = replace(FIRE, most=2**31)
"""The first notice of a fire: it is given up only where nothing is ever to go, or long after the fire was over."""
ALL_CLEAR = replace(ORDINARY, most=2**31)
"""Who was told that something is wrong is not left with that because a receiver was away for an hour."""
KEPT_TRYING = timedelta(hours=24)
"""So long after the end of its case the first notice of a fire, and an all-clear, is still tried."""


def policy_of(purpose: Purpose, *, fire: bool, first: bool, over_since: datetime | None, now: datetime) -> Attempts:
    """Return how a notice is tried again; `over_since` is when its case was closed, None while it is open."""
    kept = over_since is None or now - over_since < KEPT_TRYING
    if first and kept:
        return FIRST
    if purpose is Purpose.ALL_CLEAR and kept:
        return ALL_CLEAR
    return FIRE if fire else ORDINARY


@dataclass(frozen=True, slots=True)
class Verdict:
    """`next_attempt_at` is set for a retry only."""

    fate: Fate
    next_attempt_at: datetime | None = None


def judge(outcome: Outcome, attempts: int, policy: Attempts, jitter: float, now: datetime) -> Verdict:
    """Return what becomes of a notice after its attempt number `attempts` (1 is the first).

    Waits double from `first_wait` to `longest_wait`, times 0.5 to 1 by `jitter` (0 to 1). A server that names its own
    wait is obeyed, as long as the policy lets it: a fire does not wait an hour for a page that says "under repair".
    """
    if outcome.reason is None:
        return Verdict(Fate.ACCEPTED)
    if outcome.reason in policy.final or attempts >= policy.most:
        return Verdict(Fate.DEAD)
    wait = min(policy.longest_wait, policy.first_wait * 2 ** min(attempts - 1, 30)) * (0.5 + jitter / 2)
    if outcome.retry_after is not None:
        wait = max(wait, min(outcome.retry_after, policy.obeyed))
    return Verdict(Fate.RETRY, now + wait)


@dataclass(slots=True)
class InterimRow:
    """A notice that was made without the database, and what became of it so far.

    `flying`: an attempt is under way. `held`: the database is just taking it over. `alarmed`: an attempt said that the
    case was open, so its address has to hear of the end.
    """

    notice: Notice
    attempts: int = 0
    next_attempt_at: datetime | None = None
    state: Literal["pending", "accepted", "dead", "cancelled"] = "pending"
    flying: bool = False
    held: bool = False
    alarmed: bool = False
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that waits for an attempt."""

    notice_id: NoticeId
    channel: Channel
    address: str


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a claimed notice may go out this very moment; else why not, and until when it waits."""

    stop: Reason | None = None
    wait_until: datetime | None = None


def may_send(
    purpose: Purpose, created_at: datetime, case: Case, *, fire: bool, now: datetime, first: bool = False
) -> Consent:
    """Ask again right before sending: the case may have been closed, acknowledged, reopened or held meanwhile.

    The `first` notice of a fire goes out whatever became of the case: who was not told of it hears that it was.
    """
    if first:
        return Consent()
    if purpose is Purpose.ALL_CLEAR:
        return Consent(Reason.REOPENED) if case.is_open else Consent()
    if not case.is_open:
        return Consent(Reason.CASE_CLOSED)
    if case.acknowledged is not None and created_at <= case.acknowledged.at:
        return Consent(Reason.ACKNOWLEDGED)
    if case.held_until is not None and case.held_until > now and not fire and not case.is_common:
        return Consent(Reason.HELD, case.held_until)
    return Consent()


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
    _flying: dict[str, int] = field(default_factory=dict)
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
        full = {address for address, flying in self._flying.items() if flying >= self._most(address)}
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
            self._flying[notice.address] = self._flying.get(notice.address, 0) + 1
            self._channels[notice.channel] = self._channels.get(notice.channel, 0) + 1
            if self._flying[notice.address] >= self._most(notice.address):
                busy.add(notice.address)
            chosen.append(notice)
        return chosen

    def landed(self, notice: Due, *, failed: bool | None, now: datetime) -> None:
        """Count it as back. After a failure the address rests a moment before it is tried with another notice.

        `failed` None: it was not sent after all.
        """
        self._channels[notice.channel] -= 1
        self._flying[notice.address] -= 1
        if self._flying[notice.address] <= 0:
            del self._flying[notice.address]
        if failed:
            self._resting[notice.address] = now + self.rest
            self._failing.add(notice.address)
        elif failed is not None:
            self._failing.discard(notice.address)
