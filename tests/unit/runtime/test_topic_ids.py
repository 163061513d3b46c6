"""Kafka is asked which topic it has while a fire may wait: a broker that says nothing keeps nobody waiting."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from services.runtime import topic_ids
from services.runtime.postgres import Pool
from services.runtime.topic_ids import topic_id


class Connection:
    """To brokers of these names: one that says nothing, one that refuses, one that is too old, one that answers."""

    ended: list[str]

    def __init__(self, host: str, _: int, **__: Any) -> None:
        self.host = host

    async def connect(self) -> None:
        if self.host == "silent":
            await asyncio.Event().wait()
        if self.host == "refuses":
            raise OSError

    async def send(self, _: Any) -> Any:
        if self.host == "old":
            raise NotImplementedError
        return SimpleNamespace(topics=[(3 if self.host == "new" else 0, "t", 0, 7, False, [], 0, {})])

    def close(self) -> None:
        self.ended.append(self.host)


@pytest.fixture(autouse=True)
def brokers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Connection.ended = []
    monkeypatch.setattr(topic_ids, "AIOKafkaConnection", Connection)
    return Connection.ended


async def test_brokers_are_asked_side_by_side_and_the_first_answer_counts(brokers: list[str]) -> None:
    found = await topic_id("silent:1,refuses:2,new:3,well:4", "t", limit_s=60)
    assert found == "00000000-0000-0000-0000-000000000007"
    while len(brokers) < 4:  # noqa: ASYNC110 - what was left ends by itself
        await asyncio.sleep(0)


async def test_one_that_says_nothing_alone_is_left_after_the_limit() -> None:
    with pytest.raises(TimeoutError):
        await topic_id("silent:1", "t", limit_s=0.01)


async def test_a_kafka_without_ids_has_none() -> None:
    assert await topic_id("old:1", "t") is None


async def test_a_topic_that_nobody_has_is_an_error() -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        await topic_id("new:1", "t")


async def test_an_answer_that_is_odd_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def odd(*_: Any) -> Any:
        return SimpleNamespace(topics=[])

    monkeypatch.setattr(Connection, "send", odd)
    ids = topic_ids.SavedTopicIds("well:1", cast(Pool, None), topic_ids.topic_id_statements("alerts"))
    assert await ids.now("t") is None
