"""`python -m tests.bench.system`: the whole of FireNet on this machine, brokers, database and load included.

Open loop: the load generator keeps its schedule whatever happens, latencies count from the intended instant. Prints
sustained signals per second end to end, fire latency at half of that and under three times of it, how precisely
deadlines are kept, and memory and processor time of each service.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
from hdrh.histogram import HdrHistogram
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.ports import HOST
from tests.bench.machine import against, describe, processors
from tests.system import System, broker_options, message, running

UNITS = 2000
BACKLOG = """SELECT coalesce(sum(next_offset), 0) FROM rules.partitions"""
LATE = """SELECT extract(epoch FROM recorded_at - detected_at) FROM rules.transitions
    WHERE aspect = 'connection' AND to_state = 'offline' AND detected_at > %s"""


@dataclass(frozen=True, slots=True)
class Step:
    """One load step: `stored` and `handled` per second of load, read at its end; rules needed `drain_s` more."""

    offered: float
    stored: float
    handled: float
    drain_s: float

    @property
    def sustained(self) -> bool:
        return self.stored >= 0.98 * self.offered and self.drain_s < 3


def scrape(system: System, port: int, name: str) -> float:
    """Return the sum of all samples of a metric of one service."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def stored(system: System) -> float:
    return scrape(system, system.firenet.ports.ingest, "firenet_ingest_stored_total")


def handled(system: System) -> int:
    return int(system.value(BACKLOG))


def end_of_log(system: System) -> int:
    """Return how many records stand in the signals topic."""
    import asyncio

    from aiokafka import AIOKafkaConsumer

    from schemas.topics import SIGNALS

    async def ask() -> int:
        consumer = AIOKafkaConsumer(SIGNALS, bootstrap_servers=system.firenet.kafka.bootstrap)
        await consumer.start()
        try:
            return sum((await consumer.end_offsets(consumer.assignment())).values())
        finally:
            await consumer.stop()

    return asyncio.run(ask())


def load(system: System, rate: float, seconds: float) -> "subprocess.Popen[bytes]":
    env = {
        **system.firenet.environment(),
        "SIMULATOR_MQTT_HOST": HOST,
        "SIMULATOR_MQTT_PORT": str(system.firenet.ports.mqtt),
    }
    argv = [sys.executable, "-m", "services.simulator", "load", "--rate", f"{rate:g}", "--seconds", f"{seconds:g}"]
    argv += ["--units", str(system.units), "--seed", str(system.seed), "--event-share", "0.01"]
    return subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL)


def step(system: System, rate: float, seconds: float) -> Step:
    before_stored, before_handled = stored(system), handled(system)
    load(system, rate, seconds).wait()
    took_stored, took_handled = stored(system) - before_stored, handled(system) - before_handled
    begin = time.monotonic()
    while handled(system) < end_of_log(system) - 100 and time.monotonic() - begin < 300:
        time.sleep(0.2)
    return Step(rate, took_stored / seconds, took_handled / seconds, time.monotonic() - begin)


def fires(system: System, rate: float, seconds: float, load_rate: float) -> HdrHistogram:
    """Publish fires on a fixed schedule while the load runs; return latencies to the centre's webhook, in ms."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-fires")
    client.connect(HOST, system.firenet.ports.mqtt)
    client.loop_start()
    running_load = load(system, load_rate, seconds + 4)
    time.sleep(3)
    intended: dict[str, float] = {}
    begin, count = time.time(), int(rate * seconds)
    rows = system.rows("SELECT id FROM registry.in_force WHERE kind = 'gateway' ORDER BY id LIMIT 500")
    gateways = [row[0] for row in rows]
    for number in range(count):
        due = begin + number / rate
        time.sleep(max(0.0, due - time.time()))
        address = f"B{int(begin)}-{number}"
        intended[address] = due
        gateway = gateways[number % len(gateways)]
        body = json.dumps(message("fire", 10_000_000 + number, point={"address": address}))
        client.publish(f"firenet/v1/{gateway}/alarm/json", body, qos=1)
    deadline = time.time() + 60
    while time.time() < deadline and len(arrived(system, intended)) < count:
        time.sleep(0.2)
    running_load.wait()
    client.loop_stop()
    found = arrived(system, intended)
    histogram = HdrHistogram(1, 600_000, 3)
    for address, at in found.items():
        histogram.record_value(max(1, round(1000 * (at - intended[address]))))
    print(f"    {len(found)} of {count} fires arrived at the centre")
    return histogram


def arrived(system: System, intended: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in list(system.centre.received):
        point = (one.body.get("data") or {}).get("point") or {}
        address = point.get("address")
        if address in intended and address not in found:
            found[address] = one.at.timestamp()
    return found


class Meter(threading.Thread):
    """Samples memory and processor time of every service and part once a second."""

    def __init__(self, system: System) -> None:
        super().__init__(daemon=True)
        self._parts = [*system.services.values(), *system.firenet.parts]
        self.peak: dict[str, int] = {}
        self.cpu: dict[str, float] = {}
        self.begin = time.monotonic()
        self.end = threading.Event()

    def run(self) -> None:
        while not self.end.wait(1):
            for part in self._parts:
                self._sample(part.name, part.pids)

    def _sample(self, name: str, pids: Sequence[int]) -> None:
        try:
            tree = [
                each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
            ]
            resident = sum(each.memory_info().rss for each in tree)
            used = sum(each.cpu_times().user + each.cpu_times().system for each in tree)
        except psutil.Error:
            return
        self.peak[name] = max(self.peak.get(name, 0), resident)
        self.cpu[name] = max(self.cpu.get(name, 0), used)

    def report(self) -> None:
        took = time.monotonic() - self.begin
        for name in self.peak:
            share = 100 * self.cpu.get(name, 0) / took
            print(f"    {name:12} {self.peak[name] / 2**20:7.0f} MiB peak   {share:5.1f} % of a core")


def percentiles(histogram: HdrHistogram, floor_ms: float) -> str:
    points = [f"p{p:g} {histogram.get_value_at_percentile(p):.0f} ms" for p in (50, 99, 99.9)]
    kept = against(histogram.get_value_at_percentile(99), floor_ms, "ms at p99")
    return f"{', '.join(points)}, max {histogram.get_max_value():.0f} ms {kept}"


def climb(system: System, rates: Sequence[float], seconds: float) -> float:
    """Raise the load until it is no longer sustained; return the highest rate that was."""
    best = 0.0
    for rate in rates:
        one = step(system, rate, seconds)
        verdict = "sustained" if one.sustained else "NOT sustained"
        print(f"    offered {one.offered:7.0f}/s   stored {one.stored:7.0f}/s   handled {one.handled:7.0f}/s   "
              f"drained {one.drain_s:5.1f} s   {verdict}", flush=True)  # fmt: skip
        if not one.sustained:
            break
        best = rate
    return best


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rates", default="2500,5000,7500,10000,12500,15000,20000")
    parser.add_argument("--fires", type=float, default=10, help="fires per second")
    options = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        settings = broker_options(supervision_rate=1, ladder_rate=1, mailbox=True, local_webhooks=True)
        with running(Path(folder), settings, UNITS) as system:
            meter = Meter(system)
            meter.start()
            print("end to end, all stored, rules on:")
            rates = [float(rate) for rate in options.rates.split(",")]
            with processors():
                sustained = climb(system, rates, options.seconds)
            best = sustained or rates[0]
            print(f"  sustained: {sustained:.0f} signals/s {against(sustained, 5000, 'signals/s', at_most=False)}")
            print("fire, publish to accepted by the centre's webhook, at half of that:")
            with processors():
                print(f"    {percentiles(fires(system, options.fires, options.seconds, best / 2), 250)}")
            print("the same under three times of it:")
            with processors():
                print(f"    {percentiles(fires(system, options.fires, options.seconds, best * 3), 2000)}")
            print("memory and processor time over the whole run:")
            meter.end.set()
            meter.report()
    with processors():
        deadlines()
    return 0


def deadlines() -> None:
    """Let every unit fall silent at once; print how late after its deadline each was declared offline."""
    with tempfile.TemporaryDirectory() as folder:
        settings = broker_options(supervision_rate=20, ladder_rate=1, mailbox=True, local_webhooks=True)
        with running(Path(folder), settings, UNITS) as system:
            since = system.value("SELECT now()")
            load(system, UNITS / 3, 20).wait()
            begin = time.monotonic()
            offline = "SELECT count(*) FROM rules.units WHERE connection = 'offline'"
            online = "SELECT count(*) FROM rules.units WHERE connection IN ('online', 'late')"
            while system.value(online) > 0 and time.monotonic() - begin < 120:
                time.sleep(0.5)
            late = sorted(float(row[0]) for row in system.rows(LATE, since))
            print(f"deadlines, {system.value(offline)} units silent at once, declared and stored after their deadline:")
            if late:
                middle, worst = late[len(late) // 2], late[-1]
                print(f"    earliest {late[0]:.2f} s, median {middle:.2f} s, latest {worst:.2f} s")
                print(f"    latest {against(worst, 1, 's')}, earliest {against(late[0], 0, 's', at_most=False)}")


if __name__ == "__main__":
    sys.exit(main())
