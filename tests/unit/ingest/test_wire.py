"""What is written by hand is what the schemas read, and ids are those that everybody derives."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.refusal import MAX_RAW_BYTES, Refusal
from schemas.signal import DeviceFrame, SignalData, TickState
from schemas.signal import Signal as WireSignal
from schemas.signal import Tick as WireTick
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.values import (
    Arrival,
    FramePart,
    Measurement,
    Message,
    Point,
    Refused,
    Salvage,
    Signal,
    Tick,
)
from services.kernel import ids
from services.kernel.words import Flag, Lane, RefusalReason, Restores, SignalKind, Transport
from tests.unit.ingest.build import NOON, QUICK, after, arrival

ENCODER = Encoder("ingest-1")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=64)
some_text = text.filter(bool)
EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
instants = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
points = st.builds(Point, some_text, st.none() | text, st.none() | text, st.none() | text)
measurements = st.builds(Measurement, st.floats(allow_nan=False, allow_infinity=False), some_text.map(lambda x: x[:16]))
frames = st.builds(
    FramePart,
    st.sampled_from(["standard", "bcd_time"]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFF),
    st.none() | st.integers(0, 0xFF),
    st.none() | st.dictionaries(text, st.integers() | text, max_size=3).map(json.dumps),
    st.lists(text, max_size=3).map(tuple),
    st.binary(max_size=1054),
)
messages = st.builds(
    Message,
    st.sampled_from(SignalKind),
    st.none() | st.integers(0, 2**53),
    st.none() | st.datetimes(EARLIEST, LATEST, timezones=zones),
    st.none() | st.just("U000001"),
    st.none() | points,
    st.none() | st.sampled_from(Restores),
    st.none() | measurements,
    st.none() | text,
    st.none() | st.integers(-(2**31), 2**31),
    st.none() | frames,
    reported_at=st.none() | instants,
    salvage=st.none() | st.builds(Salvage, st.lists(text, max_size=3).map(tuple), st.binary(max_size=1000)),
    refusal_id=st.none() | st.just("e" * 32),
)
signals = st.builds(
    Signal,
    st.just("G000001"),
    st.just("U000001"),
    st.sampled_from(Lane),
    st.sampled_from(Transport),
    messages,
    st.lists(st.sampled_from(Flag), unique=True).map(tuple),
    st.just(0),
)


def wire_frame(frame: FramePart) -> DeviceFrame:
    said = None if frame.said is None else json.loads(frame.said)
    return DeviceFrame(**{name: getattr(frame, name) for name in DeviceFrame.model_fields} | {"said": said})


def kept_beside(message: Message) -> dict[str, Any]:
    if message.kind is SignalKind.HEARTBEAT:  # is never salvaged
        return {}
    salvage = {} if message.salvage is None else message.salvage._asdict()
    return {"refusal_id": message.refusal_id, **salvage}


def content(signal: Signal, came: Arrival) -> str | None:
    message = signal.message
    if message.kind is SignalKind.HEARTBEAT:
        return None
    if message.frame is None:
        return ids.derive("signal", signal.gateway_id, came.payload)
    place = "gap" if message.kind is SignalKind.GAP else str(message.frame.part)
    return ids.derive("signal", signal.gateway_id, message.frame.identity, place)


@QUICK
@given(signals, instants)
def test_a_signal_written_by_hand_is_the_one_that_the_model_reads(signal: Signal, received_at: datetime) -> None:
    came = arrival(received_at=received_at)
    message = signal.message
    expected = WireSignal(
        id=ENCODER.signal_id("G000001", signal.lane, came, 0),
        source="/gateways/G000001",
        subject="U000001",
        time=received_at,
        data=SignalData(
            gateway_id="G000001",
            unit_id="U000001",
            kind=message.kind,
            carrier=signal.carrier,
            lane=signal.lane,
            instance="ingest-1",
            seq=message.seq,
            occurred_at=message.occurred_at,
            point=None if message.point is None else message.point._asdict(),
            restores=message.restores,
            measurement=None if message.measurement is None else message.measurement._asdict(),
            text=message.text,
            missing=message.missing,
            flags=signal.flags,
            frame=None if message.frame is None else wire_frame(message.frame),
            first_received_at=message.reported_at,
            content=content(signal, came),
            **kept_beside(message),
        ),
    )
    written = ENCODER.signal(signal, came)
    assert codec.signals.decode(written) == expected
    ours, models = json.loads(written), json.loads(codec.signals.encode(expected))
    assert (list(ours), list(ours["data"])) == (list(models), list(models["data"]))


def signal_id(came: Arrival, part: int = 0, gateway_id: str = "G000001", lane: str = "alarm") -> str:
    return ENCODER.signal_id(gateway_id, lane, came, part)


@QUICK
@given(st.binary(), st.integers(1, 65535))
def test_the_id_names_the_delivery_first_and_then_the_reception(payload: bytes, mid: int) -> None:
    first = arrival(payload, mid=mid)._replace(number=7)
    again = arrival(payload, mid=mid, received_at=after(1), duplicate=True)._replace(number=3)
    assert signal_id(first)[: ids.DELIVERY_DIGITS] == signal_id(again)[: ids.DELIVERY_DIGITS]
    assert len({signal_id(first), signal_id(again), signal_id(first._replace(number=8))}) == 3
    assert signal_id(first) == signal_id(first)  # written anew, after Kafka refused it


@pytest.mark.parametrize(
    "other",
    [
        signal_id(arrival(b"other")),
        signal_id(arrival(b"fire", mid=2)),
        signal_id(arrival(b"fire"), part=1),
        signal_id(arrival(b"fire"), gateway_id="G000002"),
        signal_id(arrival(b"fire"), lane="up"),
        Encoder("ingest-2").signal_id("G000001", "alarm", arrival(b"fire"), 0),
    ],
)
def test_other_bytes_numbers_parts_gateways_lanes_and_instances_are_other_deliveries(other: str) -> None:
    assert signal_id(arrival(b"fire"))[: ids.DELIVERY_DIGITS] != other[: ids.DELIVERY_DIGITS]


def test_the_ids_of_a_replay_depend_on_the_refusal_alone() -> None:
    refused = arrival(b"fire")._replace(refusal_id="e" * 32, replayed_at=after(60))
    assert signal_id(refused) == signal_id(refused._replace(replayed_at=after(90), mid=9, number=4))
    assert signal_id(refused) != signal_id(refused._replace(refusal_id="f" * 32))


FRAME = FramePart("standard", 5, 2, 2, None, (), b"@@\x05\x00\x01\x00SENDAT" + b"rest of the frame\x00##", timed=True)


def content_of(message: Message, came: Arrival, part: int = 0) -> str | None:
    signal = Signal("G000001", "U000001", Lane.UP, Transport.MQTT_GB26875, message, (), part)
    event = codec.signals.decode(ENCODER.signal(signal, came))
    assert isinstance(event, WireSignal)
    return event.data.content


def test_the_content_of_json_depends_on_its_bytes_and_of_a_frame_on_the_frame() -> None:
    fire = Message(SignalKind.FIRE)
    first = content_of(fire, arrival(b"fire"))
    assert first == ids.derive("signal", "G000001", b"fire")
    assert content_of(fire, arrival(b"fire", mid=9, received_at=after(9))) == first
    assert len({first, content_of(fire, arrival(b"other")), content_of(fire, arrival(b"fire"), 1)}) == 3
    stamped = FRAME._replace(raw=FRAME.raw.replace(b"SENDAT", b"RESENT"))
    framed = content_of(fire._replace(frame=FRAME), arrival(b"one"))
    assert content_of(fire._replace(frame=stamped), arrival(b"beside others"), 7) == framed
    others = [FRAME._replace(part=1), FRAME._replace(timed=False), FRAME._replace(raw=FRAME.raw.replace(b"rest", b""))]
    assert framed not in {content_of(fire._replace(frame=other), arrival(b"one")) for other in others}
    assert content_of(Message(SignalKind.HEARTBEAT), arrival()) is None


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_a_refusal_carries_the_raw_bytes_and_where_they_came_from(reason: RefusalReason) -> None:
    raw = bytes(range(256))
    came = arrival(raw, "firenet/v1/G000001/up/json", duplicate=True)
    event = codec.refusals.decode(ENCODER.refusal(Refused(came, reason, "because", "G000001")))
    assert isinstance(event, Refusal)
    assert (event.data.reason, event.data.raw, event.data.raw_bytes) == (RefusalReason(reason), raw, 256)
    assert (event.data.topic, event.data.redelivered, event.source) == (came.topic, True, "/ingest/ingest-1")


def test_a_huge_payload_is_cut_in_its_refusal_and_its_length_kept() -> None:
    raw = b"x" * (MAX_RAW_BYTES + 1)
    event = codec.refusals.decode(ENCODER.refusal(Refused(arrival(raw), RefusalReason.TOO_LARGE, "too large", None)))
    assert isinstance(event, Refusal)
    assert (len(event.data.raw), event.data.raw_bytes) == (MAX_RAW_BYTES, MAX_RAW_BYTES + 1)


def test_a_tick_says_what_was_proven() -> None:
    event = codec.signals.decode(ENCODER.tick(Tick(5, 9, leaving=True, proven_until=NOON, sent_at=after(1))))
    assert isinstance(event, WireTick)
    assert (event.data.epoch, event.data.number, event.data.state) == (5, 9, TickState.LEAVING)
    assert (event.data.proven_until, event.time, event.data.instance) == (NOON, after(1), "ingest-1")
