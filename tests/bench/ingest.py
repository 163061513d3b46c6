"""`python -m tests.bench.ingest`: how many messages a second one ingest process moves from MQTT to Kafka.

Real Mosquitto and Apache Kafka on the same machine, QoS 1, each message acknowledged only after acks=all. The load is
open loop. With more offered than can be done, the rate is what was stored while the load still ran.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import psutil

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from schemas import codec
from schemas.registry import GatewayRecord, GatewayVersion, RegistryData, RegistryEvent
from schemas.topics import REGISTRY, all_topics
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics
from tests.bench.mqtt_publisher import gateway_name


async def prepare(bootstrap: str, gateways: int) -> None:
    """Create the topics and register `gateways` gateways."""
    specs = [
        TopicSpec(
            topic.name,
            topic.partitions,
            topic.cleanup == "compact",
            None,
            topic.max_message_bytes,
            compression=topic.compression,
        )
        for topic in all_topics().values()
    ]
    await ensure_topics(bootstrap, specs)
    producer = BatchProducer(bootstrap, "bench", headers=codec.HEADERS)
    await producer.start()
    now = datetime.now(UTC)
    records = []
    for number in range(gateways):
        name = gateway_name(number)
        version = GatewayVersion(
            valid_from=date(2020, 1, 1), recorded_at=now, gateway_id=name, unit_id=f"U{number:06d}", carrier="any"
        )
        data = RegistryData(record=GatewayRecord(id=name, versions=(version,)))
        event = RegistryEvent(id=name, source="/registry", subject=f"gateway:{name}", time=now, data=data)
        records.append(Record(REGISTRY, f"gateway:{name}".encode(), codec.registry.encode(event)))
    await producer.send_many(records)
    await producer.stop()


class Scrape:
    """Figures of a running ingest process."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def values(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found


@contextmanager
def ingest(
    bootstrap: str, mqtt_port: int, arguments: argparse.Namespace, instance: str
) -> Iterator[tuple[Scrape, int]]:
    """Run one ingest process until the block ends."""
    (port,) = free_ports(1)
    env = {
        **os.environ,
        "FIRENET_KAFKA_BOOTSTRAP": bootstrap,
        "FIRENET_LOG_LEVEL": "warning",
        "INGEST_INSTANCE": instance,
        "INGEST_HTTP_PORT": str(port),
        "INGEST_MQTT_PORT": str(mqtt_port),
        "INGEST_MQTT_PROTOCOL": arguments.protocol,
    }
    process = subprocess.Popen([sys.executable, "-m", "services.ingest"], env=env)
    scrape = Scrape(port)
    try:
        until = time.monotonic() + 60
        while not scrape.ready():
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit("ingest did not become ready")
            time.sleep(0.1)
        yield scrape, process.pid
    finally:
        process.terminate()
        process.wait(30)


def stored(scrapes: list[Scrape]) -> tuple[float, float]:
    """Return (stored, in flight) over all processes."""
    total = in_flight = 0.0
    for scrape in scrapes:
        values = scrape.values()
        total += sum(value for name, value in values.items() if name.startswith("firenet_ingest_stored_total"))
        in_flight += sum(value for name, value in values.items() if name.startswith("firenet_ingest_in_flight"))
    return total, in_flight


def load(port: int, arguments: argparse.Namespace, rate: int) -> subprocess.Popen[str]:
    """Start a publisher and return it as soon as it has built its messages."""
    command = [sys.executable, "-m", "tests.bench.mqtt_publisher", "--port", str(port), "--rate", str(rate)]
    command += ["--seconds", str(arguments.seconds), "--gateways", str(arguments.gateways)]
    command += ["--plain"] if arguments.plain else []
    publisher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert publisher.stdout is not None
    publisher.stdout.readline()
    return publisher


class Run:
    """Everything that runs during a measurement, and what it uses."""

    def __init__(self, scrapes: list[Scrape], ingests: list[int], parts: dict[str, list[int]]) -> None:
        self.scrapes = scrapes
        self.ingests = [psutil.Process(pid) for pid in ingests]
        self.parts = {"ingest": self.ingests} | {
            name: [psutil.Process(pid) for pid in pids] for name, pids in parts.items()
        }

    def cpu_s(self, load_pid: int) -> dict[str, float]:
        """Return the seconds of processor time of each part so far, and of the whole machine as `all`."""
        parts = self.parts | {"load": [psutil.Process(load_pid)]}
        used = {name: sum(sum(one.cpu_times()[:2]) for one in members) for name, members in parts.items()}
        times = psutil.cpu_times()
        return used | {"all": times.user + times.system + times.nice + times.softirq + times.steal}

    def measure(self, port: int, arguments: argparse.Namespace, rate: int) -> dict[str, object]:
        """Offer `rate` for the whole time; what was stored is counted from the second second on, while it lasted."""
        publisher = load(port, arguments, rate)
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        publisher.stdin.write("go\n")
        publisher.stdin.flush()
        warm = min(2.0, arguments.seconds / 4)
        time.sleep(warm)
        lag_before, batches_before, cpu_before = lag(self.scrapes), batches(self.scrapes), self.cpu_s(publisher.pid)
        begun, (before, _) = time.monotonic(), stored(self.scrapes)
        time.sleep(arguments.seconds - warm - 0.5)
        (after, _), lasted = stored(self.scrapes), time.monotonic() - begun
        cpu = {name: round((used - cpu_before[name]) / lasted, 2) for name, used in self.cpu_s(publisher.pid).items()}
        figures = {
            "offered": rate,
            "stored_per_s": round((after - before) / lasted),
            "us_per_message": round(1e6 * cpu["ingest"] * lasted / max(1.0, after - before), 1),
            "cores": cpu,
            "rss_mib": round(max(process.memory_info().rss for process in self.ingests) / 2**20),
            "ack_lag_p99_s": quantile(lag_before, lag(self.scrapes), 0.99),
            "kafka_batch_ms": round(1000 * batch_s(self.scrapes, batches_before), 1),
        }
        result = json.loads(publisher.stdout.readline())
        publisher.wait(30)
        return figures | {"sent": result["sent"]}


def batches(scrapes: list[Scrape]) -> tuple[float, float]:
    """Return (seconds, number) of all batches of the main lane so far."""
    name = 'firenet_ingest_kafka_batch_seconds_{}{{lane="main"}}'
    values = [scrape.values() for scrape in scrapes]
    return sum(one[name.format("sum")] for one in values), sum(one[name.format("count")] for one in values)


def batch_s(scrapes: list[Scrape], before: tuple[float, float]) -> float:
    """Return how long deciding, writing and storing a batch took since `before`, in seconds, on average."""
    seconds, number = batches(scrapes)
    return (seconds - before[0]) / max(1, number - before[1])


def lag(scrapes: list[Scrape]) -> dict[float, float]:
    """Return the cumulated buckets of how old the oldest message of each batch was when acknowledged."""
    buckets: dict[float, float] = {}
    for scrape in scrapes:
        for name, value in scrape.values().items():
            found = re.match(
                r'firenet_ingest_ack_lag_seconds_bucket\{.*lane="main".*le="([^"]+)"|'
                r'firenet_ingest_ack_lag_seconds_bucket\{le="([^"]+)",lane="main"',
                name,
            )
            if found:
                edge = float(found[1] or found[2])
                buckets[edge] = buckets.get(edge, 0) + value
    return buckets


def quantile(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Return the upper edge of the bucket in which the quantile lies."""
    edges = sorted(after)
    total = after[edges[-1]] - before.get(edges[-1], 0)
    return next((edge for edge in edges if after[edge] - before.get(edge, 0) >= share * total), edges[-1])


def drain(scrapes: list[Scrape], expected: float) -> float:
    """Wait until everything sent is stored; return how long that took."""
    begun = time.monotonic()
    while stored(scrapes)[0] < expected:
        if time.monotonic() - begun > 120:
            raise SystemExit(f"stored {stored(scrapes)[0]:.0f} of {expected:.0f} after 120 s: messages are missing")
        time.sleep(0.1)
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", type=int, nargs="+", default=[30000, 10000], help="messages offered per second")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--gateways", type=int, default=2000)
    parser.add_argument("--protocol", default="3.1.1", choices=["5", "3.1.1"])
    parser.add_argument("--plain", action="store_true", help="the smallest heartbeats instead of 290 bytes")
    arguments = parser.parse_args()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"MQTT {arguments.protocol}, {arguments.processes} process(es)"
    )
    folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    kafka_port, controller_port, mqtt_port = free_ports(3)
    with ExitStack() as stack:
        kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller_port)
        mosquitto = Mosquitto(folder / "mosquitto", port=mqtt_port)
        for part in (kafka, mosquitto):
            part.start()
            stack.callback(part.stop)
        asyncio.run(prepare(kafka.bootstrap, arguments.gateways))
        running = [
            stack.enter_context(ingest(kafka.bootstrap, mqtt_port, arguments, f"bench-{number}"))
            for number in range(arguments.processes)
        ]
        run = Run(
            [one for one, _ in running], [pid for _, pid in running], {"kafka": kafka.pids, "mosquitto": mosquitto.pids}
        )
        expected = 0
        for rate in arguments.rates:
            figures = run.measure(mqtt_port, arguments, rate)
            expected += int(str(figures["sent"]))
            figures["drain_s"] = round(drain(run.scrapes, expected), 1)
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
