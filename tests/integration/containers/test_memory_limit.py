"""A service in its container at the limit of memory: ended by the kernel, started again by the engine, nothing lost."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.containers import Container

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from services.ingest.settings import IngestSettings
from services.runtime.clock import SystemClock
from tests.containers import LABEL
from tests.freezing import frozen
from tests.integration.containers.test_compose import COMPOSE_FILE
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import assert_nothing_lost, load
from tests.integration.ingest.process import Gateway, until

pytestmark = [pytest.mark.container, pytest.mark.chaos, pytest.mark.long]

IMAGE = "firenet/app:local"
LIMIT = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["x-service"]["mem_limit"]
PADDING = 60_000
"""Bytes, of the 64 KiB that a message may have."""
FLOOD = 600
"""Messages of each of two gateways: more than twice as many bytes as a connection may hold."""
ROOM = 24 * 1024 * 1024
"""Less than a connection may hold: with so much more than it needs when idle, ingest cannot hold it."""


@pytest.fixture
async def site(tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto) -> AsyncIterator[Site]:
    made = Site(tmp_path, own_kafka, mosquitto_broker)
    yield made
    await made.close()


@contextmanager
def contained(engine: docker.DockerClient, settings: Mapping[str, str]) -> Iterator[Container]:
    """Run ingest with these settings as compose runs it; on the host's network, where the parts of the test are."""
    container = engine.containers.run(
        IMAGE,
        ["python", "-m", "services.ingest"],
        detach=True,
        environment=dict(settings),
        labels={LABEL: str(os.getpid())},
        mem_limit=LIMIT,
        memswap_limit=LIMIT,
        network_mode="host",
        read_only=True,
        restart_policy={"Name": "unless-stopped"},
        tmpfs={"/tmp": ""},
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def limit(container: Container, memory: int | str) -> None:
    container.update(mem_limit=memory, memswap_limit=memory)


def own_memory(container: Container) -> int:
    """Return the bytes that its processes hold; what the kernel keeps of files for them is not in it."""
    held = container.stats(stream=False)["memory_stats"]["stats"]
    return int(held["total_rss"] if "total_rss" in held else held["anon"])


def restarts(container: Container) -> int:
    container.reload()
    return int(container.attrs["RestartCount"])


async def flood(gateways: list[Gateway]) -> None:
    for number in range(FLOOD):
        for gateway in gateways:
            gateway.send("heartbeat", "up", padding=PADDING)
        if number % 10 == 9:
            await asyncio.sleep(0.02)


async def test_ingest_holds_what_it_may_within_its_limit_and_a_smaller_one_costs_a_restart_and_no_message(
    docker_engine: docker.DockerClient, site: Site
) -> None:
    """Kafka stands still, so whatever comes is held. `site.ingest` is asked over HTTP; the process is the container."""
    if not docker_engine.images.list(IMAGE):
        pytest.skip(f"no image {IMAGE}: run `make images` once")
    if not docker_engine.info()["MemoryLimit"]:
        pytest.skip("this Docker engine cannot limit memory")
    gateways = await site.gateways(2)
    ingest = site.ingest
    with contained(docker_engine, ingest.settings) as container:
        await until(ingest.ready)
        await load(gateways, 100)
        await until(lambda: ingest.metric("stored_total") >= 200)

        began = SystemClock().now()
        with frozen(site.kafka.pids):
            limit(container, own_memory(container) + ROOM)
            await flood(gateways)
            await until(lambda: restarts(container) > 0)
            limit(container, LIMIT)
        await until(ingest.ready)
        await assert_nothing_lost(site, gateways)
        deaths = docker_engine.events(
            since=began, until=SystemClock().now(), filters={"container": container.id, "event": "die"}, decode=True
        )
        assert {one["Actor"]["Attributes"]["exitCode"] for one in deaths} == {"137"}, "killed, each time"

        before = restarts(container)
        with frozen(site.kafka.pids):
            await flood(gateways)
            may_hold = IngestSettings.model_fields["mqtt_hold_bytes"].default
            await until(lambda: ingest.metric("in_flight") * PADDING > 0.9 * may_hold)
        await assert_nothing_lost(site, gateways)
        assert restarts(container) == before, "what it may hold fits into the limit of compose"
