"""Sends a script over one QoS 1 connection and keeps the book: what was said, handed over, acknowledged, and when."""

import json
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.ports import HOST
from services.runtime.clock import SystemClock
from tests.chaos.script import MAX_AGAIN, Said, Script
from tests.checker.book import Spoken, Words

IN_FLIGHT = 400
KEEPALIVE_S = 15
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sender:
    """Open loop, in a thread of its own: devices go on speaking while the broker is away, and are heard afterwards.

    What a lost connection left unanswered goes out again before anything new, so a device's order is kept.
    """

    def __init__(self, port: int, script: Script, units: dict[str, str]) -> None:
        self.book: list[Spoken] = []
        self.connections = 0
        self._script = script
        self._units = units
        self._clock = SystemClock()
        self._calm_at: float | None = None
        self._stop, self._mute, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._backlog: deque[tuple[Spoken, str, bytes]] = deque()
        self._kept: dict[str, deque[tuple[Spoken, str, bytes]]] = {}
        self._waiting: dict[int, Spoken] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="chaos")
        self._client.max_inflight_messages_set(2 * IN_FLIGHT)
        self._client.on_connect = lambda *_: self._connected()
        self._client.on_publish = lambda _client, _data, mid, _code, _properties: self._answered(mid)
        self._port = port
        self.started_at = self._clock.now().timestamp()
        self._started = self._clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self.failed: BaseException | None = None

    def start(self) -> None:
        self._client.connect_async(HOST, self._port, keepalive=KEEPALIVE_S)
        self._thread.start()

    @property
    def seconds(self) -> float:
        return self._clock.monotonic() - self._started

    @property
    def unanswered(self) -> int:
        """What was said and is not acknowledged, handed over or not."""
        return len(self._backlog) + len(self._waiting)

    def calm(self) -> None:
        """Have everything end that may end; heartbeats go on."""
        self._calm_at = self.seconds

    def close(self) -> None:
        """Say nothing more, wait a while for what is not acknowledged, and end."""
        self._mute.set()
        self._ended.wait(20)
        self._stop.set()
        self._thread.join(20)
        self._client.disconnect()

    def save(self, path: Path) -> None:
        """Write the book as lines of JSON, for whoever looks into it afterwards."""
        with path.open("w", encoding="utf-8") as file:
            for one in self.book:
                words = {name: getattr(one.words, name) for name in Words.__slots__}
                own = {name: getattr(one, name) for name in Spoken.__slots__ if name != "words"}
                file.write(json.dumps({**own, **words}) + "\n")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._calm_at is not None:
                    self._script.calm(self._calm_at)
                    self._calm_at = None
                if not self._mute.is_set():
                    for said in self._script.due(self.seconds):
                        self._enter(said)
                elif self.unanswered == 0:
                    self._ended.set()
                self._drive()
        except BaseException as error:  # told to whoever waits for this thread
            self.failed = error

    def _drive(self) -> None:
        """Hand over what there is room for, then read and write for a moment; make a lost connection anew."""
        while self._client.is_connected() and self._backlog and len(self._waiting) < IN_FLIGHT:
            spoken, topic, payload = self._backlog.popleft()
            spoken.sent_at = spoken.sent_at or self._clock.now().timestamp()
            self._waiting[self._client.publish(topic, payload, qos=1).mid] = spoken
        if self._client.loop(0.01) != mqtt.MQTT_ERR_SUCCESS:
            self._stop.wait(0.1)
            try:
                self._client.reconnect()
            except OSError:
                return

    def _enter(self, said: Said) -> None:
        """Write a message into the book as its device says it now; it goes out when the connection lets it."""
        if said.again:
            entry = self._kept[said.gateway][-1 - said.again]
            entry[0].again = True
            self._backlog.append(entry)
            return
        due_at = self.started_at + said.due_s
        at = EPOCH + timedelta(seconds=due_at if said.clock is None else said.clock)
        if said.traits.whole_seconds:
            at = at.replace(microsecond=0)
        number = len(self.book)
        body: dict[str, Any] = {**said.body, "occurred_at": at.isoformat()}
        if not said.traits.boots:
            body["text"] = f"m{number}"
        words = Words(
            gateway=said.gateway,
            lane=said.lane,
            kind=body["kind"],
            seq=body["seq"],
            occurred_at=at.timestamp(),
            point=body.get("point", {}).get("address"),
            restores=body.get("restores"),
            text=body.get("text"),
        )
        spoken = Spoken(number, self._units[said.gateway], words, due_at, said.skipped, said.traits.boots)
        self.book.append(spoken)
        topic = f"firenet/v1/{said.gateway}/{said.lane}/json"
        entry = spoken, topic, json.dumps(body).encode()
        self._backlog.append(entry)
        if said.traits.chatty:
            self._kept.setdefault(said.gateway, deque(maxlen=2 * MAX_AGAIN)).append(entry)

    def _connected(self) -> None:
        self.connections += 1

    def _answered(self, mid: int) -> None:
        spoken = self._waiting.pop(mid, None)
        if spoken is not None:
            spoken.acked_at = spoken.acked_at or self._clock.now().timestamp()
