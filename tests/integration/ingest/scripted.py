"""Devices that do what a script says with the controls they get, over MQTT or TCP; and the command line."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    Command,
    Decoded,
    Frame,
    StreamDecoder,
    TimeLabel,
    bodies,
    confirm,
    decode_frame,
    deny,
    encode_frame,
)
from services.runtime.clock import SystemClock
from tests.integration.ingest.process import LIMIT_S

HOST = "127.0.0.1"
CENTRE = bytes.fromhex("0a0000000000")


@dataclass
class Script:
    """`ignores`: so many controls it does not hear; `answers`: somebody presses the key after a duty check."""

    address: bytes = bytes.fromhex("a18601000000")
    ignores: int = 0
    denies: bool = False
    answers: bool = False
    controls: list[Frame] = field(default_factory=list)

    def hear(self, frame: Frame) -> list[bytes]:
        """Return what the device sends when it gets this frame."""
        if frame.command != Command.CONTROL:
            return []
        self.controls.append(frame)
        if len(self.controls) <= self.ignores:
            return []
        now = SystemClock().now()
        if self.denies:
            return [encode_frame(deny(frame, now))]
        replies = [encode_frame(confirm(frame, now))]
        if self.answers and isinstance(frame.adu, Adu) and frame.adu.type == 91:
            replies.append(
                self.send(2, Adu(24, (bodies.DeviceOperation(0x20, 3, TimeLabel.of_instant(now, STANDARD)),)))
            )
        return replies

    def send(self, serial: int, adu: Adu | None = None) -> bytes:
        label = TimeLabel.of_instant(SystemClock().now(), STANDARD)
        return encode_frame(Frame(serial, 1, 0, label, self.address, CENTRE, Command.SEND, adu))


class MqttDevice:
    def __init__(self, port: int, gateway_id: str, script: Script) -> None:
        self.gateway_id = gateway_id
        self.script = script
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _, __, message: self._hear(bytes(message.payload))
        self._client.connect(HOST, port)
        self._client.loop_start()

    async def listen(self) -> None:
        subscribed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def granted(*_: object) -> None:
            loop.call_soon_threadsafe(subscribed.set)

        self._client.on_subscribe = granted
        self._client.subscribe(f"firenet/v1/{self.gateway_id}/down/gb26875", qos=1)
        async with asyncio.timeout(LIMIT_S):
            await subscribed.wait()

    def say(self, frame: bytes) -> None:
        self._client.publish(f"firenet/v1/{self.gateway_id}/up/gb26875", frame, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, payload: bytes) -> None:
        for reply in self.script.hear(decode_frame(payload)):
            self.say(reply)


class TcpDevice:
    """Call `run` in a task; it ends with the connection."""

    def __init__(self, port: int, script: Script) -> None:
        self.script = script
        self.confirmed: set[int] = set()
        self._port = port

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        decoder = StreamDecoder(STANDARD)
        writer.write(self.script.send(1))
        try:
            while data := await reader.read(4096):
                for event in decoder.feed(data):
                    assert isinstance(event, Decoded)
                    if event.frame.command == Command.CONFIRM:
                        self.confirmed.add(event.frame.serial)
                    writer.writelines(self.script.hear(event.frame))
        finally:
            writer.close()


@dataclass(frozen=True)
class Ran:
    code: int
    lines: list[dict[str, Any]]
    errors: str

    @property
    def steps(self) -> list[str]:
        return [line["step"] for line in self.lines]


async def command(bootstrap: str, *arguments: str) -> Ran:
    """Run `python -m services.ingest.command ARGUMENTS --json` to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ingest.command", *arguments, "--json"),
        env={**os.environ, "FIRENET_KAFKA_BOOTSTRAP": bootstrap},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(2 * LIMIT_S):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, [json.loads(line) for line in out.splitlines()], errors.decode())
