"""Our own clock is set back and ingest starts anew: what it says is heard all the same, on a real log."""

from datetime import timedelta

import pytest

from schemas import codec
from schemas.signal import Tick, TickData, TickState
from schemas.topics import SIGNALS, all_topics
from services.ingest.adapters.last_tick import find_predecessor
from services.ingest.domain.watermark import Predecessor
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import load
from tests.integration.ingest.process import until


async def test_after_a_step_back_a_new_process_speaks_later_than_the_last_one(site: Site) -> None:
    gateways = await site.gateways(1)
    instance = gateways[0].gateway_id.replace("G", "i", 1)[:-1]
    ahead = SystemClock().now().replace(microsecond=0) + timedelta(hours=1)
    body = TickData(instance=instance, epoch=9 * 10**12, number=7, state=TickState.LIVE, proven_until=ahead)
    value = codec.signals.encode(Tick(id=f"tick-{instance}", source=f"/ingest/{instance}", time=ahead, data=body))
    producer = BatchProducer(site.kafka.bootstrap, "ticks-of-test", headers=codec.HEADERS)
    await producer.start()
    partitions = all_topics()["signals"].partitions
    await producer.send_many([Record(SIGNALS, None, value, number) for number in range(partitions)])
    await producer.stop()
    assert await find_predecessor(site.kafka.bootstrap, instance) == Predecessor(9 * 10**12, ahead)
    assert await find_predecessor(site.kafka.bootstrap, "nobody") is None

    await site.ingest.start()
    await until(lambda: site.ingest.metric("ticks_total") > 2)
    assert site.ingest.metric("stamps_ahead_seconds") == pytest.approx(3600, abs=90)
    await load(gateways, 5)
    await gateways[0].all_acknowledged()
    await until(lambda: site.ingest.metric("stored_total") == 5)
    written = await site.written()
    ticks = [tick for _, _, tick in written.ticks if tick.data.instance == instance and tick.data.number != 7]
    assert ticks
    assert all(tick.data.epoch == 9 * 10**12 + 1 and tick.data.proven_until >= ahead for tick in ticks)
    ours = [event for _, _, event in written.signals if event.data.gateway_id == gateways[0].gateway_id]
    assert all(event.time > ahead for event in ours)
    written.assert_no_tick_lies()
