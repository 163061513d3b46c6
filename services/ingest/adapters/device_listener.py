"""TCP for devices that know no MQTT: GB/T 26875.3 frames as they are, in clear or under TLS.

Everything happens in callbacks of the event loop; there is no task per connection. An idle connection costs a few
kilobytes and no time but a look once a second.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_tls import Secured, Tls, common_name, serial_number
from services.ingest.adapters.inbox import Heard
from services.ingest.domain.conduct import Conduct, Ended, Limits
from services.ingest.domain.device_stream import DeviceStream, Piece
from services.ingest.domain.directory import Directory
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.values import Accepted, Arrival, Carrier, Claim, Format, Lane, Outcome, Route
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

LANE = "device"
ROUTE = Route(Lane.UP, Carrier.TCP_GB26875, Format.GB26875)
BACKLOG = 1024
SWEEP_S = 1.0
SOCKET_BUFFER_BYTES = 16 * 1024
"""Frames have a kilobyte at most. Linux doubles it; one read empties it, which a probe relies on."""
ENDINGS_LOGGED_PER_SWEEP = 5

_UNHEARD = frozenset({Ended.GARBAGE, Ended.UNKNOWN_GATEWAY, Ended.NOT_BELIEVED, Ended.OUR_ERROR})
_ORDINARY = frozenset({Ended.BY_DEVICE, Ended.BROKEN, Ended.IDLE, Ended.NO_FRAME, Ended.STOPPING})

# Half-open connections: asked after a silent minute, given up two minutes later; sooner when an answer is not taken.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),
)


class DeviceListener:
    """Listens, keeps the sessions, and ends those that do not behave."""

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
        self._trusting = trusting
        self._server: asyncio.Server | None = None
        self._sessions: dict[int, Session] = {}
        self._of_peer: Counter[str] = Counter()
        self._of_gateway: dict[str, Session] = {}
        self._last_number = 0
        self._stopping = False
        self._empty = asyncio.Event()
        self._told = 0
        self._kept_silent = 0
        self.lanes = lanes
        self.directory = directory
        self.metrics = metrics
        self.clock = clock
        self.limits = limits
        lanes.attach(Carrier.TCP_GB26875, self)

    # --- for the app

    async def open(self) -> None:
        """Open the port. Raises OSError when it is taken."""
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

    def send(self, gateway_id: str, data: bytes) -> bool:
        """Write to the device of a gateway; False when no connection of it that was believed is open here."""
        session = self._of_gateway.get(gateway_id)
        return session is not None and session.write(data)

    async def close(self, deadline_s: float = 3.0) -> None:
        """Send what is written and end all connections."""
        self.stop_listening()
        for session in list(self._sessions.values()):
            session.end(Ended.STOPPING)
        if self._sessions:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), deadline_s)
        for session in list(self._sessions.values()):
            session.abort()

    # --- for the lanes

    @property
    def drained(self) -> bool:
        """One read empties a socket, so one look at all of them is enough."""
        return True

    def pause(self) -> None:
        for session in self._sessions.values():
            session.read_or_not()

    resume = pause

    def settled(self, outcome: Outcome) -> None:
        session = self._sessions.get(outcome.arrival.mid)
        if session is not None:
            session.settled(outcome)

    def answer(self, arrival: Arrival, reply: bytes) -> None:
        session = self._sessions.get(arrival.mid)
        if session is not None:
            session.write(reply)

    def stop_listening(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        if self._server is not None:
            self._server.close()
        self.pause()

    # --- for the sessions

    @property
    def reading(self) -> bool:
        return not (self._stopping or self.lanes.paused)

    def protocol(self) -> asyncio.BaseProtocol:
        session = Session(self)
        return session if self._tls is None else Secured(session, self._tls.context)

    def admit(self, session: "Session", peer: str) -> int | None:
        """Return the number of a new connection, None when there are too many."""
        self.metrics.device_connections_made.inc()
        if len(self._sessions) >= self.limits.connections:
            self.ended(Ended.TOO_MANY, peer)
            return None
        if self._of_peer[peer] >= self.limits.per_peer:
            self.ended(Ended.TOO_MANY_OF_PEER, peer)
            return None
        self._last_number += 1
        self._sessions[self._last_number] = session
        self._of_peer[peer] += 1
        self.metrics.device_connections.set(len(self._sessions))
        return self._last_number

    def claim(self, peer: str, certified: str | None) -> Claim:
        """Return what is known of a caller before its first frame."""
        return Claim("", ROUTE, peer, certified, self._trusting)

    def believed(self, session: "Session", gateway_id: str) -> None:
        """A frame of this gateway over this session was accepted: an older session of it is of no use any more."""
        holder = self._of_gateway.get(gateway_id)
        if holder is session or (holder is not None and holder.number > session.number):
            return
        self._of_gateway[gateway_id] = session
        if holder is not None:
            holder.end(Ended.TAKEN_OVER)

    def gone(self, session: "Session", peer: str, gateway_id: str) -> None:
        self._sessions.pop(session.number, None)
        self._of_peer[peer] -= 1
        if not self._of_peer[peer]:
            del self._of_peer[peer]
        if self._of_gateway.get(gateway_id) is session:
            del self._of_gateway[gateway_id]
        self.metrics.device_connections.set(len(self._sessions))
        if self._stopping and not self._sessions:
            self._empty.set()

    def ended(self, why: Ended, peer: str) -> None:
        """Count how a connection ended; say it too, a few times a second at most, when it is not ordinary."""
        self.metrics.device_connections_ended.labels(why).inc()
        if why in _ORDINARY:
            return
        if self._told >= ENDINGS_LOGGED_PER_SWEEP:
            self._kept_silent += 1
            return
        self._told += 1
        get_logger().warning("device_connection_ended", why=why, peer=peer)

    def sweep(self) -> None:
        """End the connections whose time is over."""
        now = self.clock.monotonic()
        for session in list(self._sessions.values()):
            session.sweep(now)
        if self._kept_silent:
            get_logger().warning("device_connections_ended_more", count=self._kept_silent)
        self._told = self._kept_silent = 0
        if self._tls is not None and self._tls.refresh():
            for session in list(self._sessions.values()):
                session.show_again(self._tls.revoked)


class Session(asyncio.Protocol):
    """One connection: bytes to pieces, pieces to the lanes, answers back."""

    __slots__ = (
        "_claim",
        "_conduct",
        "_listener",
        "_reading",
        "_ready",
        "_serial",
        "_stream",
        "_topic",
        "_transport",
        "_unsettled",
        "_why",
        "number",
        "peer",
    )

    def __init__(self, listener: DeviceListener) -> None:
        self._listener = listener
        self._stream = DeviceStream()
        self._conduct = Conduct(listener.limits, listener.clock.monotonic())
        self._transport: asyncio.Transport | None = None
        self._why: Ended | None = None
        self._unsettled = 0
        self._reading = True
        self._ready = False
        self._serial: int | None = None
        self.number = 0
        self.peer = ""
        self._topic = ""
        self._claim = listener.claim("", None)

    # --- the event loop calls

    def admitted(self, transport: asyncio.BaseTransport) -> bool:
        """Count the connection in, before anything is read from it; when there are too many it is cut off."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport
        address = transport.get_extra_info("peername")
        self.peer = plain_address(address[0]) if address else ""
        number = self._listener.admit(self, self.peer) if address else None
        if number is None:
            transport.abort()
            return False
        self.number = number
        self._topic = f"tcp/{self.peer}:{address[1]}"
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP"
        if self.number or self.admitted(transport):
            self._transport = transport
            self._ready = True
            certificate = transport.get_extra_info("peercert")
            self._claim = self._listener.claim(self.peer, common_name(certificate))
            self._serial = serial_number(certificate)
            self.read_or_not()

    def data_received(self, data: bytes) -> None:
        try:
            pieces = self._stream.feed(data)
            self._hear(pieces)
            self._conduct.left_over(self._stream.pending, bool(pieces), self._listener.clock.monotonic())
            self.read_or_not()
        except Exception:  # noqa: BLE001 - one device that meets our bug must not stop all others
            get_logger().exception("device_met_a_bug", peer=self.peer, bytes=len(data))
            self.abort(Ended.OUR_ERROR)

    def connection_lost(self, exc: Exception | None) -> None:
        self.left(Ended.BY_DEVICE if exc is None else Ended.BROKEN)

    def left(self, why: Ended) -> None:
        """The connection is no more; `why` when it was not ended by us."""
        if not self.number:
            return
        try:
            if self._why not in _UNHEARD:
                self._hear(self._stream.finish())
        finally:
            self._listener.gone(self, self.peer, self._claim.gateway_id)
            self._listener.ended(self._why or why, self.peer)
            self.number = 0
            self._transport = None

    @property
    def ready(self) -> bool:
        """Whether it was ever past the handshake."""
        return self._ready

    # --- the listener calls

    def settled(self, outcome: Outcome) -> None:
        self._unsettled -= 1
        why = self._conduct.judged(outcome)
        if why is not None:
            self.abort(why)
            return
        if isinstance(outcome, Accepted):
            self._listener.believed(self, self._claim.gateway_id)
        self.read_or_not()

    def write(self, data: bytes) -> bool:
        """Send without waiting; a device that does not read what it is sent is cut off."""
        transport = self._transport
        if transport is None or not self._ready or self._why is not None or transport.is_closing():
            return False
        transport.write(data)
        if transport.get_write_buffer_size() > self._listener.limits.unsent_bytes:
            self.abort(Ended.DOES_NOT_READ)
            return False
        return True

    def sweep(self, now: float) -> None:
        why = self._conduct.overdue(now)
        if why is not None and self._reading:  # while we do not read, silence says nothing
            self.abort(why)

    def show_again(self, revoked: frozenset[int]) -> None:
        """End a connection whose certificate is no longer good."""
        if self._serial in revoked:
            self.abort(Ended.REVOKED)

    def read_or_not(self) -> None:
        """Read on, unless the lanes are full, or too much of this one device waits for Kafka."""
        if self._transport is None or not self._ready or self._why is not None:
            return
        reading = self._listener.reading and self._unsettled < self._listener.limits.in_flight
        if reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._conduct.excused(self._listener.clock.monotonic())
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def end(self, why: Ended) -> None:
        """Close when what is written was sent."""
        if self._why is None:
            self._why = why
            if self._transport is not None:
                self._transport.close()

    def abort(self, why: Ended = Ended.STOPPING) -> None:
        """Close at once."""
        if self._why is None:
            self._why = why
        if self._transport is not None:
            self._transport.abort()

    # --- inside

    def _hear(self, pieces: Sequence[Piece]) -> None:
        if not pieces:
            return
        now = self._listener.clock.monotonic()
        heard: list[Heard] = []
        fires: list[Heard] = []
        why: Ended | None = None
        for piece in pieces:
            claim = self._claim_of(piece)
            (fires if piece.fire else heard).append(Heard(self.number, self._topic, piece.raw, claim))
            why = self._conduct.heard(piece, claim.gateway_id != "", now)
            if why is not None:
                break
        self._unsettled += len(heard) + len(fires)
        self._listener.lanes.put(heard, fires)
        if why is not None:
            self.abort(why)

    def _claim_of(self, piece: Piece) -> Claim:
        """Return for whom the piece speaks: the first gateway whose frame came stays that of the connection."""
        claim = self._claim
        if claim.gateway_id or piece.source is None:
            return claim
        gateway_id = self._listener.directory.gateway_at(piece.source, self._listener.clock.now())
        if gateway_id is None:
            return claim
        claim = claim._replace(gateway_id=gateway_id)
        if piece.whole:
            self._claim = claim
        return claim


def plain_address(host: str) -> str:
    """Return an IP address as the registry writes it: IPv4 that came through an IPv6 socket is IPv4."""
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
