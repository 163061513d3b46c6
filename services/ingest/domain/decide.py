"""Whether an arrival can be used, and what it is then: the one decision of ingest."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import assert_never

from services.ingest.domain.directory import Directory, RegistrationStatus, Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.topics import claimed_gateway, is_alarm_branch, split_topic
from services.ingest.domain.values import (
    Accepted,
    Arrival,
    Claim,
    DecodedPayload,
    Message,
    Outcome,
    Refused,
    Route,
    Signal,
    UnusableAlarm,
)
from services.kernel.words import Flag, Lane, RefusalReason, SignalKind, Transport

MAX_PAYLOAD_BYTES = 64 * 1024
CLOCK_SKEW = timedelta(seconds=300)
_AGAIN = (Flag.RECONNECTED,)

SOURCE = slice(12, 18)
"""Where a GB/T 26875.3 frame has the address of its sender."""
FRAME_START = b"@@"

Decode = Callable[[bytes, Sender, datetime], DecodedPayload]
"""Payload, who speaks and when it came (UTC) to what it says; raises `Unusable`."""


def decide(arrival: Arrival, directory: Directory, decoders: Mapping[str, Decode]) -> Outcome:
    """Return the signals in the arrival, or the reason why there are none.

    Asks in this order: is the topic ours, who speaks, is the size fit, what is said, and for whom. `decoders` goes by
    `Format`. Strange clocks are flagged only.
    """
    claim = arrival.claim
    found = split_topic(arrival.topic) if claim is None else (claim.gateway_id, claim.route)
    if found is None:
        return _refuse(arrival, RefusalReason.BAD_TOPIC, "the topic is not one that gateways publish on")
    gateway_id, route = found
    sender = directory.sender(gateway_id, arrival.received_at)
    if sender is RegistrationStatus.NOT_YET and arrival.adopted and arrival.replayed_at is not None:
        sender = directory.sender(gateway_id, arrival.replayed_at)
    if isinstance(sender, RegistrationStatus):
        return _nobody(arrival, sender)
    if claim is not None:
        why_not = _not_whom_it_claims(claim, sender)
        if why_not is not None:
            return _refuse(arrival, RefusalReason.IDENTITY_MISMATCH, why_not)
    size = len(arrival.payload)
    if not 0 < size <= MAX_PAYLOAD_BYTES:
        return _wrong_size(arrival, size)
    try:
        decoded = decoders[route.format](arrival.payload, sender, arrival.received_at)
    except Unusable as unusable:
        return _refuse(arrival, unusable.reason, unusable.detail, unusable.replies)
    unit_id = sender.unit_id
    for message in decoded.messages:
        if message.unit_id is not None and message.unit_id != unit_id:
            detail = f"the gateway speaks for unit {unit_id} and named {message.unit_id}"
            return _refuse(arrival, RefusalReason.IDENTITY_MISMATCH, detail)
    return Accepted(
        arrival, _signals(arrival, gateway_id, unit_id, route, decoded), decoded.undecodable, decoded.replies
    )


def refuse_unexpected(arrival: Arrival, error: Exception) -> Refused:
    """Return the refusal of a message that met a bug of ours: `decide` or an encoder raised `error`."""
    return _refuse(arrival, RefusalReason.UNEXPECTED, f"our own error met this message: {type(error).__name__}")


def unusable_alarm_of(
    outcome: Outcome, directory: Directory, read: Callable[[Arrival], Sequence[Message]]
) -> UnusableAlarm | None:
    """Return whose alarm this may have been although it, or a part of it, could not be used; None where it was none.

    What comes over a broker is an alarm by its branch. A device that knows none has one lane for all: there `read` must
    find a fire. What was kept for newcomers, or is decided anew, was heard when it came.
    """
    arrival = outcome.arrival
    if arrival.retained or arrival.replayed_at is not None:
        return None
    if isinstance(outcome, Accepted):
        return _unusable_alarm_beside(outcome)
    claim = arrival.claim
    if claim is not None:
        messages = read(arrival)
        if not any(message.kind is SignalKind.FIRE for message in messages):
            return None
        sender = directory.sender(claim.gateway_id, arrival.received_at)
        if isinstance(sender, Sender) and _not_whom_it_claims(claim, sender) is None:
            return UnusableAlarm(claim.gateway_id, sender.unit_id, *claim.route[:2])
        name = claim.gateway_id or arrival.payload[SOURCE].hex() or None
        return UnusableAlarm(name, "", *claim.route[:2], messages=tuple(messages))
    if not is_alarm_branch(arrival.topic):
        return None
    found = split_topic(arrival.topic)
    carrier = Transport.MQTT_JSON if found is None else found[1].carrier
    gateway_id = claimed_gateway(arrival.topic)
    sender = RegistrationStatus.UNKNOWN if gateway_id is None else directory.sender(gateway_id, arrival.received_at)
    return UnusableAlarm(gateway_id, sender.unit_id if isinstance(sender, Sender) else "", Lane.ALARM, carrier)


def _unusable_alarm_beside(accepted: Accepted) -> UnusableAlarm | None:
    """Return whose alarm may be in what was undecodable beside good messages, unless a fire is among those."""
    first = accepted.signals[0]
    if first.lane is not Lane.ALARM or not any(FRAME_START in undecodable.raw for undecodable in accepted.undecodable):
        return None
    if any(signal.message.kind is SignalKind.FIRE for signal in accepted.signals):
        return None
    return UnusableAlarm(first.gateway_id, first.unit_id, first.lane, first.carrier)


def refusals_beside(accepted: Accepted) -> list[Refused]:
    """Return what in an accepted payload could not be used, as the refusals that are stored beside its signals."""
    if not accepted.undecodable:
        return []
    gateway_id = accepted.signals[0].gateway_id
    refused = [
        Refused(accepted.arrival._replace(payload=undecodable.raw), undecodable.reason, undecodable.detail, gateway_id)
        for undecodable in accepted.undecodable
    ]
    refused[0] = refused[0]._replace(unusable_alarm=accepted.unusable_alarm)
    return refused


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
    if arrival.replayed_at is not None:
        flags += (Flag.REPLAYED,)
    return flags


def _signals(
    arrival: Arrival, gateway_id: str, unit_id: str, route: Route, decoded: DecodedPayload
) -> tuple[Signal, ...]:
    lane, carrier, _ = route
    messages = decoded.messages
    again = arrival.claim is not None and arrival.claim.again
    if len(messages) == 1 and not again:  # nearly always; without the loop it costs half
        flags = flags_of(arrival, messages[0].occurred_at) + messages[0].flags
        return (Signal(gateway_id, unit_id, lane, carrier, messages[0], flags, 0),)
    return tuple(
        [
            Signal(
                gateway_id,
                unit_id,
                lane,
                carrier,
                message,
                flags_of(arrival, message.occurred_at) + message.flags + (_AGAIN if again and part == 0 else ()),
                part,
            )
            for part, message in enumerate(messages)
        ]
    )


def _not_whom_it_claims(claim: Claim, sender: Sender) -> str | None:
    """Return why a device that came without a broker is not believed to be its gateway, None when it is."""
    networks = sender.device.networks
    if networks and not any(_address(claim.peer) in network for network in networks):
        return f"gateway {claim.gateway_id} is not registered to call from {claim.peer}"
    if claim.certified is not None and claim.certified != claim.gateway_id:
        return f"the certificate is not that of gateway {claim.gateway_id}"
    if not networks and claim.certified is None and not claim.trusted:
        return f"gateway {claim.gateway_id} has no registered network and showed no certificate: anybody could be it"
    return None


@lru_cache(maxsize=16384)
def _address(peer: str) -> IPv4Address | IPv6Address:
    return ip_address(peer)


def _nobody(arrival: Arrival, status: RegistrationStatus) -> Refused:
    match status:
        case RegistrationStatus.UNKNOWN:
            if arrival.claim is not None:
                return _refuse(arrival, RefusalReason.UNKNOWN_GATEWAY, "the registry knows no gateway of this address")
            if claimed_gateway(arrival.topic) is None:
                return _refuse(arrival, RefusalReason.BAD_TOPIC, "the topic holds no well-formed gateway id")
            return _refuse(arrival, RefusalReason.UNKNOWN_GATEWAY, "the registry does not know this gateway")
        case RegistrationStatus.NOT_YET:
            return _refuse(
                arrival, RefusalReason.UNKNOWN_GATEWAY, "the registry knows this gateway only from a later day on"
            )
        case RegistrationStatus.RETIRED:
            return _refuse(
                arrival, RefusalReason.IDENTITY_MISMATCH, "the gateway is retired and speaks for no unit any more"
            )
        case _:
            assert_never(status)


def _wrong_size(arrival: Arrival, size: int) -> Refused:
    if size == 0:
        return _refuse(arrival, RefusalReason.EMPTY, "the message has no body")
    return _refuse(arrival, RefusalReason.TOO_LARGE, f"the body has {size} bytes, at most {MAX_PAYLOAD_BYTES} are read")


def _refuse(arrival: Arrival, reason: RefusalReason, detail: str, replies: tuple[bytes, ...] = ()) -> Refused:
    claim = arrival.claim
    claimed = claimed_gateway(arrival.topic) if claim is None else claim.gateway_id or None
    if claim is not None and claim.like_it:
        detail = f"{detail}; {claim.like_it} more like it came before and were only counted"
    return Refused(arrival, reason, detail, claimed, replies)
