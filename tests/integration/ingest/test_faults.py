"""Nothing that the broker acknowledged to a gateway is lost, whatever dies; and what is wrong shows."""

import asyncio
import random
import signal

import pytest

from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import read_all
from tests.integration.ingest.process import Gateway, until

SEED = 20260601


async def load(gateways: list[Gateway], count: int) -> None:
    """Publish `count` heartbeats of each gateway, some 1 000 a second."""
    for number in range(count):
        for gateway in gateways:
            gateway.heartbeat()
        if number % 10 == 9:
            await asyncio.sleep(0.01 * len(gateways))


async def assert_nothing_lost(site: Site, gateways: list[Gateway]) -> None:
    for gateway in gateways:
        await gateway.all_acknowledged()
    await until(lambda: site.ingest.metric("in_flight") == 0 and site.ingest.ready())
    async with asyncio.timeout(60):
        while True:
            written = await read_all(site.kafka.bootstrap)
            lost = {
                gateway.gateway_id: sorted(gateway.acknowledged - set(written.numbers(gateway.gateway_id)))
                for gateway in gateways
            }
            if not any(lost.values()):
                break
            await asyncio.sleep(0.5)
    written.assert_no_tick_lies()


@pytest.mark.chaos
async def test_kill_9_of_ingest_under_load_loses_nothing(site: Site) -> None:
    chance = random.Random(SEED)
    gateways = await site.gateways(4)
    await site.ingest.start()
    loading = asyncio.create_task(load(gateways, 1500))
    for _ in range(4):
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        await site.ingest.kill()
        await site.ingest.start()
    await loading
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_while_kafka_is_away_acknowledgements_stop_and_everything_goes_on_by_itself(site: Site) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    loading = asyncio.create_task(load(gateways, 1500))
    await until(lambda: site.ingest.metric("stored_total") > 100)
    site.kafka.kill()
    try:
        await until(lambda: not site.ingest.ready())
        ticks = site.ingest.metric("ticks_total")
        stored = site.ingest.metric("stored_total")
        await loading
        assert site.ingest.metric("ticks_total") == ticks
        assert site.ingest.metric("stored_total") == stored
        assert site.ingest.books_balance()
    finally:
        await asyncio.to_thread(site.kafka.start)
    await until(site.ingest.ready)
    await assert_nothing_lost(site, gateways)
    assert site.ingest.metric("session_lost_total") == 0


@pytest.mark.chaos
async def test_a_broker_that_restarts_with_its_sessions_loses_nothing(own_broker_site: Site) -> None:
    site = own_broker_site
    gateways = await site.gateways(2)
    await site.ingest.start()
    await load(gateways, 200)
    for gateway in gateways:
        await gateway.all_acknowledged()
    site.ingest.signal(signal.SIGSTOP)  # so that the broker goes down with messages in its queues
    await load(gateways, 200)
    for gateway in gateways:
        await gateway.all_acknowledged()
    await asyncio.to_thread(site.broker.stop)
    await asyncio.to_thread(site.broker.start)
    site.ingest.signal(signal.SIGCONT)
    await until(lambda: site.ingest.metric("mqtt_connects_total") >= 4 and site.ingest.ready())
    await load(gateways, 50)
    await assert_nothing_lost(site, gateways)
    assert site.ingest.metric("mqtt_session_lost_total") == 0


@pytest.mark.chaos
async def test_a_broker_that_forgot_the_session_is_noticed(own_broker_site: Site) -> None:
    site = own_broker_site
    gateways = await site.gateways(1)
    await site.ingest.start()
    await asyncio.to_thread(site.broker.kill)
    await until(lambda: not site.ingest.ready())
    await asyncio.to_thread(site.broker.start)
    await until(lambda: site.ingest.metric("mqtt_session_lost_total") == 2 and site.ingest.ready())
    await load(gateways, 20)
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_sigterm_under_load_drains_and_a_restart_goes_on(site: Site) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    loading = asyncio.create_task(load(gateways, 800))
    await until(lambda: site.ingest.metric("stored_total") > 200)
    assert await site.ingest.stop() == 0
    assert '"left_main": 0' in site.ingest.log()
    await site.ingest.start()
    await loading
    await assert_nothing_lost(site, gateways)


async def test_a_dead_connection_thread_ends_readiness_and_the_service(site: Site, unused_tcp_port: int) -> None:
    await site.gateways(1)
    settings = IngestSettings(
        kafka_bootstrap=site.kafka.bootstrap,
        instance="dies",
        http_port=unused_tcp_port,
        mqtt_port=site.broker.port,
        mqtt_share_group="dies",
    )
    ingest = Ingest(settings, SystemClock())
    running = asyncio.create_task(ingest.run(Stop()))
    await until(lambda: ingest.readiness().ready)
    ingest._links["fire"]._frames = None  # type: ignore[assignment] # the next packet meets an error of ours
    await until(lambda: not ingest.readiness().ready, limit_s=10)
    with pytest.raises(TaskDied):
        await asyncio.wait_for(running, 20)
