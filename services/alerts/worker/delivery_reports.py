"""What providers report of text messages and calls: taken in when pushed, asked for where they may be."""

import asyncio
from collections.abc import Mapping
from functools import partial

from services.alerts.domain.delivery.attempts import DeliveryState
from services.alerts.domain.delivery.delivery_reports import ReadReports, ReportOutcome, after_failure
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import DeliveryReports, ReportQuery
from services.kernel.words import Channel
from services.runtime.clock import Clock

QUESTIONS_AT_ONCE = 10


class DeliveryReportIntake:
    """Takes reports in one by one: each is true or not by itself, and what was taken before has no second effect."""

    def __init__(self, *, store: DeliveryReports, metrics: AlertsMetrics, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock

    async def take(self, channel: Channel, read: ReadReports) -> bool:
        """Return whether all that stood in it was taken, else it is to be brought again.

        One about a message that nobody knows may be quicker than our own record of it. Raises StoreUnavailable,
        Conflict.
        """
        count = self._metrics.delivery_reports
        count.labels(channel, ReportOutcome.UNREADABLE).inc(read.unreadable)
        all_taken = not read.left
        for report in read.reports:
            now = self._clock.now()
            for taken in await self._store.take(channel, report, now, partial(after_failure, now=now)):
                count.labels(channel, taken.fate).inc()
                all_taken = all_taken and taken.fate is not ReportOutcome.UNKNOWN
                if taken.given_up:
                    reason = report.reason or Reason.NOT_DELIVERED
                    self._metrics.attempts.labels(channel, DeliveryState.DEAD, reason).inc()
                    self._metrics.first_dead.labels(channel, reason).inc(taken.first)
        return all_taken


class DeliveryReportQuestions:
    """Asks providers that push nothing; each message ever more seldom, until its report has come."""

    def __init__(
        self,
        *,
        store: DeliveryReports,
        queries: Mapping[Channel, ReportQuery],
        intake: DeliveryReportIntake,
        clock: Clock,
    ) -> None:
        self._store = store
        self._queries = queries
        self._intake = intake
        self._clock = clock

    async def turn(self) -> int:
        """Ask for what is due; return how many messages that were. Raises StoreUnavailable, Conflict."""
        asked = 0
        for channel, query in self._queries.items():
            messages = await self._store.to_ask(channel, self._clock.now(), QUESTIONS_AT_ONCE)
            for read in await asyncio.gather(*(query.ask(message) for message in messages)):
                if read is not None:
                    await self._intake.take(channel, read)
            asked += len(messages)
        return asked
