"""Whether an arrival can be used, and what it is then: the one decision of ingest."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from services.ingest.domain.directory import Directory, Standing
from services.ingest.domain.errors import Unusable
from services.ingest.domain.topics import Route, claimed_gateway, split_topic
from services.ingest.domain.values import Accepted, Arrival, Flag, Message, Outcome, Reason, Refused, Signal

MAX_PAYLOAD_BYTES = 64 * 1024
CLOCK_SKEW = timedelta(seconds=300)

Decode = Callable[[bytes], Sequence[Message]]
"""Payload to messages, at least one; raises `Unusable`."""


def decide(arrival: Arrival, directory: Directory, decoders: Mapping[str, Decode]) -> Outcome:
    """Return the signals in the arrival, or the reason why there are none.

    Asks in this order: is the topic ours, who speaks, is the size fit, what is said, and for whom. `decoders` goes by
    `Format`; a format without one is refused as not yet supported, its bytes kept. Strange clocks are flagged only.
    """
    found = split_topic(arrival.topic)
    if found is None:
        return _refuse(arrival, Reason.BAD_TOPIC, "the topic is not one that gateways publish on")
    gateway_id, route = found
    unit_id = directory.unit_of(gateway_id, arrival.received_at)
    if isinstance(unit_id, Standing):
        return _nobody(arrival, unit_id)
    decode = decoders.get(route.format)
    if decode is None:
        return _refuse(arrival, Reason.NOT_YET_SUPPORTED, f"no decoder for {route.format} yet; the bytes are kept")
    size = len(arrival.payload)
    if not 0 < size <= MAX_PAYLOAD_BYTES:
        return _wrong_size(arrival, size)
    try:
        messages = decode(arrival.payload)
    except Unusable as unusable:
        return _refuse(arrival, unusable.reason, unusable.detail)
    for message in messages:
        if message.unit_id is not None and message.unit_id != unit_id:
            detail = f"the gateway speaks for unit {unit_id} and named {message.unit_id}"
            return _refuse(arrival, Reason.IDENTITY_MISMATCH, detail)
    return Accepted(arrival, _signals(arrival, gateway_id, unit_id, route, messages))


def refuse_unexpected(arrival: Arrival, error: Exception) -> Refused:
    """Return the refusal of a message that met a bug of ours: `decide` or an encoder raised `error`."""
    return _refuse(arrival, Reason.UNEXPECTED, f"our own error met this message: {type(error).__name__}")


def flags_of(arrival: Arrival, occurred_at: datetime | None) -> tuple[Flag, ...]:
    """Return what is odd about a message: its clock (more than 300 s from ours), its way through the broker."""
    flags: tuple[Flag, ...] = ()
    if occurred_at is None:
        flags = (Flag.NO_DEVICE_TIME,)
    else:
        ahead = occurred_at - arrival.received_at
        if ahead > CLOCK_SKEW:
            flags = (Flag.CLOCK_AHEAD,)
        elif ahead < -CLOCK_SKEW:
            flags = (Flag.CLOCK_BEHIND,)
    if arrival.duplicate:
        flags += (Flag.REDELIVERED,)
    if arrival.retained:
        flags += (Flag.RETAINED,)
    return flags


def _signals(
    arrival: Arrival, gateway_id: str, unit_id: str, route: Route, messages: Sequence[Message]
) -> tuple[Signal, ...]:
    lane, carrier, _ = route
    if len(messages) == 1:  # nearly always; without the loop it costs half
        flags = flags_of(arrival, messages[0].occurred_at)
        return (Signal(gateway_id, unit_id, lane, carrier, messages[0], flags, 0),)
    return tuple(
        [
            Signal(gateway_id, unit_id, lane, carrier, message, flags_of(arrival, message.occurred_at), part)
            for part, message in enumerate(messages)
        ]
    )


def _nobody(arrival: Arrival, standing: Standing) -> Refused:
    match standing:
        case Standing.UNKNOWN:
            if claimed_gateway(arrival.topic) is None:
                return _refuse(arrival, Reason.BAD_TOPIC, "the topic holds no well-formed gateway id")
            return _refuse(arrival, Reason.UNKNOWN_GATEWAY, "the registry does not know this gateway")
        case Standing.NOT_YET:
            return _refuse(arrival, Reason.UNKNOWN_GATEWAY, "the registry knows this gateway only from a later day on")
        case Standing.RETIRED:
            return _refuse(arrival, Reason.IDENTITY_MISMATCH, "the gateway is retired and speaks for no unit any more")
        case _:
            assert_never(standing)


def _wrong_size(arrival: Arrival, size: int) -> Refused:
    if size == 0:
        return _refuse(arrival, Reason.EMPTY, "the message has no body")
    return _refuse(arrival, Reason.TOO_LARGE, f"the body has {size} bytes, at most {MAX_PAYLOAD_BYTES} are read")


def _refuse(arrival: Arrival, reason: Reason, detail: str) -> Refused:
    return Refused(arrival, reason, detail, claimed_gateway(arrival.topic))
