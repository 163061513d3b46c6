"""Kafka as in production: one of three brokers may go, killed or with a full disk, and costs nothing; two hold all."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from schemas.topics import ALARMS, all_topics
from services.registry.adapters.kafka import topic_spec
from services.runtime.clock import SystemClock
from services.runtime.kafka import describe_copies, ensure_topics
from services.runtime.kafka_loop import ConsumedRecord, KafkaLoop
from services.runtime.lifecycle import Stop
from tests.freezing import frozen
from tests.full_disk import needs_mount, small_disk
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import assert_nothing_lost
from tests.integration.ingest.process import Gateway, until
from tests.three_brokers import COPIES, ThreeBrokers, three_brokers

DISK_MB = 256
FILLER = "filler"
NAMES = [topic.name for topic in all_topics().values()]


class Ledger:
    """A consumer whose database is a dictionary: every record of the alarms topic once, in order, whatever happens."""

    def __init__(self) -> None:
        self.next: dict[int, int] = {}
        self.faults: list[str] = []
        self.taken = 0

    async def assigned(self, partition: int) -> int:
        return self.next.get(partition, 0)

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        for partition, records in batches.items():
            for record in records:
                if record.offset != self.next.get(partition, 0):
                    self.faults.append(f"{partition}/{record.offset} instead of {self.next.get(partition, 0)}")
                self.next[partition] = record.offset + 1
                self.taken += 1

    async def idle(self) -> None:
        return None

    async def revoked(self, partitions: Sequence[int]) -> None:
        return None


@asynccontextmanager
async def consuming(bootstrap: str) -> AsyncIterator[Ledger]:
    ledger, stop = Ledger(), Stop()
    task = asyncio.create_task(KafkaLoop(bootstrap, ALARMS, "ledger", ledger, "ledger", static=True).run(stop))
    try:
        yield ledger
    finally:
        stop.set()
        await task


async def leader_of(bootstrap: str, topic: str) -> int:
    """Return the number of the broker that leads most partitions of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
        led = [one["leader"] for one in described["partitions"]]
        return int(max(set(led), key=led.count))
    finally:
        await admin.close()


async def fire_goes_through(site: Site, gateway: Gateway, ledger: Ledger) -> str:
    """Say a fire and return after how many seconds Kafka had it, and a reader."""
    clock = SystemClock()
    before, taken = site.ingest.metric("stored_total", lane="fire"), ledger.taken
    began = clock.monotonic()
    gateway.send("fire", "alarm")
    await until(lambda: site.ingest.metric("stored_total", lane="fire") > before)
    stored_s = clock.monotonic() - began
    await until(lambda: ledger.taken > taken)
    return f"stored within {stored_s:.1f} s, read within {clock.monotonic() - began:.1f} s"


async def all_in_sync(bootstrap: str) -> bool:
    brokers, topics = await describe_copies(bootstrap, NAMES)
    return brokers == COPIES and len(topics) == len(NAMES) and all(one.in_sync == one.copies for one in topics)


async def until_in_sync(bootstrap: str) -> None:
    async with asyncio.timeout(90):
        while not await all_in_sync(bootstrap):  # noqa: ASYNC110 - the other side is another process
            await asyncio.sleep(0.2)


def out(text: str) -> None:
    """Print for `pytest -s`: a bound would be one on the machine's load."""
    sys.stdout.write(f"{text}\n")


def fill(folder: Path) -> None:
    """Write until the disk under this folder takes no byte more."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            return


async def gone(broker: Kafka) -> None:
    await until(lambda: not broker.alive())


@needs_mount
@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(400)
async def test_one_of_three_brokers_may_go_and_two_hold_everything(tmp_path: Path, mosquitto_broker: Mosquitto) -> None:
    with small_disk(tmp_path / "kafka-3", DISK_MB), three_brokers(tmp_path) as cluster:
        await ensure_topics(cluster.bootstrap, [topic_spec(topic, COPIES) for topic in all_topics().values()])
        await until_in_sync(cluster.bootstrap)
        assert {(one.copies, one.min_in_sync) for one in (await describe_copies(cluster.bootstrap, NAMES))[1]} == {
            (3, 2)
        }
        site = Site(tmp_path, cluster, mosquitto_broker)  # type: ignore[arg-type] # of Kafka it asks the address only
        try:
            async with consuming(cluster.bootstrap) as ledger:
                await storm(site, cluster, ledger, tmp_path / "kafka-3")
        except BaseException:
            for broker in cluster.brokers:
                out(f"{broker.folder.name}, alive: {broker.alive()}\n{broker.log.read_text()[-2000:]}")
            out(site.ingest.log()[-2000:])
            raise
        finally:
            await site.close()
    assert ledger.faults == []


async def beat(gateways: Sequence[Gateway], done: asyncio.Event) -> None:
    """Have each gateway send some 20 heartbeats a second."""
    while not done.is_set():
        for gateway in gateways:
            gateway.heartbeat()
        await asyncio.sleep(0.05)


async def storm(site: Site, cluster: ThreeBrokers, ledger: Ledger, small: Path) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    done = asyncio.Event()
    loading = asyncio.create_task(beat(gateways, done))
    try:
        await until(lambda: site.ingest.metric("stored_total") > 100)

        leading = cluster.brokers[await leader_of(cluster.bootstrap, ALARMS) - 1]
        leading.kill()
        out(f"fire after a killed leader: {await fire_goes_through(site, gateways[0], ledger)}")
        await asyncio.to_thread(cluster.start, leading)
        await until_in_sync(cluster.bootstrap)

        silent = cluster.brokers[await leader_of(cluster.bootstrap, ALARMS) - 1]
        with frozen(silent.pids):  # its connections stay open, as those of a machine without power do
            out(f"fire after a leader fell silent: {await fire_goes_through(site, gateways[0], ledger)}")
        await until_in_sync(cluster.bootstrap)

        fill(small)
        await gone(cluster.brokers[2])
        out(f"fire with one disk full: {await fire_goes_through(site, gateways[1], ledger)}")
        (small / FILLER).unlink()
        await asyncio.to_thread(cluster.start, cluster.brokers[2])
        await until_in_sync(cluster.bootstrap)

        for broker in cluster.brokers[1:]:
            broker.kill()
        await until(lambda: not site.ingest.ready())
        stored = site.ingest.metric("stored_total")
        gateways[0].send("fire", "alarm")
        await until(lambda: site.ingest.metric("in_flight", lane="fire") > 0)
        assert site.ingest.metric("stored_total") == stored, "what one broker alone has is not stored"
        assert site.ingest.counters_balance()
        await asyncio.to_thread(cluster.start, *cluster.brokers[1:])
        await until(lambda: site.ingest.ready() and site.ingest.metric("in_flight", lane="fire") == 0)
    finally:
        done.set()
        await loading
    written = await assert_nothing_lost(site, gateways)
    await until(lambda: ledger.taken >= len(written.alarms))
