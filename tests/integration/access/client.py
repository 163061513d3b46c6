"""An MQTT client that tells everything the broker did to it."""

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

LIMIT_S = 60.0


class Client:
    """One connection, not made again. `refused` says why there is none; `ended` is set when it is over."""

    def __init__(
        self,
        port: int,
        ca: Path,
        *,
        password: tuple[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
        client_id: str | None = None,
    ) -> None:
        self.refused: str | None = None
        self.heard: list[tuple[str, bytes]] = []
        self.ended = threading.Event()
        self._changed = threading.Condition()
        self._answered = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id or f"any-{secrets.token_hex(4)}", reconnect_on_failure=False
        )
        if password is not None:
            self._client.username_pw_set(*password)
        certfile, keyfile = (None, None) if certificate is None else map(str, certificate)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._answered.set()
        try:
            self._client.tls_set(str(ca), certfile, keyfile)
            self._client.connect("127.0.0.1", port)
            self._client.loop_start()
            assert self._answered.wait(LIMIT_S), "the broker neither took nor refused us"
        except OSError as error:
            self.refused = str(error)

    @property
    def connected(self) -> bool:
        return self.refused is None and not self.ended.is_set()

    def publish(self, topic: str, payload: bytes | str) -> None:
        """Publish with QoS 1 and return when the broker has answered: it acknowledges what it drops, too."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(LIMIT_S)

    def subscribe(self, *filters: str) -> None:
        self._answered.clear()
        self._client.subscribe([(each, 1) for each in filters])
        assert self._answered.wait(LIMIT_S)

    def wait_heard(self, condition: Callable[[list[tuple[str, bytes]]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.heard), LIMIT_S), self.heard

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _: object, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        self._answered.set()

    def _on_disconnect(self, *_: object) -> None:
        if not self._answered.is_set():
            self.refused = "cut off"  # TLS 1.3: a certificate is refused after the client believes it is in
        self.ended.set()
        self._answered.set()

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.heard.append((message.topic, bytes(message.payload)))
            self._changed.notify_all()
