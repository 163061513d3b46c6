"""Ingest as a process of its own, and gateways that keep a ledger of what the broker acknowledged to them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.stack.ports import free_ports

LIMIT_S = 90
COUNTERS = ("received_total", "stored_total", "repeated_total", "refused_total", "handed_back_total", "in_flight")


async def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the other side is another process
            await asyncio.sleep(0.05)


def total(samples: Sequence[Sample], name: str, **labels: str) -> float:
    wanted = labels.items()
    return sum(
        sample.value
        for sample in samples
        if sample.name == f"firenet_ingest_{name}" and wanted <= sample.labels.items()
    )


def unbalanced(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return the counters of the lanes whose received is not stored + repeated + refused + handed back + in flight."""
    wrong = {}
    for lane in {sample.labels["lane"] for sample in samples if sample.name == "firenet_ingest_received_total"}:
        counters = {name: total(samples, name, lane=lane) for name in COUNTERS}
        if counters["received_total"] != sum(counters.values()) - counters["received_total"]:
            wrong[lane] = counters
    return wrong


class IngestProcess:
    """One instance; a second `start` is a restart under the same name."""

    def __init__(self, folder: Path, bootstrap: str, mqtt_port: int, instance: str, **settings: str) -> None:
        (self.port,) = free_ports(1)
        self._log = folder / f"{instance or self.port}.log"
        self.settings = {
            "FIRENET_KAFKA_BOOTSTRAP": bootstrap,
            "INGEST_INSTANCE": instance,
            "INGEST_HTTP_PORT": str(self.port),
            "INGEST_MQTT_PORT": str(mqtt_port),
            "INGEST_MQTT_SHARE_GROUP": instance,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        await self.launch()
        process = self._process
        assert process is not None
        try:
            await until(lambda: process.poll() is not None or self.ready())
        except TimeoutError:
            raise AssertionError(f"not ready: {self.checks()}\n{self.log()[-3000:]}") from None
        assert process.poll() is None, self.log()[-3000:]

    async def launch(self) -> None:
        """Start it without waiting for anything."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "services.ingest"]
            env = os.environ | self.settings
            self._process = await asyncio.to_thread(subprocess.Popen, command, env=env, stdout=log, stderr=log)

    def connect_to(self, mqtt_port: int, silent_limit_s: int = 3) -> None:
        """Reach the broker over another port from the next start on, and soon give a dead connection up."""
        self.set(INGEST_MQTT_PORT=str(mqtt_port), INGEST_MQTT_SILENT_LIMIT_S=str(silent_limit_s))

    def set(self, **settings: str) -> None:
        """Change settings from the next start on."""
        self.settings |= settings

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it without a word."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def stop(self) -> int:
        """Ask it to end; return its exit code."""
        if self._process is None or self._process.poll() is not None:
            return -1
        self.signal(signal.SIGTERM)
        return await self.wait()

    async def wait(self) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, LIMIT_S)

    def ready(self) -> bool:
        return set((self.checks() or {}).values()) == {"ok"}

    def checks(self) -> dict[str, str] | None:
        """Return what /readyz says, None when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        except OSError:
            return None
        return dict(json.loads(body)["checks"])

    def scrape(self) -> list[Sample]:
        """Return every sample of one scrape."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=LIMIT_S) as answer:
            text = answer.read().decode()
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all label values that are not named."""
        return total(self.scrape(), name, **labels)

    def counters_balance(self) -> bool:
        """Say whether one scrape adds up exactly, each lane for itself."""
        return unbalanced(self.scrape()) == {}

    def log(self) -> str:
        return self._log.read_text()


class Gateway:
    """Publishes with QoS 1 and keeps a ledger: what the broker acknowledged must be in Kafka one day."""

    def __init__(self, port: int, gateway_id: str) -> None:
        self.gateway_id = gateway_id
        self._sent: list[int] = []  # message ids; unique, since no test sends more than 65 535
        self._answered: set[int] = set()
        self.told: list[bytes] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        # No lock in here: paho holds one of its own, and `publish` would wait for it the other way round.
        self._client.on_publish = lambda _, __, mid, ___, ____: self._answered.add(mid)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def heartbeat(self) -> int:
        return self.send("heartbeat", "up")

    def send(self, kind: str, lane: str, text: str | None = None, padding: int = 0) -> int:
        """Publish the next numbered message, `padding` bytes longer than need be, and return its number; no wait."""
        number = len(self._sent) + 1
        body = {"v": 1, "kind": kind, "seq": number} | ({"text": text} if text else {})
        topic = f"firenet/v1/{self.gateway_id}/{lane}/json"
        self._sent.append(self._client.publish(topic, json.dumps(body) + " " * padding, qos=1).mid)
        return number

    @property
    def acknowledged(self) -> set[int]:
        """The numbers that the broker has acknowledged so far."""
        return {number for number, mid in enumerate(self._sent, 1) if mid in self._answered}

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands; once it does not, all that came over it has been read."""
        return self._client.is_connected()

    @property
    def last(self) -> int:
        """The number of the newest message."""
        return len(self._sent)

    async def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Publish anything and return when the broker has it."""
        info = self._client.publish(topic, payload, qos=qos)
        await asyncio.to_thread(info.wait_for_publish, LIMIT_S)

    async def all_acknowledged(self) -> None:
        await until(lambda: len(self.acknowledged) == len(self._sent))

    async def listen(self) -> None:
        """Collect in `told` what this gateway is sent down as GB/T 26875.3, from now on."""
        granted: list[int] = []
        self._client.on_message = lambda _, __, message: self.told.append(bytes(message.payload))
        self._client.on_subscribe = lambda _, __, mid, *___: granted.append(mid)
        self._client.subscribe(f"firenet/v1/{self.gateway_id}/down/gb26875", qos=1)
        await until(lambda: granted != [])

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
