"""What an attempt's outcome leads to: accepted, tried again, given up."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.domain.delivery.reasons import Reason
from services.kernel.words import Purpose


class DeliveryState(StrEnum):
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
    """What the channel answered. `reason` None means accepted; `detail` is short, without addresses or secrets.

    `message_id`: as what a provider took it, by which its delivery report will name it; "" where there is none to come.
    """

    reason: Reason | None
    detail: str = ""
    retry_after: timedelta | None = None
    message_id: str = ""


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

    state: DeliveryState
    next_attempt_at: datetime | None = None


def decide(outcome: Outcome, attempts: int, policy: Attempts, jitter: float, now: datetime) -> Verdict:
    """Return what becomes of a notice after its attempt number `attempts` (1 is the first).

    Waits double from `first_wait` to `longest_wait`, times 0.5 to 1 by `jitter` (0 to 1). A server that names its own
    wait is obeyed, as long as the policy lets it: a fire does not wait an hour for a page that says "under repair".
    """
    if outcome.reason is None:
        return Verdict(DeliveryState.ACCEPTED)
    if outcome.reason in policy.final or attempts >= policy.most:
        return Verdict(DeliveryState.DEAD)
    wait = min(policy.longest_wait, policy.first_wait * 2 ** min(attempts - 1, 30)) * (0.5 + jitter / 2)
    if outcome.retry_after is not None:
        wait = max(wait, min(outcome.retry_after, policy.obeyed))
    return Verdict(DeliveryState.RETRY, now + wait)
