"""A day of devices of every make, half of them over MQTT, half over TCP, with everything that can go wrong on the way.

Ingest is killed in the middle. At every moment each lane's counters add up exactly; at the end every frame that was
confirmed stands on the topics with one effect, and nothing stands there that was not sent.
"""

import asyncio
import http.client
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import HOST, free_ports
from services.runtime.clock import SystemClock
from services.simulator.adapters.mqtt import MqttLinks
from services.simulator.domain.district import LOOPBACK, Gateway, Speech
from services.simulator.domain.makes import MAKES
from tests.integration.ingest.day import DayDevice, accounts
from tests.integration.ingest.log import create_topics, read_all, register
from tests.integration.ingest.process import COUNTERS, IngestProcess, total, unbalanced, until
from tests.parts import run_part

BEATS = 96
"""One every quarter of an hour."""
GRACE_S = 2
DAY_S = 420
"""How long the day may take on a machine that is busy with other things."""
CLOCK = SystemClock()


class Auditor:
    """Scrapes all the time; keeps every scrape that does not add up, and the last one that was heard."""

    def __init__(self, ingest: IngestProcess) -> None:
        self.wrong: list[object] = []
        self.scrapes = 0
        self.last: Counter[str] = Counter()
        self._ingest = ingest

    async def watch(self, done: asyncio.Event) -> None:
        while not done.is_set():
            await self.probe()
            await asyncio.sleep(0.05)

    async def probe(self) -> None:
        try:
            samples = await asyncio.to_thread(self._ingest.scrape)
        except (OSError, http.client.HTTPException):  # it is dead just now
            return
        self.scrapes += 1
        wrong = unbalanced(samples)
        if wrong:
            self.wrong.append(wrong)
        self.last = Counter({name: int(total(samples, name)) for name in COUNTERS})


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test alone: what the devices leave retained would count elsewhere."""
    (port,) = free_ports(1)
    yield from run_part(Mosquitto(tmp_path / "mosquitto", port=port))


def cast(names: str) -> list[Gateway]:
    """Return a gateway of each make for each carrier."""
    speeches = [(make, calls_from) for calls_from in (None, LOOPBACK) for make in MAKES.values()]
    return [
        Gateway(f"D{names}{at}", f"U{names}{at}", "any", "any", Speech(make.name, make.address(7_000 + at), network))
        for at, (make, network) in enumerate(speeches)
    ]


async def enrol(bootstrap: str, gateways: list[Gateway]) -> None:
    await create_topics(bootstrap)
    for gateway in gateways:
        assert gateway.device is not None
        await register(
            bootstrap,
            {gateway.gateway_id: gateway.unit_id},
            device_profile=gateway.device.make,
            device_address=gateway.device.address.hex(),
            networks=(gateway.device.calls_from,) if gateway.device.calls_from else (),
        )


def devices_of(gateways: list[Gateway], links: MqttLinks) -> list[DayDevice]:
    starts = CLOCK.now() - timedelta(days=1)
    devices = []
    for number, gateway in enumerate(gateways):
        device = DayDevice(gateway, number, starts, stranger=MAKES["standard"].address(9_000_000 + number))
        device.attach(links.line(gateway, device))  # type: ignore[arg-type] # either line takes any bytes
        devices.append(device)
    return devices


async def play(devices: list[DayDevice], ingest: IngestProcess, auditor: Auditor) -> Counter[str]:
    """Live the day with ingest killed in the middle; return its counters as they were last seen before."""
    noon, known, dusk = asyncio.Event(), asyncio.Event(), asyncio.Event()
    living = asyncio.gather(*(device.live(BEATS, noon, known, dusk) for device in devices))
    try:
        third = BEATS * len(devices) // 3
        await until(lambda: living.done() or sum(len(device.ledger.confirmed) for device in devices) > third, DAY_S)
        assert not living.done()
        await ingest.kill()
        before = auditor.last
        await ingest.start()
        noon.set()
        await until(lambda: all(device.is_resting for device in devices), DAY_S)
        met = CLOCK.now().timestamp() + GRACE_S
        await until(lambda: ingest.metric("proven_until_timestamp_seconds") > met)
        known.set()
        await until(lambda: all(device.is_over for device in devices), DAY_S)
        told = CLOCK.now().timestamp() + 3 * GRACE_S
        await until(lambda: ingest.metric("proven_until_timestamp_seconds") > told)
        dusk.set()
        async with asyncio.timeout(DAY_S):
            await asyncio.shield(living)
        await until(lambda: ingest.metric("in_flight") == 0)
        return before
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        await asyncio.gather(*(device.close() for device in devices))


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_day_of_devices_is_accounted_for(tmp_path: Path, own_kafka: Kafka, own_broker: Mosquitto) -> None:
    names, since = secrets.token_hex(4), CLOCK.now()
    gateways = cast(names)
    await enrol(own_kafka.bootstrap, gateways)
    (port,) = free_ports(1)
    ingest = IngestProcess(
        tmp_path,
        own_kafka.bootstrap,
        own_broker.port,
        f"i{names}",
        INGEST_TCP_PORT=str(port),
        INGEST_GAP_GRACE_S=str(GRACE_S),
    )
    links = MqttLinks(
        host=HOST, port=own_broker.port, username=None, password=None, clock=CLOCK, prefix=f"day{names}",
        devices_at=(HOST, port),
    )  # fmt: skip
    auditor, done = Auditor(ingest), asyncio.Event()
    devices = devices_of(gateways, links)
    auditing = asyncio.create_task(auditor.watch(done))
    try:
        await ingest.start()
        before = await play(devices, ingest, auditor)
        await auditor.probe()
        written = await read_all(own_kafka.bootstrap, since)
    finally:
        done.set()
        await auditing
        await ingest.stop()

    mischief = sum((device.ledger.mischief for device in devices), Counter[str]())
    sys.stdout.write(
        f"{sum(len(device.ledger.sent) for device in devices)} frames, "
        f"{sum(len(device.ledger.confirmed) for device in devices)} confirmed, {dict(mischief)}, "
        f"{sum(device.ledger.skipped for device in devices)} numbers skipped; {auditor.scrapes} scrapes; "
        f"counters before the kill {dict(before)}, at the end {dict(auditor.last)}\n"
    )
    assert auditor.wrong == []
    assert auditor.scrapes > 20
    assert accounts(devices, written) == []
    assert set(mischief) == {"restart", "reordered", "doubled", "junk", "checksum", "stranger"}
    assert {device.gateway.gateway_id: device.ledger.given_up for device in devices if device.ledger.given_up} == {}
