"""Sends a synthetic alarm as a gateway would: a connection, one message on its alarm topic, and goodbye."""

import asyncio
import json
import ssl
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr

from services.alerts.ports import NotSent
from services.kernel.synthetic import SYNTHETIC
from services.kernel.words import SignalKind
from services.runtime.clock import Clock

TOPIC = f"firenet/v1/{SYNTHETIC}/alarm/json"
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and as whom it is spoken to; with `tls_ca` it must prove who it is."""

    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    tls_ca: Path | None = None


class MqttSyntheticSender:
    """See ports.SyntheticSender."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock

    async def send(self, run_id: str, mark: str) -> None:
        message = {
            "v": 1,
            "kind": str(SignalKind.FIRE),
            "occurred_at": self._clock.now().isoformat(),
            "point": {"address": mark, "label": "自检报警 synthetic alarm"},
        }
        try:
            async with asyncio.timeout(3 * ANSWER_S):
                await asyncio.to_thread(self._publish, run_id, json.dumps(message, ensure_ascii=False).encode())
        except (OSError, ValueError, RuntimeError) as error:  # TimeoutError, ssl.SSLError and MQTT's own are among them
            raise NotSent(f"{type(error).__name__}: {error}"[:200]) from error

    def _publish(self, run_id: str, body: bytes) -> None:
        broker = self._broker
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"synthetic-{run_id}")
        client.connect_timeout = ANSWER_S
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password.get_secret_value() if broker.password else None)
        if broker.tls_ca is not None:
            client.tls_set_context(ssl.create_default_context(cafile=broker.tls_ca))
        client.connect(broker.host, broker.port, keepalive=30)
        client.loop_start()
        try:
            published = client.publish(TOPIC, body, qos=1)
            published.wait_for_publish(ANSWER_S)
            if not published.is_published():
                raise TimeoutError("the broker did not acknowledge the message")
        finally:
            client.disconnect()
            client.loop_stop()
