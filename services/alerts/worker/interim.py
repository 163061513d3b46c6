"""The fire lane while the database does not answer: fires, their points and their ends are told from memory.

The decisions, the letters and the delivery are the same as ever, over a store in memory; so are all ids, for they come
from the signals. The records stay where they are in the log: once the database is back they are taken in as usual, and
what was told meanwhile is written down as it was sent.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Event
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.errors import Conflict, StoreUnavailable
from services.alerts.domain.ids import CaseId
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, Changes, InterimStore, OpenFires, Outbox, PartitionClaim, Ready
from services.alerts.worker.delivery import DeliveryWorker
from services.alerts.worker.handover import bring
from services.alerts.worker.intake import CaseIntake
from services.runtime.clock import Clock
from services.runtime.logging import get_logger
from services.runtime.patience import is_done, within

DECIDE_S = 2.0
"""A database that has not answered a question of the fire lane within this is taken for away."""
OPEN_FIRES = 2_000
"""Open fires that are known while the database is away; a further point of one that is not opens a case of its own."""
NOBODYS = timedelta(minutes=10)
"""So long what was told from memory waits for its record; of what the database tells under another id none comes."""
TAKEN_IN_S = 5.0
"""So long after the return the records of the outage are being taken in, and what was told with them."""
LEAVE_TRIES = 3
_NO_CLAIM = PartitionClaim("", 0, 0)


class Interim:
    """Says whether the database is away, and tells from memory while it is."""

    def __init__(
        self,
        *,
        store: InterimStore,
        intake: CaseIntake,
        delivery_worker: DeliveryWorker,
        outbox: Outbox,
        cases: CaseStore,
        fires: OpenFires,
        metrics: AlertsMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._intake = intake
        self._delivery_worker = delivery_worker
        self._outbox = outbox
        self._cases = cases
        self._fires = fires
        self._metrics = metrics
        self._clock = clock
        self._looking: tuple[int, asyncio.Task[tuple[set[CaseId], list[Case]]]] | None = None
        self.away = False
        self._found_at = 0.0
        self.on_found: Callable[[], None] = lambda: None
        """Called when the database is back."""

    def lost(self) -> None:
        """The database has not answered."""
        self.away = True
        self._metrics.database_away.set(1)

    def found(self) -> None:
        """It has."""
        if self.away:
            self._found_at = self._clock.monotonic()
            self.away = False
            self.on_found()
        self._metrics.database_away.set(0)

    async def take(self, events: Sequence[Event]) -> None:
        """Tell of what happened. Raises NoPack when nobody can say whom."""
        if events:
            self._metrics.notified_from_memory.inc(len(events))
            await self._intake.take(_NO_CLAIM, events, 0)

    async def deliver(self) -> int:
        """Bring out what waits while the database is away; else have it written down. Raises StoreUnavailable."""
        if self.away:
            return await self._delivery_worker.turn()
        rows = [row for row in self._store.notices.rows().values() if not row.in_flight and not row.held]
        if not rows:
            return 0
        try:
            return await within(self._write_down(rows), DECIDE_S)
        except TimeoutError as error:
            raise StoreUnavailable(str(error)) from error

    async def _write_down(self, rows: Sequence[InterimRow]) -> int:
        known = await self._outbox.known([row.notice.notice_id for row in rows])
        now = self._clock.now()
        written = 0
        for row in rows:
            if row.notice.notice_id in known:
                if row.outcome is not None and row.verdict is not None:
                    ready = Ready.of(row.notice, None, row.attempts)
                    await self._outbox.record(ready, row.outcome, row.verdict, row.ended_at or now)
                self._store.notices.drop(row.notice.notice_id)
                self._metrics.written_down.inc()
                written += 1
            elif now - row.notice.created_at > NOBODYS or await self._written_alone(row):
                self._store.notices.drop(row.notice.notice_id)
        return written

    async def _written_alone(self, row: InterimRow) -> bool:
        """Write down what was sent and nobody else writes: the ordinary lane was faster with the case and its end."""
        if not row.attempts or self._clock.monotonic() - self._found_at < TAKEN_IN_S:
            return False
        async with self._cases.transaction() as transaction:
            if await transaction.case(row.notice.case_id) is None:
                return False
            changes = Changes(notices=[row.notice])
            bring(changes, row)
            await transaction.save(changes)
        self._metrics.written_down.inc()
        return True

    async def look(self) -> bool:
        """Ask the database for its open fires, and so whether it answers; return whether it is away.

        An error is no silence: its session may have ended while we stood still. So it is asked a second time.
        """
        for final in (False, True):
            if self._looking is None:
                number = self._store.begin_look()
                task = asyncio.create_task(self._fires.look(self._store.known(), OPEN_FIRES))
                self._looking = number, task
            # one question at a time, whoever asks: those that hang would take the lane's connections
            looking = number, task = self._looking
            if not await is_done(task, DECIDE_S):
                self.lost()
                break
            if self._looking is looking:
                self._looking = None
            try:
                open_ids, news = task.result()
            except (StoreUnavailable, Conflict):
                if final:
                    self.lost()
                continue
            for case in news:
                self._store.know(case)
            self._store.keep_open(open_ids, number)
            self.found()
            break
        return self.away

    async def drain(self) -> None:
        await self._delivery_worker.drain()

    async def leave(self) -> None:
        """Before the process ends: write down what was sent, for nobody else knows that. Raises nothing.

        What the database cannot be told is sent once more by whoever reads the log on: counted in the log.
        """
        for _ in range(LEAVE_TRIES):
            rows = [row for row in self._store.notices.rows().values() if row.attempts]
            if not rows:
                return
            with contextlib.suppress(TimeoutError, StoreUnavailable, Conflict):
                if not await within(self._write_down(rows), DECIDE_S):
                    break
        left = sum(row.state == "accepted" for row in self._store.notices.rows().values())
        if left:
            get_logger().warning("sent_and_not_written_down", notices=left, meaning="they are sent once more")
