"""What comes on the alarm lane and cannot be used is reported: of a known unit, or of nobody; never without end."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from schemas import codec
from schemas.signal import Signal, UnregisteredAlarm
from services.ingest.adapters.wire import refusal_id
from services.ingest.domain.decide import MAX_PAYLOAD_BYTES
from services.ingest.domain.directory import Device, Version
from services.ingest.domain.unusable_alarms import (
    EVERY,
    MAX_UNREGISTERED,
    REMEMBERED,
    UNREGISTERED_EVERY,
    UnusableAlarmThrottle,
)
from services.ingest.domain.values import (
    Accepted,
    Arrival,
    Claim,
    Format,
    Outcome,
    Point,
    Refused,
    Route,
    UnusableAlarm,
)
from services.ingest.worker.classifier import Classifier
from services.kernel.words import Lane, SignalKind, Transport
from tests.fakes.ingest import MemoryStore
from tests.unit.ingest.build import DECODERS, NOON, after, arrival, directory
from tests.unit.ingest.device_harness import ADDRESSES, frame, spoilt, status

ALARM = "firenet/v1/G000001/alarm/json"
FRAMES = "firenet/v1/G000001/alarm/gb26875"
KNOWN = UnusableAlarm("G000001", "U000001", Lane.ALARM, Transport.MQTT_JSON)
FIRE_FRAME = frame("G000003", status(0x03))


def decided(came: Arrival) -> Outcome:
    known = directory()
    home = (ip_network("10.0.0.0/8"),)
    known.put("G000001", [Version(NOON.date(), "U000001", None, Device("standard", ADDRESSES["G000001"], home))])
    return Classifier(known, DECODERS)(came)


def alarm_of(came: Arrival) -> UnusableAlarm | None:
    return decided(came).unusable_alarm


def called(
    raw: bytes, gateway_id: str = "", peer: str = "10.0.0.7", carrier: Transport = Transport.TCP_GB26875
) -> Arrival:
    claim = Claim(gateway_id, Route(Lane.UP, carrier, Format.GB26875), peer)
    return arrival(raw, f"tcp/{peer}:9")._replace(claim=claim)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (ALARM, b"\x00\x01\x02"),
        (ALARM, b""),
        (ALARM, b'{"v":1,"kind":"smoke"}'),
        (ALARM, b'{"v":1,"kind":"restore","restores":"fire","point":'),
        (ALARM, b'{"v":1,"kind":"fire","unit_id":"U000002"}'),
        (ALARM, b'{"v":1,"kind":"fire","text":"' + b"x" * MAX_PAYLOAD_BYTES + b'"}'),
        (ALARM.replace("json", "xml"), b"<fire/>"),
        (ALARM + "/more", b'{"v":1,"kind":"fire"}'),
        (FRAMES, spoilt(frame("G000001", status(0x03)))),
        (FRAMES, frame("G000001", status(0x03))[:-5]),
        (FRAMES, frame("G000002", status(0x03))),
    ],
)
def test_what_is_unreadable_on_a_known_gateways_alarm_lane_is_reported_of_its_unit(topic: str, payload: bytes) -> None:
    outcome = decided(arrival(payload, topic))
    assert isinstance(outcome, Refused)
    assert outcome.unusable_alarm is not None
    assert outcome.unusable_alarm[:3] == ("G000001", "U000001", Lane.ALARM)
    store = MemoryStore()
    store.write(outcome)
    (alarm,), (signal,) = store.alarms, store.signals
    assert alarm == signal
    event = codec.alarms.decode(alarm)
    assert isinstance(event, Signal)
    assert (event.subject, event.data.kind, event.data.refusal_id) == (
        "U000001",
        "unreadable_alarm",
        refusal_id(outcome.arrival),
    )
    assert event.data.text is not None
    assert event.data.text.startswith(f"{outcome.reason}: ")
    assert len(store.refusals) == 1


@pytest.mark.parametrize(
    "came",
    [
        arrival(b"{", ALARM.replace("alarm", "up")),
        arrival(b"{", "firenet/v1/G000001/status"),
        arrival(b"{", "firenet/v1/G000999/up/json"),
        arrival(b"{", ALARM, retained=True),
        arrival(b"{", ALARM)._replace(replayed_at=NOON),
        arrival(b'{"v":1,"kind":"fire"}', ALARM),
        arrival(b"{", "elsewhere/alarm"),
        called(spoilt(frame("G000001", status(0x03))), "G000001"),
        called(frame("G000003"), ""),
        called(frame("G000001"), "G000001", "192.168.0.9"),
        called(b"heart", ""),
    ],
)
def test_what_names_no_alarm_lane_or_was_heard_is_not_reported(came: Arrival) -> None:
    assert alarm_of(came) is None


def test_a_bad_frame_beside_good_ones_is_reported_unless_a_fire_is_among_them() -> None:
    ends_no_fire, fire = frame("G000001", status(0x01)), frame("G000001", status(0x03))
    bad = spoilt(fire)
    beside = decided(arrival(ends_no_fire + bad, FRAMES))
    assert isinstance(beside, Accepted)
    assert beside.unusable_alarm == KNOWN._replace(carrier=Transport.MQTT_GB26875)
    store = MemoryStore()
    store.write(beside)
    assert b"unreadable_alarm" in store.alarms[-1]
    assert alarm_of(arrival(fire + bad, FRAMES)) is None
    assert alarm_of(arrival(ends_no_fire + b"\r\n", FRAMES)) is None


@pytest.mark.parametrize("gateway_id", ["G999999", "G000003", "G000002"])
def test_a_gateway_that_speaks_for_nobody_is_reported_with_what_it_seems_to_say(gateway_id: str) -> None:
    payload = b'{"v":1,"kind":"FIRE","unit_id":"U9","point":{"address":"3-017"}}'
    outcome = decided(arrival(payload, ALARM.replace("G000001", gateway_id)))
    assert outcome.unusable_alarm is not None
    assert outcome.unusable_alarm[:2] == (gateway_id, "")
    store = MemoryStore()
    store.write(outcome)
    event = codec.alarms.decode(store.alarms[0])
    assert isinstance(event, UnregisteredAlarm)
    assert (event.subject, event.data.gateway_id, event.data.peer) == (gateway_id, gateway_id, None)
    (said,) = event.data.signals
    assert (said.kind, said.point and said.point.address) == ("fire", "3-017")
    assert (event.data.refusal_id, store.signals) == (refusal_id(outcome.arrival), [])


def test_a_topic_without_a_usable_id_is_reported_for_all_further_ones() -> None:
    outcome = decided(arrival(b"{", "firenet/v1/消防/alarm/json"))
    assert outcome.unusable_alarm is not None
    assert (outcome.unusable_alarm.gateway_id, outcome.unusable_alarm.unit_id) == (None, "")
    store = MemoryStore()
    store.write(outcome)
    event = codec.alarms.decode(store.alarms[0])
    assert isinstance(event, UnregisteredAlarm), "written without the id that it does not have, and read all the same"
    assert event.data.gateway_id is None


@pytest.mark.parametrize("carrier", [Transport.TCP_GB26875, Transport.UDP_GB26875])
def test_a_fire_of_a_device_that_nobody_knows_is_reported_under_its_address(carrier: Transport) -> None:
    outcome = decided(called(FIRE_FRAME, carrier=carrier))
    assert outcome.unusable_alarm is not None
    assert outcome.unusable_alarm[:4] == (ADDRESSES["G000003"].hex(), "", Lane.UP, carrier)
    assert [message.kind for message in outcome.unusable_alarm.messages].count(SignalKind.FIRE) == 1
    store = MemoryStore()
    store.write(outcome)
    event = codec.alarms.decode(store.alarms[0])
    assert isinstance(event, UnregisteredAlarm)
    assert (event.data.peer, event.data.reason) == ("10.0.0.7", "unknown_gateway")


def test_a_fire_from_where_a_known_device_may_not_call_is_reported_as_nobodys() -> None:
    """Whoever it is, it is not believed to be the gateway: it proves nothing about its unit."""
    alarm = alarm_of(called(frame("G000001", status(0x03)), "G000001", "192.168.0.9"))
    assert alarm is not None
    assert alarm[:2] == ("G000001", "")


def test_one_gateway_is_reported_once_in_ten_seconds_and_the_next_says_how_many_there_were() -> None:
    throttle = UnusableAlarmThrottle()
    alarms = [throttle.bound(KNOWN, NOON + timedelta(seconds=at)) for at in (0, 1, 9, 10, 11, 25)]
    assert [(alarm.reported, alarm.further) for alarm in alarms] == [
        (True, 0), (False, 0), (False, 0), (True, 2), (False, 0), (True, 1)
    ]  # fmt: skip
    assert timedelta(seconds=10) == EVERY
    assert throttle.bound(KNOWN._replace(gateway_id="G2"), after(25)).reported


def test_unregistered_senders_are_reported_once_a_minute_each_and_beyond_a_bound_together() -> None:
    throttle = UnusableAlarmThrottle()

    def alarm(name: str, seconds: float) -> UnusableAlarm:
        return throttle.bound(UnusableAlarm(name, "", Lane.ALARM, Transport.MQTT_JSON), after(seconds))

    first = [alarm(f"X{number}", 0) for number in range(MAX_UNREGISTERED)]
    assert [one.gateway_id for one in first] == [f"X{number}" for number in range(MAX_UNREGISTERED)]
    more = [alarm(f"Y{number}", 1) for number in range(1000)]
    assert {one.gateway_id for one in more} == {None}
    assert sum(one.reported for one in more) == 1
    assert alarm("X5", 1).reported is False
    again = alarm("X5", UNREGISTERED_EVERY.total_seconds())
    assert (again.gateway_id, again.reported, again.further) == ("X5", True, 1)
    assert alarm("Y1", 62).further == 999
    assert alarm("Y1", REMEMBERED.total_seconds() + 70).gateway_id == "Y1", "an hour later there is room again"


def test_a_point_of_a_stranger_is_told_whole() -> None:
    point = Point("3-017", "1", "smoke", "三层")
    payload = '{"v":1,"kind":"fire","point":{"address":"3-017","system":"1","type":"smoke","label":"三层"}}'
    alarm = alarm_of(arrival(payload.encode(), ALARM.replace("G000001", "G7")))
    assert alarm is not None
    assert [message.point for message in alarm.messages] == [point]
