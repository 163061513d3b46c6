"""All TCP connections of devices: who has a slot, which of them is whose, and how they ended."""

import asyncio
import contextlib
from collections.abc import Iterator

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_reader import DeviceReader
from services.ingest.adapters.device_session import DeviceSession
from services.ingest.domain.connection_policy import EndReason, Limits
from services.ingest.domain.connection_slots import ConnectionSlots
from services.ingest.domain.directory import Directory
from services.ingest.domain.texts import ModuleTexts, TextDecision
from services.ingest.domain.values import Claim, Format, Route
from services.ingest.metrics import Metrics
from services.kernel.words import Lane, Transport
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

ROUTE = Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875)
ENDINGS_LOGGED_PER_SWEEP = 5
"""A caller that is thrown out calls again at once: all of it in the log would hide everything else there."""

_ORDINARY = frozenset({EndReason.BY_DEVICE, EndReason.BROKEN, EndReason.IDLE, EndReason.NO_FRAME, EndReason.STOPPING})


class DeviceSessions:
    """Owner of every session from its first moment to its end. Nothing here waits but `close`."""

    def __init__(
        self,
        lanes: DeviceLanes,
        directory: Directory,
        metrics: Metrics,
        clock: Clock,
        limits: Limits,
        trusting: bool,
    ) -> None:
        """`trusting`: an address is taken at its word where the registry names neither network nor certificate."""
        self.lanes = lanes
        self.clock = clock
        self.limits = limits
        self._directory = directory
        self._metrics = metrics
        self._trusting = trusting
        self._slots = ConnectionSlots(limits.connections, limits.per_peer)
        self._texts = ModuleTexts()
        self._by_number: dict[int, DeviceSession] = {}
        self._of_gateway: dict[str, DeviceSession] = {}
        self._callers: set[str] = set()
        self._last_number = 0
        self._stopping = False
        self._empty = asyncio.Event()
        self._logged = 0
        self._not_logged = 0

    def limit(self, limits: Limits) -> None:
        """Set how many there may be; before the first of them."""
        self.limits = limits
        self._slots = ConnectionSlots(limits.connections, limits.per_peer)

    def __iter__(self) -> Iterator[DeviceSession]:
        return iter(list(self._by_number.values()))  # what is done to one may end it

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def placed(self) -> int:
        """How many have a slot."""
        return len(self._slots)

    def numbered(self, number: int) -> DeviceSession | None:
        return self._by_number.get(number)

    def of_gateway(self, gateway_id: str) -> DeviceSession | None:
        """Return the session over which a gateway was believed last."""
        return self._of_gateway.get(gateway_id)

    def stop_reading(self) -> None:
        self._stopping = True
        self.read_or_not()

    def read_or_not(self) -> None:
        for session in self:
            session.read_or_not()

    def sweep(self) -> None:
        """End those whose time is over."""
        now = self.clock.monotonic()
        for session in self:
            session.sweep(now)
        if self._not_logged:
            get_logger().warning("device_connections_ended_more", count=self._not_logged)
        self._logged = self._not_logged = 0

    def end_revoked(self, revoked: frozenset[int]) -> None:
        for session in self:
            session.end_if_revoked(revoked)

    async def close(self, deadline_s: float) -> None:
        """Send what is written and end them all."""
        for session in self:
            session.end(EndReason.STOPPING)
        if self._by_number:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._empty.wait()
        for session in self:
            session.abort()

    @property
    def reading(self) -> bool:
        return not (self._stopping or self.lanes.paused)

    def admit(self, session: DeviceSession, peer: str) -> int:
        """Return the number of a new connection.

        It stands among those that have shown nothing yet once it could be heard: asyncio begins to read it in the turn
        after this one, and what had come by then is heard in the turn after that. A device whose first frame lies in
        the socket already would else have to go unheard when many call together.
        """
        self._metrics.device_connections_made.inc()
        self._last_number += 1
        self._by_number[self._last_number] = session
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._place, session)
        return self._last_number

    def reader(self, session: DeviceSession, topic: str, certified: str | None) -> DeviceReader:
        return DeviceReader(
            session.number,
            topic,
            Claim("", ROUTE, session.peer, certified, self._trusting),
            session.policy,
            self._directory,
            self.clock,
            self._decide_text,
            self._callers.__contains__,
        )

    def vouched(self, session: DeviceSession) -> None:
        """Something speaks for a caller: a certificate, or a whole frame of a registered address."""
        self._place(session)
        self._slots.vouch(session.number)

    def doubted(self, session: DeviceSession) -> None:
        """A frame was not believed to be of whom it names."""
        self._slots.doubt(session.number)

    def believed(self, session: DeviceSession, gateway_id: str) -> None:
        """A frame of this gateway over this session was accepted: an older session of it is of no use any more."""
        holder = self._of_gateway.get(gateway_id)
        if holder is session or (holder is not None and holder.number > session.number):
            return
        if holder is not None:
            self._slots.leave(holder.number)  # its slot goes to the new one
        self._place(session)
        if not self._slots.prove(session.number):
            session.end(EndReason.TOO_MANY)
            return
        self._of_gateway[gateway_id] = session
        self._callers.add(gateway_id)
        if holder is not None:
            holder.end(EndReason.TAKEN_OVER)

    def gone(self, session: DeviceSession, gateway_id: str) -> None:
        self._by_number.pop(session.number, None)
        self._slots.leave(session.number)
        if self._of_gateway.get(gateway_id) is session:
            del self._of_gateway[gateway_id]
        self._metrics.device_connections.set(len(self._slots))
        if self._stopping and not self._by_number:
            self._empty.set()

    def ended(self, why: EndReason, peer: str) -> None:
        """Count how a connection ended; log it too, a few times a second at most, when it is not ordinary."""
        self._metrics.device_connections_ended.labels(why).inc()
        if why in _ORDINARY:
            return
        if self._logged >= ENDINGS_LOGGED_PER_SWEEP:
            self._not_logged += 1
            return
        self._logged += 1
        get_logger().warning("device_connection_ended", why=why, peer=peer)

    def _place(self, session: DeviceSession) -> None:
        """Give a connection its slot. Where there are too many, one that has shown nothing yet must go."""
        if session.ending or session.number in self._slots:
            return
        leaving = self._slots.enter(session.number, session.peer)
        if leaving is not None:
            self._by_number[leaving].abort(EndReason.MADE_ROOM)
        self._metrics.device_connections.set(len(self._slots))

    def _decide_text(self, sender: str, raw: bytes) -> TextDecision:
        """Say whether what a module said of its own accord is to be kept, and count it when not."""
        decision = self._texts.hear(sender, raw, self.clock.monotonic())
        if not decision.keep:
            self._metrics.device_texts.inc()
        return decision
