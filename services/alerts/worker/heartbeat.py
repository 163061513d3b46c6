"""The dead-man's switch: tells an outside watcher regularly that all is well, and tells it nothing when it is not."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.heartbeat import Withheld, why_withheld
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Chain, OutsideWatcher
from services.runtime.clock import Clock
from services.runtime.logging import get_logger


class Heartbeat:
    """Never says anything of what is wrong: whoever misses it looks here."""

    def __init__(
        self,
        *,
        chain: Chain,
        watcher: OutsideWatcher,
        tasks: Callable[[], Mapping[str, str]],
        synthetic_every: timedelta,
        every_s: float,
        metrics: AlertsMetrics,
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._watcher = watcher
        self._tasks = tasks
        self._synthetic_every = synthetic_every
        self._every_s = every_s
        self._metrics = metrics
        self._clock = clock
        self._looked_at: float | None = None
        self._said: tuple[str, ...] = ()

    async def turn(self) -> int:
        """Look, and tell when all is well; at most once in `every_s`."""
        at = self._clock.monotonic()
        if self._looked_at is not None and at - self._looked_at < self._every_s:
            return 0
        self._looked_at = at
        withheld = await self._withheld()
        if withheld:
            self._count("withheld", tuple(str(one) for one in withheld))
            return 0
        outcome = await self._watcher.tell()
        if outcome.reason is None:
            self._count("sent", ())
        else:
            self._count("failed", (f"{outcome.reason} {outcome.detail}".strip(),))
        return 0

    async def _withheld(self) -> tuple[Withheld, ...]:
        try:
            seen = await self._chain.look()
        except StoreUnavailable:
            return (Withheld.DATABASE,)
        return why_withheld(seen, self._tasks(), self._synthetic_every, self._clock.now())

    def _count(self, outcome: str, why: tuple[str, ...]) -> None:
        self._metrics.heartbeats.labels(outcome).inc()
        said = (outcome, *why)
        if said == self._said:  # what goes on is said once
            return
        self._said = said
        if outcome == "sent":
            get_logger().info("outside_heartbeat", outcome=outcome)
        else:
            get_logger().warning("outside_heartbeat", outcome=outcome, why=list(why))
