"""The whole of FireNet as processes over real parts, for end-to-end and chaos tests and for benchmarks."""

import json
import os
import shutil
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.publish
import psycopg

from deploy.stack.firenet import FireNet, Options, Ports
from deploy.stack.part import Part
from deploy.stack.ports import HOST, free_ports
from deploy.stack.service import ROOT, Service, http_ok
from deploy.stack.webhook import Received, WebhookReceiver
from services.runtime.clock import SystemClock

WAIT_S = 120.0
START_LIMIT_S = 300.0
"""Tests run beside others: what is slow to start is not broken."""


def wait_for(what: str, condition: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not within the limit."""
    clock = SystemClock()
    deadline = clock.monotonic() + limit_s
    pause = threading.Event()
    while not condition():
        assert clock.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        pause.wait(0.05)


class System:
    """One running FireNet with a simulated district in its registry; nothing publishes until a test does."""

    def __init__(self, folder: Path, options: Options, units: int, seed: int = 7, root: Path = ROOT) -> None:
        self.firenet = FireNet(folder, Ports.free(), options)
        self.firenet.root = root
        self.units = units
        self.seed = seed
        self.heard: list[Received] = []
        self.centre = WebhookReceiver(self.firenet.ports.webhook, self.firenet.secret("centre"), self.heard.append)
        self.services: dict[str, Service] = {}
        self._started: list[Part] = []
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None

    def start(self) -> None:
        self._start(*self.firenet.parts)
        self.firenet.set_up()
        district = self.firenet.folder / "district"
        size = ["--units", str(self.units), "--seed", str(self.seed)]
        self.firenet.command("services.simulator", "write", str(district), *size, "--centre-webhook", self.centre.url)
        self.firenet.command("services.registry", "import", *map(str, sorted(district.iterdir())))
        self.services |= {service.name: service for service in self.firenet.services()}
        for service in self.services.values():
            service.start_limit_s = START_LIMIT_S
        self._start(*self.services.values())
        door = self.firenet.door
        if door is not None:
            wait_for("gateways let in", lambda: door.is_open)

    def _start(self, *parts: Part) -> None:
        """Start side by side, as the stack does; return or raise when none of them is starting any more."""
        self._started += parts
        for part in parts:
            if isinstance(part, Service):  # most of them stand back: on a busy machine they have little of it
                part.start_limit_s = max(part.start_limit_s, START_LIMIT_S)
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            list(pool.map(lambda part: part.start(), parts))

    def simulate(self, *arguments: str, name: str = "simulator") -> Service:
        """Start the simulator over this district and return its process; it ends with the system at the latest."""
        env = {
            **self.firenet.environment(),
            "SIMULATOR_MQTT_HOST": HOST,
            "SIMULATOR_MQTT_PORT": str(self.firenet.ports.mqtt),
        }
        size = ["--units", str(self.units), "--seed", str(self.seed)]
        argv = [sys.executable, "-m", "services.simulator", arguments[0], *size, *arguments[1:]]
        simulator = Service(self.firenet.folder / name, name=name, argv=argv, env=env)
        self._start(simulator)
        return simulator

    def stop(self) -> None:
        if self._session is not None:
            self._session.close()
        services = [part for part in self._started if isinstance(part, Service)]
        for batch in (services, [part for part in self._started if part not in services]):
            with ThreadPoolExecutor(len(self._started) or 1) as pool:  # each takes seconds to end, waiting most of them
                list(pool.map(lambda part: part.stop(), batch))

    def part(self, name: str) -> Part:
        return self.services.get(name) or next(part for part in self._started if part.name == name)

    def kill(self, name: str) -> None:
        """`kill -9` of one service or part, as a power cut would; returns when it is dead."""
        self.signal(name, signal.SIGKILL)
        part = self.part(name)
        wait_for(f"{name} dead", lambda: not part.alive())

    def signal(self, name: str, number: signal.Signals) -> None:
        for pid in self.part(name).pids:
            os.kill(pid, number)

    def restart(self, name: str) -> None:
        self.part(name).start()

    def second(self, name: str, extra: dict[str, str]) -> Service:
        """Start one more instance of a service, with a name and a port of its own; `second-NAME` from then on."""
        (port,) = free_ports(1)
        prefix = name.upper()
        env = {f"{prefix}_INSTANCE": f"second-{name}", f"{prefix}_HTTP_PORT": str(port), **extra}
        service = Service(
            self.firenet.folder / f"second-{name}",
            name=f"second-{name}",
            argv=[sys.executable, "-m", f"services.{name}"],
            env={**self.firenet.environment(), **env},
            ready=http_ok(f"http://{HOST}:{port}/readyz"),
            start_limit_s=90,
        )
        self.add(service)
        return service

    def add(self, service: Service) -> None:
        """Start one more process; it ends with the system at the latest."""
        self.services[service.name] = service
        self._start(service)

    def end(self, name: str) -> None:
        """Ask a service to end, as an upgrade does, and forget it: it is not missed."""
        self.services.pop(name).stop()

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Ask over one kept session: tests ask all the time, and opening one costs more than most questions."""
        if self._session is not None and not self._session.closed:
            try:
                return self._session.execute(query.encode(), arguments).fetchall()
            except psycopg.OperationalError:  # the server was killed since: the next one has to answer
                self._session.close()
        self._session = psycopg.connect(self.firenet.postgres.dsn(), autocommit=True)
        return self._session.execute(query.encode(), arguments).fetchall()

    def value(self, query: str, *arguments: object) -> Any:
        (row,) = self.rows(query, *arguments)
        return row[0]

    def mails(self) -> list[dict[str, Any]]:
        """Return what the mailbox holds, newest first, as its JSON page gives it."""
        with urllib.request.urlopen(f"{self.firenet.mailbox.addresses['http']}mails.json", timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["mails"]
            return found

    def publish(self, gateway_id: str, payload: bytes | str | dict[str, Any], channel: str = "up/json") -> None:
        """Send one message as any outside client would, QoS 1, and return when the broker has it."""
        raw = json.dumps(payload) if isinstance(payload, dict) else payload
        topic = f"firenet/v1/{gateway_id}/{channel}"
        paho.mqtt.publish.single(topic, raw, qos=1, hostname=HOST, port=self.firenet.ports.mqtt)

    def publish_all(self, messages: Sequence[tuple[str, dict[str, Any], str]]) -> None:
        batch: list[Any] = [
            {"topic": f"firenet/v1/{gateway}/{channel}", "payload": json.dumps(body), "qos": 1}
            for gateway, body, channel in messages
        ]
        paho.mqtt.publish.multiple(batch, hostname=HOST, port=self.firenet.ports.mqtt)

    def heartbeat_all(self) -> None:
        gateways = self.rows("SELECT id FROM registry.in_force WHERE kind = 'gateway' ORDER BY id")
        self.publish_all([(gateway, {"v": 1, "kind": "heartbeat"}, "up/json") for (gateway,) in gateways])


def message(kind: str, seq: int, **more: Any) -> dict[str, Any]:
    at: datetime = SystemClock().now()
    return {"v": 1, "kind": kind, "seq": seq, "occurred_at": at.isoformat(), **more}


@contextmanager
def running(folder: Path, options: Options, units: int, root: Path = ROOT) -> Iterator[System]:
    """Yield a started system of the version at `root`; ends all of it, also when starting failed half way."""
    system = System(folder, options, units, root=root)
    with system.centre:
        try:
            system.start()
            yield system
        finally:
            system.stop()


def broker_options(**more: Any) -> Options:
    """Return options on Mosquitto where it is installed, on the embedded broker elsewhere."""
    if shutil.which("mosquitto"):
        return Options(mosquitto=True, share_group="ingest", mqtt_protocol="5", **more)
    return Options(**more)
