"""Labels, texts, addresses, flags, tables and profiles."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    ComponentAddress,
    ComponentOrder,
    DeviceProfile,
    EncodeError,
    ErrorCode,
    Text,
    TimeLabel,
    profile_named,
)
from services.ingest.domain.gb26875 import flags as f
from services.ingest.domain.gb26875.layout import TYPES, type_name
from services.ingest.domain.gb26875.tables import (
    ANALOG_TYPES,
    COMMANDS,
    COMPONENT_TYPES,
    SYSTEM_TYPES,
    analog_type_name,
    command_term,
    component_type_term,
    system_type_term,
)
from services.ingest.domain.gb26875.values import address_bytes, address_number, ipv4_endpoint, read_label, read_text

BCD = PROFILES["bcd_time"]


def at(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001


@pytest.mark.parametrize(
    ("raw", "binary", "bcd"),
    [
        ("232322111218", None, at(2018, 12, 11, 22, 23, 23)),
        ("090807060518", at(2024, 5, 6, 7, 8, 9), at(2018, 5, 6, 7, 8, 9)),
        ("000000000000", None, None),
        ("000000010100", at(2000, 1, 1), at(2000, 1, 1)),
        ("3B3B171F0C63", at(2099, 12, 31, 23, 59, 59), None),
        ("595923311299", None, at(2099, 12, 31, 23, 59, 59)),
        ("3C0000010100", None, None),
        ("000000010164", None, at(2064, 1, 1)),
        ("FFFFFFFFFFFF", None, None),
        ("0000001D0217", None, None),
        ("0000001D0218", at(2024, 2, 29), None),
    ],
)
def test_label_is_read_by_the_coding_of_the_profile(raw: str, binary: datetime | None, bcd: datetime | None) -> None:
    data = bytes.fromhex(raw)
    assert read_label(data, STANDARD.time_coding) == TimeLabel(binary, data)
    assert read_label(data, BCD.time_coding) == TimeLabel(bcd, data)


def test_label_becomes_an_instant_by_the_zone_of_the_profile() -> None:
    label = TimeLabel.of(at(2024, 5, 6, 7, 8, 9), STANDARD)
    assert label.instant(STANDARD) == datetime(2024, 5, 5, 23, 8, 9, tzinfo=UTC)
    utc = DeviceProfile("utc", utc_offset=timedelta())
    assert label.instant(utc) == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert TimeLabel(None, bytes(6)).instant(STANDARD) is None


def test_label_of_an_instant_takes_any_zone() -> None:
    instant = datetime(2024, 5, 6, 1, 8, 9, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert TimeLabel.of_instant(instant, STANDARD) == TimeLabel.of(at(2024, 5, 6, 7, 8, 9), STANDARD)


@pytest.mark.parametrize("when", [at(1999, 12, 31), at(2100, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)])
def test_label_holds_local_times_of_this_century_only(when: datetime) -> None:
    with pytest.raises(EncodeError):
        TimeLabel.of(when, STANDARD)


@pytest.mark.parametrize("size", [None, 31])
def test_text_is_written_so_that_it_is_read_back(size: int | None) -> None:
    text = Text.of("3号楼2层走廊", STANDARD, size)
    assert read_text(text.raw) == text
    assert len(text.raw) == (size or 12)
    assert Text.of("㐀𠀀", STANDARD).value == "㐀𠀀"  # four bytes each


KITCHEN = "厨房".encode("gb18030")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\0" * 11 + KITCHEN + b"\0" * 4 + b"\xaa\xbb\0\0", "厨房"),
        (KITCHEN + b"\0" + b"\xaa\xbb" * 4, "厨房"),
        (KITCHEN + b" \0old text", "厨房"),
        (b" \0 \0" + KITCHEN + b"\0\xff", "厨房"),
        (b" " + KITCHEN + b"\0\xff", " 厨房"),
        (b"\0" * 31, ""),
        (b"\xff" * 4 + b"\0" + KITCHEN, "\ufffd" * 4),
    ],
)
def test_a_text_that_has_begun_ends_at_the_first_nul_and_the_rest_costs_nothing(raw: bytes, value: str) -> None:
    assert read_text(raw) == Text(value, raw)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("层" * 16, ErrorCode.TEXT_TOO_LONG),
        ("a\x00b", ErrorCode.TEXT_NOT_ENCODABLE),
        ("a ", ErrorCode.TEXT_NOT_ENCODABLE),
        ("\ud800", ErrorCode.TEXT_NOT_ENCODABLE),
    ],
)
def test_text_that_would_change_is_refused(value: str, code: ErrorCode) -> None:
    with pytest.raises(EncodeError) as caught:
        Text.of(value, STANDARD, 31)
    assert caught.value.code is code


def test_component_address_words_and_their_names() -> None:
    address = ComponentAddress(bytes.fromhex("05000300"))
    assert (address.u32_le, address.word0_le, address.word1_le) == (0x30005, 5, 3)
    assert address.parts(ComponentOrder.PLAIN) == ()
    assert address.parts(ComponentOrder.ZONE_POINT) == (("zone", 5), ("point", 3))
    assert address.parts(ComponentOrder.POINT_ZONE) == (("point", 5), ("zone", 3))
    assert address.parts(ComponentOrder.CIRCUIT_NODE) == (("circuit", 5), ("node", 3))


def test_address_is_low_byte_first_and_may_hold_an_endpoint() -> None:
    assert address_number(bytes.fromhex("A18601000000")) == 100001
    assert address_bytes(100001).hex().upper() == "A18601000000"
    assert ipv4_endpoint(bytes((10, 0, 3, 7, 0x1F, 0x90))) == "10.0.3.7:8080"
    for number in (-1, 1 << 48):
        with pytest.raises(EncodeError):
            address_bytes(number)


def test_clear_normal_bit_never_hides_an_alarm() -> None:
    assert f.status_mode(0x0001, normal_bit_omitted=False) is f.StatusMode.NORMAL
    assert f.status_mode(0x0003, normal_bit_omitted=False) is f.StatusMode.NORMAL
    assert f.status_mode(0x0000, normal_bit_omitted=False) is f.StatusMode.TEST
    assert f.status_mode(0x0002, normal_bit_omitted=False) is f.StatusMode.TEST_OR_OMISSION
    assert f.status_mode(0x0002, normal_bit_omitted=True) is f.StatusMode.NORMAL


@pytest.mark.parametrize(
    ("table", "width", "reserved"),
    [
        (f.SYSTEM_STATUS, 16, 0xC000),
        (f.COMPONENT_STATUS, 16, 0xFE00),
        (f.DEVICE_STATUS, 8, 0x80),
        (f.FACILITY_OPERATION, 8, 0x80),
        (f.DEVICE_OPERATION, 8, 0x80),
    ],
)
def test_bit_tables_are_complete(table: tuple[f.Flag, ...], width: int, reserved: int) -> None:
    assert [flag.bit for flag in table] == list(range(width))
    assert len({flag.name for flag in table}) == width
    assert f.reserved_bits(table, (1 << width) - 1) == reserved
    assert f.names_of(table, 0) == ()


COMPONENTS = [
    0, 1, 10, 11, 12, 13, 16, 17, 18, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 37, 40, 41, 42, 43, 44,
    50, 51, 52, 53, 61, 62, 69, 74, 78, 79, 81, 82, 83, 84, 85, 86, 87, 88, 91, 92, 95, 96, 97, 98, 99, 101,
    102, 103, 104, 105, 106, 111, 113, 114, 115, 116, 117, 118, 121,
]  # fmt: skip


def test_tables_have_every_row_of_the_standard() -> None:
    assert sorted(COMMANDS) == [1, 2, 3, 4, 5, 6]
    assert sorted(SYSTEM_TYPES) == [0, 1, *range(10, 25)]
    assert sorted(COMPONENT_TYPES) == COMPONENTS
    assert sorted(ANALOG_TYPES) == list(range(1, 13))
    assert (component_type_term(40).name, component_type_term(42).label) == ("smoke_detector", "点型光电感烟火灾探测器")
    assert (system_type_term(20).name, system_type_term(23).name) == ("fire_lift", "fire_power_supply")


def test_gaps_are_reserved_and_the_upper_half_is_the_users() -> None:
    assert (system_type_term(25).name, system_type_term(127).name, system_type_term(128).name) == (
        "reserved",
        "reserved",
        "user",
    )
    assert (component_type_term(122).name, component_type_term(255).name) == ("reserved", "user")
    assert (command_term(0).name, command_term(7).name, command_term(128).name) == ("reserved", "reserved", "user")
    assert [analog_type_name(code) for code in (0, 13, 128)] == ["unused", "reserved", "user"]
    assert [type_name(code) for code in (0, 92, 128, 254, 255)] == [
        "reserved",
        "reserved",
        "user",
        "user",
        "unassigned",
    ]


SIZES = {
    1: (4, 6, 102), 2: (40, 6, 22), 3: (10, 6, 63), 4: (4, 6, 102), 5: (4, 0, 1), 6: (3, 0, 3), 7: (38, 0, 26),
    8: (8, 0, 1), 21: (1, 6, 1), 24: (2, 6, 127), 25: (2, 0, 1), 26: (1, 0, 1), 28: (6, 0, 1), 61: (2, 0, 102),
    62: (6, 0, 22), 63: (6, 0, 63), 64: (9, 0, 1), 65: (2, 0, 1), 66: (2, 0, 3), 67: (6, 0, 26), 68: (2, 0, 1),
    81: (1, 0, 1), 84: (7, 0, 1), 85: (1, 0, 1), 86: (1, 0, 1), 88: (1, 0, 1), 89: (1, 0, 1), 90: (6, 0, 1),
    91: (1, 0, 1),
}  # fmt: skip


def test_types_have_the_sizes_and_limits_of_the_table() -> None:
    assert {code: spec.wire.size for code, spec in TYPES.items()} == {k: v[0] + v[1] for k, v in SIZES.items()}
    assert {code: spec.max_count for code, spec in TYPES.items()} == {k: v[2] for k, v in SIZES.items()}
    assert [code for code, spec in TYPES.items() if spec.has_text] == [6, 26]
    assert all((spec.direction.value == "down") is (code >= 61) for code, spec in TYPES.items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"adu_limit": 1025},
        {"adu_limit": 0},
        {"text_pad": b"x"},
        {"keepalive_commands": frozenset({2})},
        {"registration_commands": frozenset({6})},
        {"keepalive_types": frozenset({1})},
        {"keepalive_types": frozenset({255})},
        {"send_version": (256, 0)},
        {"handshake_adus": frozenset({b""})},
    ],
)
def test_profile_may_not_contradict_the_assigned_codes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DeviceProfile("wrong", **wrong)


def test_unknown_profile_name_is_an_error_not_the_standard() -> None:
    assert profile_named("bcd_time") is BCD
    with pytest.raises(KeyError):
        profile_named("bcd-time")
    assert all(profile.name == name for name, profile in PROFILES.items())
