"""When each gateway's next heartbeat is due, and which gateways are silent."""

import heapq
from collections.abc import Iterable, Sequence

from services.simulator.domain.seeded_random import SeededRandom

JITTER = 0.05


class Fleet:
    """Heartbeats of many gateways, spread evenly over one interval so that they do not come in waves.

    Times are seconds since the start. Each gateway numbers its messages 0, 1, 2, ...
    """

    def __init__(self, gateway_ids: Sequence[str], interval_s: float, seed: int) -> None:
        self._interval_s = interval_s
        self._rng = SeededRandom(seed, "heartbeats")
        self._next_seq = dict.fromkeys(gateway_ids, 0)
        self._silent: set[str] = set()
        self._due = [(interval_s * self._rng.fraction(), gateway_id) for gateway_id in gateway_ids]
        heapq.heapify(self._due)

    @property
    def silent(self) -> frozenset[str]:
        return frozenset(self._silent)

    def due(self, at_s: float) -> list[str]:
        """Return the gateways whose heartbeat is due by `at_s`, in order of time, and plan the next of each.

        A fleet that was held up skips the beats it missed instead of sending them all at once.
        """
        found: list[str] = []
        while self._due and self._due[0][0] <= at_s:
            planned_s, gateway_id = heapq.heappop(self._due)
            if gateway_id not in self._silent:
                found.append(gateway_id)
            wait_s = self._interval_s * (1 - JITTER * self._rng.fraction())
            heapq.heappush(self._due, (max(planned_s + wait_s, at_s - self._interval_s), gateway_id))
        return found

    def next_due_s(self) -> float | None:
        return self._due[0][0] if self._due else None

    def silence(self, gateway_ids: Iterable[str]) -> None:
        self._silent.update(gateway_ids)

    def wake(self, gateway_ids: Iterable[str]) -> list[str]:
        """End the silence and return the gateways that were silent."""
        woken = [gateway_id for gateway_id in gateway_ids if gateway_id in self._silent]
        self._silent.difference_update(woken)
        return woken

    def take_seq(self, gateway_id: str) -> int:
        """Return the number of the gateway's next message."""
        seq = self._next_seq[gateway_id]
        self._next_seq[gateway_id] = seq + 1
        return seq
