"""`firenet.signals.v1`: usable messages and ticks. `firenet.alarms.v1`: fire and its end, same events, same ids."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.base import Event, Identifier, ShortText, Wire
from schemas.gateway import Measurement, Point, Restores, SignalKind


class Carrier(StrEnum):
    """How the message came."""

    MQTT_JSON = "mqtt_json"
    MQTT_GB26875 = "mqtt_gb26875"


class Lane(StrEnum):
    """Which topic branch the gateway used."""

    UP = "up"
    ALARM = "alarm"
    STATUS = "status"


class Flag(StrEnum):
    """Oddities that are kept and shown, never a reason to drop."""

    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    NO_DEVICE_TIME = "no_device_time"
    REDELIVERED = "redelivered"
    RETAINED = "retained"


class SignalData(Wire):
    """One usable message. `received_at` of the signal is the event's `time`.

    `occurred_at` is the device's own claim, kept as sent even when flagged. `seq` is the gateway's number.
    """

    gateway_id: Identifier
    unit_id: Identifier
    kind: SignalKind
    carrier: Carrier
    lane: Lane
    instance: Identifier
    seq: int | None = Field(default=None, ge=0)
    occurred_at: AwareDatetime | None = None
    point: Point | None = None
    restores: Restores | None = None
    measurement: Measurement | None = None
    text: ShortText | None = None
    flags: tuple[Flag, ...] = ()


class Signal(Event[SignalData]):
    """source `/gateways/{gateway_id}`, subject = unit id = record key, time = received_at."""

    type: Literal["cn.firenet.signal.v1"] = "cn.firenet.signal.v1"


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
