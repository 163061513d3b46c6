"""After a batch that failed aiokafka's idempotent producer is of no use any more: another one takes its place."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import LeaderNotAvailableError, OutOfOrderSequenceNumber, UnknownTopicOrPartitionError

from services.runtime import kafka
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record


class Client:
    """aiokafka's producer beside a broker that refuses what comes behind a sequence number that it never got."""

    made: list["Client"]
    brokers: list[BaseException | None]
    """What becomes of the batches of each client: None takes them."""
    start_fails = False

    def __init__(self, **_: Any) -> None:
        self.made.append(self)
        self.number = len(self.made) - 1
        self.waiting: list[asyncio.Future[Any]] = []
        self.closed = False
        self._sender = SimpleNamespace(sender_task=None)
        self._message_accumulator = SimpleNamespace(fail_all=self._fail_all)
        self.client = SimpleNamespace(close=self.stop)
        self._missing = False

    def _fail_all(self, error: BaseException) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(error)

    async def start(self) -> None:
        if Client.start_fails:
            raise OSError

    async def stop(self) -> None:
        self.closed = True

    def create_batch(self) -> Any:
        return SimpleNamespace(append=lambda **_: object(), close=lambda: None)

    async def send_batch(self, _: Any, topic: str, partition: int) -> "asyncio.Future[Any]":
        if topic == "missing":
            raise UnknownTopicOrPartitionError
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        if topic != "slow":
            error = self.brokers[self.number]
            if error is None:
                future.set_result(SimpleNamespace(offset=7))
            else:
                future.set_exception(error)
                self.brokers[self.number] = OutOfOrderSequenceNumber()
        return future


@pytest.fixture
async def producer(monkeypatch: pytest.MonkeyPatch) -> BatchProducer:
    Client.made, Client.brokers, Client.start_fails = [], [LeaderNotAvailableError(), None, None], False
    monkeypatch.setattr(kafka, "AIOKafkaProducer", Client)
    one = BatchProducer("nowhere", "test")
    await one.start()
    return one


ONE = [Record("t", b"k", b"v", 0)]


async def test_after_a_batch_that_failed_the_next_is_stored_through_a_new_client(producer: BatchProducer) -> None:
    with pytest.raises(KafkaUnavailable, match="LeaderNotAvailable"):
        await producer.send_many(ONE)
    assert Client.made[0].closed, "it sends nothing in the background"
    assert await producer.send_many(ONE) == [(0, 7)]
    assert await producer.send_many(ONE) == [(0, 7)]
    assert len(Client.made) == 2


async def test_what_others_were_sending_then_has_an_answer(producer: BatchProducer) -> None:
    other = asyncio.create_task(producer.send_many([Record("slow", b"k", b"v", 1)], deadline_s=None))
    while not Client.made[0].waiting:  # noqa: ASYNC110 - the fake tells nobody
        await asyncio.sleep(0)
    with pytest.raises(KafkaUnavailable):
        await producer.send_many(ONE)
    with pytest.raises(KafkaUnavailable):
        await other


async def test_a_new_client_that_finds_no_broker_is_tried_again(producer: BatchProducer) -> None:
    with pytest.raises(KafkaUnavailable):
        await producer.send_many(ONE)
    Client.start_fails = True
    with pytest.raises(KafkaUnavailable, match="no answer"):
        await producer.send_many(ONE)
    Client.start_fails, Client.brokers = False, [None] * 3
    assert await producer.send_many(ONE) == [(0, 7)]


async def test_a_topic_that_is_missing_costs_the_others_nothing(producer: BatchProducer) -> None:
    with pytest.raises(KafkaUnavailable):
        await producer.send_many([Record("missing", b"k", b"v", 0)])
    assert (len(Client.made), Client.made[0].closed) == (1, False)


async def test_once_stopped_it_connects_no_more(producer: BatchProducer) -> None:
    with pytest.raises(KafkaUnavailable):
        await producer.send_many(ONE)
    await producer.stop()
    with pytest.raises(KafkaUnavailable, match="stopped"):
        await producer.send_many(ONE)
    assert len(Client.made) == 1
