"""Load on a site, and the verdict: whatever the broker acknowledged to a gateway stands in Kafka."""

import asyncio
from collections import Counter
from collections.abc import Callable

from services.ingest.domain.number_sequence import IN_A_ROW
from services.kernel.ids import DELIVERY_DIGITS
from services.runtime.clock import SystemClock
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import Written
from tests.integration.ingest.process import LIMIT_S, Gateway, until


async def load(gateways: list[Gateway], count: int) -> None:
    """Publish `count` heartbeats of each gateway, some 1 000 a second."""
    for number in range(count):
        for gateway in gateways:
            gateway.heartbeat()
        if number % 10 == 9:
            await asyncio.sleep(0.01 * len(gateways))


async def load_until(gateways: list[Gateway], done: asyncio.Event) -> None:
    """Publish heartbeats until told to end."""
    while not done.is_set():
        await load(gateways, 10)


async def beat_until(gateway: Gateway, condition: Callable[[], bool]) -> None:
    """Publish heartbeats, some 50 a second, until something is so."""
    done = asyncio.Event()

    async def beat() -> None:
        while not done.is_set():
            gateway.heartbeat()
            await asyncio.sleep(0.02)

    beating = asyncio.create_task(beat())
    try:
        await until(condition)
    finally:
        done.set()
        await beating


async def beat_until_known(site: Site, gateway: Gateway, grace_s: float = 1) -> int:
    """Publish heartbeats until ingest would miss the next one; return how many, all of them stored."""
    before = site.ingest.metric("stored_total")
    heard_at: list[float] = []

    def known() -> bool:
        if not heard_at and site.ingest.metric("stored_total") > before:
            heard_at.append(SystemClock().now().timestamp())
        return bool(heard_at) and site.ingest.metric("proven_until_timestamp_seconds") > heard_at[0] + grace_s

    await beat_until(gateway, known)
    await load([gateway], 2 * IN_A_ROW)
    await gateway.all_acknowledged()
    await until(lambda: site.ingest.metric("stored_total") >= gateway.last and site.ingest.metric("in_flight") == 0)
    return gateway.last


async def assert_all_but(site: Site, gateway: Gateway, lost: set[int]) -> Written:
    """Fail unless exactly these numbers of what the gateway sent are not on the topic; return what stands there."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            written = await site.written()
            missing = set(range(1, gateway.last + 1)) - set(written.numbers(gateway.gateway_id))
            if missing <= lost:
                break
            await asyncio.sleep(0.5)
    assert missing == lost
    return written


async def assert_nothing_lost(site: Site, gateways: list[Gateway]) -> Written:
    """Fail unless everything acknowledged stands on the topic, and no tick before what it vouches for; return all that.

    At a broker that marks what it delivers again: each as one delivery.
    """
    for gateway in gateways:
        await gateway.all_acknowledged()
    await until(lambda: site.ingest.metric("in_flight") == 0 and site.ingest.ready())
    async with asyncio.timeout(LIMIT_S):
        while True:
            written = await site.written()
            lost = {
                gateway.gateway_id: sorted(gateway.acknowledged - set(written.numbers(gateway.gateway_id)))
                for gateway in gateways
            }
            if not any(lost.values()):
                break
            await asyncio.sleep(0.5)
    assert site.ingest.counters_balance()
    if not site.one_queue:
        written.assert_no_tick_lies(marked=site.marked)
    if not site.marked:
        return written
    for gateway in gateways:
        ours = (event for _, _, event in written.signals if event.data.gateway_id == gateway.gateway_id)
        ids = {
            (event.id[:DELIVERY_DIGITS], event.data.seq)
            for event in ours
            if event.data.seq is not None and not event.data.missing
        }
        twice = [seq for seq, count in Counter(seq for _, seq in ids).items() if count > 1]
        assert twice == [], f"the same message as two deliveries: {twice[:5]}"
    return written
