"""Coverage-guided fuzzing of the GB/T 26875.3 codec with atheris, which is no requirement of the project.

    pip install atheris && python -m tests.fuzz.gb26875_fuzz [corpus folder] -max_total_time=300

The first byte chooses the profile, the second the size of the chunks and whether the checksum is put
right, so that the fuzzer gets behind it. The same promises are held as in the seeded test of the suite.
"""

import json
import sys

import atheris

with atheris.instrument_imports():
    from services.ingest.domain.gb26875 import (
        PROFILES,
        Decoded,
        DeviceProfile,
        Gb26875Error,
        StreamDecoder,
        decode_frame,
        encode_frame,
        frame_document,
        notes,
        purpose,
        read_document,
    )
    from services.ingest.domain.gb26875.frame import END, MIN_FRAME, START, checksum
    from services.ingest.domain.gb26875.profile import MAX_ADU

ALL = list(PROFILES.values())
REPAIR = 0x80


def repaired(raw: bytes) -> bytes:
    """The bytes with marks, length and checksum put right."""
    adu = raw[27:-3][:MAX_ADU]
    summed = raw[2:24] + len(adu).to_bytes(2, "little") + raw[26:27] + adu
    return START + summed + bytes((checksum(summed),)) + END


def check_stream(raw: bytes, size: int, profile: DeviceProfile) -> None:
    """Every byte in one event, whatever the chunks; bounded in between."""
    decoder = StreamDecoder(profile)
    events = []
    for at in range(0, len(raw), size):
        events += decoder.feed(raw[at : at + size])
        assert decoder.pending < MIN_FRAME + MAX_ADU
    events += decoder.finish()
    assert b"".join([event.raw for event in events]) == raw
    for event in events:
        if isinstance(event, Decoded):
            assert encode_frame(event.frame, profile) == event.raw


def check_frame(raw: bytes, profile: DeviceProfile) -> None:
    """A typed error, or a frame that survives bytes and JSON."""
    try:
        frame = decode_frame(raw, profile)
    except Gb26875Error as error:
        if not 0 <= error.offset <= len(raw):
            raise RuntimeError(f"offset outside the input: {error}") from error
        return
    assert encode_frame(frame, profile) == raw
    document = json.loads(json.dumps(frame_document(frame, profile), ensure_ascii=False).encode())
    assert read_document(document, profile) == frame
    notes(frame, profile)
    purpose(frame, profile)


def one_input(data: bytes) -> None:
    """What atheris calls."""
    if len(data) < 2:
        return
    profile = ALL[data[0] % len(ALL)]
    raw = data[2:]
    if data[1] & REPAIR and len(raw) >= MIN_FRAME:
        raw = repaired(raw)
    check_stream(raw, 1 + (data[1] & 0x7F) * 8, profile)
    check_frame(raw, profile)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
