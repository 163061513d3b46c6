"""A Kafka with the real topics, compliance as a process, and what Kafka and the archive hold, read without our code."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.stack.kafka import Kafka
from deploy.stack.ports import HOST, free_ports
from schemas.topics import LOGGED, REGISTRY, all_topics
from services.registry.adapters.kafka import KafkaBus
from tests.system import wait_for

TOPICS = {topic.name: topic.partitions for topic in all_topics().values() if topic.name in LOGGED}
Sent = tuple[str, int, bytes | None, int]
"""Topic, partition, value, timestamp in milliseconds."""


@asynccontextmanager
async def kafka(folder: Path) -> AsyncIterator[str]:
    """Yield the address of a Kafka of this test alone, with the topics: their names are part of what is tested."""
    port, controller_port = free_ports(2)
    broker = Kafka(folder, port=port, controller_port=controller_port)
    await asyncio.to_thread(broker.start)
    try:
        await KafkaBus(bootstrap=broker.bootstrap).create_topics()
        yield broker.bootstrap
    finally:
        await asyncio.to_thread(broker.stop)


async def send(bootstrap: str, records: Sequence[Sent]) -> None:
    """Write the records in order, each with its own time, and return when Kafka has them."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        waiting = [
            await producer.send(topic, value, key=_key(topic, value), partition=partition, timestamp_ms=at_ms)
            for topic, partition, value, at_ms in records
        ]
        for future in waiting:
            await future
    finally:
        await producer.stop()


def _key(topic: str, value: bytes | None) -> bytes:
    """Return what the registry's topic is compacted by, as the registry writes it; elsewhere it matters to nobody."""
    if topic != REGISTRY or value is None:
        return b"k"
    try:
        return str(json.loads(value)["subject"]).encode()
    except (ValueError, KeyError, TypeError):
        return value[:64]


async def in_kafka(bootstrap: str) -> list[dict[str, Any]]:
    """Return everything the topics hold, in order per partition, in the form of a line of the archive."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for topic, many in TOPICS.items() for number in range(many)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        found: list[dict[str, Any]] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [
                    {"topic": place.topic, "partition": place.partition, "offset": r.offset, "value": r.value}
                    for r in records
                ]
        return sorted(found, key=lambda each: (each["topic"], each["partition"], each["offset"]))
    finally:
        await consumer.stop()


def in_archive(root: Path) -> list[dict[str, Any]]:
    """Return all lines of complete files, in the order of topic, partition and file name."""
    paths = sorted(
        root.glob("*/*/*/*.jsonl.gz"), key=lambda path: (path.parts[-4], int(path.parts[-3]), path.parts[-2:])
    )
    return [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]


@dataclass
class Process:
    """`python -m services.compliance`, writing small files."""

    bootstrap: str
    folder: Path
    settings: dict[str, str]

    def __post_init__(self) -> None:
        (self.port,) = free_ports(1)
        self.root = Path(self.settings.get("COMPLIANCE_ARCHIVE_ROOT", self.folder / "archive"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {
            "FIRENET_KAFKA_BOOTSTRAP": self.bootstrap,
            "COMPLIANCE_HTTP_PORT": str(self.port),
            "COMPLIANCE_ARCHIVE_ROOT": str(self.root),
            "COMPLIANCE_ARCHIVE_ROLL_BYTES": "20000",
            "COMPLIANCE_ARCHIVE_ROLL_S": "0.5",
            "COMPLIANCE_ARCHIVE_MIN_FREE_BYTES": "0",
        }
        with (self.folder / "compliance.log").open("ab") as log:
            argv = [sys.executable, "-m", "services.compliance"]
            self._process = subprocess.Popen(argv, env={**os.environ, **own, **self.settings}, stdout=log, stderr=log)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(60)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGKILL)

    def ready(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/readyz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum over all samples with these labels; -1 without an answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return -1
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith(f"firenet_archive_{name}") and all(each in line for each in wanted)
        )

    async def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(wait_for, what, condition)


@asynccontextmanager
async def compliance(bootstrap: str, folder: Path, **settings: str) -> AsyncIterator[Process]:
    """Yield the process, not started yet; it is ended in any case."""
    process = Process(bootstrap, folder, settings)
    try:
        yield process
    finally:
        process.kill()
