"""Takes findings and fire signals in: decides about each, writes all effects and the offset in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.alerts.domain.case.case import Case, case_id_of
from services.alerts.domain.case.event import Event
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.case.lifecycle import Action, Decision, Known, Terms, decide, older_than_last
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict
from services.alerts.domain.escalation.ladder import awaited, reached
from services.alerts.domain.escalation.pack_rules import WITHOUT_PACK
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Changes, Directory, IntakeStore, IntakeTransaction, LockedCases, PartitionClaim
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.handover import Handover
from services.alerts.worker.notice_composer import NoticeComposer, cancel_waiting
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

CONFLICT_TRIES = 6
YIELD_EVERY = 20
LATE = timedelta(seconds=3)
GRACE = timedelta(seconds=5)
"""A fire that reaches the ordinary lane late may have been told from memory by the fire lane, which says so first."""


FirstAttempts = Callable[[Changes], AbstractContextManager[set[NoticeId]]]
"""See DeliveryWorker.first_attempts."""


@contextmanager
def _none(changes: Changes) -> Iterator[set[NoticeId]]:
    yield set()


@dataclass(slots=True)
class _Batch:
    """What one transaction has decided so far."""

    changes: Changes = field(default_factory=Changes)
    closed: dict[CaseId, tuple[Case, Event]] = field(default_factory=dict)
    counts: list[tuple[CaseKind, Action]] = field(default_factory=list)
    without_pack: list[tuple[Subject, str]] = field(default_factory=list)
    duplicates: int = 0


class CaseIntake:
    """The case book's keeper. Several may run: rows are locked, and a lost race is run again from what stands."""

    def __init__(
        self,
        *,
        store: IntakeStore,
        directory: Directory,
        composer: NoticeComposer,
        metrics: AlertsMetrics,
        clock: Clock,
        wake: Callable[[], None],
        fire_priority: FirePriority,
        first_attempts: FirstAttempts = _none,
        handover: Handover | None = None,
        defers: bool = False,
    ) -> None:
        self._store = store
        self._directory = directory
        self._composer = composer
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._fire_priority = fire_priority
        self._first_attempts = first_attempts
        self._handover = handover or Handover()
        self._defers = defers

    async def take(self, claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> None:
        if not any(event.kind in URGENT for event in events):
            await self._fire_priority.give_way()
            await self._take(claim, events, next_offset)
            return
        with self._fire_priority.fire():
            await self._take(claim, events, next_offset)

    async def _take(self, claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> None:
        for attempt in range(CONFLICT_TRIES):
            try:
                batch = await self._take_once(claim, events, next_offset)
                break
            except Conflict:
                if attempt == CONFLICT_TRIES - 1:
                    raise
        else:
            raise AssertionError("the loop above returns or raises")
        self._metrics.duplicates.labels(claim.topic).inc(batch.duplicates)
        for kind, action in batch.counts:
            self._metrics.events.labels(kind, action).inc()
        self._metrics.without_pack.inc(len(batch.without_pack))
        for subject, district in batch.without_pack:
            get_logger().warning("case_without_pack", subject=subject.id, district=district)
        self._metrics.written_down.inc(len(batch.changes.brought))
        # a storm that woke every task with every batch would have them ask the database for nothing, batch by batch
        if batch.changes.leaves_work or batch.changes.has_step_due(self._clock.now()):
            self._wake()

    async def _take_once(self, claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> _Batch:
        batch = _Batch()
        with self._handover.lend() as lent, ExitStack() as after_commit:
            async with self._store.transaction() as transaction:
                await self._decide(transaction, claim, events, next_offset, batch)
                self._handover.settle(batch.changes, lent)
                leaving = after_commit.enter_context(self._first_attempts(batch.changes))
                new = await transaction.save(batch.changes)
            leaving |= new
            lent.done = True
            self._handover.learn(batch.changes)
        return batch

    async def _decide(
        self,
        transaction: IntakeTransaction,
        claim: PartitionClaim,
        events: Sequence[Event],
        next_offset: int,
        batch: _Batch,
    ) -> None:
        by_id: dict[str, Event] = {}
        for event in events:  # a repeat counts where it came first: an end that lies between comes after the begin
            by_id.setdefault(event.event_id, event)
        once = list(by_id.values())
        fresh, book = await transaction.begin(
            claim,
            next_offset,
            [event.event_id for event in once],
            {(event.subject, event.kind) for event in once},
            {case_id_of(event.finding_id) for event in once},
            self._clock.now(),
        )
        batch.duplicates = len(events) - len(fresh)
        fire = any(event.kind in URGENT for event in once)
        for number, event in enumerate(once, start=1):
            if event.event_id in fresh:
                await self._take_event(transaction, book, event, batch)
            # with a fire among them this batch may hold the very case that the fire lane waits for: no giving way
            if number % YIELD_EVERY == 0 and not fire:
                await self._fire_priority.give_way()
        await self._all_clears(transaction, batch)

    async def _take_event(self, transaction: IntakeTransaction, book: LockedCases, event: Event, batch: _Batch) -> None:
        now = self._clock.now()
        key = (event.subject, event.kind)
        known = Known(
            open=book.open.get(key),
            same=book.by_id.get(case_id_of(event.finding_id)),
            last_closed=book.last_closed.get(key),
        )
        if older_than_last(known, event):
            found = await transaction.case_at(event.subject, event.kind, event.detected_at)
            known = replace(known, earlier=book.by_id.get(found.case_id, found) if found else None)
        facts = self._directory.facts(event.subject, now)
        terms = Terms(self._directory.rules(now, facts.district), facts, self._composer.pace)
        decision = decide(known, event, terms, now)
        batch.counts.append((event.kind, decision.action))
        if decision.action is Action.OPENED and terms.rules is WITHOUT_PACK:
            batch.without_pack.append((event.subject, facts.district))
        self._composer.note(batch.changes, decision, event, now)
        if decision.case is None or decision.action is Action.IGNORED:
            return
        case = self._apply(decision, event, batch)
        _keep(book, key, case)

    def _apply(self, decision: Decision, event: Event, batch: _Batch) -> Case:
        now = self._clock.now()
        case = decision.case
        assert case is not None, "an ignored event does not come here"
        if decision.action is Action.OPENED:
            batch.changes.opened[case.case_id] = case
        else:
            batch.changes.put(case)
        if decision.begins_anew:
            batch.changes.unshelved.append(case.case_id)
        if decision.action is Action.REOPENED:
            batch.changes.cancelled[case.case_id] = Reason.REOPENED
            batch.closed.pop(case.case_id, None)
        if decision.action is Action.CLOSED:
            cancel_waiting(batch.changes, case, Reason.CASE_CLOSED)
            batch.closed[case.case_id] = (case, event)
            batch.changes.notices = [
                self._composer.retell(one, case) if one.first and one.case_id == case.case_id else one
                for one in batch.changes.notices
            ]
        if decision.action is Action.REOPENED and case.flapping.holds_open:
            self._composer.notify_flapping(batch.changes, case, now)
        if decision.action is Action.COMPONENT_ADDED:
            self._composer.notify_component(batch.changes, case, event, now)
        if self._defers and case.is_urgent and decision.action is Action.OPENED and now - event.detected_at > LATE:
            batch.changes.not_before = now + GRACE
        # the first step of a fire is taken in the same transaction, not by the ladder's clock; so is one that waits for
        # what has just happened
        at_once = case.is_urgent and decision.action is Action.OPENED
        step = case.ladder[0] if at_once else awaited(case, decision.action)
        if step is not None:
            case = self._composer.take_step(batch.changes, case, step, now, event=event)
        # one close may make several steps due: each is taken, in its order
        while event.close is not None and (step := reached(case, event.close)) is not None:
            case = self._composer.take_step(batch.changes, case, step, now, event=event)
        return case

    async def _all_clears(self, transaction: IntakeTransaction, batch: _Batch) -> None:
        if not batch.closed:
            return
        recipients = await transaction.recipients(list(batch.closed))
        now = self._clock.now()
        for case_id, (case, event) in batch.closed.items():
            reached = dict.fromkeys([*recipients.get(case_id, []), *self._handover.recipients(batch.changes, case_id)])
            self._composer.all_clear(batch.changes, case, list(reached), now, event)


def _keep(book: LockedCases, key: tuple[Subject, CaseKind], case: Case) -> None:
    book.by_id[case.case_id] = case
    if case.is_open:
        book.open[key] = case
        if key in book.last_closed and book.last_closed[key].case_id == case.case_id:
            del book.last_closed[key]
        return
    if key in book.open and book.open[key].case_id == case.case_id:
        del book.open[key]
    last = book.last_closed.get(key)
    if last is None or last.case_id == case.case_id or _closed_later(case, last):
        book.last_closed[key] = case


def _closed_later(case: Case, other: Case) -> bool:
    return case.closed_at is not None and (other.closed_at is None or case.closed_at >= other.closed_at)
