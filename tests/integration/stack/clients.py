"""Ordinary MQTT clients for the tests of the brokers."""

import queue
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

LIMIT_S = 20.0


@contextmanager
def mqtt_client(port: int, version: int = mqtt.MQTTv311) -> Iterator[mqtt.Client]:
    """A connected client with a name of its own."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"test-{secrets.token_hex(4)}",
        protocol=MQTTProtocolVersion(version),
    )
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert connected.wait(LIMIT_S), "the broker did not answer"
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def subscribe(client: mqtt.Client, topic: str, got: "queue.SimpleQueue[bytes]") -> None:
    """Put the body of every message into `got`; returns when the broker has confirmed."""
    confirmed = threading.Event()
    client.on_subscribe = lambda *_: confirmed.set()
    client.on_message = lambda _client, _data, message: got.put(bytes(message.payload))
    client.subscribe(topic, qos=1)
    assert confirmed.wait(LIMIT_S), "the broker did not confirm the subscription"


def publish(client: mqtt.Client, topic: str, body: bytes) -> None:
    """Return when the broker has acknowledged, at quality of service 1."""
    sent = client.publish(topic, body, qos=1)
    sent.wait_for_publish(LIMIT_S)
    assert sent.is_published(), "the broker did not acknowledge"
