"""The line of a GB/T 26875.3 device that knows no broker: frames over TCP, back and forth."""

import asyncio
import contextlib

from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s
from services.simulator.adapters import gb26875
from services.simulator.domain.frames import Frame
from services.simulator.domain.makes import Make
from services.simulator.ports import FrameListener, LinkRefused

CONNECT_LIMIT_S = 10.0
READ_BYTES = 4096
MAX_UNSENT_BYTES = 64 * 1024


class TcpLine:
    """A line that keeps itself alive until it is cut or closed."""

    def __init__(self, address: tuple[str, int], make: Make, listener: FrameListener) -> None:
        self._address = address
        self._make = make
        self._listener = listener
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None

    def send(self, frame: Frame) -> None:
        self.write(gb26875.write(frame, self._make))

    def write(self, data: bytes) -> None:
        """Send any bytes."""
        writer = self._writer
        if writer is not None and writer.transport.get_write_buffer_size() < MAX_UNSENT_BYTES:
            writer.write(data)

    async def restore(self) -> None:
        """Come back after `cut`. A line that was not cut keeps itself: the device would call twice."""
        if self._keeper is not None:
            return
        reader = await self._connect()
        self._keeper = asyncio.create_task(self._keep(reader), name="tcp-line")

    async def cut(self) -> None:
        await self._end(abort=True)

    async def close(self) -> None:
        await self._end(abort=False)

    async def _connect(self) -> asyncio.StreamReader:
        host, port = self._address
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                reader, self._writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            raise LinkRefused(f"nobody takes devices at {host}:{port}: {str(error) or type(error).__name__}") from error
        self._listener.connected()
        return reader

    async def _keep(self, reader: asyncio.StreamReader | None) -> None:
        attempt = 0
        while True:
            if reader is not None:
                await self._hear(reader)
                await self._hang_up(abort=True)
                reader = None
            try:
                reader = await self._connect()
                attempt = 0
            except LinkRefused as error:
                attempt += 1
                get_logger().warning("line_lost", error=str(error), attempt=attempt)
                await asyncio.sleep(backoff_s(attempt))

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Return when the line is lost."""
        rest = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                frames, rest = gb26875.read(rest + data, self._make)
                for frame in frames:
                    self._listener.heard(frame)

    async def _end(self, *, abort: bool) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._hang_up(abort=abort)

    async def _hang_up(self, *, abort: bool) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if abort:
            writer.transport.abort()
        else:
            writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
