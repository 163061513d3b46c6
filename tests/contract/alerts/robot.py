"""A robot provider's server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Robot:
    """A provider's server on loopback that keeps what it is sent and answers what it is told to."""

    answer: bytes = b'{"errcode":0,"errmsg":"ok"}'
    answers: list[bytes] = field(default_factory=list)
    """Given first, one each."""
    status: int = 200
    url: str = ""
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length"))
        self.received.append((head.split(" ")[1], json.loads(await reader.readexactly(size))))
        answer = self.answers.pop(0) if self.answers else self.answer
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Robot]:
    robot = Robot()
    server = await asyncio.start_server(robot.serve, "127.0.0.1", 0)
    robot.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/robot/send?access_token=hidden"
    yield robot
    server.close()
