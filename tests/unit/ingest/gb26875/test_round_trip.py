"""decode(encode(x)) == x for every type and profile, and encode(decode(b)) == b."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    DeviceProfile,
    Frame,
    Gb26875Error,
    decode_frame,
    encode_frame,
    frame_document,
    notes,
    purpose,
    read_document,
)
from services.ingest.domain.gb26875.adu import read_adu, write_adu
from services.ingest.domain.gb26875.frame import checksum
from services.ingest.domain.gb26875.layout import TYPES
from tests.unit.ingest.gb26875.strategies import PROFILE, adus, frames, frames_with


@pytest.mark.thorough
@pytest.mark.parametrize("code", sorted(TYPES))
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_every_type_comes_back_equal(code: int, data: st.DataObject) -> None:
    for profile in (STANDARD, PROFILES["bcd_time"]):
        frame = data.draw(frames_with(adus(code, profile), profile))
        assert decode_frame(encode_frame(frame, profile), profile) == frame


def _with_profile(profile: DeviceProfile) -> st.SearchStrategy[tuple[Frame, DeviceProfile]]:
    return st.tuples(frames(profile), st.just(profile))


@given(PROFILE.flatmap(_with_profile))
@settings(max_examples=80, deadline=None)
def test_every_frame_comes_back_equal_from_bytes_and_from_json(pair: tuple[Frame, DeviceProfile]) -> None:
    frame, profile = pair
    raw = encode_frame(frame, profile)
    assert decode_frame(raw, profile) == frame
    document = json.loads(json.dumps(frame_document(frame, profile), ensure_ascii=False).encode())
    assert read_document(document, profile) == frame
    assert document["checksum"] == raw[-3]
    notes(frame, profile)
    purpose(frame, profile)


@given(st.binary(min_size=1, max_size=80), PROFILE)
@settings(max_examples=200, deadline=None)
def test_whatever_is_read_as_a_data_unit_is_written_the_same(data: bytes, profile: DeviceProfile) -> None:
    try:
        adu = read_adu(data, profile)
    except Gb26875Error:
        return
    assert write_adu(adu) == data


@given(st.binary(max_size=1051) | st.integers(0, 1051).map(lambda size: b"\xff" * size))
@settings(max_examples=100, deadline=None)
def test_checksum_is_the_sum_of_all_bytes(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256
