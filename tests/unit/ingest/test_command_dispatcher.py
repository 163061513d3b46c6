"""The desk between log and carriers: real frames in, real frames out, nothing but the two controls."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.domain.controls import Control, ExchangeEvent, Order, encode
from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Directory, Sender, Version
from services.ingest.domain.errors import NotAllowed, Unusable
from services.ingest.domain.exchanges import Exchanges
from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    Command,
    DeviceProfile,
    Frame,
    TimeLabel,
    bodies,
    confirm,
    decode_frame,
    deny,
    encode_frame,
)
from services.ingest.domain.gb26875.layout import TYPES
from services.ingest.domain.return_paths import ReturnPaths
from services.ingest.domain.values import Claim, Format, Route
from services.ingest.metrics import ExchangeMetrics
from services.ingest.worker.command_dispatcher import CommandDispatcher
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Lane, Transport
from services.runtime.lifecycle import Stop
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import DECODERS, NOON, QUICK, arrival
from tests.unit.ingest.gb26875.strategies import PROFILE, adus, frames, frames_with

DEVICE = bytes.fromhex("a18601000000")
CENTRE = bytes.fromhex("0a0000000000")
UP = "firenet/v1/G000001/up/gb26875"
TCP = Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875)
DUTY = Order("d1", "G000001", ControlKind.DUTY_CHECK, 5, "wang", NOON)
CLOCK = Order("c1", "G000001", ControlKind.SET_CLOCK, None, "wang", NOON)


class Way:
    """A carrier; what it takes is kept."""

    def __init__(self) -> None:
        self.open = True
        self.sent: list[tuple[str, Frame]] = []

    def send(self, gateway_id: str, control: Control) -> bool:
        if self.open:
            self.sent.append((gateway_id, decode_frame(control)))
        return self.open


class Harness:
    """A desk, its log (read back at once, as from Kafka), two ways to devices and a clock that only tests move."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.ahead = timedelta()
        self.directory = Directory()
        self.directory.put("G000001", [Version(date(2026, 1, 1), "U000001", None, Device("standard", DEVICE))])
        self.mqtt, self.tcp = Way(), Way()
        self.log: list[ExchangeEvent] = []
        self.kafka_up = True
        self.registry = CollectorRegistry()
        self.dispatcher = CommandDispatcher(
            Exchanges("ingest-1"),
            {Transport.MQTT_GB26875: self.mqtt, Transport.TCP_GB26875: self.tcp},
            self,
            self.directory,
            ExchangeMetrics(self.registry),
            self.clock.now,
            self.clock.now,
        )

    async def append(self, events: Sequence[ExchangeEvent]) -> bool:
        await asyncio.sleep(0)
        if self.kafka_up:
            for one in events:
                self.log.append(one)
                self.dispatcher.read(one, live=True)
        return self.kafka_up

    async def forward(self, seconds: float) -> None:
        """Let time pass, half a second after the other, and the desk work."""
        stop = Stop()
        running = asyncio.create_task(self.dispatcher.run(stop))
        for _ in range(int(seconds * 2)):
            self.clock.forward(0.5)
            self.dispatcher.wake()
            for _ in range(5):
                await asyncio.sleep(0)
        stop.set()
        self.dispatcher.wake()
        await running

    def hear(self, frame: Frame, *, over: Transport = Transport.MQTT_GB26875) -> None:
        """A frame of the device is stored."""
        came = arrival(encode_frame(frame), UP, received_at=self.clock.now())
        if over is Transport.TCP_GB26875:
            came = came._replace(claim=Claim("G000001", TCP, "10.0.0.7", certified="G000001"))
        self.dispatcher.stored([decide(came, self.directory, DECODERS)])

    def status(self) -> Frame:
        label = TimeLabel.of_instant(self.clock.now() + self.ahead, STANDARD)
        body = bodies.DeviceStatus(1, label)
        return Frame(7, 1, 0, label, DEVICE, CENTRE, Command.SEND, Adu(21, (body,)))

    def key_pressed(self) -> Frame:
        label = TimeLabel.of_instant(self.clock.now() + self.ahead, STANDARD)
        return self.status()._replace(serial=8, adu=Adu(24, (bodies.DeviceOperation(0x20, 3, label),)))

    @property
    def end(self) -> ExchangeEvent:
        (end,) = [event for event in self.log if event.ends]
        return end

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"firenet_ingest_{name}", labels)


def clock_in(frame: Frame) -> datetime:
    assert isinstance(frame.adu, Adu)
    (body,) = frame.adu.objects
    assert isinstance(body, bodies.SetClock)
    assert body.time.at is not None
    return body.time.at


async def test_a_person_answers_after_forty_seconds_measured_from_the_control() -> None:
    harness = Harness()
    harness.hear(harness.status())
    harness.dispatcher.ordered(DUTY, live=True)
    await harness.forward(0.5)
    ((gateway_id, control),) = harness.mqtt.sent
    assert (gateway_id, control.command) == ("G000001", Command.CONTROL)
    assert control.adu == Adu(91, (bodies.DutyCheck(5),))
    assert (control.source_raw, control.dest_raw) == (CENTRE, DEVICE)
    await harness.forward(3)
    harness.hear(confirm(control, harness.clock.now()))
    await harness.forward(37)
    harness.hear(harness.key_pressed())
    await harness.forward(1)
    assert [event.step for event in harness.log] == [
        ExchangeStep.BEGAN,
        ExchangeStep.SENT,
        ExchangeStep.CONFIRMED,
        ExchangeStep.ANSWERED,
    ]
    assert harness.end.seconds == 40
    assert harness.metric("exchanges_total", what="duty_check", outcome="answered") == 1
    assert harness.metric("exchange_seconds_sum", what="duty_check") == 40
    assert harness.metric("exchange_seconds_count", what="set_clock") == 0


async def test_a_press_that_the_device_kept_from_an_earlier_check_is_no_answer_to_this_one() -> None:
    harness = Harness()
    earlier = harness.key_pressed()
    await harness.forward(600)
    for _ in range(3):
        harness.hear(harness.status())
    harness.dispatcher.ordered(DUTY, live=True)
    await harness.forward(0.5)
    harness.hear(confirm(harness.mqtt.sent[0][1], harness.clock.now()))
    harness.hear(earlier)
    await harness.forward(310)
    assert (harness.end.step, harness.end.why) == (ExchangeStep.NOT_ANSWERED, ExchangeReason.OLD_ANSWER)
    assert harness.metric("exchanges_total", what="duty_check", outcome="not_answered") == 1


@pytest.mark.parametrize("ahead_s", [-7 * 24 * 3600, 7200])
async def test_a_press_at_a_device_with_a_wrong_clock_is_an_answer(ahead_s: int) -> None:
    harness = Harness()
    harness.ahead = timedelta(seconds=ahead_s)
    for _ in range(3):
        harness.hear(harness.status())
    harness.dispatcher.ordered(DUTY, live=True)
    await harness.forward(0.5)
    harness.hear(confirm(harness.mqtt.sent[0][1], harness.clock.now() + harness.ahead))
    await harness.forward(20)
    harness.hear(harness.key_pressed())
    await harness.forward(1)
    assert (harness.end.step, harness.end.why) == (ExchangeStep.ANSWERED, None)


async def test_a_device_that_denies_gets_four_controls_and_then_none() -> None:
    harness = Harness()
    harness.hear(harness.status())
    harness.dispatcher.ordered(CLOCK, live=True)
    for _ in range(6):
        await harness.forward(1)
        harness.hear(deny(harness.mqtt.sent[-1][1], harness.clock.now()))
    await harness.forward(60)
    assert len(harness.mqtt.sent) == 4
    assert harness.metric("exchanges_total", what="set_clock", outcome="denied") == 1


async def test_a_resend_of_the_clock_has_the_serial_of_the_first_and_the_time_of_its_own() -> None:
    harness = Harness()
    harness.hear(harness.status())
    harness.dispatcher.ordered(CLOCK, live=True)
    await harness.forward(12)
    (_, first), (_, second) = harness.mqtt.sent
    assert first.serial == second.serial
    assert (clock_in(second) - clock_in(first)).total_seconds() == 10


async def test_the_control_goes_the_way_the_device_last_came() -> None:
    harness = Harness()
    harness.hear(harness.status())
    harness.hear(harness.status()._replace(serial=9), over=Transport.TCP_GB26875)
    harness.dispatcher.ordered(CLOCK, live=True)
    await harness.forward(1)
    assert (len(harness.mqtt.sent), len(harness.tcp.sent)) == (0, 1)
    assert harness.log[1].carrier is Transport.TCP_GB26875


async def test_a_tcp_device_whose_connection_is_gone_is_unreachable() -> None:
    harness = Harness()
    harness.tcp.open = False
    harness.hear(harness.status(), over=Transport.TCP_GB26875)
    harness.dispatcher.ordered(CLOCK, live=True)
    await harness.forward(60)
    assert harness.metric("exchanges_total", what="set_clock", outcome="unreachable") == 1


async def test_a_gateway_that_was_not_heard_yet_is_tried_over_mqtt_at_its_registered_address() -> None:
    harness = Harness()
    harness.dispatcher.ordered(CLOCK, live=True)
    await harness.forward(3)
    ((_, control),) = harness.mqtt.sent
    assert control.dest_raw == DEVICE


async def test_an_order_for_an_unknown_gateway_fails_and_nothing_leaves() -> None:
    harness = Harness()
    harness.dispatcher.ordered(CLOCK._replace(gateway_id="G000009"), live=True)
    await harness.forward(5)
    assert harness.mqtt.sent == []
    assert harness.metric("exchanges_total", what="set_clock", outcome="unknown_gateway") == 1


async def test_nothing_is_sent_before_the_log_has_it_and_nothing_is_lost_while_kafka_is_away() -> None:
    harness = Harness()
    harness.hear(harness.status())
    harness.kafka_up = False
    harness.dispatcher.ordered(CLOCK, live=True)
    await harness.forward(5)
    assert harness.mqtt.sent == []
    harness.kafka_up = True
    await harness.forward(1)
    assert len(harness.mqtt.sent) == 1
    assert [event.step for event in harness.log] == [ExchangeStep.BEGAN, ExchangeStep.SENT]


async def test_a_bug_about_one_message_does_not_stop_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness()

    def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(ReturnPaths, "heard", broken)
    harness.hear(harness.status())


@QUICK
@given(st.data())
def test_no_other_control_can_leave(data: st.DataObject) -> None:
    profile: DeviceProfile = data.draw(PROFILE)
    code = data.draw(st.sampled_from([*sorted(TYPES), *[90, 91] * 10]))
    frame: Frame = data.draw(frames_with(adus(code, profile), profile) | frames(profile))
    wanted = frame._replace(command=data.draw(st.sampled_from([frame.command, *[int(Command.CONTROL)] * 3])))
    adu = wanted.adu
    if wanted.command == Command.CONTROL and isinstance(adu, Adu) and adu.type in {90, 91} and adu.objects:
        assert decode_frame(encode(wanted, profile), profile) == wanted
    else:
        with pytest.raises(NotAllowed):
            encode(wanted, profile)


@QUICK
@given(st.data())
def test_what_devices_send_makes_us_answer_with_confirms_and_denials_only(data: st.DataObject) -> None:
    profile: DeviceProfile = data.draw(PROFILE)
    payload = encode_frame(data.draw(frames(profile)), profile)
    at = data.draw(st.integers(0, len(payload) - 1))
    payload = data.draw(st.sampled_from([payload, payload[:at] + b"\xff" + payload[at + 1 :]]))
    sender = Sender("U000001", Device(profile.name))
    try:
        replies = Gb26875Decoder().decode(payload, sender, NOON).replies
    except Unusable as unusable:
        replies = unusable.replies
    for reply in replies:
        frame = decode_frame(reply, profile)
        assert frame.command in {Command.CONFIRM, Command.DENY}
        assert frame.adu is None


def test_reach_forgets_who_was_silent_for_longest() -> None:
    reach = ReturnPaths(limit=2)
    frame = bytes(30)
    for gateway_id in ("G1", "G2", "G1", "G3"):
        reach.heard(gateway_id, Transport.MQTT_GB26875, frame)
    assert [reach.of(gateway_id) is not None for gateway_id in ("G1", "G2", "G3")] == [True, False, True]
