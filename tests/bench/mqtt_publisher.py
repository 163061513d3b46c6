"""An open-loop load of gateways over raw sockets, built beforehand so that it costs little while running.

`python -m tests.bench.mqtt_publisher --port 1883 --rate 20000 --seconds 10` prints one JSON line at the end.
Every message has QoS 1, about 290 bytes, the time of its building, and a number of its gateway that grows by one.
"""

import argparse
import asyncio
import json
import struct
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

SLICE_S = 0.01
TEXT = "x" * 60


def gateway_name(number: int) -> str:
    return f"G{number:06d}"


def payload(gateway: int, seq: int, at: str) -> bytes:
    """Return a heartbeat of a realistic size."""
    return json.dumps(
        {
            "v": 1,
            "kind": "heartbeat",
            "seq": seq,
            "occurred_at": at,
            "unit_id": f"U{gateway:06d}",
            "point": {"address": "1-1-001", "system": "main panel", "type": "controller", "label": TEXT},
            "text": "all loops normal",
        },
        separators=(",", ":"),
    ).encode()


def publish_packet(topic: str, mid: int, body: bytes) -> bytes:
    """Return an MQTT 3.1.1 PUBLISH with QoS 1."""
    name = topic.encode()
    rest = struct.pack("!H", len(name)) + name + struct.pack("!H", mid) + body
    return b"\x32" + _length(len(rest)) + rest


def connect_packet(client_id: str) -> bytes:
    name = client_id.encode()
    rest = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack("!H", len(name)) + name
    return b"\x10" + _length(len(rest)) + rest


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def build(connection: int, connections: int, gateways: int, messages: int, plain: bool) -> list[bytes]:
    """Return the packets of one connection; its gateways are those with number % connections == connection."""
    own = [number for number in range(gateways) if number % connections == connection]
    at = datetime.now(UTC).isoformat()
    packets = []
    for index in range(messages):
        gateway, seq = own[index % len(own)], index // len(own)
        body = payload(gateway, seq, at) if not plain else f'{{"v":1,"kind":"heartbeat","seq":{seq}}}'.encode()
        packets.append(publish_packet(f"firenet/v1/{gateway_name(gateway)}/up/json", index % 65535 + 1, body))
    return packets


async def publish(host: str, port: int, name: str, slices: Sequence[bytes], start_at: float) -> int:
    """Send slice n at start_at + n * 10 ms, whatever the broker does; return how many were acknowledged."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(connect_packet(name))
    await reader.readexactly(4)
    acknowledged = 0

    async def count() -> None:
        nonlocal acknowledged
        while chunk := await reader.read(65536):
            acknowledged += len(chunk)

    counting = asyncio.create_task(count())
    for number, part in enumerate(slices):
        wait = start_at + number * SLICE_S - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        writer.write(part)
        await writer.drain()
    expected = sum(part.count(b"firenet/v1/") for part in slices) * 4
    for _ in range(1000):
        if acknowledged >= expected:
            break
        await asyncio.sleep(0.01)
    writer.write(b"\xe0\x00")
    counting.cancel()
    writer.close()
    return acknowledged // 4


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    per_connection = int(arguments.rate * arguments.seconds / arguments.connections)
    per_slice = arguments.rate * SLICE_S / arguments.connections
    every: list[list[bytes]] = []
    for connection in range(arguments.connections):
        packets = build(connection, arguments.connections, arguments.gateways, per_connection, arguments.plain)
        count = int(arguments.seconds / SLICE_S)
        every.append([b"".join(packets[int(n * per_slice) : int((n + 1) * per_slice)]) for n in range(count)])
    print("built", flush=True)
    sys.stdin.readline()
    start_at = time.monotonic() + 0.2
    names = [f"load-{time.time_ns()}-{number}" for number in range(arguments.connections)]
    acknowledged = await asyncio.gather(
        *(
            publish(arguments.host, arguments.port, name, parts, start_at)
            for name, parts in zip(names, every, strict=True)
        )
    )
    return {
        "sent": sum(part.count(b"firenet/v1/") for parts in every for part in parts),
        "acknowledged": sum(acknowledged),
        "seconds": time.monotonic() - start_at,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=int, default=20000, help="messages per second over all connections")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--gateways", type=int, default=2000)
    parser.add_argument("--plain", action="store_true", help="the smallest heartbeats instead of 290 bytes")
    print(json.dumps(asyncio.run(run(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
