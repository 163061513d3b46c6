"""The bytes of a device become pieces: nothing is lost, fire goes first, and what could end it stays behind it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.device_stream import DeviceStream, pieces_of
from services.ingest.domain.fire_first import carries_fire
from services.ingest.domain.gb26875 import PROFILES, Adu, Frame, RawAdu, TimeLabel, encode_frame
from services.ingest.domain.gb26875 import bodies as b
from services.ingest.domain.gb26875.values import ComponentAddress, Text
from tests.unit.ingest.build import QUICK

LABEL = TimeLabel.of_instant(datetime(2026, 6, 1, 12, tzinfo=UTC), PROFILES["standard"])
SOURCE = bytes.fromhex("a18601000000")


def frame(adu: Adu | RawAdu | None = None, serial: int = 1, command: int = 2, profile: str = "standard") -> bytes:
    known = PROFILES[profile]
    return encode_frame(Frame(serial, 1, 0, LABEL, SOURCE, bytes(6), command, adu), known)


def status(word: int) -> Adu:
    text = Text.of("", PROFILES["standard"], 31)
    return Adu(2, (b.ComponentStatus(1, 0, 40, ComponentAddress(bytes(4)), word, text, LABEL),))


KEEPALIVE = frame()
FIRE = frame(status(0x03))
FIRE_WITHOUT_NORMAL_BIT = frame(status(0x02))
QUIET = frame(status(0x01))


def test_a_fire_is_told_from_each_kind_of_frame_that_can_carry_one() -> None:
    carriers = [
        status(0x02),
        Adu(1, (b.SystemStatus(1, 0, 0x05, LABEL), b.SystemStatus(1, 1, 0x03, LABEL))),
        Adu(21, (b.DeviceStatus(0x02, LABEL),)),
        Adu(24, (b.DeviceOperation(0x04, 1, LABEL),)),
        Adu(4, (b.OperationRecord(1, 0, 0x04, 1, LABEL),)),
    ]
    others = [
        status(0x05),
        Adu(1, (b.SystemStatus(1, 0, 0x05, LABEL),)),
        Adu(3, (b.AnalogValue(1, 0, 40, ComponentAddress(bytes(4)), 3, 2, LABEL),)),
        Adu(24, (b.DeviceOperation(0x20, 1, LABEL),)),
        Adu(28, (b.DeviceClock(LABEL),)),
    ]

    def told(adu: Adu) -> bool:
        return carries_fire(Frame(1, 1, 0, LABEL, SOURCE, bytes(6), 2, adu))

    assert [told(adu) for adu in carriers] == [True] * 5
    assert [told(adu) for adu in others] == [False] * 5


def test_after_a_fire_statuses_stay_behind_it_and_heartbeats_do_not() -> None:
    stream = DeviceStream()
    fires = [piece.fire for piece in stream.feed(QUIET + FIRE + KEEPALIVE + QUIET)]
    assert fires == [False, True, False, True]


def test_a_command_that_only_some_profile_knows_is_a_whole_frame() -> None:
    (piece,) = DeviceStream().feed(frame(command=7, profile="keepalive_command7"))
    assert (piece.whole, piece.source) == (True, SOURCE)


def test_a_handshake_of_one_byte_is_a_whole_frame_also_where_its_serial_looks_like_a_start_mark() -> None:
    handshakes = b"".join(
        frame(RawAdu(0x16, b"\x16"), serial, profile="handshake_version10") for serial in (63, 64, 65)
    )
    assert [piece.whole for piece in DeviceStream().feed(handshakes)] == [True, True, True]


def test_a_bad_frame_says_whose_it_seems_to_be_and_short_rubbish_does_not() -> None:
    bad = bytearray(QUIET)
    bad[-3] ^= 1
    stream = DeviceStream()
    pieces = stream.feed(bytes(bad) + b"GET / HTTP/1.1")
    assert [(piece.whole, piece.source) for piece in pieces] == [(False, SOURCE)]
    assert DeviceStream().feed(b"GET / HTTP/1.1")[0].source is None


def test_a_long_rejection_is_one_piece() -> None:
    (piece,) = DeviceStream().feed(b"x" * 50_000)
    assert len(piece.raw) == 50_000


def test_an_unfinished_frame_is_given_up_and_the_fire_that_it_hid_is_found() -> None:
    false_start = b"@@" + bytes(22) + b"\x00\x04" + b"\x02"
    stream = DeviceStream()
    assert stream.feed(false_start + FIRE) == []
    assert stream.pending == len(false_start) + len(FIRE)
    assert [(piece.whole, piece.fire) for piece in stream.finish()] == [(False, False), (True, True)]
    assert stream.pending == 0


@QUICK
@given(
    parts=st.lists(st.sampled_from([KEEPALIVE, FIRE, FIRE_WITHOUT_NORMAL_BIT, QUIET]) | st.binary(max_size=60)),
    cuts=st.lists(st.integers(1, 50), min_size=1),
)
def test_every_byte_is_in_one_piece_however_the_stream_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    stream = DeviceStream()
    heard = []
    at = 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        heard += stream.feed(data[at : at + size])
        at += size
    heard += stream.finish()
    assert b"".join(piece.raw for piece in heard) == data
    whole = [piece.raw for piece in pieces_of(data) if piece.whole]
    assert [piece.raw for piece in heard if piece.whole] == whole
