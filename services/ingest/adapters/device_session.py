"""One TCP connection of a device: what it says goes to the lanes, what it is answered goes back."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_tls import common_name, serial_number
from services.ingest.adapters.inbox import DeviceMessage
from services.ingest.domain.connection_policy import NOT_WHO_IT_SAYS, ConnectionPolicy, Ended, Limits
from services.ingest.domain.device_stream import DeviceStream, Piece
from services.ingest.domain.directory import Directory
from services.ingest.domain.texts import KEPT, Verdict, may_be_text
from services.ingest.domain.values import Accepted, Claim, Outcome
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

_UNHEARD = frozenset({Ended.GARBAGE, Ended.UNKNOWN_GATEWAY, Ended.NOT_BELIEVED, Ended.OUR_ERROR})


class Host(Protocol):
    """The listener as its sessions see it."""

    lanes: DeviceLanes
    directory: Directory
    clock: Clock
    limits: Limits

    @property
    def reading(self) -> bool:
        """Whether anybody may be read now."""
        ...

    def admit(self, session: "Session", peer: str) -> int:
        """Return the number of a new connection; it may soon cost another one that has shown nothing yet."""
        ...

    def said(self, sender: str, raw: bytes) -> Verdict:
        """A module said something of its own accord: say whether that is to be kept."""
        ...

    def vouched(self, session: "Session") -> None:
        """Something speaks for the caller, and is not believed yet."""
        ...

    def doubted(self, session: "Session") -> None:
        """What spoke for the caller was not believed."""
        ...

    def claim(self, peer: str, certified: str | None) -> Claim:
        """Return what is known of a caller before its first frame."""
        ...

    def called_before(self, gateway_id: str) -> bool:
        """Whether a gateway has had a connection here before."""
        ...

    def believed(self, session: "Session", gateway_id: str) -> None:
        """A frame of this gateway over this session was accepted."""
        ...

    def gone(self, session: "Session", gateway_id: str) -> None:
        """The connection is no more."""
        ...

    def ended(self, why: Ended, peer: str) -> None:
        """Count how a connection ended."""
        ...


class Session(asyncio.Protocol):
    """One connection: bytes to pieces, pieces to the lanes, answers back."""

    __slots__ = (
        "_claim",
        "_introduced",
        "_listener",
        "_policy",
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

    def __init__(self, listener: Host) -> None:
        self._listener = listener
        self._stream = DeviceStream()
        self._policy = ConnectionPolicy(listener.limits, listener.clock.monotonic())
        self._transport: asyncio.Transport | None = None
        self._why: Ended | None = None
        self._unsettled = 0
        self._introduced = False
        self._reading = True
        self._ready = False
        self._serial: int | None = None
        self.number = 0
        self.peer = ""
        self._topic = ""
        self._claim = listener.claim("", None)

    # --- the event loop calls

    def admitted(self, transport: asyncio.BaseTransport) -> bool:
        """Count the connection in, before anything is read from it; one that has no address any more is cut off."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport
        address = transport.get_extra_info("peername")
        self.peer = plain_address(address[0]) if address else ""
        if not address:
            transport.abort()
            return False
        self.number = self._listener.admit(self, self.peer)
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
            if certificate:
                self._listener.vouched(self)
            self.read_or_not()

    def data_received(self, data: bytes) -> None:
        try:
            pieces = self._stream.feed(data)
            self._hear(pieces)
            self._policy.left_over(self._stream.pending, bool(pieces), self._listener.clock.monotonic())
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
            self._listener.gone(self, self._claim.gateway_id)
            self._listener.ended(self._why or why, self.peer)
            self.number = 0
            self._transport = None

    @property
    def ready(self) -> bool:
        """Whether it was ever past the handshake."""
        return self._ready

    @property
    def ending(self) -> bool:
        """Whether it is over, or was told to end."""
        return not self.number or self._why is not None

    # --- the listener calls

    def settled(self, outcome: Outcome) -> None:
        self._unsettled -= 1
        why = self._policy.judged(outcome)
        if why is not None:
            self.abort(why)
            return
        if isinstance(outcome, Accepted):
            self._listener.believed(self, self._claim.gateway_id)
        elif outcome.reason in NOT_WHO_IT_SAYS:
            self._listener.doubted(self)
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
        why = self._policy.overdue(now)
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
            self._policy.excused(self._listener.clock.monotonic())
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
        heard: list[DeviceMessage] = []
        fires: list[DeviceMessage] = []
        why: Ended | None = None
        for piece in pieces:
            claim = self._claim_of(piece)
            is_text = not piece.whole and may_be_text(piece.raw)
            said = self._listener.said(claim.gateway_id or self.peer, piece.raw) if is_text else KEPT
            if said.keep:
                told = claim._replace(like_it=said.before) if said.before else claim
                if piece.whole and not self._introduced:
                    self._introduced = True
                    told = claim._replace(again=self._listener.called_before(claim.gateway_id))
                (fires if piece.fire else heard).append(DeviceMessage(self.number, self._topic, piece.raw, told))
            if not (is_text and self._policy.may_say(now)):
                why = self._policy.heard(piece, claim.gateway_id != "", now)
            if why is not None:
                break
            if piece.whole and claim.gateway_id:
                self._listener.vouched(self)
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
