"""Heartbeats, scripts and messages."""

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from schemas.gateway import GatewayMessage, GatewayStatus
from services.kernel.words import SignalKind
from services.simulator.adapters import encoding
from services.simulator.domain.district import HERO, Devices, District
from services.simulator.domain.fleet import Fleet
from services.simulator.domain.script import Act, Pace
from services.simulator.domain.signals import Point, Signal
from services.simulator.domain.stories import STORIES, demo, storm

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DISTRICT = District.generate(1)
FAST = Pace(clock_rate=60, ladder_rate=600)


def fleet(count: int = 100, interval_s: float = 60) -> Fleet:
    return Fleet([f"G{number}" for number in range(count)], interval_s, seed=1)


def test_everybody_sends_once_in_the_first_interval() -> None:
    assert set(fleet().due(60)) == {f"G{number}" for number in range(100)}


def test_nobody_is_silent_longer_than_an_interval() -> None:
    beats: dict[str, list[float]] = {}
    sending = fleet()
    for step in range(6000):
        for gateway_id in sending.due(step * 0.1):
            beats.setdefault(gateway_id, []).append(step * 0.1)
    gaps = [later - earlier for times in beats.values() for earlier, later in pairwise(times)]
    assert len(beats) == 100
    assert max(gaps) <= 60.2
    assert min(gaps) >= 56.8


def test_heartbeats_do_not_come_in_waves() -> None:
    sending = fleet(1000)
    per_second = [len(sending.due(second)) for second in range(1, 60)]
    assert max(per_second) < 45


def test_silent_gateways_say_nothing_until_they_wake() -> None:
    sending = fleet(3)
    sending.due(60)
    sending.silence(["G1"])
    assert "G1" not in sending.due(200)
    assert sending.wake(["G0", "G1"]) == ["G1"]
    assert "G1" in sending.due(400)


def test_fleet_that_was_held_up_does_not_send_what_it_missed() -> None:
    assert len(fleet(10).due(3600)) <= 30


def test_sequence_numbers_grow_by_one_per_gateway() -> None:
    sending = fleet(2)
    assert [sending.take_seq("G0") for _ in range(3)] == [0, 1, 2]
    assert sending.take_seq("G1") == 0


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_stories_are_in_order_and_speak_both_languages(name: str, seed: int) -> None:
    events = STORIES[name](District.generate(seed), FAST)
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert all(event.zh and event.en for event in events)
    assert all(event.units or event.carrier for event in events if event.act is not Act.TELL)


@pytest.mark.parametrize("units", [1, 5])
@pytest.mark.parametrize("name", STORIES)
def test_stories_work_in_the_smallest_district(name: str, units: int) -> None:
    """With one gateway there is no second carrier to fail."""
    STORIES[name](District.generate(1, units=units, towns=1), FAST)


def test_demo_drops_the_hospital_and_waits_for_the_department() -> None:
    events = demo(DISTRICT, FAST)
    drop = next(event for event in events if event.act is Act.DROP)
    back = next(event for event in events if event.act is Act.RECOVER and HERO in event.units)
    fire = next(event for event in events if event.kind is SignalKind.FIRE)
    assert drop.units == (HERO,)
    assert back.at_s > drop.at_s + FAST.deadline_s + FAST.step_s("H4")
    assert drop.at_s + FAST.deadline_s < fire.at_s < back.at_s
    assert fire.units != (HERO,)


def test_demo_tells_the_exact_fall_of_s1() -> None:
    in_s1 = sum(unit.in_s1 for unit in DISTRICT.units)
    assert any(f"1/{in_s1}" in event.en for event in demo(DISTRICT, FAST))


def test_demo_has_a_device_fail_only_where_there_is_one() -> None:
    with_devices = District.generate(1, devices=Devices(over_mqtt=3))
    told = [event for event in demo(with_devices, FAST) if "26875" in event.en]
    assert len(told) == 1
    assert len(demo(with_devices, FAST)) == len(demo(DISTRICT, FAST)) + 2
    (gateway,) = with_devices.gateways_of(told[0].units[0])
    assert gateway.device is not None


def test_outage_hits_another_carrier_than_the_hospitals() -> None:
    outage = next(event for event in storm(DISTRICT, FAST) if event.act is Act.MUTE)
    assert outage.carrier not in {None, DISTRICT.gateways_of(HERO)[0].carrier}


def test_pace_divides_by_its_rates() -> None:
    assert (FAST.heartbeat_s, FAST.deadline_s, FAST.step_s("H4")) == (1, 4, 144)


POINT = Point("2-014", "smoke_detector", "三层走廊")


@pytest.mark.parametrize(
    ("signal", "topic"),
    [
        (Signal("G1", "U1", SignalKind.HEARTBEAT, 0, T0), "firenet/v1/G1/up/json"),
        (Signal("G1", "U1", SignalKind.FAULT, 1, T0, POINT), "firenet/v1/G1/up/json"),
        (Signal("G1", "U1", SignalKind.ISOLATION, 1, T0, POINT, text="检修"), "firenet/v1/G1/up/json"),
        (Signal("G1", "U1", SignalKind.FIRE, 2, T0, POINT), "firenet/v1/G1/alarm/json"),
        (Signal("G1", "U1", SignalKind.RESTORE, 3, T0, POINT, SignalKind.FIRE), "firenet/v1/G1/alarm/json"),
        (Signal("G1", "U1", SignalKind.RESTORE, 3, T0, POINT, SignalKind.FAULT), "firenet/v1/G1/up/json"),
    ],
)
def test_messages_are_what_ingest_takes(signal: Signal, topic: str) -> None:
    message = GatewayMessage.model_validate_json(encoding.payload(signal))
    assert (message.kind.value, message.seq, message.occurred_at) == (signal.kind.value, signal.seq, T0)
    assert encoding.topic(signal) == topic


@pytest.mark.parametrize(("state", "at"), [("online", T0), ("offline", None)])
def test_status_is_what_ingest_takes(state: str, at: datetime | None) -> None:
    assert GatewayStatus.model_validate_json(encoding.status(state, at)).state == state


def test_remaining_length_follows_the_standard() -> None:
    """The examples of MQTT 3.1.1, table 2.4."""
    examples = {0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001", 268_435_455: "ffffff7f"}
    assert {count: encoding.length(count).hex() for count in examples} == examples


def test_connect_packet_with_will_and_account_is_byte_for_byte_right() -> None:
    packet = encoding.connect_packet("c", 20, ("t", b"w"), "u", "p")
    assert packet.hex() == "1019" + "00044d515454" + "04" + "ee" + "0014" + "000163" + "000174" + "000177" + (
        "000175" + "000170"
    )


def test_publish_packet_is_byte_for_byte_right_and_can_be_marked_as_sent_again() -> None:
    packet = encoding.publish_packet("t", b"x", 258, retain=True)
    assert packet.hex() == "3306" + "000174" + "0102" + "78"
    assert encoding.duplicate(packet)[0] == 0x3B


def test_payload_leaves_out_what_is_not_said() -> None:
    assert set(json.loads(encoding.payload(Signal("G1", "U1", SignalKind.HEARTBEAT, 0, T0)))) == {
        "v", "kind", "seq", "occurred_at", "unit_id",
    }  # fmt: skip
