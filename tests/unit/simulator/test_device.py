"""A simulated GB/T 26875.3 device: numbers, resends, the centre's controls."""

from datetime import UTC, datetime, timedelta

import pytest

from services.simulator.domain.device import CENTRE, Device, EndedFrame, Now
from services.simulator.domain.frames import (
    Command,
    DeviceFlag,
    DeviceOperated,
    DeviceState,
    DutyCheck,
    Frame,
    Key,
    Sample,
    SetClock,
)
from services.simulator.domain.makes import MAKES

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ADDRESS = bytes.fromhex("a18601000000")


def at(seconds: float) -> Now:
    return Now(seconds, T0 + timedelta(seconds=seconds))


def device(**settings: object) -> Device:
    return Device(MAKES["standard"], ADDRESS, **settings)  # type: ignore[arg-type] # each test names its own


def heard(command: Command, serial: int, *bodies: SetClock | DutyCheck) -> Frame:
    return Frame(serial, command, T0, CENTRE, ADDRESS, bodies)


def test_numbers_grow_by_one_and_wrap_around() -> None:
    one = device(serial=65_534)
    assert [one.keepalive(at(0)).serial for _ in range(3)] == [65_534, 65_535, 0]


def test_a_frame_is_sent_four_times_the_same_and_then_given_up() -> None:
    one = device()
    frame = one.keepalive(at(0))
    assert one.due(at(9.9)) == ([], [])
    steps = [one.due(at(seconds)) for seconds in (10, 20, 30, 40, 50)]
    assert [step.frames for step in steps] == [[frame]] * 3 + [[]] * 2
    assert [step.ended for step in steps] == [[], [], [], [EndedFrame(0, False)], []]


def test_a_confirm_ends_the_exchange_and_a_second_one_changes_nothing() -> None:
    one = device()
    one.keepalive(at(0))
    assert one.hear(heard(Command.CONFIRM, 0), at(1)).ended == [EndedFrame(0, True)]
    assert one.hear(heard(Command.CONFIRM, 0), at(1)) == ((), ())
    assert one.due(at(100)) == ([], [])
    assert one.next_due_s() is None


def test_a_deny_is_answered_by_sending_again_at_once_as_often_as_by_silence() -> None:
    one = device()
    frame = one.keepalive(at(0))
    steps = [one.hear(heard(Command.DENY, 0), at(1)) for _ in range(4)]
    assert [step.frames for step in steps] == [[frame]] * 3 + [()]
    assert steps[-1].ended == [EndedFrame(0, False)]


def test_registration_and_keepalive_command_wait_for_no_confirm() -> None:
    one = Device(MAKES["keepalive_command7"], ADDRESS)
    assert [frame.command for frame in one.announce(at(0)).frames] == [Command.REGISTER]
    assert one.keepalive(at(0)).command == Command.KEEPALIVE
    assert one.next_due_s() is None


def test_a_duty_check_is_confirmed_at_once_and_answered_once_by_the_person() -> None:
    one = device(answer_after_s=30)
    check = heard(Command.CONTROL, 5, DutyCheck(10))
    for _ in range(2):  # the centre heard no confirm
        (answer,) = one.hear(check, at(0)).frames
        assert (answer.command, answer.serial, answer.source, answer.dest) == (Command.CONFIRM, 5, ADDRESS, CENTRE)
    assert one.due(at(29)).frames == []
    (pressed,) = one.due(at(30)).frames
    assert pressed.bodies == (DeviceOperated(Key.CONFIRM, 1, T0 + timedelta(seconds=30)),)
    assert one.due(at(31)).frames == []


def test_nobody_at_the_key_answers_nothing() -> None:
    one = device(answer_after_s=None)
    assert one.hear(heard(Command.CONTROL, 5, DutyCheck(1)), at(0)).frames[0].command == Command.CONFIRM
    assert one.next_due_s() is None


def test_the_centre_sets_the_clock() -> None:
    one = device(clock_ahead=timedelta(minutes=12))
    assert one.at(at(5)) == T0 + timedelta(minutes=12, seconds=5)
    (answer,) = one.hear(heard(Command.CONTROL, 1, SetClock(T0 + timedelta(seconds=6))), at(6)).frames
    assert (answer.command, one.at(at(7))) == (Command.CONFIRM, T0 + timedelta(seconds=7))


@pytest.mark.parametrize("bodies", [(), (SetClock(None),)])
def test_another_control_is_denied(bodies: tuple[SetClock, ...]) -> None:
    one = device()
    assert one.hear(heard(Command.CONTROL, 1, *bodies), at(0)).frames[0].command == Command.DENY
    assert one.at(at(0)) == T0


def test_a_frame_for_another_device_changes_nothing() -> None:
    one = device()
    one.keepalive(at(0))
    stranger = Frame(0, Command.CONFIRM, T0, CENTRE, bytes(6))
    assert one.hear(stranger, at(1)) == ((), ())
    assert one.waits_for(0)


def test_a_restart_begins_with_zero_and_forgets() -> None:
    one = device(serial=700)
    one.keepalive(at(0))
    assert one.restart().ended == [EndedFrame(700, False)]
    assert one.keepalive(at(1)).serial == 0


def test_a_quiet_hour_has_samples_and_a_pressed_key_among_its_keepalives() -> None:
    one = device()
    said = [type(body) for _ in range(60) for frame in one.beat(at(0)) for body in frame.bodies]
    assert {kind: said.count(kind) for kind in said} == {DeviceState: 60, Sample: 6, DeviceOperated: 1}


def test_a_keepalive_goes_on_saying_what_is_wrong_until_it_is_well() -> None:
    one = device()
    failed = DeviceFlag.NORMAL | DeviceFlag.MAIN_POWER
    one.send(at(0), DeviceState(failed, T0))
    assert one.keepalive(at(60)).bodies == (DeviceState(failed, T0 + timedelta(seconds=60)),)
    one.send(at(90), DeviceState(DeviceFlag.NORMAL, T0))
    assert one.keepalive(at(120)).bodies == (DeviceState(DeviceFlag.NORMAL, T0 + timedelta(seconds=120)),)


def test_addresses_are_as_the_make_writes_them() -> None:
    assert MAKES["standard"].address(100_001) == ADDRESS
    assert MAKES["ipv4_address"].address(258).hex() == "0a000102" + "1450"
