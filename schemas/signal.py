"""`firenet.signals.v1`: usable messages and ticks.

`firenet.alarms.v1`: fire, its end and what was unreadable on the alarm lane, same events, same ids; and, there alone,
what unregistered gateways sent on it.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from schemas.base import Event, Identifier, ShortText, Wire
from schemas.gateway import MAX_MESSAGE_BYTES, Measurement, Point
from services.kernel.words import Flag, Lane, Restores, SignalKind, Transport

MAX_FRAME_BYTES = 1054

ContentKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class DeviceFrame(Wire):
    """Where a signal stands in a GB/T 26875.3 frame, and what the frame says beyond FireNet's own words.

    `said` is the information object that the signal was read from, in the field names of
    `python -m services.ingest.gb26875 decode`; null where the frame holds none. `notes` are what is odd about the
    frame, as "path code". `raw` is the whole frame, base64 in JSON.
    """

    profile: Identifier
    serial: int = Field(ge=0, le=0xFFFF)
    command: int = Field(ge=0, le=0xFF)
    type: int | None = Field(default=None, ge=0, le=0xFF)
    said: dict[str, JsonValue] | None = None
    notes: tuple[ShortText, ...] = ()
    raw: Annotated[bytes, Field(max_length=MAX_FRAME_BYTES)]


class SignalData(Wire):
    """One usable message. `received_at` of the signal is the event's `time`.

    `occurred_at` is the device's own claim, kept as sent even when flagged. `seq` is the gateway's number. `missing`
    goes with kind `gap`: so many messages before this one never came; below 0 so many came after all that had been told
    missing at `first_received_at`. `frame` goes with the GB/T 26875.3 carriers. With flag `replayed`
    `first_received_at` is when it was refused. The event's `time` is then that of the replay.

    The event's id is that of one reception, never of what was said: a gateway whose clock and numbers start anew
    repeats itself. The first 20 of its 32 digits name the delivery by the broker, which one with flag `redelivered` has
    in common with the one before it: where that is known, this is the same message. `content` depends on the bytes of
    the message alone; heartbeats have none.

    `refusal_id` goes with kind `unreadable_alarm`: the refusal that keeps what came. `notes` and `raw` go with flag
    `salvaged`: what the careful reading left out or mended, and the whole payload, base64 in JSON.
    """

    gateway_id: Identifier
    unit_id: Identifier
    kind: SignalKind
    carrier: Transport
    lane: Lane
    instance: Identifier
    seq: int | None = Field(default=None, ge=0)
    occurred_at: AwareDatetime | None = None
    point: Point | None = None
    restores: Restores | None = None
    measurement: Measurement | None = None
    text: ShortText | None = None
    missing: int | None = None
    flags: tuple[Flag, ...] = ()
    frame: DeviceFrame | None = None
    first_received_at: AwareDatetime | None = None
    content: ContentKey | None = None
    refusal_id: Identifier | None = None
    notes: tuple[ShortText, ...] | None = None
    raw: Annotated[bytes, Field(max_length=MAX_MESSAGE_BYTES)] | None = None


class Signal(Event[SignalData]):
    """source `/gateways/{gateway_id}`, subject = unit id = record key, time = received_at."""

    type: Literal["cn.firenet.signal.v1"] = "cn.firenet.signal.v1"


MAX_TOLD_SIGNALS = 16


class UnregisteredSignal(Wire):
    """What the decoders read in the payload of a gateway that is in no register. It is nobody's word yet."""

    kind: SignalKind
    occurred_at: AwareDatetime | None = None
    point: Point | None = None
    restores: Restores | None = None
    text: ShortText | None = None
    flags: tuple[Flag, ...] = ()


class UnregisteredAlarmData(Wire):
    """Something came on the alarm lane of a gateway that is in no register; the refusal `refusal_id` keeps it raw.

    `gateway_id` is what the topic or the device claims, in the device's case its address in hexadecimal; null stands
    for all further identities, once too many different ones rang within an hour. `signals` are the first that the
    decoders made of the payload, none where it cannot be read. `further` more of the same identity came since the event
    before this one: each is a refusal, none has an event of its own.
    """

    gateway_id: Identifier | None = None
    carrier: Transport
    instance: Identifier
    peer: ShortText | None = None
    refusal_id: Identifier
    reason: ShortText
    detail: ShortText = ""
    signals: Annotated[tuple[UnregisteredSignal, ...], Field(max_length=MAX_TOLD_SIGNALS)] = ()
    further: int = Field(default=0, ge=0)


class UnregisteredAlarm(Event[UnregisteredAlarmData]):
    """source `/ingest/{instance}`, subject and record key the claimed gateway id, time = received_at."""

    type: Literal["cn.firenet.unregistered_alarm.v1"] = "cn.firenet.unregistered_alarm.v1"


class TickState(StrEnum):
    """`leaving` is the last word of an instance that was stopped on purpose: nobody waits for it any more."""

    LIVE = "live"
    LEAVING = "leaving"


class TickData(Wire):
    """An ingest instance proves to one partition: whatever I received before `proven_until` is already in Kafka.

    `epoch` grows with each start of the instance, `number` with each tick of it. Sent only while the instance sees
    both its broker connections answer; no ticks therefore means that nobody was looking.
    """

    instance: Identifier
    epoch: int = Field(ge=0)
    number: int = Field(ge=0)
    state: TickState
    proven_until: AwareDatetime


class Tick(Event[TickData]):
    """source `/ingest/{instance}`, no subject; written to every partition of the signals topic."""

    type: Literal["cn.firenet.tick.v1"] = "cn.firenet.tick.v1"


SignalOrTick = Annotated[Signal | Tick, Field(discriminator="type")]
SignalOrUnregistered = Annotated[Signal | UnregisteredAlarm, Field(discriminator="type")]
