"""Seeded damage to every corpus frame: never anything but a frame or a typed error, and never a silent change."""

import random

import pytest

from services.ingest.domain.gb26875 import (
    PROFILES,
    Decoded,
    DeviceProfile,
    Gb26875Error,
    decode_all,
    decode_frame,
    encode_frame,
    frame_document,
    notes,
    purpose,
    read_document,
)
from services.ingest.domain.gb26875.frame import END, START, checksum
from tests.unit.ingest.gb26875.corpus import ENTRIES

ROUNDS = 12
SEEDS = range(4)


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """One to four random edits: flip, overwrite, insert, delete, repeat a piece."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + 1] = bytes((chance.choice((0, 0x23, 0x40, 0x7F, 0x80, 0xFF)),))
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 6))
            case 3:
                del data[at : at + chance.randint(1, 6)]
            case _:
                data[at:at] = data[at : at + chance.randint(1, 40)]
    return bytes(data)


def repaired(raw: bytes) -> bytes:
    """The same bytes with marks, length and checksum put right, so that the data unit itself is reached."""
    if len(raw) < 30:
        return raw
    adu = raw[27:-3][:1024]
    summed = raw[2:24] + len(adu).to_bytes(2, "little") + raw[26:27] + adu
    return START + summed + bytes((checksum(summed),)) + END


def refused(raw: bytes, profile: DeviceProfile) -> Gb26875Error | None:
    try:
        decode_frame(raw, profile)
    except Gb26875Error as error:
        return error
    return None


def check(raw: bytes, profile: DeviceProfile) -> bool:
    """Decode, and hold every promise about what comes out. Say whether it was a frame."""
    events = decode_all(raw, profile)
    assert b"".join(event.raw for event in events) == raw
    for event in events:
        if isinstance(event, Decoded):
            assert encode_frame(event.frame, profile) == event.raw
    refusal = refused(raw, profile)
    if refusal is not None:
        assert 0 <= refusal.offset <= len(raw)
        assert refusal.message
        return False
    frame = decode_frame(raw, profile)
    assert encode_frame(frame, profile) == raw
    assert read_document(frame_document(frame, profile), profile) == frame
    notes(frame, profile)
    purpose(frame, profile)
    return True


@pytest.mark.thorough
@pytest.mark.parametrize("seed", SEEDS)
def test_damage_gives_a_frame_or_a_typed_error_and_never_a_silent_change(seed: int) -> None:
    chance = random.Random(seed)
    outcomes = set()
    for entry in ENTRIES:
        for _ in range(ROUNDS):
            raw = damaged(entry.raw, chance)
            profile = chance.choice(list(PROFILES.values()))
            outcomes.add(check(raw, profile))
            outcomes.add(check(repaired(raw), profile))
    assert outcomes == {True, False}
