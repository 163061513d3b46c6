"""What is written by hand is what the schemas read, and ids are those that everybody derives."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, ids
from schemas.gateway import SignalKind
from schemas.refusal import MAX_RAW_BYTES, Refusal, RefusalReason
from schemas.signal import Carrier as WireCarrier
from schemas.signal import DeviceFrame, SignalData, TickState
from schemas.signal import Flag as WireFlag
from schemas.signal import Lane as WireLane
from schemas.signal import Signal as WireSignal
from schemas.signal import Tick as WireTick
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.values import (
    Arrival,
    Carrier,
    Flag,
    FramePart,
    Kind,
    Lane,
    Measurement,
    Message,
    Point,
    Reason,
    Refused,
    Restores,
    Signal,
    Tick,
)
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
    st.sampled_from(Kind),
    st.none() | st.integers(0, 2**53),
    st.none() | st.datetimes(EARLIEST, LATEST, timezones=zones),
    st.none() | st.just("U000001"),
    st.none() | points,
    st.none() | st.sampled_from(Restores),
    st.none() | measurements,
    st.none() | text,
    st.none() | st.integers(-(2**31), 2**31),
    st.none() | frames,
    told_at=st.none() | instants,
)
signals = st.builds(
    Signal,
    st.just("G000001"),
    st.just("U000001"),
    st.sampled_from(Lane),
    st.sampled_from(Carrier),
    messages,
    st.lists(st.sampled_from(Flag), unique=True).map(tuple),
    st.just(0),
)


def wire_frame(frame: FramePart) -> DeviceFrame:
    said = None if frame.said is None else json.loads(frame.said)
    return DeviceFrame(**{name: getattr(frame, name) for name in DeviceFrame.model_fields} | {"said": said})


@QUICK
@given(signals, instants)
def test_a_signal_written_by_hand_is_the_one_that_the_model_reads(signal: Signal, received_at: datetime) -> None:
    came = arrival(received_at=received_at)
    message = signal.message
    expected = WireSignal(
        id=ENCODER.signal_id("G000001", came, message, 0),
        source="/gateways/G000001",
        subject="U000001",
        time=received_at,
        data=SignalData(
            gateway_id="G000001",
            unit_id="U000001",
            kind=SignalKind(message.kind),
            carrier=WireCarrier(signal.carrier),
            lane=WireLane(signal.lane),
            instance="ingest-1",
            seq=message.seq,
            occurred_at=message.occurred_at,
            point=None if message.point is None else message.point._asdict(),
            restores=message.restores,
            measurement=None if message.measurement is None else message.measurement._asdict(),
            text=message.text,
            missing=message.missing,
            flags=tuple(WireFlag(flag) for flag in signal.flags),
            frame=None if message.frame is None else wire_frame(message.frame),
            first_received_at=message.told_at,
        ),
    )
    written = ENCODER.signal(signal, came)
    assert codec.signals.decode(written) == expected
    ours, models = json.loads(written), json.loads(codec.signals.encode(expected))
    assert (list(ours), list(ours["data"])) == (list(models), list(models["data"]))


@QUICK
@given(st.binary(), st.integers(0, 2**53))
def test_the_id_of_a_numbered_message_depends_on_gateway_and_payload_only(payload: bytes, seq: int) -> None:
    expected = ids.derive("signal", "G000001", payload)
    for moment in (0, 1):
        came = arrival(payload, received_at=after(moment))
        assert ENCODER.signal_id("G000001", came, Message(Kind.HEARTBEAT, seq), 0) == expected
        assert ENCODER.signal_id("G000001", came, Message(Kind.HEARTBEAT, occurred_at=NOON), 0) == expected


def test_the_id_of_a_nameless_message_depends_on_its_arrival_too() -> None:
    message = Message(Kind.HEARTBEAT)
    first, again = arrival(), arrival(received_at=after(0.000001))
    expected = ids.derive("signal", "G000001", first.payload, str(int(NOON.timestamp()) * 1_000_000))
    assert ENCODER.signal_id("G000001", first, message, 0) == expected
    assert ENCODER.signal_id("G000001", again, message, 0) != expected


def test_messages_of_one_payload_have_ids_of_their_own() -> None:
    message = Message(Kind.HEARTBEAT, 1)
    assert len({ENCODER.signal_id("G000001", arrival(), message, part) for part in range(3)}) == 3


FRAME = FramePart("standard", 5, 2, 2, None, (), b"@@\x05\x00\x01\x00SENDAT" + b"rest of the frame\x00##", timed=True)
DAY = 86_400


def frame_id(message: Message, came: Arrival | None = None, part: int = 0, gateway_id: str = "G000001") -> str:
    return ENCODER.signal_id(gateway_id, came or arrival(), message, part)


def test_a_resent_frame_has_the_same_ids_a_day_later_in_other_company_and_stamped_anew() -> None:
    first = frame_id(Message(Kind.FIRE, occurred_at=NOON, frame=FRAME))
    stamped = FRAME._replace(raw=FRAME.raw.replace(b"SENDAT", b"RESENT"))
    later = arrival(b"beside other frames", received_at=after(DAY))
    assert frame_id(Message(Kind.FIRE, occurred_at=NOON, frame=stamped), later, part=7) == first


@pytest.mark.parametrize(
    "other",
    [
        Message(Kind.FIRE, occurred_at=NOON, frame=FRAME._replace(part=1)),
        Message(Kind.GAP, occurred_at=NOON, frame=FRAME),
        Message(Kind.FIRE, occurred_at=NOON, frame=FRAME._replace(raw=FRAME.raw.replace(b"\x05", b"\x06"))),
        Message(Kind.FIRE, occurred_at=NOON, frame=FRAME._replace(raw=FRAME.raw.replace(b"rest", b"REST"))),
        Message(Kind.FIRE, occurred_at=NOON, frame=FRAME._replace(timed=False)),
    ],
)
def test_another_message_number_or_content_has_another_id(other: Message) -> None:
    message = Message(Kind.FIRE, occurred_at=NOON, frame=FRAME)
    assert frame_id(other) != frame_id(message)
    assert frame_id(message, gateway_id="G000002") != frame_id(message)


@pytest.mark.parametrize(
    "message",
    [
        Message(Kind.HEARTBEAT, occurred_at=NOON, frame=FRAME),
        Message(Kind.FIRE, frame=FRAME),
        Message(Kind.FIRE, occurred_at=after(-8 * DAY), frame=FRAME),
        Message(Kind.FIRE, occurred_at=after(8 * DAY), frame=FRAME),
    ],
)
def test_a_frame_that_names_no_time_to_believe_in_is_another_each_time_it_comes(message: Message) -> None:
    assert frame_id(message) != frame_id(message, arrival(received_at=after(20)))
    assert frame_id(message) == frame_id(message)
    assert frame_id(message) != frame_id(message, part=1)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_carries_the_raw_bytes_and_where_they_came_from(reason: Reason) -> None:
    raw = bytes(range(256))
    came = arrival(raw, "firenet/v1/G000001/up/json", duplicate=True)
    event = codec.refusals.decode(ENCODER.refusal(Refused(came, reason, "because", "G000001")))
    assert isinstance(event, Refusal)
    assert (event.data.reason, event.data.raw, event.data.raw_bytes) == (RefusalReason(reason), raw, 256)
    assert (event.data.topic, event.data.redelivered, event.source) == (came.topic, True, "/ingest/ingest-1")


def test_a_huge_payload_is_cut_in_its_refusal_and_its_length_kept() -> None:
    raw = b"x" * (MAX_RAW_BYTES + 1)
    event = codec.refusals.decode(ENCODER.refusal(Refused(arrival(raw), Reason.TOO_LARGE, "too large", None)))
    assert isinstance(event, Refusal)
    assert (len(event.data.raw), event.data.raw_bytes) == (MAX_RAW_BYTES, MAX_RAW_BYTES + 1)


def test_a_tick_says_what_was_proven() -> None:
    event = codec.signals.decode(ENCODER.tick(Tick(5, 9, leaving=True, proven_until=NOON, sent_at=after(1))))
    assert isinstance(event, WireTick)
    assert (event.data.epoch, event.data.number, event.data.state) == (5, 9, TickState.LEAVING)
    assert (event.data.proven_until, event.time, event.data.instance) == (NOON, after(1), "ingest-1")


def test_the_words_of_domain_and_wire_are_the_same() -> None:
    assert {str(kind) for kind in Kind} == {str(kind) for kind in SignalKind}
    assert {str(reason) for reason in Reason} == {str(reason) for reason in RefusalReason} - {"not_yet_supported"}
    assert {str(flag) for flag in Flag} == {str(flag) for flag in WireFlag}
    assert {str(lane) for lane in Lane} == {str(lane) for lane in WireLane}
    assert {str(carrier) for carrier in Carrier} == {str(carrier) for carrier in WireCarrier}
