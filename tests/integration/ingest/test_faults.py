"""Nothing that the broker acknowledged to a gateway is lost, whatever dies; and what is wrong shows."""

import asyncio
import random
import signal

import pytest

from deploy.stack.ports import free_ports
from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from tests.freezing import frozen
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import assert_all_but, assert_nothing_lost, beat_until, beat_until_known, load
from tests.integration.ingest.process import LIMIT_S, until
from tests.proxy import proxy

SEED = 20260601


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
async def test_what_was_stored_and_not_acknowledged_comes_again_as_the_same_deliveries(site: Site) -> None:
    gateways = await site.gateways(2)
    async with proxy(site.broker.port) as hop:
        site.ingest.connect_to(hop.port)
        await site.ingest.start()
        await load(gateways, 100)
        await until(lambda: site.ingest.metric("stored_total") >= 200)
        hop.manners.mute_up = True  # the broker hears no acknowledgement from now on
        await load(gateways, 100)
        await until(lambda: site.ingest.metric("stored_total") >= 400)
        await site.ingest.kill()
        hop.manners.mute_up = False
        await site.ingest.start()
        written = await assert_nothing_lost(site, gateways)
    numbers = [number for gateway in gateways for number in written.numbers(gateway.gateway_id)]
    assert len(numbers) >= 600, "each of the second hundred stands there twice"


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
        assert site.ingest.counters_balance()
    finally:
        await asyncio.to_thread(site.kafka.start)
    await until(site.ingest.ready)
    await assert_nothing_lost(site, gateways)
    assert site.ingest.metric("mqtt_session_lost_total") == 0


@pytest.mark.chaos
async def test_a_kafka_that_accepts_and_never_answers_stops_acknowledgements_only(site: Site) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    loading = asyncio.create_task(load(gateways, 600))
    await until(lambda: site.ingest.metric("stored_total") > 100)
    with frozen(site.kafka.pids):
        await until(lambda: not site.ingest.ready())
        assert site.ingest.counters_balance()
    await loading
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_a_kafka_that_restarts_in_good_order_costs_nothing(site: Site) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    loading = asyncio.create_task(load(gateways, 600))
    await until(lambda: site.ingest.metric("stored_total") > 100)
    await asyncio.to_thread(site.kafka.stop)
    await asyncio.to_thread(site.kafka.start)
    await loading
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_a_broker_that_restarts_with_its_sessions_loses_nothing(own_broker_site: Site) -> None:
    site = own_broker_site
    gateways = await site.gateways(2)
    await site.ingest.start()
    await load(gateways, 200)
    for gateway in gateways:
        await gateway.all_acknowledged()
    with frozen([site.ingest.pid]):  # so that the broker goes down with messages in its queues
        await load(gateways, 200)
        for gateway in gateways:
            await gateway.all_acknowledged()
        await asyncio.to_thread(site.broker.stop)
        await asyncio.to_thread(site.broker.start)
    await until(lambda: site.ingest.metric("mqtt_connects_total") >= 4 and site.ingest.ready())
    await load(gateways, 50)
    await assert_nothing_lost(site, gateways)
    assert site.ingest.metric("mqtt_session_lost_total") == 0


@pytest.mark.chaos
async def test_what_a_broker_took_and_lost_is_counted_and_stands_on_the_topic(own_broker_site: Site) -> None:
    site = own_broker_site
    (gateway,) = gateways = await site.gateways(1)
    async with proxy(site.broker.port) as hop:
        site.ingest.connect_to(hop.port)
        site.ingest.set(INGEST_GAP_GRACE_S="1")
        await site.ingest.start()
        known = await beat_until_known(site, gateway)
        await hop.refuse()
        await hop.cut()
        await until(lambda: site.ingest.metric("mqtt_connected") == 0)
        await load(gateways, 30)
        await gateway.all_acknowledged()  # by the broker, and by nobody else
        await asyncio.to_thread(site.broker.kill)
        await asyncio.to_thread(site.broker.start)
        await hop.start()
        await until(lambda: site.ingest.metric("mqtt_session_lost_total") == 2 and site.ingest.ready())
        await load(gateways, 20)
        await beat_until(gateway, lambda: site.ingest.metric("sequence_missing_total") > 0)
        assert site.ingest.counters_balance()
        missing = site.ingest.metric("sequence_missing_total")
    await gateway.all_acknowledged()
    await until(lambda: site.ingest.metric("in_flight") == 0)
    written = await assert_all_but(site, gateway, lost=set(range(known + 1, known + 31)))
    lost = set(range(1, gateway.last + 1)) - set(written.numbers(gateway.gateway_id))
    assert missing == len(lost)
    ours = [event.data for _, _, event in written.signals if event.data.gateway_id == gateway.gateway_id]
    assert sum(data.missing or 0 for data in ours) == len(lost)


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


@pytest.mark.chaos
@pytest.mark.parametrize("impatient", [False, True], ids=["deadline", "second-sigterm"])
async def test_a_stop_that_cannot_drain_acknowledges_nothing_that_is_not_stored(site: Site, impatient: bool) -> None:
    site.ingest.set(INGEST_DRAIN_S="300" if impatient else "2")
    gateways = await site.gateways(2)
    await site.ingest.start()
    await load(gateways, 50)
    await until(lambda: site.ingest.metric("stored_total") == 100)
    with frozen(site.kafka.pids):
        await load(gateways, 50)
        await until(lambda: site.ingest.metric("in_flight") > 0)
        site.ingest.signal(signal.SIGTERM)
        if impatient:
            await until(lambda: "stop_requested" in site.ingest.log())
            site.ingest.signal(signal.SIGTERM)
        code = await site.ingest.wait()
    assert (code == 128 + signal.SIGTERM) is impatient
    await site.ingest.start()
    await assert_nothing_lost(site, gateways)


async def test_a_dead_connection_thread_ends_readiness_and_the_service(site: Site) -> None:
    await site.gateways(1)
    (http_port,) = free_ports(1)
    settings = IngestSettings(
        kafka_bootstrap=site.kafka.bootstrap,
        instance="dies",
        http_port=http_port,
        mqtt_port=site.broker.port,
        mqtt_share_group="dies",
    )
    ingest = Ingest(settings, SystemClock())
    running = asyncio.create_task(ingest.run(Stop()))
    await until(lambda: ingest.readiness().ready)
    ingest._brokers["fire"]._connection._frames = None  # type: ignore[union-attr] # the next packet meets our bug
    await until(lambda: not ingest.readiness().ready)
    with pytest.raises(TaskDied):
        async with asyncio.timeout(LIMIT_S):
            await running
