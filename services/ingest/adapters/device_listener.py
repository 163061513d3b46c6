"""TCP for devices that know no MQTT: GB/T 26875.3 frames as they are, in clear or under TLS.

Everything happens in callbacks of the event loop; there is no task per connection. An idle connection costs a few
kilobytes and no time but a look once a second.
"""

import asyncio
import contextlib
import resource
import socket
from dataclasses import replace

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_session import Session
from services.ingest.adapters.device_tls import Secured, Tls
from services.ingest.domain.connection_policy import Ended, Limits
from services.ingest.domain.directory import Directory
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.room import Room
from services.ingest.domain.texts import ModuleTexts, Verdict
from services.ingest.domain.values import Arrival, Claim, Format, Outcome, Route
from services.ingest.metrics import Metrics
from services.kernel.words import Carrier, Lane
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

LANE = "device"
ROUTE = Route(Lane.UP, Carrier.TCP_GB26875, Format.GB26875)
BACKLOG = 256
"""Callers that asyncio accepts in one turn; a kernel whose queue is full has them ask again."""
SWEEP_S = 1.0
SOCKET_BUFFER_BYTES = 16 * 1024
"""Frames have a kilobyte at most. Linux doubles it; one read empties it, which a probe relies on."""
ENDINGS_LOGGED_PER_SWEEP = 5
OTHER_FILES = 256 + 4 * BACKLOG
"""Files that everything else in this process may have open, and callers that have no place yet: of some turns."""

_ORDINARY = frozenset({Ended.BY_DEVICE, Ended.BROKEN, Ended.IDLE, Ended.NO_FRAME, Ended.STOPPING})

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
        self._room = Room(limits.connections, limits.per_peer)
        self._texts = ModuleTexts()
        self._of_gateway: dict[str, Session] = {}
        self._callers: set[str] = set()
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
        self.limits = replace(self.limits, connections=open_files_for(self.limits.connections))
        self._room = Room(self.limits.connections, self.limits.per_peer)
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
                async with asyncio.timeout(deadline_s):
                    await self._empty.wait()
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

    def admit(self, session: Session, peer: str) -> int:
        """Return the number of a new connection.

        It stands among those that have shown nothing yet once it could be heard: asyncio begins to read it in the turn
        after this one, and what had come by then is heard in the turn after that. A device whose first frame lies in
        the socket already would else have to go unheard when many call together.
        """
        self.metrics.device_connections_made.inc()
        self._last_number += 1
        self._sessions[self._last_number] = session
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._place, session)
        return self._last_number

    def said(self, sender: str, raw: bytes) -> Verdict:
        """A module said something of its own accord: say whether that is to be kept, and count it when not."""
        verdict = self._texts.hear(sender, raw, self.clock.monotonic())
        if not verdict.keep:
            self.metrics.device_texts.inc()
        return verdict

    def vouched(self, session: Session) -> None:
        """Something speaks for a caller: a certificate, or a whole frame of a registered address."""
        self._place(session)
        self._room.vouch(session.number)

    def doubted(self, session: Session) -> None:
        """A frame was not believed to be of whom it names."""
        self._room.doubt(session.number)

    def claim(self, peer: str, certified: str | None) -> Claim:
        """Return what is known of a caller before its first frame."""
        return Claim("", ROUTE, peer, certified, self._trusting)

    def called_before(self, gateway_id: str) -> bool:
        """Whether a gateway had a connection here before, as far as this process knows."""
        return gateway_id in self._callers

    def believed(self, session: Session, gateway_id: str) -> None:
        """A frame of this gateway over this session was accepted: an older session of it is of no use any more."""
        holder = self._of_gateway.get(gateway_id)
        if holder is session or (holder is not None and holder.number > session.number):
            return
        if holder is not None:
            self._room.leave(holder.number)  # its place goes to the new one
        self._place(session)
        if not self._room.prove(session.number):
            session.end(Ended.TOO_MANY)
            return
        self._of_gateway[gateway_id] = session
        self._callers.add(gateway_id)
        if holder is not None:
            holder.end(Ended.TAKEN_OVER)

    def gone(self, session: Session, gateway_id: str) -> None:
        self._sessions.pop(session.number, None)
        self._room.leave(session.number)
        if self._of_gateway.get(gateway_id) is session:
            del self._of_gateway[gateway_id]
        self.metrics.device_connections.set(len(self._room))
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

    def _place(self, session: Session) -> None:
        """Give a connection its place. Where there are too many, one that has shown nothing yet must go."""
        if session.ending or session.number in self._room:
            return
        leaving = self._room.enter(session.number, session.peer)
        if leaving is not None:
            self._sessions[leaving].abort(Ended.MADE_ROOM)
        self.metrics.device_connections.set(len(self._room))

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
