"""A QoS 1 publisher of many gateways with an append-only ledger: what was sent, what the broker acknowledged."""

import json
import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.ports import HOST
from services.runtime.clock import SystemClock
from tests.checker.delivery import Sent, name_of

POINTS = 3
CALM_ROUNDS = 4
EXTRA_SEQ = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the gateways say, all of it decided by `seed`: the gateways speak in turn, `rate` messages a second.

    Some messages are faults or restore one. A share of the gateways falls silent once, `silence_s` long, a share for
    good.
    Every fire is of a component of its own and goes over the alarm lane.
    """

    seed: int
    gateways: Sequence[tuple[str, str]]
    rate: float = 250.0
    faults_per_s: float = 1.5
    fires_per_s: float = 0.3
    silent_share: float = 0.15
    silence_s: float = 15.0
    gone_share: float = 0.0

    def messages(self) -> Iterator[tuple[float, str, dict[str, Any], str] | None]:
        """Yield (due after the start in seconds, gateway, body without its time, lane) for ever; None is silence."""
        dice = random.Random(self.seed)
        starts = {gateway: 10 + 60 * dice.random() for gateway, _ in self.gateways if dice.random() < self.silent_share}
        ends = {gateway: start + self.silence_s for gateway, start in starts.items()}
        for gateway, _ in self.gateways:
            if dice.random() < self.gone_share:
                starts[gateway], ends[gateway] = 20.0, float("inf")
        faults: dict[str, set[str]] = {}
        number = 0
        while True:
            round_number, place = divmod(number, len(self.gateways))
            gateway, _ = self.gateways[place]
            due_s = number / self.rate
            number += 1
            chance = dice.random()
            if gateway in starts and starts[gateway] <= due_s < ends[gateway]:
                yield None
                continue
            body: dict[str, Any] = {"v": 1, "kind": "heartbeat", "seq": round_number}
            lane = "up"
            if chance < self.fires_per_s / self.rate:
                body |= {"kind": "fire", "point": {"address": f"F-{number}"}}
                lane = "alarm"
            elif chance < (self.fires_per_s + self.faults_per_s) / self.rate:
                body |= _fault(dice, faults.setdefault(gateway, set()))
            yield due_s, gateway, body, lane


def _fault(dice: random.Random, known: set[str]) -> dict[str, Any]:
    """Return a fault of a component that is well, or the end of one that is not."""
    address = f"L-{dice.randrange(POINTS)}"
    if address in known:
        known.discard(address)
        return {"kind": "restore", "restores": "fault", "point": {"address": address}}
    known.add(address)
    return {"kind": "fault", "point": {"address": address}}


class Publisher:
    """Publishes a plan from a thread of its own until stopped. Open loop: it does not wait for acknowledgements.

    While `calm` is set, only heartbeats are sent, and of these one in CALM_ROUNDS. The same thread drives the
    connection: what a lost one left unanswered goes out again before anything new, so a gateway's order is kept.
    """

    def __init__(self, port: int, plan: Plan, ledger: Path) -> None:
        self.sent = 0
        self.calm = True
        self.may_connect = threading.Event()
        self.may_connect.set()
        self._plan = plan
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._extra: deque[tuple[str, dict[str, Any], str]] = deque()
        self._waiting: dict[int, str] = {}
        self._file = ledger.open("a", encoding="utf-8", buffering=1)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="chaos")
        self._client.max_inflight_messages_set(2000)
        self._client.on_publish = lambda _client, _data, mid, _code, _properties: self._answered(mid)
        self._client.connect(HOST, port, keepalive=30)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the plan; what is not answered by now stays unknown in the ledger."""
        self._stop.set()
        self._thread.join(30)
        self._client.disconnect()
        self._file.close()

    def _run(self) -> None:
        started = self._clock.monotonic()
        for message in self._plan.messages():
            if self._stop.is_set():
                return
            while self._extra:
                self._publish(*self._extra.popleft())
            if message is None:
                continue
            due_s, gateway, body, lane = message
            if self.calm and (body["kind"] != "heartbeat" or body["seq"] % CALM_ROUNDS):
                continue
            self._drive(0)
            while (rest := started + due_s - self._clock.monotonic()) > 0 and not self._stop.is_set():
                self._drive(min(rest, 0.05))
            self._publish(gateway, body, lane)

    def _drive(self, seconds: float) -> None:
        """Read and write for so long; a lost connection is made anew first."""
        code = self._client.loop(seconds)
        while (code != mqtt.MQTT_ERR_SUCCESS or not self._client.is_connected()) and not self._stop.is_set():
            if code != mqtt.MQTT_ERR_SUCCESS:
                if not self.may_connect.wait(0.1):
                    continue
                try:
                    self._client.reconnect()
                except OSError:
                    self._stop.wait(0.1)
                    continue
            code = self._client.loop(0.1)

    def _publish(self, gateway: str, body: dict[str, Any], lane: str) -> None:
        now = self._clock.now()
        payload = json.dumps({**body, "occurred_at": now.isoformat()}).encode()
        name = name_of(gateway, lane, body["seq"], body["kind"])
        self._write("sent", name, gateway, body["seq"], body["kind"], lane, now.timestamp())
        mid = self._client.publish(f"firenet/v1/{gateway}/{lane}/json", payload, qos=1).mid
        self._waiting[mid] = name
        self.sent += 1

    def _answered(self, mid: int) -> None:
        name = self._waiting.pop(mid, None)
        if name is not None:
            self._write("acked", name, self._clock.now().timestamp())

    def send(self, gateway: str, body: dict[str, Any], lane: str) -> None:
        """Publish one message more, in turn with the plan's own; its number is above all of the plan's."""
        self._extra.append((gateway, {**body, "seq": EXTRA_SEQ + self.sent}, lane))

    def _write(self, *words: object) -> None:
        self._file.write("\t".join(map(str, words)) + "\n")


def read_ledger(path: Path) -> list[Sent]:
    """Return what the ledger's file holds, also while it is written."""
    rows: dict[str, Sent] = {}
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")  # the last line may be in the middle of its way
    for line in whole.splitlines():
        word, name, *rest = line.split("\t")
        if word == "sent":
            gateway, seq, kind, lane, at = rest
            rows[name] = Sent(name, gateway, int(seq), kind, lane, float(at))
        else:
            rows[name] = replace(rows[name], acked_at=float(rest[0]))
    return list(rows.values())
