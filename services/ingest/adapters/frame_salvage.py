"""The alarm in a GB/T 26875.3 frame whose data unit contradicts itself: a wrong count, stray or missing bytes.

The frame itself is sound: marks, length and checksum. Only the flags that stand where the table says for sure are
read: of every object when all of them are there and something is left over, else of the first alone, since objects of
another length than the standard's shift all behind it. They begin troubles; no end is sure, nor any time of their own.
"""

from collections.abc import Iterator

from services.ingest.domain.gb26875 import Decoded, DeviceProfile, Gb26875Error, decode_frame
from services.ingest.domain.gb26875.adu import ADU_OFFSET, HEAD_SIZE
from services.ingest.domain.gb26875.frame import (
    COMMAND_OFFSET,
    END,
    LENGTH_OFFSET,
    MIN_FRAME,
    checksum,
    declared_length,
)
from services.ingest.domain.gb26875.layout import TYPES
from services.ingest.domain.gb26875_signals import read_signals
from services.ingest.domain.values import FramePart, Message
from services.kernel.words import Flag, SignalKind

_FLAGS_END = {1: 4, 2: 9, 4: 3, 21: 1, 24: 1}
"""Where in an object of each type the flags end that may tell of an alarm."""
_BEGINS = frozenset({SignalKind.FIRE, SignalKind.FAULT, SignalKind.ISOLATION, SignalKind.SUPERVISORY})


def salvage_frame(raw: bytes, error: Gb26875Error, profile: DeviceProfile) -> tuple[Decoded, list[Message]] | None:
    """Return a frame with what its flags begin; None when it is not sound, or begins nothing.

    `raw` begins with the frame. The answer holds the frame as it came.
    """
    mended = _mended(raw)
    if mended is None:
        return None
    try:
        frame = decode_frame(mended, profile)
    except Gb26875Error:
        return None
    whole = Decoded(0, raw[: MIN_FRAME + declared_length(raw)], frame)
    messages = list(_begun(whole, error, profile))
    return (whole, messages) if messages else None


def _begun(whole: Decoded, error: Gb26875Error, profile: DeviceProfile) -> Iterator[Message]:
    frame = whole.frame
    code = None if frame.adu is None else frame.adu.type
    sent_at = frame.time_label.instant(profile)
    part = 0
    for _, message in read_signals(frame, profile):
        if message.kind in _BEGINS:
            place = FramePart(
                profile.name, frame.serial, frame.command, code, None, (f"adu {error.code.value}",), whole.raw, part
            )
            part += 1
            yield message._replace(occurred_at=sent_at, frame=place, flags=(*message.flags, Flag.SALVAGED))


def _mended(raw: bytes) -> bytes | None:
    """Return the frame with a data unit of whole objects, None when it is not sound or of no type that alarms."""
    if len(raw) < MIN_FRAME or len(raw) < MIN_FRAME + declared_length(raw):
        return None
    size = MIN_FRAME + declared_length(raw)
    if raw[size - 2 : size] != END or checksum(raw[2 : size - 3]) != raw[size - 3]:
        return None
    unit = raw[ADU_OFFSET : size - 3]
    sure = _FLAGS_END.get(unit[0]) if len(unit) > HEAD_SIZE else None
    if sure is None or len(unit) < HEAD_SIZE + sure:
        return None
    spec, count = TYPES[unit[0]], unit[1]
    if not 0 < count <= spec.max_count or len(unit) < HEAD_SIZE + count * spec.wire.size:
        count = 1
    objects = unit[HEAD_SIZE : HEAD_SIZE + count * spec.wire.size].ljust(count * spec.wire.size, b"\0")
    mended = bytes((unit[0], count)) + objects
    head = raw[2:LENGTH_OFFSET] + len(mended).to_bytes(2, "little") + raw[COMMAND_OFFSET:ADU_OFFSET]
    return raw[:2] + head + mended + bytes((checksum(head + mended),)) + END
