"""What cannot be a frame is refused with a code: bytes, values to encode, JSON documents."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    Adu,
    ComponentAddress,
    DeviceProfile,
    DocumentError,
    EncodeError,
    ErrorCode,
    FrameError,
    RawAdu,
    Text,
    TimeLabel,
    decode_frame,
    encode_frame,
    frame_document,
    read_document,
)
from services.ingest.domain.gb26875 import bodies as b
from tests.unit.ingest.gb26875.corpus import ENTRIES
from tests.unit.ingest.gb26875.test_worked_frames import AT, PRESSURE

FRAME = decode_frame(PRESSURE)
BAD_ADDRESS = ComponentAddress(b"123")


def test_bytes_behind_the_frame_are_refused_where_one_frame_is_expected() -> None:
    with pytest.raises(FrameError) as caught:
        decode_frame(PRESSURE + b"\x00")
    assert (caught.value.code, caught.value.offset) == (ErrorCode.TRAILING_BYTES, len(PRESSURE))
    assert str(caught.value) == f"trailing_bytes at byte 48: the frame ends after {len(PRESSURE)} bytes, 1 more follow"


@pytest.mark.parametrize("size", range(len(PRESSURE)))
def test_every_shorter_prefix_is_truncated(size: int) -> None:
    with pytest.raises(FrameError) as caught:
        decode_frame(PRESSURE[:size])
    assert (caught.value.code, caught.value.offset) == (ErrorCode.TRUNCATED, size)


@pytest.mark.parametrize("at", range(len(PRESSURE)))
def test_every_single_damaged_byte_is_noticed(at: int) -> None:
    damaged = PRESSURE[:at] + bytes((PRESSURE[at] ^ 0x55,)) + PRESSURE[at + 1 :]
    with pytest.raises(FrameError):
        decode_frame(damaged)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"serial": 65536}, ErrorCode.FIELD_RANGE),
        ({"serial": -1}, ErrorCode.FIELD_RANGE),
        ({"version_user": 256}, ErrorCode.FIELD_RANGE),
        ({"source_raw": b"12345"}, ErrorCode.FIELD_RANGE),
        ({"dest_raw": b"1234567"}, ErrorCode.FIELD_RANGE),
        ({"time_label": TimeLabel(None, b"")}, ErrorCode.FIELD_RANGE),
        ({"command": 256}, ErrorCode.FIELD_RANGE),
        ({"command": 7, "adu": None}, ErrorCode.UNKNOWN_COMMAND),
        ({"command": 200}, ErrorCode.WRONG_BODY),
        ({"adu": Adu(9, ())}, ErrorCode.WRONG_BODY),
        ({"adu": Adu(1, (b.DeviceRequest(0),))}, ErrorCode.WRONG_BODY),
        ({"adu": Adu(81, (b.DeviceRequest(0),) * 2)}, ErrorCode.COUNT_OVER_LIMIT),
        ({"adu": Adu(81, (b.DeviceRequest(256),))}, ErrorCode.FIELD_RANGE),
        ({"adu": Adu(62, (b.ReadComponent(1, 1, BAD_ADDRESS),))}, ErrorCode.FIELD_RANGE),
        ({"adu": Adu(84, (b.ReadDeviceRecords(103, AT),))}, ErrorCode.RECORD_COUNT_OVER_LIMIT),
        ({"adu": Adu(26, (b.DeviceConfig(Text("", bytes(256))),))}, ErrorCode.FIELD_RANGE),
        ({"adu": RawAdu(None, b"")}, ErrorCode.WRONG_BODY),
        ({"adu": RawAdu(9, b"\x0a\x00")}, ErrorCode.WRONG_BODY),
        ({"adu": RawAdu(1, b"\x01\x00")}, ErrorCode.WRONG_BODY),
        ({"adu": RawAdu(None, b"\x09\x00")}, ErrorCode.WRONG_BODY),
        ({"adu": RawAdu(22, b"\x16")}, ErrorCode.WRONG_BODY),
        ({"adu": RawAdu(200, b"\xc8" + bytes(1024))}, ErrorCode.ADU_TOO_LONG),
    ],
)
def test_what_would_not_come_back_equal_is_not_encoded(change: dict[str, Any], code: ErrorCode) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_frame(FRAME._replace(**change))
    assert caught.value.code is code


def document(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (frame_document(FRAME) | changes).items() if value != "absent"}


def with_object(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = dict(document())
    row = {key: value for key, value in (whole["adu"]["objects"][0] | changes).items() if value != "absent"}
    return whole | {"adu": whole["adu"] | {"objects": [row]}}


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        (document(serial="absent"), ErrorCode.MISSING_FIELD, "serial"),
        (document(serial=True), ErrorCode.BAD_FIELD, "serial"),
        (document(serial="513"), ErrorCode.BAD_FIELD, "serial"),
        (document(time_label=None, time_label_raw=None), ErrorCode.MISSING_FIELD, "time_label"),
        (document(time_label="tomorrow", time_label_raw=None), ErrorCode.BAD_FIELD, "time_label"),
        (document(time_label="2024-05-06T07:08:10"), ErrorCode.FIELD_CONFLICT, "time_label"),
        (document(time_label_raw="0908"), ErrorCode.BAD_FIELD, "time_label_raw"),
        (document(source_addr_raw="xx"), ErrorCode.BAD_FIELD, "source_addr_raw"),
        (document(source_addr=5), ErrorCode.FIELD_CONFLICT, "source_addr"),
        (document(source_addr=-1, source_addr_raw=None), ErrorCode.BAD_FIELD, "source_addr"),
        (document(command_name="confirm"), ErrorCode.FIELD_CONFLICT, "command_name"),
        (document(color="red"), ErrorCode.UNKNOWN_FIELD, "color"),
        (document(adu=[]), ErrorCode.BAD_FIELD, "adu"),
        (document(adu="absent"), ErrorCode.MISSING_FIELD, "adu"),
        (document(adu={"type": 3}), ErrorCode.MISSING_FIELD, "adu.objects"),
        (document(adu={"type": 3, "objects": "none"}), ErrorCode.BAD_FIELD, "adu.objects"),
        (document(adu={"type": 3, "objects": [1]}), ErrorCode.BAD_FIELD, "adu.objects[0]"),
        (document(adu={"type": 300, "objects": []}), ErrorCode.BAD_FIELD, "adu.type"),
        (document(adu={"type": 9, "objects": [{"raw": "01"}]}), ErrorCode.MISSING_FIELD, "adu.count"),
        (document(adu={"type": 9, "count": 1, "objects": [{}]}), ErrorCode.MISSING_FIELD, "adu.objects[0].raw"),
        (with_object(system_type="absent"), ErrorCode.MISSING_FIELD, "adu.objects[0].system_type"),
        (with_object(value=351.3), ErrorCode.FIELD_CONFLICT, "adu.objects[0].value"),
        (with_object(component_addr=None), ErrorCode.MISSING_FIELD, "adu.objects[0].component_addr"),
        (with_object(component_addr={"word0_le": 1 << 16}), ErrorCode.BAD_FIELD,
         "adu.objects[0].component_addr.word0_le"),
        (with_object(component_addr={"raw": "05000300", "word1_le": 4}), ErrorCode.FIELD_CONFLICT,
         "adu.objects[0].component_addr.word1_le"),
    ],
)  # fmt: skip
def test_document_that_lacks_or_contradicts_something_is_refused(
    given: dict[str, Any], code: ErrorCode, path: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(given)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_shortest_document_is_enough() -> None:
    row = {
        "system_type": 12, "system_addr": 4, "component_type": 99, "component_addr": {"word0_le": 5, "word1_le": 3},
        "analog_type": 5, "raw_value": 3512, "time": "2024-05-06 07:08:09",
    }  # fmt: skip
    short: dict[str, Any] = {
        "serial": 513, "time_label": "2024-05-06T07:08:09", "source_addr": 100001, "dest_addr": 10, "command": 2,
        "adu": {"type": 3, "objects": [row]},
    }  # fmt: skip
    assert encode_frame(read_document(short)) == PRESSURE
    assert read_document(short | {"checksum": 0, "adu_length": 0, "notes": ["mine"]}) == FRAME


def test_text_is_given_by_value_or_by_bytes() -> None:
    row: dict[str, Any] = {"system_type": 1, "system_addr": 0, "component_type": 42, "component_addr": {"u32_le": 7}}
    for profile, pad in ((STANDARD, b"\x00"), (PROFILES["space_padded_text"], b" ")):
        given = document(adu={"type": 7, "objects": [row | {"description": "二层"}]})
        frame = read_document(given, profile)
        assert isinstance(frame.adu, Adu)
        body = frame.adu.objects[0]
        assert isinstance(body, b.ComponentConfig)
        assert body.description.raw == "二层".encode("gb18030").ljust(31, pad)


def test_profile_without_a_command_neither_reads_nor_writes_it() -> None:
    vendor = DeviceProfile("vendor", keepalive_commands=frozenset({9}))
    raw = encode_frame(FRAME._replace(command=9, adu=None), vendor)
    assert decode_frame(raw, vendor).command == 9
    with pytest.raises(FrameError):
        decode_frame(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["0001", "2024"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, the whole of it excepted."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in [(*path, key), *_places(inner, (*path, key))]]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_value_anywhere_in_a_document_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from([entry for entry in ENTRIES if "error" not in entry.expect[0]]))
    changed: Any = copy.deepcopy(entry.expect[0])
    *way, last = data.draw(st.sampled_from(_places(changed)))
    inner = changed
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(JSON)
    profile = PROFILES[entry.profile]
    try:
        frame = read_document(changed, profile)
    except (DocumentError, EncodeError):
        return
    assert decode_frame(encode_frame(frame, profile), profile) == frame
