"""The stream decoder: every byte in one event, real frames always found, memory bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.gb26875 import (
    STANDARD,
    Decoded,
    ErrorCode,
    Event,
    Rejected,
    StreamDecoder,
    decode_all,
    encode_frame,
)
from services.ingest.domain.gb26875.frame import MIN_FRAME
from services.ingest.domain.gb26875.profile import MAX_ADU
from services.ingest.domain.gb26875.stream import MAX_REJECTED_RAW
from tests.unit.ingest.gb26875.corpus import ENTRIES
from tests.unit.ingest.gb26875.strategies import frames
from tests.unit.ingest.gb26875.test_worked_frames import CONFIRM, PRESSURE, TWO_SYSTEMS

BAD = PRESSURE[:-3] + b"\x00##"
MAX_PENDING = MIN_FRAME + MAX_ADU - 1


def fed(chunks: list[bytes]) -> list[Event]:
    decoder = StreamDecoder()
    events = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        assert decoder.pending <= MAX_PENDING
    return events + decoder.finish()


def good(events: list[Event]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Decoded)]


def rejections(events: list[Event]) -> list[tuple[int, ErrorCode]]:
    return [(e.offset, e.error.code) for e in events if isinstance(e, Rejected) and not e.continued]


def assert_whole(events: list[Event], data: bytes) -> None:
    """Every byte belongs to exactly one event, in order, at its stated offset."""
    assert b"".join(event.raw for event in events) == data
    at = 0
    for event in events:
        assert event.offset == at
        at += len(event.raw)


# never 0x40: such garbage may rightly claim to begin a frame and hide what follows until it is disproved
GARBAGE = st.binary(max_size=40).map(lambda data: data.replace(b"@", b"A"))


@pytest.mark.parametrize("at", range(len(TWO_SYSTEMS + BAD + CONFIRM) + 1))
def test_split_at_every_byte_gives_the_same_events(at: int) -> None:
    data = TWO_SYSTEMS + BAD + CONFIRM
    events = fed([data[:at], data[at:]])
    assert good(events) == [TWO_SYSTEMS, CONFIRM]
    assert rejections(events) == [(len(TWO_SYSTEMS), ErrorCode.BAD_CHECKSUM)]
    assert_whole(events, data)


def test_fed_byte_by_byte_gives_each_frame_with_its_last_byte() -> None:
    decoder = StreamDecoder()
    data = TWO_SYSTEMS + PRESSURE + CONFIRM
    ready = {at for at in range(len(data)) if decoder.feed(data[at : at + 1])}
    ends = [len(TWO_SYSTEMS), len(TWO_SYSTEMS + PRESSURE), len(data)]
    assert ready == {end - 1 for end in ends}
    assert decoder.finish() == []


@given(st.lists(st.tuples(GARBAGE, frames(STANDARD).map(encode_frame)), max_size=4), GARBAGE, st.data())
@settings(max_examples=50, deadline=None)
def test_garbage_between_frames_costs_no_frame(
    parts: list[tuple[bytes, bytes]], tail: bytes, data: st.DataObject
) -> None:
    stream = b"".join(garbage + frame for garbage, frame in parts) + tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    events = fed(chunks)
    assert good(events) == [frame for _, frame in parts]
    assert len(rejections(events)) == sum(1 for garbage in [g for g, _ in parts] + [tail] if garbage)
    assert_whole(events, stream)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"@@", b"##", b"@", b"@" * 40, TWO_SYSTEMS[:40], BAD])))
@settings(max_examples=120, deadline=None)
def test_any_bytes_in_any_chunks_are_wholly_accounted_for(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    events = fed(chunks)
    assert_whole(events, data)
    whole = decode_all(data)
    assert good(events) == good(whole)
    assert rejections(events) == rejections(whole)


@given(st.binary(max_size=1100), frames(STANDARD).map(encode_frame))
@settings(max_examples=60, deadline=None)
def test_any_garbage_with_marks_cannot_hide_the_frame_behind_it(garbage: bytes, frame: bytes) -> None:
    """Unless garbage and frame together form a frame by chance, which these sizes practically exclude."""
    assert good(decode_all(garbage.replace(b"A", b"@@") + frame))[-1:] == [frame]


def test_marks_inside_a_frame_do_not_end_it() -> None:
    entry = next(entry for entry in ENTRIES if entry.name == "text_marks_inside")
    assert good(fed([entry.raw[:60], entry.raw[60:], entry.raw])) == [entry.raw, entry.raw]


def test_search_goes_on_at_the_byte_after_the_rejected_start_not_after_the_rejected_frame() -> None:
    claims_next = TWO_SYSTEMS[:24] + (22 + len(CONFIRM)).to_bytes(2, "little") + TWO_SYSTEMS[26:]
    events = fed([claims_next + CONFIRM + PRESSURE])
    assert good(events) == [CONFIRM, PRESSURE]
    assert rejections(events) == [(0, ErrorCode.BAD_CHECKSUM)]


def test_two_bad_frames_are_two_rejections() -> None:
    assert rejections(fed([BAD + BAD])) == [(0, ErrorCode.BAD_CHECKSUM), (len(BAD), ErrorCode.BAD_CHECKSUM)]


def test_bad_frame_is_told_at_once_not_when_the_next_frame_comes() -> None:
    decoder = StreamDecoder()
    [event] = decoder.feed(BAD)
    assert isinstance(event, Rejected)
    assert event.raw == BAD
    assert decoder.feed(b"")[:] == []


def test_more_garbage_after_a_rejection_is_marked_as_continued() -> None:
    decoder = StreamDecoder()
    first = decoder.feed(b"abc")
    second = decoder.feed(b"def")
    assert [event.raw for event in first + second] == [b"abc", b"def"]
    assert rejections(first + second) == [(0, ErrorCode.BAD_START)]


def test_unfinished_frame_waits_and_finish_gives_up_on_it() -> None:
    decoder = StreamDecoder()
    assert decoder.feed(TWO_SYSTEMS[:-1]) == []
    assert decoder.pending == len(TWO_SYSTEMS) - 1
    assert rejections(decoder.finish()) == [(0, ErrorCode.TRUNCATED)]
    assert decoder.pending == 0
    assert good(decoder.feed(CONFIRM)) == [CONFIRM]


def test_finish_finds_a_frame_that_a_false_start_had_hidden() -> None:
    false_start = TWO_SYSTEMS[:24] + (1024).to_bytes(2, "little")
    decoder = StreamDecoder()
    assert decoder.feed(false_start + CONFIRM) == []
    events = decoder.finish()
    assert good(events) == [CONFIRM]
    assert rejections(events) == [(0, ErrorCode.TRUNCATED)]


@pytest.mark.parametrize("pattern", [b"@", b"@@\x00", b"#", b"@@##", TWO_SYSTEMS[:26]])
def test_flood_without_a_frame_stays_bounded_in_memory_and_events(pattern: bytes) -> None:
    flood = (pattern * 40_000)[:40_000]
    decoder = StreamDecoder()
    events = []
    for at in range(0, len(flood), 1000):
        events += decoder.feed(flood[at : at + 1000])
        assert decoder.pending <= MAX_PENDING
    events += decoder.finish()
    assert_whole(events, flood)
    assert len(events) <= len(flood) / 20
    assert all(len(event.raw) <= MAX_REJECTED_RAW for event in events)
