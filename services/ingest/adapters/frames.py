"""What a broker sends, split into packets: deliveries are read here, all else goes to the MQTT client.

paho reads a packet with four system calls and builds four objects for it; with thousands of deliveries a second that
was two thirds of what ingest did. A delivery holds nothing but a topic, a number and a payload.
"""

from typing import NamedTuple

_PUBLISH = 0x30


class Malformed(Exception):
    """The broker sent something that is not MQTT; the connection is of no use any more."""


class Delivery(NamedTuple):
    """One PUBLISH. `mid` is 0 for QoS 0, which cannot be acknowledged. A topic that is not UTF-8 is replaced."""

    topic: str
    mid: int
    payload: bytes
    duplicate: bool
    retained: bool


class FrameReader:
    """Splits a stream into packets, in order. Holds at most one incomplete packet (256 MiB by the protocol)."""

    def __init__(self, *, v5: bool) -> None:
        """`v5`: deliveries carry a list of properties, which is skipped."""
        self._v5 = v5
        self._pieces: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> list[Delivery | bytes]:
        """Return the packets that are whole now: deliveries, and all others as their bytes. Raises Malformed."""
        if self._missing > len(data):  # a large packet is joined once, when it is whole
            self._pieces.append(data)
            self._missing -= len(data)
            return []
        if self._pieces:
            self._pieces.append(data)
            data = b"".join(self._pieces)
            self._pieces = []
        found: list[Delivery | bytes] = []
        start, end = 0, len(data)
        while True:
            body, stop = _bounds(data, start, end)
            if stop > end:
                break
            if data[start] & 0xF0 == _PUBLISH:
                found.append(self._delivery(data, start, body, stop))
            else:
                found.append(data[start:stop])
            start = stop
        if start < end:
            self._pieces = [data[start:]]
        self._missing = max(1, stop - end)
        return found

    def _delivery(self, data: bytes, start: int, body: int, stop: int) -> Delivery:
        first = data[start]
        at = body + 2
        if at > stop:
            raise Malformed("a delivery without a topic")
        topic_end = at + (data[body] << 8 | data[body + 1])
        qos = first >> 1 & 3
        mid = 0
        payload = topic_end
        if qos:
            payload = topic_end + 2
            if payload > stop:
                raise Malformed("a delivery without a number")
            mid = data[topic_end] << 8 | data[topic_end + 1]
        if self._v5:
            payload = _past_properties(data, payload, stop)
        if payload > stop:
            raise Malformed("a delivery shorter than it says")
        topic = data[at:topic_end].decode("utf-8", "replace")
        return Delivery(topic, mid, data[payload:stop], bool(first & 8), bool(first & 1))


def _bounds(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the body of the packet at `start` begins and where it ends; beyond `end` when bytes are missing."""
    length, shift, at = 0, 0, start + 1
    while at < end:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return at, at + length
        shift += 7
        if shift > 21:
            raise Malformed("a length of more than four bytes")
    return at, end + 1


def _past_properties(data: bytes, at: int, stop: int) -> int:
    """Return where the properties that begin at `at` end."""
    body, after = _bounds(data, at - 1, stop)
    if body > stop or after > stop:
        raise Malformed("a delivery shorter than its properties")
    return after
