"""Ordinary MQTT clients for the tests of the brokers."""

import queue
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

LIMIT_S = 60.0
ASKED_AGAIN_S = 5.0
"""The embedded broker leaves an answer out now and then (3 of 50 connections): devices ask again, and so do these."""


@contextmanager
def mqtt_client(
    port: int, version: int = mqtt.MQTTv311, *, session: str = "", got: "queue.SimpleQueue[bytes] | None" = None
) -> Iterator[mqtt.Client]:
    """A connected client; with a `session` the broker remembers it (3.1.1), and `got` takes what was waiting for it."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=session or f"test-{secrets.token_hex(4)}",
        protocol=MQTTProtocolVersion(version),
        clean_session=None if version == mqtt.MQTTv5 else not session,
    )
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    if got is not None:
        client.on_message = lambda _client, _data, message: got.put(bytes(message.payload))
    try:
        for _ in range(int(LIMIT_S / ASKED_AGAIN_S)):
            client.connect("127.0.0.1", port)
            client.loop_start()
            if connected.wait(ASKED_AGAIN_S):
                break
            client.disconnect()
            client.loop_stop()
        assert connected.is_set(), "the broker did not answer"
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def cut(client: mqtt.Client) -> None:
    """Let it go away without a word, and not come back."""
    client.loop_stop()
    connection = client.socket()
    if connection is not None:  # the broker may have gone first
        connection.close()


def subscribe(client: mqtt.Client, topic: str, got: "queue.SimpleQueue[bytes]") -> None:
    """Put the body of every message into `got`; returns when the broker has confirmed."""
    confirmed = threading.Event()
    client.on_subscribe = lambda *_: confirmed.set()
    client.on_message = lambda _client, _data, message: got.put(bytes(message.payload))
    for _ in range(int(LIMIT_S / ASKED_AGAIN_S)):
        client.subscribe(topic, qos=1)
        if confirmed.wait(ASKED_AGAIN_S):
            return
    raise AssertionError("the broker did not confirm the subscription")


def publish(client: mqtt.Client, topic: str, body: bytes) -> None:
    """Return when the broker has acknowledged, at quality of service 1."""
    sent = client.publish(topic, body, qos=1)
    sent.wait_for_publish(LIMIT_S)
    assert sent.is_published(), "the broker did not acknowledge"
