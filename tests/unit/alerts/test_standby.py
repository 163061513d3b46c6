"""The handler of the fire lane while the database fails, hangs or cannot be asked at all."""

import asyncio

import pytest

from services.alerts.adapters import topic_handler
from services.alerts.adapters.kafka_events import event_of_finding
from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.ports import PartitionClaim
from services.runtime.kafka_loop import Unavailable
from tests.fakes.alerts import MemoryStandby
from tests.fakes.alerts_store import MemoryStore
from tests.unit.alerts.test_adapters import Taker, findings


class Claims(MemoryStore):
    """Claims answer when they may."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        await self.answers.wait()
        return await super().claim(topic, partition, owner)


class Harness:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(topic_handler, "backoff_s", lambda attempt: 0.001)
        self.taker, self.memory, self.store = Taker(), MemoryStandby(), Claims()
        self.progress = 0
        self.handler = TopicHandler(
            topic="firenet.findings.v1",
            decode=event_of_finding,
            store=self.store,
            intake=self.taker,
            owner="me",
            at_once=10,
            side_by_side=2,
            hold=3,
            on_rejected=lambda: None,
            on_progress=self._beat,
            standby=self.memory,
            patience_s=0.005,
        )

    def _beat(self) -> None:
        self.progress += 1

    async def until_told(self, *units: str) -> None:
        async with asyncio.timeout(30):
            while self.memory.recipients != list(units):  # noqa: ASYNC110 - the handler tells nobody when it has
                await asyncio.sleep(0)

    async def until_taken(self, next_offset: int) -> None:
        async with asyncio.timeout(30):
            while self.handler.saved() != {0: next_offset}:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)


@pytest.fixture
async def harness(monkeypatch: pytest.MonkeyPatch) -> Harness:
    one = Harness(monkeypatch)
    await one.handler.assigned(0)
    return one


async def test_what_the_database_does_not_take_is_told_from_memory_and_taken_later(
    harness: Harness,
) -> None:
    harness.taker.failing["U1"] = StoreUnavailable("gone")
    await harness.handler.handle({0: findings("U1")})
    await harness.until_told("U1")
    await harness.handler.handle({0: findings("U1", "U2")[1:]})
    assert harness.memory.recipients == ["U1", "U2"], "at once, without asking the database first"
    harness.taker.failing.clear()
    await harness.until_taken(2)
    assert not harness.memory.away


async def test_transaction_that_hangs_is_left_and_its_late_end_counts(harness: Harness) -> None:
    harness.taker.slow["U1"] = asyncio.Event()
    await harness.handler.handle({0: findings("U1")})
    await harness.until_told("U1")
    harness.taker.slow["U1"].set()
    await harness.until_taken(1)
    assert [units for units, _ in harness.taker.taken] == [["U1"]], "the same transaction, not a second one"


async def test_what_finds_no_room_is_told_and_read_again(harness: Harness) -> None:
    harness.taker.failing["U1"] = StoreUnavailable("gone")
    await harness.handler.handle({0: findings("U1")})
    await harness.until_told("U1")
    await harness.handler.handle({0: findings("U1", "U2", "U3", "U4", "U5")[1:]})
    assert harness.memory.recipients == ["U1", "U2", "U3", "U4", "U5"]
    await harness.handler.idle()
    assert harness.progress, "it makes progress, from memory"
    harness.taker.failing.clear()
    await harness.until_taken(1)
    with pytest.raises(Unavailable, match="reading on"):
        await harness.handler.idle()


async def test_partition_that_cannot_be_claimed_is_told_from_memory_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = Harness(monkeypatch)
    harness.store.answers.clear()
    assert await harness.handler.assigned(0) is None
    await harness.handler.handle({0: findings("U1")})
    assert harness.memory.recipients == ["U1"]
    await harness.handler.idle()
    harness.store.answers.set()
    harness.memory.found()
    with pytest.raises(Unavailable, match="reading on"):
        await harness.handler.idle()
    await harness.handler.revoked([0])
    assert await harness.handler.assigned(0) == 0
    await harness.handler.handle({0: findings("U1")})
    await harness.until_taken(1)


async def test_what_a_restored_log_has_of_long_ago_is_taken_in_and_not_told_from_memory(harness: Harness) -> None:
    harness.handler.begins_at(0, 0, 2)
    harness.memory.lost()
    harness.taker.failing["U1"] = StoreUnavailable("gone")
    await harness.handler.handle({0: findings("U1", "U2", "U3")})
    assert harness.memory.recipients == ["U3"]
    harness.taker.failing.clear()
    await harness.until_taken(3)


async def test_our_own_bug_costs_one_fire_not_those_behind_it(harness: Harness) -> None:
    harness.memory.lost()
    await harness.handler.handle({0: findings("U1", "BUG", "U2")})
    assert harness.memory.recipients == ["U1", "U2"]


async def test_error_of_a_database_that_answers_all_the_same_tells_nothing_from_memory(
    harness: Harness,
) -> None:
    harness.memory.answers = True
    harness.taker.failing["U1"] = StoreUnavailable("the session ended while we stood still")
    await harness.handler.handle({0: findings("U1")})
    async with asyncio.timeout(30):
        await harness.memory.looked.wait()
    harness.taker.failing.clear()
    await harness.until_taken(1)
    assert not harness.memory.recipients


async def test_what_hangs_in_a_transaction_is_told_before_what_comes_behind_it(
    harness: Harness,
) -> None:
    harness.taker.slow["U1"] = asyncio.Event()
    one, two = findings("U1", "U2")
    await harness.handler.handle({0: [one]})
    harness.memory.lost()  # somebody else has noticed first
    await harness.handler.handle({0: [two]})
    assert harness.memory.recipients == ["U1", "U2"]
    harness.taker.slow["U1"].set()
    await harness.until_taken(2)
