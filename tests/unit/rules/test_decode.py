"""The short way of decoding says exactly what the codec says, and lets everything else go the long way."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.gateway import Point
from schemas.signal import Signal, SignalData, Tick, TickData, TickState
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.values import Arrival, Message
from services.ingest.domain.values import Point as At
from services.ingest.domain.values import Signal as IngestSignal
from services.kernel.words import Flag, Lane, SignalKind, Transport
from services.rules.adapters.decode import SignalDecoder, point_in
from services.rules.domain.inputs import Heartbeat
from services.rules.domain.inputs import Signal as DomainSignal
from services.rules.domain.time.instants import micros
from services.rules.ports import Refused

decoder = SignalDecoder()
AT = datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC)

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
instants = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
)
said = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.none() | said
points = st.builds(Point, address=said.filter(bool), system=names, type=names, label=names)


def data(**more: Any) -> dict[str, Any]:
    return {"gateway_id": "G1", "unit_id": "U1", "kind": "heartbeat", "carrier": "mqtt_json", "lane": "up",
            "instance": "i1", **more}  # fmt: skip


def encoded(at: datetime = AT, name: str = "a" * 32, **more: Any) -> bytes:
    return codec.signals.encode(
        Signal(id=name, source="/gateways/G1", subject="U1", time=at, data=SignalData.model_validate(data(**more)))
    )


@pytest.mark.thorough
@settings(max_examples=300, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    unit=identifiers,
    gateway=identifiers,
    instance=identifiers,
    at=instants,
    seq=st.none() | st.integers(0, 2**53),
    occurred=st.none() | instants,
    flags=st.lists(st.sampled_from(list(Flag)), max_size=3),
    point=st.none() | points,
    text=st.none() | said,
    carrier=st.sampled_from(list(Transport)),
    lane=st.sampled_from(list(Lane)),
)
def test_whatever_our_encoder_writes_both_ways_agree(
    name: str, unit: str, gateway: str, instance: str, at: datetime, seq: int | None, occurred: datetime | None,
    flags: list[Flag], point: Point | None, text: str | None, carrier: Transport, lane: Lane,
) -> None:  # fmt: skip
    fields: dict[str, Any] = {
        "seq": seq,
        "occurred_at": occurred,
        "flags": tuple(flags),
        "carrier": carrier,
        "lane": lane,
    }
    fields |= {"point": point, "text": text}
    raw = codec.signals.encode(
        Signal(
            id=name,
            source=f"/gateways/{gateway}",
            subject=unit,
            time=at,
            data=SignalData.model_validate(data(unit_id=unit, gateway_id=gateway, instance=instance, **fields)),
        )
    )
    assert decoder.decode(raw, 7) == decoder.any_record(raw, 7)


def test_the_plain_heartbeat_goes_the_short_way() -> None:
    beat = decoder.heartbeat(encoded(seq=5, occurred_at=AT, flags=("redelivered", "clock_behind")), 3)
    assert beat == Heartbeat("U1", "G1", "a" * 32, micros(AT), 3, redelivered=True)


@pytest.mark.parametrize("flags", [(), ("redelivered",)])
def test_what_the_broker_delivered_again_is_known_for_it(flags: tuple[str, ...]) -> None:
    fire = decoder.decode(encoded(kind="fire", flags=flags), 3)
    assert isinstance(fire, DomainSignal)
    assert fire.redelivered == bool(flags)


def test_a_heartbeat_goes_the_short_way_as_ingest_writes_it() -> None:
    came = Arrival(1, 1, "", b"{}", AT)
    there = AT.astimezone(timezone(timedelta(hours=8)))
    for message in (
        Message(SignalKind.HEARTBEAT),
        Message(SignalKind.HEARTBEAT, seq=5, occurred_at=AT),
        Message(SignalKind.HEARTBEAT, seq=5, occurred_at=there, point=At("1-1", None, "主机", "三层"), text="正常"),
        Message(SignalKind.HEARTBEAT, point=At("1-1", "A", None, None)),
    ):
        signal = IngestSignal("G1", "U1", Lane.UP, Transport.MQTT_JSON, message, (), 0)
        raw = Encoder("i1").signal(signal, came)
        beat = decoder.heartbeat(raw, 3)
        assert beat is not None
        assert beat == decoder.any_record(raw, 3)


BENDS: list[tuple[bytes, bytes]] = [
    (b'"1.0"', b'"1.1"'),
    (b"2026-03-02", b"2026-13-02"),
    (b"T10:", b"T24:"),
    (b":00.123456Z", b":60.123456Z"),
    (b'"U1"', b'"U\\u0031"'),
    (b'"heartbeat"', b'"fire"'),
    (b'"heartbeat"', b'"heartbeet"'),
    (b'"gateway_id":"G1"', b'"gateway_id":""'),
    (b'"gateway_id":"G1"', b'"gateway_id":"-G1"'),
    (b'"flags":[]', b'"flags":["retained"]'),
    (b'"flags":[]', b'"flags":[],"flags":[]'),
    (b'"flags":[]', b'"flags":[],"text":"x"'),
    (b'"flags":[]', b'"text":"\xff","flags":[]'),
    (b'"flags":[]', b'"text":"\n","flags":[]'),
    (b'"flags":[]', b'"text":"x","text":"y","flags":[]'),
    (b'"flags":[]', b'"point":{"address":""},"flags":[]'),
    (b'"flags":[]', b'"point":{"address":"' + 65 * b"x" + b'"},"flags":[]'),
    (b'"flags":[]', b'"occurred_at":"2026-02-30T00:00:00+08:00","flags":[]'),
    (b'"lane":"up"', b'"lane":"left"'),
    (b'"type"', b'"extra":1,"type"'),
    (b".123456Z", b".1234567Z"),
    (b".123456Z", b".5Z"),
    (b".123456Z", b"+08:00"),
    (b".123456Z", b""),
    (b"}", b"} "),
    (b"{", b" {"),
    (b'"id":"aa', b'"id":"\xc3\xa4a'),
    (b'"id":"aa', b'"id":"\x00a'),
    (b'"id":"aa', b'"id":"\xff'),
    (b'"/gateways/G1"', b'"gateways"'),
    (b'"seq":5', b'"seq":05'),
    (b'"seq":5', b'"seq":-5'),
    (b'"seq":5', b'"seq":5.0'),
]


@pytest.mark.parametrize(("old", "new"), BENDS)
def test_a_bent_record_is_taken_or_refused_alike(old: bytes, new: bytes) -> None:
    raw = encoded(seq=5).replace(old, new)
    assert raw != encoded(seq=5)
    assert outcome(decoder.decode, raw) == outcome(decoder.any_record, raw)


def outcome(decode: Any, raw: bytes) -> object:
    try:
        return decode(raw, 0)
    except Refused as error:
        return error.reason


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(Refused, match="undecodable"):
        decoder.decode(raw, 0)


def test_a_tick_keeps_its_proof() -> None:
    body = TickData(instance="i1", epoch=4, number=9, state=TickState.LEAVING, proven_until=AT)
    raw = codec.signals.encode(Tick(id="t", source="/ingest/i1", time=AT + timedelta(seconds=1), data=body))
    assert decoder.decode(raw, 2) == ("i1", 4, 9, True, micros(AT), micros(AT) + 1_000_000, 2)


def test_a_component_is_known_by_system_and_address_and_keeps_its_label_beside() -> None:
    first = decoder.decode(encoded(kind="fire", point={"address": "1-2", "system": "A", "label": "三层"}), 0)
    same = decoder.decode(encoded(kind="fire", point={"address": "1-2", "system": "A", "type": "smoke"}), 0)
    other = decoder.decode(encoded(kind="fire", point={"address": "2", "system": "A-1"}), 0)
    assert isinstance(first, DomainSignal)
    assert isinstance(same, DomainSignal)
    assert isinstance(other, DomainSignal)
    assert first.point == same.point != other.point
    assert point_in(first.body) == Point(address="1-2", system="A", label="三层")


def test_what_proves_a_loss_and_what_a_frame_says_are_stored_beside_it() -> None:
    frame = {"profile": "standard", "serial": 9, "command": 2, "type": 21, "said": {"status_word": 3}, "raw": b"@@"}
    gap = decoder.decode(encoded(kind="gap", missing=3, frame=frame), 0)
    assert isinstance(gap, DomainSignal)
    body = json.loads(gap.body)
    assert (gap.kind, body["missing"], body["frame"]["said"]) == ("gap", 3, {"status_word": 3})
    assert "raw" not in body["frame"]


def test_a_heartbeat_over_a_new_connection_says_so() -> None:
    beat = decoder.decode(encoded(flags=("reconnected",)), 0)
    assert isinstance(beat, DomainSignal)
    assert (beat.kind, beat.reconnected) == ("heartbeat", True)


def test_a_retained_heartbeat_is_no_proof_of_life() -> None:
    assert isinstance(decoder.decode(encoded(flags=("retained",)), 0), DomainSignal)
