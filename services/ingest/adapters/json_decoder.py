"""Payloads of the JSON carrier to messages: one strict parse; when that fails the reason why, or what can be saved.

A heartbeat in its usual form is read without it (`plain_heartbeat`).
"""

from datetime import datetime

from pydantic import ValidationError

from schemas.gateway import GatewayMessage, GatewayStatus
from services.ingest.adapters.json_faults import find_fault
from services.ingest.adapters.json_salvage import salvage
from services.ingest.adapters.plain_heartbeat import read_plain_heartbeat
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.values import DecodedPayload, Measurement, Message, Point
from services.kernel.words import SignalKind


class JsonDecoder:
    """Reads what gateways publish on `.../up/json` and `.../alarm/json`."""

    def decode(self, payload: bytes, sender: Sender, received_at: datetime) -> DecodedPayload:
        heartbeat = read_plain_heartbeat(payload)
        return read_by_schema(payload, sender) if heartbeat is None else DecodedPayload((heartbeat,))


def read_by_schema(payload: bytes, sender: Sender) -> DecodedPayload:
    """Return what any payload says, by the wire model. Raises Unusable."""
    try:
        read = GatewayMessage.model_validate_json(payload, strict=True)
    except ValidationError as error:
        return _careful(payload, sender, find_fault(payload, error, GatewayMessage))
    if _may_repeat_a_key(payload, read):
        fault = find_fault(payload, None, GatewayMessage)
        if fault is not None:
            return _careful(payload, sender, fault)
    message = Message(
        read.kind,
        read.seq,
        read.occurred_at,
        read.unit_id,
        None if read.point is None else _point(read),
        read.restores,
        None if read.measurement is None else Measurement(read.measurement.value, read.measurement.unit),
        read.text,
    )
    return DecodedPayload((message,))


def _careful(payload: bytes, sender: Sender, fault: Unusable) -> DecodedPayload:
    """Return the troubles that can be saved of what the strict reading refused. Raises `fault` when there are none."""
    messages = salvage(payload, sender, f"{fault.reason}: {fault.detail}")
    if not messages:
        raise fault
    return DecodedPayload(tuple(messages))


class StatusDecoder:
    """Reads the retained link state on `.../status`."""

    def decode(self, payload: bytes, sender: Sender, received_at: datetime) -> DecodedPayload:
        try:
            read = GatewayStatus.model_validate_json(payload, strict=True)
        except ValidationError as error:
            raise find_fault(payload, error, GatewayStatus) from error
        fault = find_fault(payload, None, GatewayStatus)  # rare enough to look each time
        if fault is not None:
            raise fault
        kind = SignalKind.LINK_UP if read.state == "online" else SignalKind.LINK_DOWN
        return DecodedPayload((Message(kind, occurred_at=read.occurred_at),))


def _point(read: GatewayMessage) -> Point:
    assert read.point is not None, "asked for by the caller"
    return Point(read.point.address, read.point.system, read.point.type, read.point.label)


def _may_repeat_a_key(payload: bytes, read: GatewayMessage) -> bool:
    """Return False only when no key is repeated: the parser would silently keep the last one.

    Without a backslash every two quotes make a string, so there are as many strings as keys and text values; each
    repetition adds one.
    """
    if b"\\" in payload:
        return True
    strings = len(read.model_fields_set) + 1  # the keys, and the value of `kind`
    strings += (read.occurred_at is not None) + (read.unit_id is not None)
    strings += (read.restores is not None) + (read.text is not None)
    if read.point is not None:
        point = read.point
        strings += len(point.model_fields_set) + 1
        strings += (point.system is not None) + (point.type is not None) + (point.label is not None)
    if read.measurement is not None:
        strings += 3
    return payload.count(b'"') != 2 * strings
