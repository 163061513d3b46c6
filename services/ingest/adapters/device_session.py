"""One TCP connection of a device: what it says goes to the lanes, what it is answered goes back.

    accepted --admitted--> handshake --TLS done, or none--> ready <--full lanes, too much unsettled--> paused
                               |                              |                                          |
                               | no TLS in time               | `end`, `abort`: we have a reason         |
                               |                              v                                          |
                               |                           ending <--------------------------------------+
                               v                              v
                             left <-- the connection is lost, for our reason or another: one `EndReason` each

Beside that a connection is somebody's or nobody's (`ConnectionSlots`): silent, vouched for by a certificate or a whole
frame, proven by a frame that was believed.
"""

import asyncio
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_reader import DeviceReader, ReadMessages
from services.ingest.adapters.device_tls import common_name, serial_number
from services.ingest.domain.connection_policy import NOT_WHO_IT_SAYS, ConnectionPolicy, EndReason, Limits
from services.ingest.domain.values import Accepted, Outcome
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

_UNHEARD = frozenset({EndReason.GARBAGE, EndReason.UNKNOWN_GATEWAY, EndReason.NOT_BELIEVED, EndReason.OUR_ERROR})


class SessionOwner(Protocol):
    """All connections together, as one of them sees them."""

    lanes: DeviceLanes
    clock: Clock
    limits: Limits

    @property
    def reading(self) -> bool:
        """Whether anybody may be read now."""
        ...

    def admit(self, session: "DeviceSession", peer: str) -> int:
        """Return the number of a new connection; it may soon cost another one that has shown nothing yet."""
        ...

    def reader(self, session: "DeviceSession", topic: str, certified: str | None) -> DeviceReader:
        """Return who reads a connection that may speak now; `certified` is the name in its certificate."""
        ...

    def vouched(self, session: "DeviceSession") -> None:
        """Something speaks for the caller, and is not believed yet."""
        ...

    def doubted(self, session: "DeviceSession") -> None:
        """What spoke for the caller was not believed."""
        ...

    def believed(self, session: "DeviceSession", gateway_id: str) -> None:
        """A frame of this gateway over this session was accepted."""
        ...

    def gone(self, session: "DeviceSession", gateway_id: str) -> None:
        """The connection is no more."""
        ...

    def ended(self, why: EndReason, peer: str) -> None:
        """Count how a connection ended."""
        ...


class DeviceSession(asyncio.Protocol):
    """The life of one connection. Called by the event loop; by its owner where a method says so."""

    __slots__ = (
        "_owner",
        "_reader",
        "_reading",
        "_serial",
        "_topic",
        "_transport",
        "_unsettled",
        "_why",
        "number",
        "peer",
        "policy",
    )

    def __init__(self, owner: SessionOwner) -> None:
        self._owner = owner
        self.policy = ConnectionPolicy(owner.limits, owner.clock.monotonic())
        self._transport: asyncio.Transport | None = None
        self._reader: DeviceReader | None = None
        self._why: EndReason | None = None
        self._unsettled = 0
        self._reading = True
        self._serial: int | None = None
        self._topic = ""
        self.number = 0
        self.peer = ""

    @property
    def ready(self) -> bool:
        """Whether it was ever past the handshake."""
        return self._reader is not None

    @property
    def ending(self) -> bool:
        """Whether it is over, or is to end."""
        return not self.number or self._why is not None

    def admitted(self, transport: asyncio.BaseTransport) -> bool:
        """Count the connection in, before anything is read from it; one that has no address any more is cut off."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport
        address = transport.get_extra_info("peername")
        self.peer = plain_address(address[0]) if address else ""
        if not address:
            transport.abort()
            return False
        self.number = self._owner.admit(self, self.peer)
        self._topic = f"tcp/{self.peer}:{address[1]}"
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP"
        if self.number or self.admitted(transport):
            self._transport = transport
            certificate = transport.get_extra_info("peercert")
            self._serial = serial_number(certificate)
            self._reader = self._owner.reader(self, self._topic, common_name(certificate))
            if certificate:
                self._owner.vouched(self)
            self.read_or_not()

    def data_received(self, data: bytes) -> None:
        assert self._reader is not None, "nothing is read before the handshake"
        try:
            self._take(self._reader.feed(data))
            self.read_or_not()
        except Exception:  # noqa: BLE001 - one device that meets our bug must not stop all others
            get_logger().exception("device_met_a_bug", peer=self.peer, bytes=len(data))
            self.abort(EndReason.OUR_ERROR)

    def connection_lost(self, exc: Exception | None) -> None:
        self.left(EndReason.BY_DEVICE if exc is None else EndReason.BROKEN)

    def left(self, why: EndReason) -> None:
        """The connection is no more; `why` when it was not ended by us."""
        if not self.number:
            return
        try:
            if self._reader is not None and self._why not in _UNHEARD:
                self._take(self._reader.finish())
        finally:
            self._owner.gone(self, self._gateway_id)
            self._owner.ended(self._why or why, self.peer)
            self.number = 0
            self._transport = None

    def settled(self, outcome: Outcome) -> None:
        """By the owner: Kafka has something that this device said, as a signal or as a refusal."""
        self._unsettled -= 1
        why = self.policy.decided(outcome)
        if why is not None:
            self.abort(why)
            return
        if isinstance(outcome, Accepted):
            self._owner.believed(self, self._gateway_id)
        elif outcome.reason in NOT_WHO_IT_SAYS:
            self._owner.doubted(self)
        self.read_or_not()

    def write(self, data: bytes) -> bool:
        """By the owner: send without waiting; a device that does not read what it is sent is cut off."""
        transport = self._transport
        if transport is None or not self.ready or self._why is not None or transport.is_closing():
            return False
        transport.write(data)
        if transport.get_write_buffer_size() > self._owner.limits.unsent_bytes:
            self.abort(EndReason.DOES_NOT_READ)
            return False
        return True

    def sweep(self, now: float) -> None:
        """By the owner, once a second: end it when a time limit is over."""
        why = self.policy.overdue(now)
        if why is not None and self._reading:  # while we do not read, silence says nothing
            self.abort(why)

    def end_if_revoked(self, revoked: frozenset[int]) -> None:
        """By the owner: end it when its certificate is no longer good."""
        if self._serial in revoked:
            self.abort(EndReason.REVOKED)

    def read_or_not(self) -> None:
        """Read on, unless the lanes are full, or too much of this one device waits for Kafka."""
        if self._transport is None or not self.ready or self._why is not None:
            return
        reading = self._owner.reading and self._unsettled < self._owner.limits.in_flight
        if reading == self._reading:
            return
        self._reading = reading
        if reading:
            self.policy.excused(self._owner.clock.monotonic())
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def end(self, why: EndReason) -> None:
        """Close when what is written was sent."""
        if self._why is None:
            self._why = why
            if self._transport is not None:
                self._transport.close()

    def abort(self, why: EndReason = EndReason.STOPPING) -> None:
        """Close at once."""
        if self._why is None:
            self._why = why
        if self._transport is not None:
            self._transport.abort()

    @property
    def _gateway_id(self) -> str:
        return "" if self._reader is None else self._reader.claim.gateway_id

    def _take(self, read: ReadMessages) -> None:
        if read.vouched:
            self._owner.vouched(self)
        if read.messages or read.fires:
            self._unsettled += len(read.messages) + len(read.fires)
            self._owner.lanes.put(read.messages, read.fires)
        if read.why is not None:
            self.abort(read.why)


def plain_address(host: str) -> str:
    """Return an IP address as the registry writes it: IPv4 that came through an IPv6 socket is IPv4."""
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
