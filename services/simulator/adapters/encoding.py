"""Signals as the JSON and topics of `schemas/gateway.py`, and MQTT 3.1.1 packets."""

import json
from datetime import UTC, datetime

from services.kernel.words import Lane
from services.simulator.domain.signals import Signal


def topic(signal: Signal) -> str:
    return f"firenet/v1/{signal.gateway_id}/{signal.lane.value}/json"


def frame_topic(gateway_id: str, lane: Lane) -> str:
    return f"firenet/v1/{gateway_id}/{lane.value}/gb26875"


def answer_topic(gateway_id: str) -> str:
    """Return where a device reads what the centre sends it."""
    return f"firenet/v1/{gateway_id}/down/gb26875"


def status_topic(gateway_id: str) -> str:
    return f"firenet/v1/{gateway_id}/status"


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def payload(signal: Signal) -> bytes:
    """Return the message body; absent fields are left out."""
    body: dict[str, object] = {
        "v": 1,
        "kind": signal.kind.value,
        "seq": signal.seq,
        "occurred_at": instant(signal.occurred_at),
        "unit_id": signal.unit_id,
    }
    if signal.point is not None:
        body["point"] = {"address": signal.point.address, "type": signal.point.type, "label": signal.point.label}
    if signal.restores is not None:
        body["restores"] = signal.restores.value
    if signal.text is not None:
        body["text"] = signal.text
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def status(state: str, at: datetime | None) -> bytes:
    body = {"v": 1, "state": state}
    if at is not None:
        body["occurred_at"] = instant(at)
    return json.dumps(body, separators=(",", ":")).encode()


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def length(count: int) -> bytes:
    """Return the variable-length integer of MQTT."""
    out = bytearray()
    while True:
        count, low = divmod(count, 128)
        out.append(low | (0x80 if count else 0))
        if not count:
            return bytes(out)


def connect_packet(
    client_id: str, keepalive_s: int, will: tuple[str, bytes] | None, username: str | None, password: str | None
) -> bytes:
    """Return CONNECT with a clean session; `will` is (topic, payload), retained, QoS 1."""
    flags = 0x02
    body = text(client_id)
    if will is not None:
        flags |= 0x04 | 0x08 | 0x20
        body += text(will[0]) + text(will[1])
    if username is not None:
        flags |= 0x80
        body += text(username)
    if password is not None:
        flags |= 0x40
        body += text(password)
    variable = text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    return b"\x10" + length(len(variable) + len(body)) + variable + body


def publish_packet(topic_name: str, body: bytes, packet_id: int, *, retain: bool = False) -> bytes:
    """Return PUBLISH, QoS 1."""
    variable = text(topic_name) + packet_id.to_bytes(2, "big")
    return bytes((0x32 | retain,)) + length(len(variable) + len(body)) + variable + body


def duplicate(packet: bytes) -> bytes:
    """Return a PUBLISH packet marked as sent again."""
    return bytes((packet[0] | 0x08,)) + packet[1:]


def subscribe_packet(topic_name: str, packet_id: int) -> bytes:
    """Return SUBSCRIBE to one topic, QoS 0."""
    variable = packet_id.to_bytes(2, "big") + text(topic_name) + b"\x00"
    return b"\x82" + length(len(variable)) + variable


def packet_at(data: bytes, place: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `place` begins and ends, None while its length is not all there."""
    size = shift = 0
    for at in range(place + 1, min(place + 5, len(data))):
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            return at + 1, at + 1 + size
    return None


def published(packet_type: int, body: bytes) -> bytes:
    """Return what a PUBLISH carries."""
    begins = 2 + int.from_bytes(body[:2], "big")
    return body[begins + (2 if packet_type & 0x06 else 0) :]


PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
