"""Brings notices out: claim, ask a last time, send, record. Two of these run, one for fire alone."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.domain.delivery import (
    FIRE,
    ORDINARY,
    Destinations,
    Due,
    Fate,
    Outcome,
    Verdict,
    judge,
)
from services.alerts.domain.values import Channel, Conflict, Purpose, Reason, StoreUnavailable
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Carrier, Outbox, Ready, Refused
from services.runtime.clock import Clock

PICK = 200
RECORD_TRIES = 5


@dataclass(frozen=True, slots=True)
class Lanes:
    """`sending` must outlast the slowest send of a channel: after a crash the notice is taken up again so much later.

    `claim` is for the moment between taking a notice and asking a last time.
    """

    fire: bool
    sending: Mapping[Channel, timedelta]
    destinations: Destinations
    claim: timedelta = timedelta(seconds=10)


class Postman:
    """One lane of delivery. `turn` starts what can start; sends go on in the background up to the lane's slots."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        carriers: Mapping[Channel, Carrier],
        lanes: Lanes,
        metrics: AlertsMetrics,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._carriers = carriers
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self._flying: set[asyncio.Task[None]] = set()
        self.on_landed: Callable[[], None] = lambda: None

    async def turn(self) -> int:
        """Start sending what is due and free to go; return how many were started. Raises StoreUnavailable."""
        lanes = self._lanes
        if lanes.destinations.free <= 0:
            return 0
        now = self._clock.now()
        due = await self._outbox.due(
            fire=lanes.fire,
            now=now,
            limit=PICK,
            but_addresses=lanes.destinations.busy_addresses(now),
            but_channels=lanes.destinations.busy_channels(),
        )
        if not due:
            return 0
        chosen = lanes.destinations.choose(due, now)
        lease = now + lanes.claim
        try:
            ours = await self._outbox.lease([notice.notice_id for notice in chosen], now, lease)
        except BaseException:
            for notice in chosen:
                lanes.destinations.landed(notice, failed=False, now=now)
            raise
        for notice in chosen:
            if notice.notice_id in ours:
                self._start(notice, lease)
            else:
                lanes.destinations.landed(notice, failed=False, now=now)
        return len(ours)

    async def drain(self) -> None:
        """Wait for what is on its way."""
        if self._flying:
            await asyncio.gather(*self._flying, return_exceptions=True)

    def _start(self, notice: Due, lease: datetime) -> None:
        task = asyncio.create_task(self._bring(notice, lease))
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)

    async def _bring(self, notice: Due, lease: datetime) -> None:
        failed = False
        try:
            outcome = await self._send(notice, lease)
            failed = outcome is not None and outcome.reason is not None
        except (StoreUnavailable, Conflict):
            failed = False  # the lease runs out and somebody takes it up again: at worst one more copy
        finally:
            self._lanes.destinations.landed(notice, failed=failed, now=self._clock.now())
            self.on_landed()

    async def _send(self, notice: Due, lease: datetime) -> Outcome | None:
        now = self._clock.now()
        until = now + self._lanes.sending[notice.channel]
        answer = await self._outbox.confirm(notice.notice_id, lease, until, now)
        if answer is None:
            return None
        if isinstance(answer, Refused):
            if answer.consent.wait_until is None and answer.consent.stop is not None:
                self._metrics.cancelled.labels(answer.consent.stop).inc()
            return None
        outcome = await self._carry(answer)
        await self._record(answer, outcome)
        return outcome

    async def _carry(self, ready: Ready) -> Outcome:
        try:
            return await self._carriers[ready.to.channel].send(ready)
        except Exception as error:  # noqa: BLE001 - our own bug must not lose a notice: it is tried again and counted
            return Outcome(Reason.UNEXPECTED, type(error).__name__)

    async def _write_down(self, ready: Ready, outcome: Outcome, verdict: Verdict) -> None:
        """Try for a while: a database that restarts must not turn an accepted notice into a second copy."""
        for attempt in range(RECORD_TRIES):
            try:
                await self._outbox.record(ready, outcome, verdict, self._clock.now())
                return
            except (StoreUnavailable, Conflict):
                if attempt == RECORD_TRIES - 1:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)

    async def _record(self, ready: Ready, outcome: Outcome) -> None:
        now = self._clock.now()
        policy = FIRE if ready.fire else ORDINARY
        verdict = judge(outcome, ready.attempts, policy, random.random(), now)
        await asyncio.shield(self._write_down(ready, outcome, verdict))
        self._metrics.attempts.labels(ready.to.channel, verdict.fate, outcome.reason or "none").inc()
        if verdict.fate is Fate.ACCEPTED and ready.fire and ready.purpose is Purpose.NOTICE:
            self._metrics.fire_latency.observe(max(0.0, (now - ready.caused_at).total_seconds()))
