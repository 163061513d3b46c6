"""What ingest works on: arrivals from the broker, messages of gateways, and what became of them.

NamedTuples where one is made per message: they are built three times faster than frozen dataclasses.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.kernel.words import Flag, Lane, RefusalReason, Restores, SignalKind, Transport


class Format(StrEnum):
    """Which decoder reads the payload."""

    JSON = "json"
    STATUS = "status"
    GB26875 = "gb26875"


EVERY_COMPONENT = "*"
"""The address that stands for all components of a system."""


class Point(NamedTuple):
    """One component of the fire-alarm system, as its controller names it."""

    address: str
    system: str | None
    type: str | None
    label: str | None


class Measurement(NamedTuple):
    """One analog reading: `value` in `unit`."""

    value: float
    unit: str


class FramePart(NamedTuple):
    """Where in a GB/T 26875.3 frame a message stands. `said`: the JSON text of its information object.

    `raw` is the whole frame. `notes` say what is odd, as "path code". `part` counts the messages of the frame from 0.
    `timed`: each of its objects says when it happened.
    """

    profile: str
    serial: int
    command: int
    type: int | None
    said: str | None
    notes: tuple[str, ...]
    raw: bytes
    part: int = 0
    timed: bool = False

    @property
    def identity(self) -> bytes:
        """What a resend repeats: all that is summed up, but for versions and, in a timed frame, the time of sending."""
        serial, label, rest = self.raw[2:4], self.raw[6:12], self.raw[12:-3]
        return serial + rest if self.timed else serial + label + rest


class Salvage(NamedTuple):
    """How a payload was read that the strict reading refused: `notes` say what was left out or mended.

    `raw` is the payload, with the first of its messages only.
    """

    notes: tuple[str, ...]
    raw: bytes | None


class Message(NamedTuple):
    """What a decoder read. `occurred_at` is the device's own claim, `seq` its own count.

    `missing` goes with kind GAP; below 0 it takes back what was reported missing at `reported_at`. `frame` goes with
    GB/T 26875.3. `flags` are what the decoder itself found odd.
    `ends_no_fire`: an end of troubles where no fire is active; it is in no hurry. `salvage` goes with flag `salvaged`,
    `refusal_id` with kind UNREADABLE_ALARM.
    """

    kind: SignalKind
    seq: int | None = None
    occurred_at: datetime | None = None
    unit_id: str | None = None
    point: Point | None = None
    restores: Restores | None = None
    measurement: Measurement | None = None
    text: str | None = None
    missing: int | None = None
    frame: FramePart | None = None
    flags: tuple[Flag, ...] = ()
    ends_no_fire: bool = False
    reported_at: datetime | None = None
    salvage: Salvage | None = None
    refusal_id: str | None = None

    @property
    def concerns_fire(self) -> bool:
        """Whether the fast lane must have it: a fire, the end of one, or what may well have been one."""
        kind = self.kind
        if kind is SignalKind.HEARTBEAT:  # asked of every message
            return False
        if kind is SignalKind.FIRE or kind is SignalKind.UNREADABLE_ALARM:
            return True
        return not self.ends_no_fire and (self.restores is Restores.FIRE or self.restores is Restores.ALL)


class Undecodable(NamedTuple):
    """Bytes beside usable messages in one payload: they become a refusal of their own."""

    raw: bytes
    reason: RefusalReason
    detail: str


class DecodedPayload(NamedTuple):
    """What a decoder made of one payload: at least one message, in order.

    `replies` are what the device is to be sent, in order, once everything is stored.
    """

    messages: Sequence[Message]
    undecodable: tuple[Undecodable, ...] = ()
    replies: tuple[bytes, ...] = ()


class Route(NamedTuple):
    lane: Lane
    carrier: Transport
    format: Format


class Claim(NamedTuple):
    """Who a device that came without a broker says it is, and what is known of it.

    `gateway_id` is "" where no gateway is registered under its address. `peer` is the IP address it calls from,
    `certified` the common name of its verified certificate, None where it showed none. `trusted`: its address is
    taken at its word where the registry names no network and it has no certificate. `like_it`: so many texts like this
    one came before, and were counted and not kept. `again`: the first frame of a connection that replaces another one.
    """

    gateway_id: str
    route: Route
    peer: str
    certified: str | None = None
    trusted: bool = False
    like_it: int = 0
    again: bool = False


class Arrival(NamedTuple):
    """One delivery. `mid` is only good for acknowledging or answering on the connection of the same `epoch`.

    `received_at` is UTC and never goes back within an instance. `probe_sent_at` is set on our own probes only. `claim`
    is set where no broker stood between: then `topic` only tells people where it came from. `replayed_at` is set on
    what was refused once, as `refusal_id`, and is decided anew: then that is the time of its signals, and nothing is
    refused again. `adopted`: its gateway was entered in the register since, and what it said before counts as its own.
    `number` counts what this process received.
    """

    epoch: int
    mid: int
    topic: str
    payload: bytes
    received_at: datetime
    duplicate: bool = False
    retained: bool = False
    probe_sent_at: datetime | None = None
    claim: Claim | None = None
    replayed_at: datetime | None = None
    number: int = 0
    refusal_id: str = ""
    adopted: bool = False


class Signal(NamedTuple):
    """One usable message. `part` counts the messages of one payload from 0."""

    gateway_id: str
    unit_id: str
    lane: Lane
    carrier: Transport
    message: Message
    flags: tuple[Flag, ...]
    part: int


class UnusableAlarm(NamedTuple):
    """What came on the alarm lane and told nobody anything: that is reported to people.

    `unit_id` is "" where nobody knows whose it is: then `gateway_id` is what it claims, None for all further ones, and
    `messages` are what it seems to say. `further` more of the same came unreported since the one before.
    """

    gateway_id: str | None
    unit_id: str
    lane: Lane
    carrier: Transport
    messages: tuple[Message, ...] = ()
    further: int = 0
    reported: bool = True


class Accepted(NamedTuple):
    """`repeated`: this is stored already, and the signals only say that the gateway lives.

    `unusable_alarm` goes with the first of `undecodable`.
    """

    arrival: Arrival
    signals: tuple[Signal, ...]
    undecodable: tuple[Undecodable, ...] = ()
    replies: tuple[bytes, ...] = ()
    repeated: bool = False
    unusable_alarm: UnusableAlarm | None = None


class Refused(NamedTuple):
    """`gateway_id` is what the topic claims, None when the topic is not ours. `detail` is one sentence for people."""

    arrival: Arrival
    reason: RefusalReason
    detail: str
    gateway_id: str | None
    replies: tuple[bytes, ...] = ()
    unusable_alarm: UnusableAlarm | None = None


Outcome = Accepted | Refused


class Tick(NamedTuple):
    """Everything that the broker handed to this instance before `proven_until` is stored. See `proof`."""

    epoch: int
    number: int
    leaving: bool
    proven_until: datetime
    sent_at: datetime
