"""Fires are told while the database does not answer, and written down as they were told."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from services.alerts.adapters.interim_store import LocalInterimStore
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.ports import Changes, ClaimRequest, Ready, Refused
from services.alerts.worker.handover import Handover
from services.alerts.worker.interim import Interim
from services.runtime.patience import within
from tests.fakes.alerts_store import MemoryStore, MemoryTransaction, states
from tests.unit.alerts.build import at, event
from tests.unit.alerts.harness import Harness

FIRE = CaseKind.FIRE
BURNS = event(Happening.FIRED, kind=FIRE, point="1")
ALSO = event(Happening.FIRED, kind=FIRE, cause="d2", point="2", seconds=1)
OVER = event(Happening.RESTORED, kind=FIRE, cause="r1", seconds=5)


class Frail(MemoryStore):
    """A database that can be away."""

    away = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        if self.away:
            raise StoreUnavailable("away")
        async with super().transaction() as transaction:
            yield transaction

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        if self.away:
            raise StoreUnavailable("away")
        return await super().take(request)

    async def look(self, known: Collection[CaseId], limit: int) -> tuple[set[CaseId], list[Case]]:
        if self.away:
            raise StoreUnavailable("away")
        cases = [case for case in self.tables.cases.values() if case.is_open and case.is_urgent]
        return {case.case_id for case in cases}, [case for case in cases if case.case_id not in known]


class Without:
    """A harness, and beside it what tells from memory."""

    def __init__(self) -> None:
        self.harness = Harness(store=Frail())
        self.memory = LocalInterimStore(self.harness.composer.retell, self.harness.composer.first_recipients)
        self.harness.hand_over(Handover(self.memory), self.memory)
        intake, delivery_worker = self.harness.second_lane(self.memory)
        self.interim = Interim(
            store=self.memory,
            intake=intake,
            delivery_worker=delivery_worker,
            outbox=self.store,
            cases=self.store,
            fires=self.store,
            metrics=self.harness.metrics,
            clock=self.harness.clock,
        )

    @property
    def store(self) -> Frail:
        assert isinstance(self.harness.store, Frail)
        return self.harness.store

    async def lose(self) -> None:
        self.store.away = True
        await self.interim.look()
        assert self.interim.away

    async def take(self, *events: Event) -> None:
        """As the handler does: told from memory while the database is away."""
        if self.interim.away:
            await self.interim.take(events)
            await self.settled()
        else:
            await self.harness.take(*events, topic="alarms")
            await self.harness.finished()

    async def settled(self) -> None:
        await self.interim.drain()
        while await self.interim.deliver():
            await self.interim.drain()

    async def back(self, *events: Event) -> None:
        """The database answers, and what was told is taken in."""
        self.store.away = False
        await self.interim.look()
        await self.harness.take(*events, topic="alarms")
        await self.settled()
        await self.harness.pass_time(90, every=30)
        assert not self.memory.notices.rows(), "all of it is written down"

    def sent(self) -> Sequence[NoticeId]:
        return [ready.notice_id for _, ready in self.harness.carrier.sent]


async def test_fire_and_its_end_are_told_from_memory_and_written_down_once() -> None:
    here = Without()
    await here.lose()
    for one in (BURNS, ALSO, OVER):
        await here.take(one)
    assert [ready.subject.split(" ")[0] for _, ready in here.harness.carrier.sent] == [
        "F0",
        "F0",
        "F0.p2",
        "CLEAR",
        "CLEAR",
    ]
    await here.back(BURNS, ALSO, OVER)
    assert len(here.sent()) == 5, "nothing is sent again"
    assert set(here.sent()) == set(here.store.tables.notices)
    assert states(here.store) == {"F0": ["accepted"] * 2, "F0.p2": ["accepted"], "CLEAR": ["accepted"] * 2}
    (case,) = here.store.tables.cases.values()
    assert not case.is_open


async def test_fire_that_the_database_knew_goes_on_in_memory_under_its_own_case() -> None:
    here = Without()
    await here.take(BURNS)
    await here.lose()
    await here.take(ALSO)
    await here.take(OVER)
    assert [ready.case_id for _, ready in here.harness.carrier.sent] == [next(iter(here.store.tables.cases))] * 5
    await here.back(ALSO, OVER)
    assert len(here.sent()) == len(set(here.sent())) == 5


async def test_fire_of_another_process_is_known_when_the_database_goes_away() -> None:
    here = Without()
    await here.harness.take(event(kind=FIRE, point="1"))  # by rules, in the other process
    here.memory.cases.clear()
    await here.interim.look()
    await here.lose()
    await here.take(OVER)
    assert sorted(here.harness.recipients("CLEAR")) == ["centre", "room-U1"]


async def test_end_that_comes_after_the_return_is_told_to_those_who_heard_from_memory() -> None:
    here = Without()
    await here.lose()
    await here.take(BURNS)
    await here.back(BURNS, OVER)
    assert sorted(here.harness.recipients("CLEAR")) == ["centre", "room-U1"]
    assert here.harness.recipients("F0").count("centre") == 1


async def test_fire_that_was_over_when_told_from_memory_needs_no_all_clear() -> None:
    here = Without()
    await here.lose()
    await here.take(BURNS, OVER)
    await here.back(BURNS, OVER)
    assert [ready.subject for _, ready in here.harness.carrier.sent] == ["F0 U1 over", "F0 U1 over"]


async def test_a_notice_that_waited_in_the_database_does_not_say_fire_after_the_all_clear() -> None:
    here = Without()
    here.harness.carrier.answers = [Outcome(Reason.THROTTLED)]  # the centre's first notice waits for its next attempt
    await here.take(BURNS)
    await here.lose()
    with pytest.raises(StoreUnavailable):
        await here.harness.deliver()
    await here.take(OVER)
    assert sorted(here.harness.recipients("CLEAR")) == ["centre", "room-U1"]
    here.harness.clock.forward(2)
    here.store.away = False
    await here.interim.look()
    await here.harness.deliver()
    assert len(here.harness.recipients("F0")) == 2, "the end of the fire is not taken in yet"
    await here.back(OVER)
    subjects = [ready.subject for _, ready in here.harness.carrier.sent if ready.to.contact_id == "centre"]
    assert subjects[0] == "F0 U1"
    assert subjects[-1] == "F0 U1 over"


async def test_attempts_that_fail_without_the_database_go_on_with_it() -> None:
    here = Without()
    await here.lose()
    here.harness.carrier.answers = [Outcome(Reason.CONNECT), Outcome(Reason.CONNECT)]
    await here.take(BURNS)
    assert len(here.harness.recipients("F0")) == 2
    await here.back(BURNS)
    assert states(here.store) == {"F0": ["accepted", "accepted"]}
    assert [row.attempts for row in here.store.tables.notices.values()] == [2, 2]


async def test_attempt_that_could_not_be_written_down_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Without()

    async def nowhere(*args: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(here.store, "record", nowhere)
        await here.take(BURNS)
    assert states(here.store) == {"F0": ["sending", "sending"]}
    await here.lose()
    here.harness.clock.forward(120)  # the leases have run out
    here.store.away = False
    await here.interim.look()
    await here.harness.deliver()
    await here.settled()
    assert states(here.store) == {"F0": ["accepted", "accepted"]}
    assert len(here.sent()) == 2


async def test_who_ends_writes_down_what_was_sent_though_the_database_was_long_in_answering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Without()

    async def nowhere(*args: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(here.store, "record", nowhere)
        await here.take(BURNS)
    await here.interim.leave()
    assert states(here.store) == {"F0": ["accepted", "accepted"]}
    assert not here.memory.notices.rows()
    here.harness.restart()
    await here.harness.pass_time(180, every=61)
    assert len(here.sent()) == 2


async def test_who_ends_without_a_database_says_what_will_be_sent_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Without()
    await here.lose()
    await here.take(BURNS)

    async def nowhere(*args: object) -> set[NoticeId]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(here.store, "known", nowhere)
    with structlog.testing.capture_logs() as said:
        await here.interim.leave()
    assert [(line["event"], line["notices"]) for line in said] == [("sent_and_not_written_down", 2)]


async def test_what_the_ordinary_lane_wrote_first_is_written_down_as_told_and_not_sent_again() -> None:
    here = Without()
    await here.lose()
    for one in (BURNS, OVER):
        await here.take(one)
    sent = len(here.sent())
    here.store.away = False
    here.harness.clock.forward(30)
    other = here.harness.ordinary()
    claim, _ = await here.store.claim("findings", 0, "other")
    began = event(kind=FIRE, point="1")
    await other.take(claim, [began, replace(began, event_id="end", happening=Happening.ENDED, detected_at=at(5))], 2)
    await here.harness.finished()
    await here.interim.look()
    await here.harness.take(BURNS, OVER, topic="alarms")
    await here.settled()
    await here.harness.pass_time(90, every=6)
    await here.settled()
    assert len(here.sent()) == sent == 4
    assert states(here.store) == {"F0": ["accepted"] * 2, "CLEAR": ["accepted"] * 2}


async def test_what_lands_while_it_is_being_written_down_is_not_left_as_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Without()
    await here.lose()
    leave = asyncio.Event()
    send = here.harness.carrier.send

    async def slow(notice: Ready) -> Outcome:
        await leave.wait()
        return await send(notice)

    save = MemoryTransaction.save

    async def landing(self: MemoryTransaction, changes: Changes) -> set[NoticeId]:
        new = await save(self, changes)
        leave.set()
        await here.interim.drain()
        return new

    with monkeypatch.context() as slowly:
        slowly.setattr(here.harness.carrier, "send", slow)
        slowly.setattr(MemoryTransaction, "save", landing)
        await here.interim.take([BURNS])
        here.store.away = False
        await here.interim.look()
        await here.harness.take(BURNS, topic="alarms")
    await here.settled()
    assert states(here.store) == {"F0": ["accepted", "accepted"]}
    assert len(here.sent()) == 2


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.adapters.interim_store.MAX_CASES", 3)
    monkeypatch.setattr("services.alerts.adapters.interim_notices.MAX_NOTICES", 4)
    monkeypatch.setattr("services.alerts.adapters.interim_store.MAX_SEEN", 5)
    here = Without()
    await here.lose()
    for number in range(9):
        await here.take(replace(event(Happening.FIRED, of=f"U{number}", kind=FIRE), event_id=f"e{number}"))
    assert (len(here.memory.cases), len(here.memory.notices.rows()), len(here.memory.seen)) == (3, 4, 5)
    assert here.harness.recipients("F0").count("centre") == 9


async def test_answer_that_came_while_we_stood_still_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = asyncio.Event()
    recipients = iter([0.0, 40.0])

    def monotonic() -> float:
        at_now = next(recipients, 100.0)
        if at_now == 40.0:
            answered.set()  # what lay unread
        return at_now

    monkeypatch.setattr("services.runtime.patience.CLOCK.monotonic", monotonic)
    await within(answered.wait(), 0.001)


async def test_one_error_is_not_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Without()
    sound, errors = here.store.look, [StoreUnavailable("session ended")]

    async def look(known: Collection[CaseId], limit: int) -> tuple[set[CaseId], list[Case]]:
        if errors:
            raise errors.pop()
        return await sound(known, limit)

    monkeypatch.setattr(here.store, "look", look)
    assert not await here.interim.look()


async def test_two_may_ask_at_once_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler of a partition and the watch do, when this process has stood still for a while."""
    here = Without()
    sound, asked, answer = here.store.look, 0, asyncio.Event()

    async def look(known: Collection[CaseId], limit: int) -> tuple[set[CaseId], list[Case]]:
        nonlocal asked
        asked += 1
        await answer.wait()
        return await sound(known, limit)

    monkeypatch.setattr(here.store, "look", look)
    both = [asyncio.create_task(here.interim.look()) for _ in range(2)]
    await asyncio.sleep(0)
    answer.set()
    assert [await one for one in both] == [False, False]
    assert asked == 1


async def test_what_hangs_is_waited_for_no_longer_than_one_can_afford() -> None:
    never, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await never.wait()
        done.set()

    with pytest.raises(TimeoutError):
        await within(work(), 0.001)
    never.set()
    await done.wait()
