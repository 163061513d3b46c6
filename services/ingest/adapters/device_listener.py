"""TCP for devices that know no MQTT: GB/T 26875.3 frames as they are, in clear or under TLS.

Everything happens in callbacks of the event loop; there is no task per connection. An idle connection costs a few
kilobytes and no time but a look once a second.
"""

import asyncio
import resource
import socket
from dataclasses import replace

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_session import DeviceSession
from services.ingest.adapters.device_sessions import DeviceSessions
from services.ingest.adapters.device_tls import Tls, TlsLayer
from services.ingest.domain.connection_policy import Limits
from services.ingest.domain.directory import Directory
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.kernel.words import Transport
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

LANE = "device"
BACKLOG = 256
"""Callers that asyncio accepts in one turn; a kernel whose queue is full has them ask again."""
SWEEP_S = 1.0
SOCKET_BUFFER_BYTES = 16 * 1024
"""Frames have a kilobyte at most. Linux doubles it; one read empties it, which a probe relies on."""
OTHER_FILES = 256 + 4 * BACKLOG
"""Files that everything else in this process may have open, and callers that have no slot yet: of some turns."""

# Half-open connections: asked after a silent minute, given up a minute later, as when an answer is not taken.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),
)


class DeviceListener:
    """One port, and the carrier of the lanes for all that comes over it."""

    def __init__(
        self,
        host: str,
        port: int,
        lanes: DeviceLanes,
        directory: Directory,
        metrics: Metrics,
        clock: Clock,
        limits: Limits,
        tls: Tls | None,
        trusting: bool,
    ) -> None:
        """`trusting`: an address is taken at its word where the registry names neither network nor certificate."""
        self._host = host
        self._port = port
        self._tls = tls
        self._limits = limits
        self._server: asyncio.Server | None = None
        self.sessions = DeviceSessions(lanes, directory, metrics, clock, limits, trusting)
        lanes.attach(Transport.TCP_GB26875, self)

    async def open(self) -> None:
        """Open the port. Raises OSError when it is taken."""
        self.sessions.limit(replace(self._limits, connections=open_files_for(self._limits.connections)))
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.protocol, self._host, self._port, backlog=BACKLOG, start_serving=False)
        for sock in server.sockets:
            for option in _SOCKET_OPTIONS:  # accepted connections inherit them
                sock.setsockopt(*option)
        await server.start_serving()
        self._server = server
        get_logger().info("device_port_open", host=self._host, port=self._port, tls=self._tls is not None)

    @property
    def is_open(self) -> bool:
        return self._server is not None and self._server.is_serving()

    async def watch(self, stop: Stop) -> None:
        """Look after every connection once a second until stop. Raises ConnectionDied when the port is closed."""
        while not await stop.wait_for(SWEEP_S):
            if not self.is_open:
                raise ConnectionDied(LANE, "its TCP port is closed")
            self.sweep()

    def sweep(self) -> None:
        """End the connections whose time is over, or whose certificate is."""
        self.sessions.sweep()
        if self._tls is not None and self._tls.refresh():
            self.sessions.end_revoked(self._tls.revoked)

    def send(self, gateway_id: str, data: bytes) -> bool:
        """Write to the device of a gateway; False when no connection of it that was believed is open here."""
        session = self.sessions.of_gateway(gateway_id)
        return session is not None and session.write(data)

    async def close(self, deadline_s: float = 3.0) -> None:
        """Send what is written and end all connections."""
        self.stop_listening()
        await self.sessions.close(deadline_s)

    def protocol(self) -> asyncio.BaseProtocol:
        """Return what asyncio is to tell about one more connection."""
        session = DeviceSession(self.sessions)
        return session if self._tls is None else TlsLayer(session, self._tls.context)

    @property
    def drained(self) -> bool:
        """One read empties a socket, so one look at all of them is enough."""
        return True

    def pause(self) -> None:
        self.sessions.read_or_not()

    resume = pause

    def settled(self, outcome: Outcome) -> None:
        session = self.sessions.numbered(outcome.arrival.mid)
        if session is not None:
            session.settled(outcome)

    def answer(self, arrival: Arrival, reply: bytes) -> None:
        session = self.sessions.numbered(arrival.mid)
        if session is not None:
            session.write(reply)

    def stop_listening(self) -> None:
        """Let nobody in and read nothing more; may be called again."""
        if self._server is not None:
            self._server.close()
        self.sessions.stop_reading()


def open_files_for(connections: int) -> int:
    """Have the system allow us as many files as that needs, as far as it does; return how many connections fit.

    Without this a full table of files would stop Kafka's and the broker's connections too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    fit = max(1, allowed - OTHER_FILES)
    if fit < connections:
        get_logger().warning("device_connections_limited", wanted=connections, fit=fit, open_files=hard)
    return fit
