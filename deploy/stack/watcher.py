"""Just enough of MQTT 3.1.1 to see at a broker whether ingest is subscribed there."""

import asyncio
import secrets
import select
import socket
import ssl
import struct
from collections.abc import AsyncIterator

LANES = ("main", "fire")
KEEPALIVE_S = 10
CONNECT_LIMIT_S = 10.0
PROBES = {
    # topics of the probes: of an ingest without a share group, and of one in a group
    "firenet/v1/+/up/probe": 0,
    "firenet/v1/+/alarm/probe": 0,
    "firenet/v1/$ingest/+/+/probe": 0,
}
_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _SUBACK, _PINGREQ = 1, 2, 3, 8, 9, 12


def lane_of(topic: str) -> str | None:
    """Return the lane whose probe has this topic; None when no process of ingest publishes there."""
    levels = topic.split("/")
    if len(levels) == 5 and levels[2].startswith("$ingest."):
        return {"up": "main", "alarm": "fire"}.get(levels[3])
    if len(levels) == 6 and levels[2] == "$ingest" and levels[4] in LANES:
        return levels[4]
    return None


class Watcher:
    """One connection to the broker; `probes` yields the lane of each probe that any process of ingest publishes."""

    def __init__(
        self, host: str, port: int, username: str | None, password: str | None, tls: ssl.SSLContext | None
    ) -> None:
        self._host = host
        self._port = port
        self._username = username
        self._password = password
        self._tls = tls
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Return when subscribed. Raises OSError, IncompleteReadError or TimeoutError."""
        async with asyncio.timeout(CONNECT_LIMIT_S):
            name = self._host if self._tls is not None else None
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, server_hostname=name
            )
            self._writer.write(self._hello())
            kind, body = await self._packet()
            if kind != _CONNACK or body[1:2] != b"\0":
                raise ConnectionError(f"the broker refused us: {body.hex()}")
            topics = b"".join(_text(name) + bytes([qos]) for name, qos in PROBES.items())
            self._writer.write(_frame(_SUBSCRIBE << 4 | 2, struct.pack("!H", 1) + topics))
            kind, body = await self._packet()
            if kind != _SUBACK or 0x80 in body[2:]:
                raise ConnectionError(f"the broker refused our subscription: {body.hex()}")

    async def probes(self) -> AsyncIterator[str]:
        """Yield until the connection ends, with one of the errors of `connect`."""
        pinging = asyncio.create_task(self._ping())
        try:
            while True:
                async with asyncio.timeout(2 * KEEPALIVE_S):
                    kind, body = await self._packet()
                if kind == _PUBLISH:
                    (size,) = struct.unpack("!H", body[:2])
                    lane = lane_of(body[2 : 2 + size].decode("utf-8", "replace"))
                    if lane is not None:
                        yield lane
        finally:
            pinging.cancel()

    async def _ping(self) -> None:
        while self._writer is not None:
            self._writer.write(bytes([_PINGREQ << 4, 0]))
            await asyncio.sleep(KEEPALIVE_S / 2)

    async def _packet(self) -> tuple[int, bytes]:
        assert self._reader is not None
        first = (await self._reader.readexactly(1))[0]
        size, shift, more = 0, 0, True
        while more:
            byte = (await self._reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            shift, more = shift + 7, byte > 0x7F and shift < 21
        return first >> 4, await self._reader.readexactly(size)

    def gone(self, hints: int) -> bool:
        """Tell, without waiting, whether the broker's side of this connection has ended."""
        connection: socket.socket | None = self._writer.get_extra_info("socket") if self._writer else None
        if connection is None or connection.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(connection.fileno(), hints)
        return any(event & hints for _, event in poll.poll(0))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    def _hello(self) -> bytes:
        flags = 2 | (0x80 if self._username is not None else 0) | (0x40 if self._password is not None else 0)
        body = _text("MQTT") + bytes([4, flags]) + struct.pack("!H", KEEPALIVE_S)
        body += _text(f"firenet-door-{secrets.token_hex(4)}")
        for word in (self._username, self._password):
            body += b"" if word is None else _text(word)
        return _frame(_CONNECT << 4, body)


def _text(words: str) -> bytes:
    raw = words.encode()
    return struct.pack("!H", len(raw)) + raw


def _frame(first: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([first]) + length + body
