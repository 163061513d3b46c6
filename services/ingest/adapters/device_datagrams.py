"""UDP for devices that know no MQTT: each datagram holds whole GB/T 26875.3 frames.

Nothing but the sender's address speaks for a datagram, and that only inside a network of one's own: so a gateway
without registered networks is refused on this carrier whatever the settings say. What the kernel drops while its
buffer is full is not answered, and the device sends it again.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_listener import LANE
from services.ingest.adapters.device_session import plain_address
from services.ingest.adapters.inbox import DeviceMessage
from services.ingest.domain.device_stream import pieces_of
from services.ingest.domain.directory import Directory
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.texts import ModuleTexts, may_be_text
from services.ingest.domain.values import Arrival, Claim, Format, Outcome, Route
from services.ingest.metrics import Metrics
from services.kernel.words import Lane, Transport
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

ROUTE = Route(Lane.UP, Transport.UDP_GB26875, Format.GB26875)
DATAGRAM_BYTES = 65536
DATAGRAMS_PER_TURN = 200
SOCKET_BUFFER_BYTES = 1024 * 1024
_PREFIX = "udp/"


class DeviceDatagrams:
    """One socket. Its own reader instead of asyncio's, which can neither pause nor read more than one at a time."""

    def __init__(
        self, host: str, port: int, lanes: DeviceLanes, directory: Directory, metrics: Metrics, clock: Clock
    ) -> None:
        self._host = host
        self._port = port
        self._lanes = lanes
        self._directory = directory
        self._metrics = metrics
        self._clock = clock
        self._socket: socket.socket | None = None
        self._reading = False
        self._stopped = False
        self._failed: BaseException | None = None
        self._drained = True
        self._texts = ModuleTexts()
        lanes.attach(Transport.UDP_GB26875, self)

    async def open(self) -> None:
        """Open the port. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        (found, *_) = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        family, text, protocol, _, address = found
        sock = socket.socket(family, text, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            sock.setblocking(False)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self.resume()
        get_logger().info("device_datagrams_open", host=self._host, port=self._port)

    @property
    def is_open(self) -> bool:
        return self._socket is not None and not self._stopped and self._failed is None

    async def watch(self, stop: Stop) -> None:
        """Return at stop. Raises ConnectionDied when the socket is of no use any more."""
        while not await stop.wait_for(0.5):
            if not self.is_open:
                raise ConnectionDied(LANE, "its UDP port is closed") from self._failed

    async def close(self) -> None:
        self.stop_listening()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def drained(self) -> bool:
        return self._drained

    def pause(self) -> None:
        if self._reading and self._socket is not None:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._socket)

    def resume(self) -> None:
        if not self._reading and not self._stopped and self._socket is not None:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._socket, self._read)

    def settled(self, outcome: Outcome) -> None:
        """Nothing is kept per device here."""

    def answer(self, arrival: Arrival, reply: bytes) -> None:
        host, _, port = arrival.topic.removeprefix(_PREFIX).rpartition(":")
        if self._socket is None:
            return
        if self._socket.family == socket.AF_INET6 and ":" not in host:
            host = f"::ffff:{host}"
        try:
            self._socket.sendto(reply, (host, int(port)))
        except OSError as error:  # full, or nobody there: the device asks again
            get_logger().debug("datagram_not_sent", error=str(error)[:200])

    def stop_listening(self) -> None:
        self._stopped = True
        self.pause()

    def _read(self) -> None:
        assert self._socket is not None, "only an open socket is read"
        self._drained = False
        heard: list[DeviceMessage] = []
        fires: list[DeviceMessage] = []
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, sender = self._socket.recvfrom(DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                self._drained = True
                break
            except ConnectionError:
                continue  # the kernel tells that an earlier answer met nobody
            except OSError as error:
                self._failed = error
                self.pause()
                break
            self._hear(datagram, sender, heard, fires)
        self._lanes.put(heard, fires)

    def _hear(
        self, datagram: bytes, sender: Sequence[Any], heard: list[DeviceMessage], fires: list[DeviceMessage]
    ) -> None:
        self._metrics.device_datagrams.inc()
        peer = plain_address(sender[0])
        topic = f"{_PREFIX}{peer}:{sender[1]}"
        nobody = Claim("", ROUTE, peer)
        try:
            now = self._clock.now()
            for piece in pieces_of(datagram):
                gateway_id = None if piece.source is None else self._directory.gateway_at(piece.source, now)
                claim = nobody._replace(gateway_id=gateway_id or "")
                if not piece.whole and may_be_text(piece.raw):
                    decision = self._texts.hear(claim.gateway_id or peer, piece.raw, self._clock.monotonic())
                    if not decision.keep:
                        self._metrics.device_texts.inc()
                        continue
                    claim = claim._replace(like_it=decision.before)
                (fires if piece.fire else heard).append(DeviceMessage(0, topic, piece.raw, claim))
        except Exception:  # noqa: BLE001 - one datagram that meets our bug must not stop all others
            get_logger().exception("datagram_met_a_bug", bytes=len(datagram))
            heard.append(DeviceMessage(0, topic, datagram, nobody))
