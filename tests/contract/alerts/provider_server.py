"""A provider on loopback: of text messages and voice calls, or of a robot in a group chat."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    """A form or JSON, as its content type says."""


@dataclass
class ProviderServer:
    """Keeps what it is sent and answers what it is told to."""

    answer: bytes = b'{"Code":"OK","BizId":"1"}'
    answers: list[bytes] = field(default_factory=list)
    """Given first, one each."""
    status: int = 200
    url: str = ""
    received: list[Received] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        as_form = headers["content-type"].startswith("application/x-www-form")
        said = dict(parse_qsl(body, strict_parsing=True)) if as_form else json.loads(body)
        self.received.append(Received(first.split(" ")[1], headers, said))
        answer = self.answers.pop(0) if self.answers else self.answer
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def provider_server() -> AsyncIterator[ProviderServer]:
    one = ProviderServer()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield one
    server.close()


@asynccontextmanager
async def robot_server() -> AsyncIterator[ProviderServer]:
    """The same for a robot of a group chat, whose address holds its token."""
    async with provider_server() as one:
        one.url += "robot/send?access_token=hidden"
        one.answer = b'{"errcode":0,"errmsg":"ok"}'
        yield one
