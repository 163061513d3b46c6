"""What alerts tells topics: one that is missing holds up no other."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from schemas.topics import LISTINGS
from services.alerts.lanes import ordinary
from services.alerts.lanes.parts import Parts
from services.alerts.settings import AlertsSettings
from services.runtime.clock import SystemClock
from services.runtime.kafka import KafkaUnavailable, Record
from services.runtime.lifecycle import Stop

DEADLINE_S = 60


class WithoutListings:
    """A producer of a Kafka where that topic has yet to be made."""

    def __init__(self, *_: object, **__: object) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send_many(self, records: Sequence[Record]) -> None:
        if any(one.topic == LISTINGS for one in records):
            raise KafkaUnavailable("unknown topic")


class Waiting:
    """Something waits at each turn."""

    def __init__(self, *_: object) -> None:
        self.marked = 0

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        return [("id", "key", b"{}")][:limit]

    async def mark_published(self, ids: Sequence[str]) -> None:
        self.marked += len(ids)


@pytest.mark.thorough
async def test_a_missing_topic_of_listings_slows_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary, "BatchProducer", WithoutListings)
    monkeypatch.setattr(ordinary, "PostgresListingActs", Waiting)
    monkeypatch.setattr(ordinary, "PUBLISH_EVERY_S", 0.01)
    registry, stop, notices = CollectorRegistry(), Stop(), Waiting()
    parts = Parts(AlertsSettings(api_token=SecretStr("12345678")), SystemClock(), registry)
    monkeypatch.setattr(parts.delivery_workers, "outbox", lambda _: notices)

    def turns(task: str) -> float:
        return registry.get_sample_value("firenet_alerts_turns_total", {"task": task}) or 0.0

    async with AsyncExitStack() as stack:
        nothing: Any = None  # neither database nor Kafka is asked
        tasks = ordinary.OrdinaryLane(parts, nothing, nothing, nothing, stack).tasks(asyncio.Event(), stop)
        publishing = [asyncio.create_task(tasks.pop(name)) for name in sorted(tasks) if name.startswith("publish")]
        for task in tasks.values():
            task.close()
        async with asyncio.timeout(DEADLINE_S):
            while turns("publish") < 5:
                assert not any(task.done() for task in publishing)
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*publishing)
    assert notices.marked >= 5
    assert turns("publish-listings") == 0, "it goes on trying, and readiness does not ask for it"
