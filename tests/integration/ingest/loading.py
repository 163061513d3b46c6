"""Load on a site, and the verdict: whatever the broker acknowledged to a gateway stands in Kafka."""

import asyncio
from collections import Counter

from schemas.ids import DELIVERY_DIGITS
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


async def assert_nothing_lost(site: Site, gateways: list[Gateway]) -> Written:
    """Fail unless everything acknowledged stands on the topic, each as one delivery; return what stands there."""
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
    written.assert_no_tick_lies()
    assert site.ingest.books_balance()
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
