"""A provider of text messages and voice calls on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class GatewayServer:
    """Keeps what it is sent, headers and body, and answers what it is told to."""

    answer: bytes = b'{"Code":"OK","BizId":"1"}'
    answers: list[bytes] = field(default_factory=list)
    """Given first, one each."""
    status: int = 200
    url: str = ""
    received: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        as_form = headers["content-type"].startswith("application/x-www-form")
        self.received.append((headers, dict(parse_qsl(body, strict_parsing=True)) if as_form else json.loads(body)))
        answer = self.answers.pop(0) if self.answers else self.answer
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def gateway_server() -> AsyncIterator[GatewayServer]:
    one = GatewayServer()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield one
    server.close()
