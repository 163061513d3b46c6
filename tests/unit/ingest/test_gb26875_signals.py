"""What a frame says is told whole: no alarm dropped or softened, no end that the device did not mean."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    Adu,
    Command,
    ComponentAddress,
    DeviceProfile,
    Frame,
    RawAdu,
    Text,
    TimeLabel,
)
from services.ingest.domain.gb26875 import bodies as b
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875_signals import names_its_time, read_signals
from services.ingest.domain.values import Measurement, Message
from services.kernel.words import Flag, Restores, SignalKind
from tests.unit.ingest.build import NOON, QUICK

SENT = TimeLabel.of_instant(NOON, STANDARD)
HAPPENED = TimeLabel.of_instant(NOON - timedelta(seconds=40), STANDARD)
NEVER = TimeLabel(None, bytes(6))
DETECTOR = ComponentAddress(bytes((7, 0, 3, 0)))
HALL = Text.of("一层大厅", STANDARD, 31)
SILENT = Text.of("", STANDARD, 31)


def frame(kind: int, *objects: Body, command: int = Command.SEND, sent: TimeLabel = SENT) -> Frame:
    return Frame(9, 1, 0, sent, bytes(6), bytes(6), command, Adu(kind, objects))


def read(sent: Frame, profile: DeviceProfile = STANDARD) -> list[Message]:
    return [said.message for said in read_signals(sent, profile)]


def short(messages: list[Message]) -> list[str]:
    """Each message as "kind what? system/address"."""
    return [
        " ".join(filter(None, (message.kind, message.restores, message.point and "/".join(_place(message)))))
        for message in messages
    ]


def _place(message: Message) -> tuple[str, str]:
    assert message.point is not None
    return message.point.system or "", message.point.address


def system(word: int) -> Frame:
    return frame(1, b.SystemStatus(1, 0, word, HAPPENED))


def component(word: int, text: Text = HALL) -> Frame:
    return frame(2, b.ComponentStatus(1, 0, 42, DETECTOR, word, text, HAPPENED))


def device(word: int) -> Frame:
    return frame(21, b.DeviceStatus(word, HAPPENED))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            system(0x0001),
            [
                "restore all 1.0/system",
                "restore fault 1.0/main_power",
                "restore fault 1.0/backup_power",
                "restore fault 1.0/bus",
            ],
        ),
        (
            system(0x0003),
            [
                "fire 1.0/system",
                "restore fault 1.0/system",
                "restore isolation 1.0/system",
                "restore supervisory 1.0/system",
                "restore fault 1.0/main_power",
                "restore fault 1.0/backup_power",
                "restore fault 1.0/bus",
            ],
        ),
        (
            system(0x0905),
            [
                "fault 1.0/system",
                "fault 1.0/main_power",
                "restore fire 1.0/system",
                "restore isolation 1.0/system",
                "restore supervisory 1.0/system",
                "restore fault 1.0/backup_power",
                "restore fault 1.0/bus",
            ],
        ),
        (component(0x0001), ["restore all 1.0/196615", "restore fault 1.0/196615/power"]),
        (
            component(0x011F),
            [
                "fire 1.0/196615",
                "fault 1.0/196615",
                "isolation 1.0/196615",
                "supervisory 1.0/196615",
                "fault 1.0/196615/power",
            ],
        ),
        (
            component(0x0011),
            [
                "supervisory 1.0/196615",
                "restore fire 1.0/196615",
                "restore fault 1.0/196615",
                "restore isolation 1.0/196615",
                "restore fault 1.0/196615/power",
            ],
        ),
        (
            component(0x0061),
            ["state 1.0/196615", "restore all 1.0/196615", "restore fault 1.0/196615/power"],
        ),
        (device(0x01), ["restore all uitd/system", "restore fault uitd/*"]),
        (
            device(0x29),
            [
                "fault uitd/main_power",
                "fault uitd/channel",
                "restore all uitd/system",
                "restore fault uitd/backup_power",
                "restore fault uitd/line",
            ],
        ),
    ],
)
def test_a_status_word_is_the_whole_state_of_its_point(sent: Frame, said: list[str]) -> None:
    assert short(read(sent)) == said


@pytest.mark.parametrize(
    "blind",
    [
        component(0x0005),
        component(0x0009),
        component(0x0101),
        system(0x0009),
        system(0x000D),
        system(0x0405),
        system(0x0401),
        device(0x05),
        device(0x41),
    ],
)
def test_a_point_that_cannot_be_seen_ends_no_fire(blind: Frame) -> None:
    assert not any(message.restores in (Restores.FIRE, Restores.ALL) for message in read(blind))


@pytest.mark.parametrize(
    ("profile", "word", "over"),
    [
        ("standard", 0x0005, True),
        ("standard", 0x0305, True),  # with the power faults that it is made of
        ("standard", 0x0007, False),
        ("standard", 0x0004, False),  # may be a test
        ("normal_bit_omitted", 0x0004, True),
        ("normal_bit_omitted", 0x0006, False),
    ],
)
def test_a_fault_that_stands_keeps_no_fire_of_the_whole_system_open(profile: str, word: int, over: bool) -> None:
    ended = [_place(message) for message in read(system(word), PROFILES[profile]) if message.restores is Restores.FIRE]
    assert ended == ([("1.0", "system")] if over else [])


WORDS = st.integers(0, 0xFFFF) | st.sampled_from([0x0001, 0x0003, 0x0005, 0x0007, 0x0009, 0x0405, 0x0002, 0x0004])


@QUICK
@given(
    statuses=st.lists(st.tuples(st.sampled_from(["system", "hall", "stairs"]), WORDS), max_size=30),
    profile=st.sampled_from(["standard", "normal_bit_omitted"]),
)
def test_no_order_of_statuses_ends_a_fire_that_burns_by_its_components_own(
    statuses: list[tuple[str, int]], profile: str
) -> None:
    addresses = {"hall": DETECTOR, "stairs": ComponentAddress(bytes((8, 0, 3, 0)))}
    active_fires: set[tuple[str, str]] = set()
    own: dict[str, tuple[int, tuple[str, str]]] = {}
    for who, word in statuses:
        sent = system(word)
        if who != "system":
            sent = frame(2, b.ComponentStatus(1, 0, 42, addresses[who], word, HALL, HAPPENED))
        for message in read(sent, PROFILES[profile]):
            place = _place(message)
            if message.kind is SignalKind.FIRE:
                active_fires.add(place)
            elif message.restores in (Restores.FIRE, Restores.ALL):
                assert place[1] != "*"
                active_fires.discard(place)
        own[who] = (word, ("1.0", str(addresses[who].u32_le) if who in addresses else "system"))
    for word, place in own.values():
        assert not word & 0x0002 or place in active_fires


@pytest.mark.parametrize("sent", [component(0x0004), component(0x0002), system(0x0120), device(0x0A)])
def test_what_may_be_a_test_begins_troubles_flagged_and_ends_none(sent: Frame) -> None:
    messages = read(sent)
    assert messages
    assert all(message.restores is None and Flag.TEST_OR_OMISSION in message.flags for message in messages)


@pytest.mark.parametrize("sent", [component(0), system(0), device(0)])
def test_a_word_without_any_bit_is_a_test_unless_the_device_never_says_normal(sent: Frame) -> None:
    assert [message.kind for message in read(sent)] == [SignalKind.TEST]
    assert read(sent, PROFILES["normal_bit_omitted"])[0].restores is Restores.ALL


def test_a_device_that_never_says_normal_ends_what_it_began() -> None:
    omitted = PROFILES["normal_bit_omitted"]
    assert read(component(0x0002), omitted)[0].flags == ()
    assert short(read(component(0x0008), omitted))[1:] == [
        "restore fault 1.0/196615",
        "restore supervisory 1.0/196615",
        "restore fault 1.0/196615/power",
    ]


def test_a_message_says_all_bits_in_words_and_names_the_component() -> None:
    (fire, *_) = read(component(0x0063))
    assert fire.text == "normal, fire, started, feedback"
    assert fire.point is not None
    assert (fire.point.type, fire.point.label) == ("point_photoelectric_smoke_detector", "一层大厅")
    (plain, *_) = read(component(0x0003, SILENT))
    assert plain.point is not None
    assert plain.point.label == "点型光电感烟火灾探测器"


@pytest.mark.parametrize(
    ("profile", "address"),
    [("standard", "196615"), ("zone_point", "7-3"), ("point_zone", "3-7"), ("circuit_node", "7-3")],
)
def test_a_component_is_named_by_the_profile_of_its_device(profile: str, address: str) -> None:
    (fire, *_) = read(component(0x0003), PROFILES[profile])
    assert _place(fire) == ("1.0", address)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (0x01, ["restore fire 1.0/*", "operation 1.0/system"]),
        (0x02, ["operation 1.0/system"]),
        (0x04, ["fire 1.0/manual_alarm"]),
        (0x08, ["restore fire 1.0/*"]),
        (0x10, ["test 1.0/system"]),
        (0x20, ["operation 1.0/system"]),
        (0x40, ["test 1.0/system"]),
        (0x80, ["operation 1.0/system"]),
        (0x00, ["operation 1.0/system"]),
        (0x7F, ["restore fire 1.0/*", "fire 1.0/manual_alarm", "test 1.0/system", "operation 1.0/system"]),
    ],
)
def test_an_operation_on_a_system(word: int, said: list[str]) -> None:
    assert short(read(frame(4, b.OperationRecord(1, 0, word, 3, HAPPENED)))) == said


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (0x01, ["restore fire uitd/*", "operation uitd/system"]),
        (0x04, ["fire uitd/manual_alarm_key"]),
        (0x08, ["restore fire uitd/*"]),
        (0x20, ["duty_answer uitd/system"]),
        (0x22, ["duty_answer uitd/system", "operation uitd/system"]),
    ],
)
def test_an_operation_on_the_device(word: int, said: list[str]) -> None:
    assert short(read(frame(24, b.DeviceOperation(word, 3, HAPPENED)))) == said


def test_records_that_were_read_out_may_be_old_only_their_alarm_counts() -> None:
    asked = frame(4, b.OperationRecord(1, 0, 0x0D, 3, HAPPENED), command=Command.RESPONSE)
    assert short(read(asked)) == ["fire 1.0/manual_alarm", "operation 1.0/system"]
    answer = frame(24, b.DeviceOperation(0x20, 3, HAPPENED), command=Command.RESPONSE)
    assert short(read(answer)) == ["operation uitd/system"]


def test_an_analog_value_in_its_unit_and_one_that_nobody_knows() -> None:
    def sample(kind: int) -> Frame:
        return frame(3, b.AnalogValue(12, 4, 99, DETECTOR, kind, -351, HAPPENED))

    (known,) = read(sample(3))
    assert (known.kind, known.measurement, known.flags) == (SignalKind.ANALOG, Measurement(-35.1, "degC"), ())
    (unknown,) = read(sample(77))
    assert (unknown.measurement, unknown.flags) == (Measurement(-351.0, "raw"), (Flag.NOT_UNDERSTOOD,))


@pytest.mark.parametrize(
    ("sent", "said", "text"),
    [
        (frame(5, b.SystemVersion(1, 0, 3, 14)), "report 1.0/system", "version 3.14"),
        (frame(6, b.SystemConfig(1, 0, Text.of("两回路", STANDARD))), "report 1.0/system", "两回路"),
        (frame(7, b.ComponentConfig(1, 0, 42, DETECTOR, HALL)), "report 1.0/196615", "configuration"),
        (frame(8, b.SystemClock(1, 0, HAPPENED)), "report 1.0/system", "clock 2026-06-01 19:59:20"),
        (frame(25, b.DeviceVersion(2, 1)), "report uitd/system", "version 2.1"),
        (frame(26, b.DeviceConfig(Text.of("主机", STANDARD))), "report uitd/system", "主机"),
        (frame(28, b.DeviceClock(NEVER)), "report uitd/system", "clock unreadable"),
    ],
)
def test_answers_about_the_equipment_are_reports(sent: Frame, said: str, text: str) -> None:
    messages = read(sent)
    assert (short(messages), messages[0].text) == ([said], text)
    assert messages[0].occurred_at == NOON  # the clock that is reported is not when it was


ALIVE = [
    ("standard", Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.SEND)),
    ("standard", Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.CONFIRM)),
    ("standard", Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.DENY)),
    ("keepalive_empty_send", Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.SEND)),
    ("keepalive_command7", Frame(1, 1, 0, SENT, bytes(6), bytes(6), 7)),
    ("keepalive_command7", Frame(1, 1, 0, SENT, bytes(6), bytes(6), 0, RawAdu(None, b"\x01"))),
    ("keepalive_type190", Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.SEND, RawAdu(190, b"\xbe"))),
    ("handshake_version10", Frame(1, 16, 0, SENT, bytes(6), bytes(6), Command.SEND, RawAdu(0x16, b"\x16"))),
]


@pytest.mark.parametrize(("profile", "sent"), ALIVE)
def test_frames_that_only_say_that_the_device_lives(profile: str, sent: Frame) -> None:
    (message,) = read(sent, PROFILES[profile])
    assert (message.kind, message.occurred_at) == (SignalKind.HEARTBEAT, NOON)


@pytest.mark.parametrize(
    "sent",
    [
        Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.SEND, RawAdu(190, b"\xbe\x01\x05")),
        Frame(1, 1, 0, SENT, bytes(6), bytes(6), 200, RawAdu(None, b"\x01")),
        Frame(1, 1, 0, SENT, bytes(6), bytes(6), Command.REQUEST),
        frame(91, b.DutyCheck(3), command=Command.CONTROL),
        frame(61, b.ReadSystem(1, 0), command=Command.SEND),
        frame(1, b.SystemStatus(1, 0, 1, HAPPENED), command=Command.CONTROL),
    ],
)
def test_what_nobody_explains_is_kept_as_a_report(sent: Frame) -> None:
    (message,) = read(sent)
    assert (message.kind, message.flags) == (SignalKind.REPORT, (Flag.NOT_UNDERSTOOD,))


def test_an_alarm_under_a_command_that_carries_no_data_still_counts() -> None:
    (fire,) = read(frame(2, b.ComponentStatus(1, 0, 42, DETECTOR, 3, HALL, HAPPENED), command=Command.CONTROL))
    assert (fire.kind, fire.flags) == (SignalKind.FIRE, (Flag.NOT_UNDERSTOOD,))


def test_a_data_unit_without_objects_is_one_report() -> None:
    (message,) = read(frame(2))
    assert (message.kind, message.text) == (SignalKind.REPORT, "component_status: no objects")


@pytest.mark.parametrize(
    ("own", "sent", "expected"),
    [(HAPPENED, SENT, NOON - timedelta(seconds=40)), (NEVER, SENT, NOON), (NEVER, NEVER, None)],
)
def test_it_happened_when_the_object_says_else_when_it_was_sent(
    own: TimeLabel, sent: TimeLabel, expected: datetime | None
) -> None:
    came = frame(21, b.DeviceStatus(3, own), sent=sent)
    assert {message.occurred_at for message in read(came)} == {expected}
    assert names_its_time(came) == (own is HAPPENED)


def test_a_label_is_read_on_the_clock_of_the_device() -> None:
    moscow = DeviceProfile("moscow", utc_offset=timedelta(hours=3))
    (said, *_) = read(frame(21, b.DeviceStatus(3, HAPPENED)), moscow)
    assert said.occurred_at == datetime(2026, 6, 1, 16, 59, 20, tzinfo=UTC)
