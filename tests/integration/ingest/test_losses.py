"""What is told as lost never came: nothing else, whatever is killed, overtakes, comes late or comes twice."""

import asyncio
import json
import random
from collections.abc import Callable

import pytest

from services.ingest.domain.number_sequence import IN_A_ROW
from services.runtime.clock import SystemClock
from tests.freezing import frozen
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.process import Gateway, until

SEED = 20260602
GRACE_S = 1


class Talker:
    """Publishes numbered messages of one gateway over both lanes, one after the other, until it is told to end."""

    def __init__(self, gateway: Gateway, number: int) -> None:
        self.gateway = gateway
        self.number = 0
        self.sent: set[int] = set()
        self._dice = random.Random(SEED + number)
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    async def say(self, number: int | None = None) -> None:
        if number is None:
            self.number += 1
        seq = self.number if number is None else number
        fire = self._dice.random() < 0.2
        body = {"v": 1, "kind": "fire", "point": {"address": str(seq)}} if fire else {"v": 1, "kind": "heartbeat"}
        topic = f"firenet/v1/{self.gateway.gateway_id}/{'alarm' if fire else 'up'}/json"
        await self.gateway.publish(topic, json.dumps(body | {"seq": seq}).encode())
        self.sent.add(seq)

    def skip(self, count: int) -> set[int]:
        """Leave out so many numbers, as if they had been lost on the way."""
        skipped = set(range(self.number + 1, self.number + 1 + count))
        self.number += count
        return skipped

    def start(self) -> None:
        self._ending = False
        self._task = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        self._ending = True
        assert self._task is not None
        await self._task

    async def _talk(self) -> None:
        while not self._ending:
            await self.say()
            await asyncio.sleep(0.002)


async def talk_until(talkers: list[Talker], condition: Callable[[], bool]) -> None:
    for talker in talkers:
        talker.start()
    try:
        await until(condition)
    finally:
        for talker in talkers:
            await talker.stop()


async def talk_for(site: Site, talkers: list[Talker], graces: int) -> None:
    """Talk for as long as it takes to prove so many times the grace."""
    since = SystemClock().now().timestamp()
    end = since + graces * GRACE_S
    await talk_until(talkers, lambda: site.ingest.metric("proven_until_timestamp_seconds") > end)
    for _ in range(2 * IN_A_ROW):
        for talker in talkers:
            await talker.say()


async def told(site: Site, talkers: list[Talker]) -> list[int]:
    """Return what stands on the topic of losses, once all that was sent stands there."""
    async with asyncio.timeout(90):
        while True:
            written = await site.written()
            if all(talker.sent <= set(written.numbers(talker.gateway.gateway_id)) for talker in talkers):
                break
            await asyncio.sleep(0.5)
    names = {talker.gateway.gateway_id for talker in talkers}
    data = {event.id: event.data for _, _, event in written.signals if event.data.gateway_id in names}
    return [each.missing for each in data.values() if each.missing is not None]


@pytest.mark.chaos
async def test_two_that_share_tell_no_loss_of_each_other_and_the_one_that_is_left_tells_what_is_lost(
    own_broker_site: Site,
) -> None:
    site = own_broker_site  # what is dealt to the session of the one that ended waits there, and is no loss
    talkers = [Talker(gateway, number) for number, gateway in enumerate(await site.gateways(3))]
    stays, goes = (site.member() for _ in range(2))
    site.ingest = stays
    for member in (stays, goes):
        member.set(INGEST_GAP_GRACE_S=str(GRACE_S))
    await stays.start()
    await talk_for(site, talkers, graces=2)
    assert stays.metric("counting_numbers") == 1
    for talker in talkers:
        talker.start()
    await goes.start()
    await until(lambda: stays.metric("counting_numbers") == 0)
    for talker in talkers:
        await talker.stop()
    await talk_for(site, talkers, graces=3)
    for talker in talkers:
        talker.start()
    missed_by_goes = goes.metric("sequence_missing_total")
    await goes.stop()
    await until(lambda: stays.metric("counting_numbers") == 1)
    for talker in talkers:
        await talker.stop()
    await talk_for(site, talkers, graces=3)
    assert (await told(site, talkers), missed_by_goes, stays.metric("sequence_missing_total")) == ([], 0, 0)
    talkers[0].skip(4)
    await talk_for(site, talkers, graces=3)
    await until(lambda: stays.metric("sequence_missing_total") == 4)
    assert await told(site, talkers) == [4]


@pytest.fixture
async def talkers(site: Site) -> list[Talker]:
    site.ingest.set(INGEST_GAP_GRACE_S=str(GRACE_S))
    return [Talker(gateway, number) for number, gateway in enumerate(await site.gateways(3))]


@pytest.mark.chaos
async def test_kill_9_of_ingest_tells_no_loss_where_none_was(site: Site, talkers: list[Talker]) -> None:
    await site.ingest.start()
    for _ in range(3):
        await talk_for(site, talkers, graces=2)
        with frozen([site.ingest.pid]):  # so that fires overtake what waits in the broker
            for _ in range(60):
                for talker in talkers:
                    await talker.say()
        stored = site.ingest.metric("stored_total")
        for talker in talkers:
            talker.start()
        await until(lambda at_least=stored + 20: site.ingest.metric("stored_total") > at_least)  # type: ignore[misc]
        await site.ingest.kill()
        await site.ingest.start()
        for talker in talkers:
            await talker.stop()
    await talk_for(site, talkers, graces=4)
    assert await told(site, talkers) == []
    assert site.ingest.metric("sequence_missing_total") == 0


@pytest.mark.chaos
async def test_after_a_kill_what_a_gateway_skips_is_told_exactly_and_taken_back_when_it_comes(
    site: Site, talkers: list[Talker]
) -> None:
    await site.ingest.start()
    await talk_for(site, talkers, graces=1)
    await site.ingest.kill()
    await site.ingest.start()
    await talk_for(site, talkers, graces=3)
    skipped = [talker.skip(2 + number) for number, talker in enumerate(talkers)]
    await talk_for(site, talkers, graces=3)
    await until(lambda: site.ingest.metric("sequence_missing_total") == 9)
    assert sorted(await told(site, talkers)) == [2, 3, 4]
    for talker, numbers in zip(talkers, skipped, strict=True):
        for number in sorted(numbers, reverse=True):
            await talker.say(number)
    await until(lambda: site.ingest.metric("sequence_found_total") == 9)
    assert sum(await told(site, talkers)) == 0


async def test_a_stored_message_that_is_published_again_is_no_loss(site: Site, talkers: list[Talker]) -> None:
    """Another payload under an old number, so that it is not known again by its content."""
    await site.ingest.start()
    await talk_for(site, talkers, graces=3)
    for talker in talkers:
        for back in (160, 130, 200, 131):
            await talker.say(max(1, talker.number - back))
    await talk_for(site, talkers, graces=3)
    assert await told(site, talkers) == []
