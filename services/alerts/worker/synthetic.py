"""Sends synthetic alarms, follows them on their way and says when one did not arrive."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.domain.case.event import Event
from services.alerts.domain.case.lifecycle import Known, Terms, decide
from services.alerts.domain.case.subject import SubjectFacts
from services.alerts.domain.delivery.letters import letter_of_step
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.pack_rules import WITHOUT_PACK
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.domain.synthetic import Run, RunOutcome, RunResult, Stage, Why, mark_of, run_id_of, slot_of
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import DeliveryChannel, LetterWriter, NotSent, Ready, SyntheticRuns, SyntheticSender
from services.kernel.words import Channel, Purpose
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

MAX_WAITING = 64
LOOK_EVERY_S = 1.0
FIRST_AFTER_S = 120.0
"""A process sends none before: while everything starts, or is upgraded one by one, none would arrive."""
AGAIN_AFTER = timedelta(minutes=10)
"""After one that did not arrive: whether it was a moment's trouble is not to be known a day later."""
TRIES = 3
BETWEEN_TRIES_S = 1.0
OURS = "synthetic"


def notice_id_of_run(run_id: str) -> NoticeId:
    return NoticeId(f"{OURS}-{run_id}")


class SyntheticAlarms:
    """Takes what lanes read of synthetic alarms; decides, writes and brings out the notice of each.

    The same functions as for every fire decide and write; what is written stands in rows of its own. A case among the
    cases would have to be kept out of every list, count, banner and letter, one by one.
    """

    def __init__(
        self,
        *,
        runs: SyntheticRuns,
        channel: DeliveryChannel,
        writer: LetterWriter,
        receiver: str,
        key: bytes,
        pace: Pace,
        metrics: AlertsMetrics,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """`receiver`: the URL of our own receipt."""
        self._runs = runs
        self._channel = channel
        self._writer = writer
        self._to = Address(ContactId(OURS), BodyCode(OURS), Channel.WEBHOOK, receiver, None, "zh")
        self._key = key
        self._pace = pace
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._waiting: deque[tuple[Stage, str, Event]] = deque()

    def take(self, stage: Stage, event: Event) -> bool:
        """Return whether an event is a synthetic alarm's, and follow it then: for everybody else it never was."""
        run_id = run_id_of(event, self._key)
        if run_id is None:
            return False
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((stage, run_id, event))
            self._wake()
        else:
            self._metrics.synthetic_overflow.inc()
        return True

    async def turn(self) -> int:
        """Work off what was taken. Raises StoreUnavailable, and goes on with the same the next time."""
        done = 0
        while self._waiting:
            stage, run_id, event = self._waiting[0]
            await self._follow(stage, run_id, event)
            self._waiting.popleft()
            done += 1
        return done

    async def _follow(self, stage: Stage, run_id: str, event: Event) -> None:
        now = self._clock.now()
        if stage is Stage.ALARM:
            await self._runs.passed(run_id, Stage.RECEIVED, event.detected_at)
        await self._runs.passed(run_id, stage, now)
        if stage is Stage.ALARM and await self._runs.open_case(run_id, self._clock.now()):
            await self._tell(run_id, event, now)

    async def _tell(self, run_id: str, event: Event, now: datetime) -> None:
        notice = self._notice(run_id, event, now)
        outcome = await self._channel.send(notice)
        for _ in range(TRIES - 1):
            if outcome.reason is None:
                break
            await asyncio.sleep(BETWEEN_TRIES_S)
            outcome = await self._channel.send(notice)
        if outcome.reason is None:
            await self._runs.passed(run_id, Stage.NOTICE, self._clock.now())
        else:
            await self._runs.failed(run_id, f"notice: {outcome.reason} {outcome.detail}".strip())

    def _notice(self, run_id: str, event: Event, now: datetime) -> Ready:
        facts = SubjectFacts(event.subject, name="自检报警", name_en="Synthetic alarm")
        case = decide(Known(), event, Terms(WITHOUT_PACK, facts, self._pace), now).case
        assert case is not None, "a fire of which nothing is known opens a case"
        letter = letter_of_step(case, case.ladder[0], now, event=event, first=True)
        notice_id = notice_id_of_run(run_id)
        subject, body, _ = self._writer.write(letter, notice_id, self._to)
        return Ready(
            notice_id=notice_id,
            case_id=case.case_id,
            to=self._to,
            subject=subject,
            body=body,
            fire=True,
            attempts=1,
            purpose=Purpose.NOTICE,
            lang=self._to.lang,
            caused_at=event.detected_at,
            first=True,
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` zero: none is sent but on command."""

    every: timedelta
    deadline: timedelta


class SyntheticSchedule:
    """Begins the runs whose time has come, ends those that are over and says what became of them."""

    def __init__(
        self,
        *,
        runs: SyntheticRuns,
        sender: SyntheticSender | None,
        schedule: Schedule,
        new_id: Callable[[], str],
        key: bytes,
        metrics: AlertsMetrics,
        clock: Clock,
    ) -> None:
        """Without a `sender` nothing is sent; what others sent is ended and told all the same."""
        self._runs = runs
        self._sender = sender
        self._schedule = schedule
        self._new_id = new_id
        self._key = key
        self._metrics = metrics
        self._clock = clock
        self._begun: int | None = None
        self._started_at = clock.monotonic()
        self._looked_at: float | None = None
        if self._is_on:
            metrics.synthetic_interval.set(schedule.every.total_seconds())

    @property
    def _is_on(self) -> bool:
        return self._sender is not None and bool(self._schedule.every)

    async def turn(self) -> int:
        """Look once a second at most. Raises StoreUnavailable."""
        at = self._clock.monotonic()
        if self._looked_at is not None and at - self._looked_at < LOOK_EVERY_S:
            return 0
        self._looked_at = at
        if self._is_on and at - self._started_at >= FIRST_AFTER_S:
            await self._begin_due()
        for result in await self._runs.end(self._clock.now()):
            self._tell(result)
        await self._show()
        return 0

    async def begin(self, why: Why, slot: int | None = None) -> Run | None:
        """Send one now; None when its slot was begun by somebody else. What goes wrong is noted with the run."""
        assert self._sender is not None, "whoever asks has looked"
        now = self._clock.now()
        run = Run(self._new_id(), why, now, now + self._schedule.deadline, slot)
        if not await self._runs.begin(run):
            return None
        try:
            await self._sender.send(run.run_id, mark_of(run, self._key))
        except NotSent as error:
            get_logger().error("synthetic_alarm_not_sent", run_id=run.run_id, error=str(error))
            await self._runs.failed(run.run_id, f"sent: {error}")
        else:
            await self._runs.passed(run.run_id, Stage.SENT, self._clock.now())
        return run

    async def _begin_due(self) -> None:
        now = self._clock.now()
        slot = slot_of(now, self._schedule.every)
        if slot != self._begun:
            await self.begin(Why.SCHEDULE, slot)
            self._begun = slot
            return
        last = await self._runs.last()
        if last is not None and last.outcome is not RunOutcome.ARRIVED and now - last.run.started_at >= AGAIN_AFTER:
            await self.begin(Why.SCHEDULE, -slot_of(now, AGAIN_AFTER))  # below zero: a number of no other slot

    def _tell(self, result: RunResult) -> None:
        assert result.outcome is not None, "the store has just ended it"
        self._metrics.synthetic_runs.labels(result.outcome).inc()
        said = {"run_id": result.run.run_id, "why": str(result.run.why), "took_s": result.took.total_seconds()}
        if result.outcome is RunOutcome.ARRIVED:
            get_logger().info("synthetic_alarm_arrived", **said)
        else:
            get_logger().error(
                "synthetic_alarm_failed",
                outcome=str(result.outcome),
                missing=[str(stage) for stage in result.missing],
                detail=result.detail,
                **said,
            )

    async def _show(self) -> None:
        last, arrived = await self._runs.last(), await self._runs.last_arrived()
        self._metrics.synthetic_failing.set(last is not None and last.outcome is not RunOutcome.ARRIVED)
        if arrived is not None:
            self._metrics.synthetic_last_success.set(arrived.run.started_at.timestamp())
            self._metrics.synthetic_duration.set(arrived.took.total_seconds())
