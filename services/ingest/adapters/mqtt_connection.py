"""One connection to the broker over one socket: reads deliveries into the inbox, sends what waits in the outbox.

Everything here runs on the thread of `MqttSource`, turn by turn, so an acknowledgement can never meet another
connection than the one that its delivery came over.
"""

import socket
import ssl
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.frames import Delivery, FrameReader
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.mqtt_outbox import Outbox, Waker
from services.ingest.adapters.mqtt_session import MqttSession
from services.ingest.domain.redelivery import Redelivery
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

READ_BYTES = 64 * 1024
READS_PER_TURN = 4
"""Then acknowledgements have their turn: a broker whose window is full sends nothing more."""
TURN_S = 0.5
"""A turn waits no longer than this, so that silence and a thread that hangs are seen."""
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Probes:
    """Probes on one topic, signed: those of an earlier process of our name may still come back."""

    def __init__(self, topic: str, token: str) -> None:
        self.topic = topic
        self._token = token

    def payload(self, sent_at: datetime) -> str:
        return f"{self._token} {sent_at.isoformat()}"

    def sent_at(self, payload: bytes) -> datetime:
        """Return when a probe left; one of an earlier process: the beginning of time, it proves nothing."""
        token, _, sent_at = payload.decode("ascii", "replace").partition(" ")
        return datetime.fromisoformat(sent_at) if token == self._token else datetime.min.replace(tzinfo=UTC)


class MqttConnection:
    """Lives as long as its socket. `heard_at`: when the broker last said anything, or we last did not listen."""

    def __init__(
        self,
        sock: Any,
        lane: str,
        session: MqttSession,
        inbox: Inbox,
        outbox: Outbox,
        waker: Waker,
        probes: Probes,
        clock: Clock,
        *,
        silent_limit_s: float,
    ) -> None:
        """`silent_limit_s`: a probe is out and the broker says nothing at all for this long: a dead connection."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._lane = lane
        self._session = session
        self._inbox = inbox
        self._outbox = outbox
        self._waker = waker
        self._probes = probes
        self._clock = clock
        self._silent_limit_s = silent_limit_s
        self._frames = FrameReader(v5=session.v5)
        self._unsent = b""
        self._redelivery = Redelivery()
        self.heard_at = clock.monotonic()
        waker.attach(sock)

    def close(self) -> None:
        self._waker.detach(self._sock)

    def disconnect(self) -> None:
        """Say goodbye to the broker, which keeps the session."""
        self._session.client.disconnect()
        self._write()

    @property
    def has_sent_all(self) -> bool:
        return self._outbox.is_empty and not self._unsent

    def is_alive(self) -> bool:
        """Say whether to go on with it: not when it was lost or refused, nor when the broker does not answer."""
        if self._session.client.socket() is not self._sock:
            return False
        if self._session.refused_why is not None:
            get_logger().error("mqtt_refused", lane=self._lane, why=self._session.refused_why)
            return False
        now = self._clock.monotonic()
        if not self._may_read():
            self.heard_at = now  # we do not listen: silence says nothing
        silent_s = now - self.heard_at
        if silent_s > self._silent_limit_s and (self._session.probing or not self._session.subscribed):
            get_logger().warning("mqtt_broker_silent", lane=self._lane, silent_s=round(silent_s, 1))
            return False
        return True

    def turn(self) -> None:
        """Wait until there is something to do, then read, publish and acknowledge what there is."""
        reading = self._may_read()
        writing = bool(self._unsent) or self._session.client.want_write()
        unread = isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0
        self._waker.wait(0 if unread else TURN_S, self._sock, read=reading, write=writing)
        if reading:
            self._read()
        self._publish()
        self._write()

    def _may_read(self) -> bool:
        return not (self._inbox.closed or self._inbox.full)

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            try:
                data = self._sock.recv(READ_BYTES)
            except _AGAIN:
                return
            except OSError:
                data = b""
            if not data:
                self._session.client.end()
                return
            self.heard_at = self._clock.monotonic()
            self._deliver(self._frames.feed(data))
            if len(data) < READ_BYTES or self._inbox.full:
                return

    def _deliver(self, packets: Sequence[Delivery | bytes]) -> None:
        """Hand over in order: what is no delivery may open a new epoch."""
        messages: list[Delivery] = []
        for packet in packets:
            if isinstance(packet, Delivery) and packet.topic != self._probes.topic:
                messages.append(self._with_mark_of_broker(packet))
                continue
            self._inbox.put(self._session.epoch, messages)
            messages = []
            if isinstance(packet, Delivery):
                self._inbox.put_probe(self._session.epoch, packet.mid, self._probes.sent_at(packet.payload))
            else:
                self._session.client.feed(packet)
        self._inbox.put(self._session.epoch, messages)

    def _with_mark_of_broker(self, packet: Delivery) -> Delivery:
        if self._redelivery.is_marked(packet.duplicate, packet.mid, self._session.kept) == packet.duplicate:
            return packet
        return packet._replace(duplicate=False)

    def _publish(self) -> None:
        session, outbox = self._session, self._outbox
        if outbox.probe_wanted and session.subscribed and not session.probing:
            outbox.probe_wanted = False
            session.publish_probe(self._probes.topic, self._probes.payload(self._inbox.stamp()))
        for waiting in (outbox.controls, outbox.answers):
            while waiting and session.connected:
                session.publish_answer(*waiting.popleft())

    def _write(self) -> None:
        """Write what paho has, then all acknowledgements at once; never one into the middle of the other."""
        client = self._session.client
        if self._unsent and not self._send():
            return
        if client.want_write():
            client.loop_write()
            if client.want_write():
                return
        acks = self._outbox.acks
        if acks:
            packets = []
            while acks:
                epoch, mid = acks.popleft()
                # The number of an older connection may by now belong to another message: never acknowledged here.
                if epoch == self._session.epoch and mid:
                    packets.append(struct.pack("!HH", 0x4002, mid))  # PUBACK, two bytes follow: the number
            self._unsent = b"".join(packets)
            self._send()

    def _send(self) -> bool:
        """Send on what is unsent; return whether nothing is left of it."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except _AGAIN:
            return False
        except OSError:
            self._unsent = b""
            self._session.client.end()
        return True
