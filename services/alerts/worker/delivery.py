"""Brings notices out: claim, ask a last time, send, record. Two of these run, one for fire alone."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict, decide, policy_of
from services.alerts.domain.delivery.budgets import Quota
from services.alerts.domain.delivery.consent import may_send_notice
from services.alerts.domain.delivery.destinations import Destinations, Due
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict, StoreUnavailable
from services.alerts.domain.ids import NoticeId
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Changes, ClaimRequest, DeliveryChannel, Ready, Tray
from services.alerts.worker.fire_priority import PATIENCE_S, FirePriority
from services.kernel.words import Channel, Purpose
from services.runtime.clock import Clock
from services.runtime.patience import within

PICK = 200
RECORD_TRIES = 5
RECORD_S = 2.0
"""So long the fire lane waits for an outcome to be written down before it keeps it in memory."""

AFTER_OUTAGE_S = 5.0
"""So long after the database is back what waited in it is left alone: the fire may have ended meanwhile and been told
so from memory, and whoever hears of it now must hear that it is over. First attempts, made at a commit, do not wait."""

Keep = Callable[[Ready, Outcome, Verdict, datetime], None]
"""Keeps what became of an attempt until the database is back."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """`sending` must outlast the slowest send of a channel: after a crash a notice is taken up again so much later.

    `quotas` are those of ordinary notices: a lane of fires has none."""

    fire: bool
    sending: Mapping[Channel, timedelta]
    destinations: Destinations
    quotas: Mapping[Channel, Quota] = field(default_factory=dict)


class DeliveryWorker:
    """One lane of delivery. `turn` starts what can start; sends go on in the background up to the lane's slots."""

    def __init__(
        self,
        *,
        outbox: Tray,
        carriers: Mapping[Channel, DeliveryChannel],
        lanes: Lanes,
        metrics: AlertsMetrics,
        clock: Clock,
        fire_priority: FirePriority,
    ) -> None:
        self._outbox = outbox
        self._carriers = carriers
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self._fire_priority = fire_priority
        self._in_flight: set[asyncio.Task[None]] = set()
        self._store_was_away = False
        self._rest_until = 0.0
        self.sent_elsewhere: Callable[[NoticeId], bool] = lambda notice_id: False
        """Says whether a notice was sent from memory while the database was away."""
        self.keep: Keep | None = None
        self.on_finished: Callable[[bool], None] = lambda made_room: None
        """Called when a notice has finished; `made_room` when others may have waited for that."""

    async def turn(self) -> int:
        """Start sending what is due and free to go; return how many were looked at. Raises StoreUnavailable."""
        lanes = self._lanes
        if lanes.destinations.free <= 0 or self._clock.monotonic() < self._rest_until:
            return 0
        now = self._clock.now()
        chosen: dict[NoticeId, Due] = {}

        def choose(due: Sequence[Due]) -> Sequence[Due]:
            if self._store_was_away and lanes.fire:
                return ()
            mine = [one for one in due if not self.sent_elsewhere(one.notice_id)]
            picked = lanes.destinations.choose(mine, now)
            chosen.update((notice.notice_id, notice) for notice in picked)
            return picked

        try:
            answers = await self._outbox.take(
                ClaimRequest(
                    fire=lanes.fire,
                    now=now,
                    limit=PICK,
                    but_addresses=lanes.destinations.busy_addresses(now),
                    but_channels=lanes.destinations.busy_channels(),
                    choose=choose,
                    leases=lanes.sending,
                    but_retries=lanes.destinations.without_retries(),
                    quotas=lanes.quotas,
                )
            )
            if self._store_was_away and lanes.fire:
                self._rest_until = self._clock.monotonic() + AFTER_OUTAGE_S
            self._store_was_away = False
            for answer in answers:
                if isinstance(answer, Ready):
                    self._metrics.without_document.inc(answer.lacks_document)
                    self._start(chosen.pop(answer.notice_id), answer)
                elif answer.consent.wait_until is None and answer.consent.stop is not None:
                    self._metrics.cancelled.labels(answer.consent.stop).inc()
        except StoreUnavailable:
            self._store_was_away = True
            raise
        finally:
            for notice in chosen.values():  # not ours after all
                lanes.destinations.finished(notice, failed=None, now=now)
        return len(answers)

    @contextlib.contextmanager
    def first_attempts(self, changes: Changes) -> Iterator[set[NoticeId]]:
        """Lease the new notices of this lane in the very transaction that writes them, as far as there is room.

        To be entered before they are saved and left after the commit: those that the block has put into the set by
        then are sent at once. What finds no room waits for `turn`. So a fire costs one transaction instead of two and
        no waking up; the last question before sending is asked here, under the lock that the transaction holds.
        """
        now = self._clock.now()
        fresh = {notice.notice_id: notice for notice in changes.notices if self._may_leave(notice, changes, now)}
        fresh = {notice_id: notice for notice_id, notice in fresh.items() if notice_id not in changes.brought}
        due = [Due(notice.notice_id, notice.to.channel, notice.to.address) for notice in fresh.values()]
        chosen = self._lanes.destinations.choose(due, now)
        changes.leased = {one.notice_id: now + self._lanes.sending[one.channel] for one in chosen}
        committed: set[NoticeId] = set()
        try:
            yield committed
        finally:
            for one in chosen:
                # a commit that was long in coming: meanwhile the same notice may have been sent from memory
                if one.notice_id in committed and not self.sent_elsewhere(one.notice_id):
                    notice = fresh[one.notice_id]
                    self._start(one, Ready.of(notice, changes.case(notice.case_id), attempts=1))
                else:
                    self._lanes.destinations.finished(one, failed=None, now=now)

    def _may_leave(self, notice: Notice, changes: Changes, now: datetime) -> bool:
        case = changes.case(notice.case_id)
        if changes.not_before is not None:
            return False
        if case is None or notice.fire != self._lanes.fire:
            return False
        return may_send_notice(notice, case, now).stop is None

    async def drain(self) -> None:
        """Wait for what is on its way, and until it is written down; no longer than the longest lease.

        Nothing is cut off, also when whoever waits is cancelled: the receiver may have it, and would get it once more.
        """
        if self._in_flight:
            await asyncio.wait(set(self._in_flight), timeout=max(self._lanes.sending.values()).total_seconds())

    def _start(self, notice: Due, ready: Ready) -> None:
        task = asyncio.create_task(self._bring(notice, ready))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _bring(self, notice: Due, ready: Ready) -> None:
        if not self._lanes.fire:
            await self._bring_now(notice, ready)
            return
        # others wait while a fire's notice is built and sent; a slow receiver makes them wait no longer than this
        with self._fire_priority.fire():
            bringing = asyncio.create_task(self._bring_now(notice, ready))
            await asyncio.wait({bringing}, timeout=PATIENCE_S)
        await bringing

    async def _bring_now(self, notice: Due, ready: Ready) -> None:
        outcome = await self._carry(ready)
        now = self._clock.now()
        made_room = self._lanes.destinations.crowded(now)
        self._lanes.destinations.finished(notice, failed=outcome.reason is not None, now=now)
        # without a record the lease runs out and somebody takes the notice up again: at worst one more copy
        with contextlib.suppress(StoreUnavailable, Conflict):
            await self._record(ready, outcome)
        self.on_finished(made_room)

    async def _carry(self, ready: Ready) -> Outcome:
        try:
            return await self._carriers[ready.to.channel].send(ready)
        except Exception as error:  # noqa: BLE001 - our own bug must not lose a notice: it is tried again and counted
            return Outcome(Reason.UNEXPECTED, type(error).__name__)

    async def _write_down(self, ready: Ready, outcome: Outcome, verdict: Verdict) -> None:
        """Try for a while: a database that restarts must not turn an accepted notice into a second copy."""
        if self.keep is not None:
            now = self._clock.now()
            try:
                await within(self._outbox.record(ready, outcome, verdict, now), RECORD_S)
            except (TimeoutError, StoreUnavailable, Conflict):
                self.keep(ready, outcome, verdict, now)
            return
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
        policy = policy_of(ready.purpose, fire=ready.fire, first=ready.first, over_since=ready.over_since, now=now)
        verdict = decide(outcome, ready.attempts, policy, random.random(), now)
        await asyncio.shield(self._write_down(ready, outcome, verdict))
        self._metrics.attempts.labels(ready.to.channel, verdict.state, outcome.reason or "none").inc()
        if verdict.state is DeliveryState.DEAD and ready.first:
            self._metrics.first_dead.labels(ready.to.channel, outcome.reason or "none").inc()
        if (
            verdict.state is not DeliveryState.ACCEPTED or ready.repeated
        ):  # how long a telephone was off is no delay of ours
            return
        if ready.fire and ready.purpose is Purpose.NOTICE:
            self._metrics.fire_latency.observe(max(0.0, (now - ready.caused_at).total_seconds()))
