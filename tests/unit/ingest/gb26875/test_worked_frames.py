"""The worked frames of our notes on the standard (1.9), literally, and the sums written out."""

from datetime import datetime

from services.ingest.domain.gb26875 import Adu, ComponentAddress, Frame, TimeLabel, decode_frame, encode_frame, notes
from services.ingest.domain.gb26875.bodies import AnalogValue, SystemStatus
from services.ingest.domain.gb26875.flags import SYSTEM_STATUS, names_of

TWO_SYSTEMS = bytes.fromhex(
    "404002020100090807060518A186010000000A00000000001600020102010003000908070605180A010509090807060518202323"
)
PRESSURE = bytes.fromhex(
    "404001020100090807060518A186010000000A000000000012000203010C04630500030005B80D090807060518092323"
)
CONFIRM = bytes.fromhex("4040010201000A08070605180A0000000000A18601000000000003752323")

AT = TimeLabel(datetime(2024, 5, 6, 7, 8, 9), bytes.fromhex("090807060518"))  # noqa: DTZ001
DEVICE = bytes.fromhex("A18601000000")
CENTRE = bytes.fromhex("0A0000000000")


def test_two_systems_one_on_fire_one_faulty() -> None:
    frame = decode_frame(TWO_SYSTEMS)
    objects = (SystemStatus(1, 0, 0x0003, AT), SystemStatus(10, 1, 0x0905, AT))
    assert frame == Frame(514, 1, 0, AT, DEVICE, CENTRE, 2, Adu(1, objects))
    assert (frame.source_addr, frame.dest_addr, frame.command_name) == (100001, 10, "send")
    assert names_of(SYSTEM_STATUS, 0x0003) == ("normal", "fire")
    assert names_of(SYSTEM_STATUS, 0x0905) == ("normal", "fault", "main_power_fault", "manual")
    assert encode_frame(frame) == TWO_SYSTEMS
    assert notes(frame) == ()


def test_pressure_of_a_switch() -> None:
    frame = decode_frame(PRESSURE)
    sample = AnalogValue(12, 4, 99, ComponentAddress(bytes.fromhex("05000300")), 5, 3512, AT)
    assert frame == Frame(513, 1, 0, AT, DEVICE, CENTRE, 2, Adu(3, (sample,)))
    assert (sample.value, sample.unit, sample.component_addr.u32_le) == (351.2, "kPa", 0x00030005)
    assert encode_frame(frame) == PRESSURE
    assert notes(frame) == ()


def test_confirm_returns_the_serial_number_with_addresses_swapped() -> None:
    frame = decode_frame(CONFIRM)
    assert frame == Frame(513, 1, 0, frame.time_label, CENTRE, DEVICE, 3, None)
    assert frame.time_label.at == datetime(2024, 5, 6, 7, 8, 10)  # noqa: DTZ001
    assert encode_frame(frame) == CONFIRM
    assert notes(frame) == ()


def test_checksum_is_the_plain_sum_without_marks_and_itself() -> None:
    for raw in (TWO_SYSTEMS, PRESSURE, CONFIRM):
        assert sum(raw[2:-3]) % 256 == raw[-3]
