"""Our reading of deliveries against paho's own, over any cut of the stream."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from services.ingest.adapters.frames import Delivery, FrameReader, Malformed
from tests.unit.ingest.build import QUICK


def length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + length(len(body)) + body


def publish(topic: str, mid: int, payload: bytes, qos: int, dup: bool, retain: bool, v5: bool, props: bytes) -> bytes:
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + (struct.pack("!H", mid) if qos else b"")
    return packet(0x30 | dup << 3 | qos << 1 | retain, body + (props if v5 else b"") + payload)


def properties(alias: int | None) -> bytes:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho left it untyped
    if alias is not None:
        made.TopicAlias = alias
        made.UserProperty = ("name", "值" * alias)
    return bytes(made.pack())  # type: ignore[no-untyped-call]


deliveries = st.builds(
    publish,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.integers(1, 65535),
    st.binary(max_size=300),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.booleans(),
    st.just(False),
    st.just(b""),
)
others = st.builds(packet, st.sampled_from([0x20, 0x40, 0x90, 0xD0, 0xE0]), st.binary(max_size=200))


def by_paho(raw: bytes, *, v5: bool) -> Delivery:
    at = 1
    while raw[at] & 0x80:
        at += 1
    version = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
    read = _packet.decode_publish(raw[0], raw[at + 1 :], version)
    return Delivery(read.topic.decode(), read.mid, bytes(read.payload), read.dup, read.retain)


@QUICK
@given(st.lists(st.one_of(deliveries, others)), st.lists(st.integers(1, 500)))
def test_any_cut_of_the_stream_gives_the_same_packets_as_paho_reads(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(packets)
    reader = FrameReader(v5=False)
    found: list[Delivery | bytes] = []
    for cut in [*cuts, len(stream) or 1]:
        if stream:
            found += reader.feed(stream[:cut])
            stream = stream[cut:]
    while stream:
        found += reader.feed(stream[:7])
        stream = stream[7:]
    assert found == [by_paho(raw, v5=False) if raw[0] & 0xF0 == 0x30 else raw for raw in packets]


@QUICK
@given(st.binary(max_size=200), st.none() | st.integers(1, 60), st.sampled_from([0, 1]))
def test_properties_of_mqtt_5_are_skipped_as_paho_does(payload: bytes, alias: int | None, qos: int) -> None:
    raw = publish("firenet/v1/G1/up/json", 9, payload, qos, False, True, True, properties(alias))
    assert FrameReader(v5=True).feed(raw) == [by_paho(raw, v5=True)]


def test_a_large_packet_may_come_in_many_pieces() -> None:
    raw = publish("t", 1, b"x" * 3_000_000, 1, False, False, False, b"")
    reader = FrameReader(v5=False)
    found = [part for start in range(0, len(raw), 65536) for part in reader.feed(raw[start : start + 65536])]
    assert [delivery.payload for delivery in found if isinstance(delivery, Delivery)] == [b"x" * 3_000_000]


def test_a_topic_that_is_not_utf8_does_not_stop_the_reader() -> None:
    raw = packet(0x32, struct.pack("!H", 2) + b"\xff\xfe" + struct.pack("!H", 5) + b"body")
    (delivery,) = FrameReader(v5=False).feed(raw)
    assert isinstance(delivery, Delivery)
    assert (delivery.mid, delivery.payload) == (5, b"body")


@pytest.mark.parametrize(
    ("raw", "v5"),
    [
        (packet(0x32, b""), False),
        (packet(0x32, b"\x00"), False),
        (packet(0x32, b"\x00\x05ab"), False),
        (packet(0x32, b"\x00\x02ab\x00"), False),
        (packet(0x32, b"\x00\x02ab\x00\x01"), True),
        (packet(0x32, b"\x00\x02ab\x00\x01\x09"), True),
        (packet(0x32, b"\x00\x02ab\x00\x01\xff"), True),
        (b"\x32\xff\xff\xff\xff\x01", False),
    ],
)
def test_what_is_not_mqtt_is_said_so(raw: bytes, v5: bool) -> None:
    with pytest.raises(Malformed):
        FrameReader(v5=v5).feed(raw)


@QUICK
@given(st.binary(min_size=1), st.booleans())
def test_no_bytes_make_it_fail_in_another_way(data: bytes, v5: bool) -> None:
    reader = FrameReader(v5=v5)
    try:
        for start in range(0, len(data), 5):
            reader.feed(data[start : start + 5])
    except Malformed:
        pass
