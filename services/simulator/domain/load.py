"""The load generator's plan: which message is due when. Open loop: the plan does not wait for anybody."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.words import Lane, SignalKind

BLOCK = 1 << 16
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Messages 0, 1, 2, ... at an even rate, the gateways in turn; a share of them are events instead of heartbeats.

    Message `n` is due `n / rate` seconds after the start, is the `n // len(gateways)`-th of its gateway (its seq), and
    its kind follows from `n` alone. On the alarm lane every message is a fire.
    """

    rate: float
    seconds: float
    gateways: Sequence[tuple[str, str]]
    event_share: float = 0.0
    lane: Lane = Lane.UP

    @property
    def total(self) -> int:
        return int(self.rate * self.seconds)

    def due_s(self, number: int) -> float:
        return number / self.rate

    def due_by(self, at_s: float) -> int:
        """Return how many messages are due by `at_s`."""
        return min(self.total, max(0, int(at_s * self.rate) + 1))

    def gateway_of(self, number: int) -> str:
        return self.gateways[number % len(self.gateways)][0]

    def seq_of(self, number: int) -> int:
        return number // len(self.gateways)

    def kind_of(self, number: int) -> SignalKind:
        """Return the kind; of the events half are faults and half restore them."""
        if self.lane is Lane.ALARM:
            return SignalKind.FIRE
        chance = ((number + 1) * 0x9E3779B97F4A7C15 & _MASK) >> 32
        if chance >= self.event_share * (1 << 32):
            return SignalKind.HEARTBEAT
        return SignalKind.RESTORE if chance & 1 else SignalKind.FAULT


class Block:
    """Outcomes of `BLOCK` messages in a row: instants in seconds on one clock, NaN where there is none."""

    def __init__(self) -> None:
        self.sent = array("d", [math.nan]) * BLOCK
        self.acked = array("d", [math.nan]) * BLOCK


class Latencies:
    """A histogram of durations with 1 % resolution, from 1 microsecond up."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.worst_s = 0.0

    def add(self, seconds: float) -> None:
        step = int(math.log(max(seconds, 1e-6) * 1e6) * 100)
        self._counts[step] = self._counts.get(step, 0) + 1
        self.count += 1
        self.worst_s = max(self.worst_s, seconds)

    def quantile_s(self, share: float) -> float:
        """Return the duration that `share` of all stayed at or below, 0 without any."""
        wanted = math.ceil(self.count * share)
        seen = 0
        for step in sorted(self._counts):
            seen += self._counts[step]
            if seen >= wanted:
                return min(math.exp((step + 1) / 100) / 1e6, self.worst_s)
        return 0.0


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a run. `unknown`: sent, and the broker's answer never came; it may or may not have it."""

    planned: int
    sent: int
    acked: int
    unknown: int
    took_s: float
    ack_latency: Latencies
    lateness: Latencies

    @property
    def rate(self) -> float:
        return self.sent / self.took_s if self.took_s else 0.0
