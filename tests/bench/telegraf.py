"""`python -m tests.bench.telegraf`: Telegraf's MQTT-to-Kafka path under the load that `tests.bench.ingest` offers.

Telegraf is what a user would pick instead of our ingest. It is built from Go modules with just the plugins that
are needed and set up fairly: QoS 1, persistent session, acknowledged after acks=all, JSON parsed and written as JSON.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from services.runtime.kafka import TopicSpec, ensure_topics
from tests.bench.ingest import load

MODULE = "github.com/influxdata/telegraf"
VERSION = "v1.37.2"
TAGS = "custom,inputs.mqtt_consumer,outputs.kafka,parsers.json,serializers.json"
TOPIC = "telegraf"
PARTITIONS = 12
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firenet"
SETTINGS = """
[agent]
  interval = "1s"
  flush_interval = "100ms"
  metric_batch_size = 5000
  metric_buffer_limit = 200000
  omit_hostname = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{mqtt}"]
  topics = ["$share/telegraf/firenet/v1/+/up/json"]
  qos = 1
  persistent_session = true
  client_id = "{client}"
  max_undelivered_messages = 20000
  data_format = "json"
  json_time_key = "occurred_at"
  json_time_format = "2006-01-02T15:04:05Z07:00"
  json_string_fields = ["*"]
[[outputs.kafka]]
  brokers = ["{kafka}"]
  topic = "{topic}"
  required_acks = -1
  data_format = "json"
"""


def build() -> Path:
    """Return the binary, built at the first call (about two minutes)."""
    binary = CACHE / f"telegraf-{VERSION}"
    if binary.exists():
        return binary
    print("building Telegraf, once ...", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    asked = subprocess.run(
        ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(json.loads(asked.stdout)["Dir"], source)
        for path in (source, *source.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        part = CACHE / "telegraf.part"
        subprocess.run(["go", "build", "-tags", TAGS, "-o", str(part), "./cmd/telegraf"], cwd=source, check=True)
        part.rename(binary)
    return binary


async def stored(bootstrap: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


def measure(bootstrap: str, process: psutil.Process, port: int, arguments: argparse.Namespace) -> dict[str, float]:
    publisher = load(port, arguments, arguments.rate)
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    publisher.stdin.write("go\n")
    publisher.stdin.flush()
    time.sleep(2)
    begun, before, cpu_before = time.monotonic(), asyncio.run(stored(bootstrap)), sum(process.cpu_times()[:2])
    time.sleep(arguments.seconds - 2.5)
    after, cpu_after, lasted = asyncio.run(stored(bootstrap)), sum(process.cpu_times()[:2]), time.monotonic() - begun
    publisher.stdout.readline()
    publisher.wait(30)
    return {
        "offered": arguments.rate,
        "stored_per_s": round((after - before) / lasted),
        "cpu_share": round((cpu_after - cpu_before) / lasted, 2),
        "rss_mib": round(process.memory_info().rss / 2**20),
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=30000)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--gateways", type=int, default=2000)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("go") is None:
        print("Telegraf skipped: no Go on PATH to build it with")
        return 0
    binary = build()
    folder = Path(tempfile.mkdtemp(prefix="bench-telegraf-"))
    kafka_port, controller_port, mqtt_port = free_ports(3)
    kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller_port)
    mosquitto = Mosquitto(folder / "mosquitto", port=mqtt_port)
    process: subprocess.Popen[bytes] | None = None
    try:
        kafka.start()
        mosquitto.start()
        asyncio.run(ensure_topics(kafka.bootstrap, [TopicSpec(TOPIC, PARTITIONS, False, None, 1 << 20)]))
        config = folder / "telegraf.conf"
        client = f"telegraf-{secrets.token_hex(4)}"
        config.write_text(SETTINGS.format(mqtt=mqtt_port, client=client, kafka=kafka.bootstrap, topic=TOPIC))
        with (folder / "telegraf.log").open("wb") as log:
            process = subprocess.Popen([str(binary), "--config", str(config)], stdout=log, stderr=log)
        time.sleep(3)
        print(json.dumps(measure(kafka.bootstrap, psutil.Process(process.pid), mqtt_port, arguments)), flush=True)
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        mosquitto.stop()
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
