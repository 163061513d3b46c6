"""GB/T 26875.3 frames as bytes, written from the standard's tables alone: a check on the codec of ingest."""

import struct
from datetime import datetime

from services.kernel.calendar import CHINA
from services.simulator.domain.frames import (
    Body,
    DeviceClock,
    DeviceOperated,
    DeviceState,
    DeviceVersion,
    DutyCheck,
    Flag,
    Frame,
    Opaque,
    Part,
    PartState,
    Sample,
    SetClock,
    SystemOperated,
    SystemState,
)
from services.simulator.domain.makes import Make

DESCRIPTION_BYTES = 31
START, END = b"@@", b"##"
SHORTEST = 30
_HEAD = struct.Struct("<HBB6s6s6sHB")
_TYPES: dict[type[Body], int] = {
    SystemState: 1, PartState: 2, Sample: 3, SystemOperated: 4, DeviceState: 21, DeviceOperated: 24, DeviceVersion: 25,
    DeviceClock: 28,
}  # fmt: skip


def write(frame: Frame, make: Make) -> bytes:
    """Return the frame as this make sends it."""
    unit = _unit(frame.bodies, make)
    inner = _HEAD.pack(
        frame.serial, *make.versions, label(frame.at, make), frame.source, frame.dest, len(unit), frame.command
    )
    inner += unit
    return START + inner + bytes((sum(inner) % 256,)) + END


def label(at: datetime, make: Make) -> bytes:
    """Return second, minute, hour, day, month, year in Beijing time."""
    local = at.astimezone(CHINA)
    parts = (local.second, local.minute, local.hour, local.day, local.month, local.year - 2000)
    return bytes(part // 10 * 16 + part % 10 for part in parts) if make.bcd else bytes(parts)


def read(data: bytes, make: Make) -> tuple[list[Frame], bytes]:
    """Return the whole frames in a piece of a stream, and what is left for the next piece. Bytes between are lost."""
    frames: list[Frame] = []
    while (start := data.find(START)) >= 0:
        data = data[start:]
        if len(data) < SHORTEST:
            return frames, data
        serial, _, _, at, source, dest, size, command = _HEAD.unpack_from(data, 2)
        if len(data) < SHORTEST + size and size <= 1024:
            return frames, data
        end = 27 + size
        if size > 1024 or data[end + 1 : end + 3] != END or sum(data[2:end]) % 256 != data[end]:
            data = data[1:]
            continue
        body = _heard(data[27:end], make)
        sent_at = _time(at, make) or datetime.min.replace(tzinfo=CHINA)
        frames.append(Frame(serial, command, sent_at, source, dest, body))
        data = data[end + 3 :]
    return frames, data[-1:] if data.endswith(b"@") else b""


def _heard(unit: bytes, make: Make) -> tuple[Body, ...]:
    if len(unit) == 8 and unit[:2] == b"\x5a\x01":
        return (SetClock(_time(unit[2:], make)),)
    if len(unit) == 3 and unit[:2] == b"\x5b\x01":
        return (DutyCheck(unit[2]),)
    return (Opaque(unit),) if unit else ()


def _time(raw: bytes, make: Make) -> datetime | None:
    second, minute, hour, day, month, year = ((one >> 4) * 10 + (one & 15) if make.bcd else one for one in raw)
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=CHINA)
    except ValueError:
        return None


def _unit(bodies: tuple[Body, ...], make: Make) -> bytes:
    if not bodies:
        return b""
    if isinstance(bodies[0], Opaque):
        return bodies[0].raw
    return bytes((_TYPES[type(bodies[0])], len(bodies))) + b"".join(_body(body, make) for body in bodies)


def _body(body: Body, make: Make) -> bytes:
    match body:
        case DeviceVersion(major, minor):
            return bytes((major, minor))
        case SetClock() | DutyCheck() | Opaque():
            raise ValueError(f"no device says {type(body).__name__} as one object of many")
        case _:
            return _fields(body, make) + label(body.at, make)


def _fields(
    body: SystemState | PartState | Sample | SystemOperated | DeviceState | DeviceOperated | DeviceClock, make: Make
) -> bytes:
    """Return an information object without its time label."""
    match body:
        case SystemState(system, number, flags):
            return struct.pack("<BBH", system, number, _flags(flags, make))
        case PartState(part, flags, text):
            return _part(part, make) + struct.pack("<H", _flags(flags, make)) + _text(text, make)
        case Sample(part, quantity, raw):
            return _part(part, make) + struct.pack("<Bh", quantity, raw)
        case SystemOperated(system, number, keys, operator):
            return bytes((system, number, keys, operator))
        case DeviceState(device_flags):
            return bytes((_flags(device_flags, make),))
        case DeviceOperated(keys, operator):
            return bytes((keys, operator))
        case DeviceClock():
            return b""


def _flags(flags: int, make: Make) -> int:
    return int(flags) if make.normal_bit else int(flags) & ~Flag.NORMAL


def _part(part: Part, make: Make) -> bytes:
    words = (part.point, part.zone) if make.point_first else (part.zone, part.point)
    return struct.pack("<BBBHH", part.system, part.number, part.kind, *words)


def _text(text: str, make: Make) -> bytes:
    """Return 31 bytes of GB 18030, cut between characters."""
    raw = b""
    for character in text:
        written = character.encode("gb18030")
        if len(raw) + len(written) > DESCRIPTION_BYTES:
            break
        raw += written
    return (raw + make.stray)[:DESCRIPTION_BYTES].ljust(DESCRIPTION_BYTES, make.pad)
