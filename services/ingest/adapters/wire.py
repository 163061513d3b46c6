"""Signals, refusals and ticks as the bytes that stand on the topics."""

from datetime import UTC, datetime
from hashlib import blake2b
from json.encoder import encode_basestring as _quote

from schemas import codec
from schemas.gateway import Point as WirePoint
from schemas.refusal import MAX_RAW_BYTES, Refusal, RefusalData, RefusalOrigin, Replayed, ReplayedData, ReplayOutcome
from schemas.signal import (
    MAX_TOLD_SIGNALS,
    TickData,
    TickState,
    UnregisteredAlarm,
    UnregisteredAlarmData,
    UnregisteredSignal,
)
from schemas.signal import Tick as WireTick
from services.ingest.adapters.signal_json import content_key, frame_member, optional_members, salvage_members, zoned
from services.ingest.domain.decide import flags_of
from services.ingest.domain.replays import ReplayNote
from services.ingest.domain.values import (
    Arrival,
    Claim,
    Message,
    Refused,
    Signal,
    Tick,
    UnusableAlarm,
)
from services.kernel import ids
from services.kernel.words import SignalKind


class Encoder:
    """Writes events of one ingest instance.

    A signal is put together by hand: building and dumping the model took four times as long, on a path that every
    message goes. Members stand in the order of the model, by which rules knows a heartbeat at a glance; tests compare.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._source = f"/ingest/{instance}"
        self._last_instant: datetime | None = None
        self._last_written = ""
        self._last_digits = ""
        self._second = datetime.min.replace(tzinfo=UTC)
        self._second_written = ""
        self._second_ms = 0
        self._opened = b"\0\0\0\x08delivery" + _measured(instance.encode())
        self._written_instance = f'","instance":{_quote(instance)}'

    def signal_id(self, gateway_id: str, lane: str, arrival: Arrival, part: int) -> str:
        """Return the id of one reception: of which delivery it is, then when and as what number it came.

        Nothing that a gateway says could stand for it: numbers, times and whole messages come again and mean something
        new. A delivery that the broker repeats has the number that it had; a later one of the same number and bytes is
        another reception. What is replayed was received once, so that carrying out one order twice gives the same.
        """
        if arrival.refusal_id:
            return ids.derive("replayed", gateway_id, arrival.refusal_id, str(part))
        place = f"{gateway_id} {lane} {arrival.mid} {part}".encode()
        named = self._opened + len(place).to_bytes(4, "big") + place + arrival.payload
        if arrival.received_at is not self._last_instant:
            self._write(arrival.received_at)
        digest = blake2b(named, digest_size=_DELIVERY_BYTES).hexdigest()
        return f"{digest}{self._last_digits}{arrival.number & 0xFFFF:04x}"

    def signal(self, signal: Signal, arrival: Arrival) -> bytes:
        """Return the event of one signal."""
        gateway_id, unit_id, lane, carrier, message, flags, part = signal
        event_id = self.signal_id(gateway_id, lane, arrival, part)
        taken_in_at = arrival.received_at if arrival.replayed_at is None else arrival.replayed_at
        if taken_in_at is not self._last_instant:
            self._write(taken_in_at)
        quoted = ",".join([f'"{flag}"' for flag in flags]) if flags else ""
        rest = "" if message.frame is None else frame_member(message.frame)
        if arrival.replayed_at is not None:
            rest += f',"first_received_at":"{zoned(arrival.received_at)}"'
        elif message.reported_at is not None:
            rest += f',"first_received_at":"{zoned(message.reported_at)}"'
        if message.kind is not SignalKind.HEARTBEAT:
            rest += f',"content":"{content_key(gateway_id, arrival, message, part)}"'
            if message.refusal_id is not None:
                rest += f',"refusal_id":"{message.refusal_id}"'
            if message.salvage is not None:
                rest += salvage_members(message.salvage)
        return (
            f'{{"specversion":"1.0","id":"{event_id}","source":"/gateways/{gateway_id}","subject":"{unit_id}",'
            f'"time":"{self._last_written}Z","datacontenttype":"application/json",'
            f'"data":{{"gateway_id":"{gateway_id}","unit_id":"{unit_id}","kind":"{message.kind}","carrier":"{carrier}",'
            f'"lane":"{lane}{self._written_instance}'
            f'{optional_members(message)},"flags":[{quoted}]{rest}}},"type":"cn.firenet.signal.v1"}}'
        ).encode()

    def _write(self, instant: datetime) -> None:
        """Write a UTC instant: without its offset, and as eight hexadecimal digits of the millisecond.

        Those come again after 49 days. All that is written about one arrival asks for the same instant.
        """
        since = instant - self._second
        if since.days or since.seconds:  # most are of the same second as the one before: that is written once
            self._second = instant.replace(microsecond=0)
            self._second_written = self._second.isoformat()[:-6]
            self._second_ms = int(self._second.timestamp()) * 1000
            since = instant - self._second
        fraction = since.microseconds
        self._last_instant = instant
        self._last_written = f"{self._second_written}.{fraction:06d}" if fraction else self._second_written
        self._last_digits = f"{(self._second_ms + fraction // 1000) & 0xFFFFFFFF:08x}"

    def refusal(self, refused: Refused, limit: int = MAX_RAW_BYTES) -> bytes:
        """Return the event of one refusal. More than `limit` bytes raw are cut; `raw_bytes` tells the whole length."""
        arrival = refused.arrival
        data = RefusalData(
            reason=refused.reason,
            detail=refused.detail[:200],
            topic=arrival.topic,
            gateway_id=refused.gateway_id,
            instance=self._instance,
            received_at=arrival.received_at,
            redelivered=arrival.duplicate,
            retained=arrival.retained,
            raw_bytes=len(arrival.payload),
            raw=arrival.payload[:limit],
            origin=_origin(arrival.claim),
        )
        event_id = refusal_id(arrival)
        event = Refusal(
            id=event_id, source=self._source, subject=refused.gateway_id, time=arrival.received_at, data=data
        )
        return codec.refusals.encode(event)

    def unreadable(self, refused: Refused, unusable_alarm: UnusableAlarm) -> bytes:
        """Return the event of a signal that says that something on the alarm lane of a gateway could not be read."""
        arrival = refused.arrival
        further = f" ({unusable_alarm.further} more before this)" if unusable_alarm.further else ""
        text = f"{refused.reason}: {refused.detail}"[: 200 - len(further)] + further
        message = Message(SignalKind.UNREADABLE_ALARM, text=text, refusal_id=refusal_id(arrival))
        flags = flags_of(arrival, None)
        return self.signal(
            Signal(
                unusable_alarm.gateway_id or "",
                unusable_alarm.unit_id,
                unusable_alarm.lane,
                unusable_alarm.carrier,
                message,
                flags,
                0,
            ),
            arrival,
        )

    def unregistered(self, refused: Refused, unusable_alarm: UnusableAlarm) -> bytes:
        """Return the event that says what came on the alarm lane of a gateway that is in no register."""
        arrival = refused.arrival
        refusal = refusal_id(arrival)
        data = UnregisteredAlarmData(
            gateway_id=unusable_alarm.gateway_id,
            carrier=unusable_alarm.carrier,
            instance=self._instance,
            peer=None if arrival.claim is None else arrival.claim.peer,
            refusal_id=refusal,
            reason=refused.reason,
            detail=refused.detail[:200],
            signals=tuple([_unregistered(message, arrival) for message in unusable_alarm.messages[:MAX_TOLD_SIGNALS]]),
            further=unusable_alarm.further,
        )
        event_id = ids.derive("unregistered_alarm", refusal)
        return codec.alarms.encode(
            UnregisteredAlarm(
                id=event_id, source=self._source, subject=unusable_alarm.gateway_id, time=arrival.received_at, data=data
            )
        )

    def replayed(self, note: ReplayNote) -> bytes:
        """Return the event that says what became of a refusal."""
        data = ReplayedData(
            refusal_id=note.position.refusal_id,
            command_id=note.command_id,
            by=note.by,
            outcome=ReplayOutcome.ACCEPTED if note.reason is None else ReplayOutcome.REFUSED,
            signals=note.signals,
            undecodable=note.undecodable,
            reason=note.reason,
            detail=note.detail[:200],
        )
        event_id = ids.derive("replayed", note.position.refusal_id, note.command_id)
        event = Replayed(id=event_id, source=self._source, subject=note.gateway_id, time=note.at, data=data)
        return codec.refusals.encode(event)

    def tick(self, tick: Tick) -> bytes:
        data = TickData(
            instance=self._instance,
            epoch=tick.epoch,
            number=tick.number,
            state=TickState.LEAVING if tick.leaving else TickState.LIVE,
            proven_until=tick.proven_until,
        )
        event_id = ids.derive("tick", self._instance, str(tick.epoch), str(tick.number))
        return codec.signals.encode(WireTick(id=event_id, source=self._source, time=tick.sent_at, data=data))


def _unregistered(message: Message, arrival: Arrival) -> UnregisteredSignal:
    flags = flags_of(arrival, message.occurred_at) + message.flags
    return UnregisteredSignal(
        kind=message.kind,
        occurred_at=message.occurred_at,
        point=None if message.point is None else WirePoint(**message.point._asdict()),
        restores=message.restores,
        text=message.text,
        flags=flags,
    )


def _origin(claim: Claim | None) -> RefusalOrigin | None:
    if claim is None:
        return None
    return RefusalOrigin(
        carrier=claim.route.carrier,
        lane=claim.route.lane,
        peer=claim.peer,
        certified=claim.certified,
    )


def refusal_id(arrival: Arrival) -> str:
    """Return the id of the refusal of what came: two that were read together have two."""
    return ids.derive(
        "refusal", arrival.topic, arrival.payload, arrival.received_at.isoformat(), f"{arrival.number & 0xFFFF}"
    )


_DELIVERY_BYTES = ids.DELIVERY_DIGITS // 2


def _measured(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part
