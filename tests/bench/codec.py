"""How many GB/T 26875.3 frames one core decodes: `python -m tests.bench.codec`.

Everything is decoded completely: header, every object, times, texts. The traffic comes from 2000
devices over two minutes, so time labels repeat as they do in a district; the line "every label
different" shows what that is worth. Frames per second of processor time, so that other work on the
machine counts little; middle and best of seven runs in one process.
"""

import random
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import median
from time import process_time

from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    ComponentAddress,
    Decoded,
    Frame,
    StreamDecoder,
    Text,
    TimeLabel,
    decode_frame,
    encode_frame,
)
from services.ingest.domain.gb26875 import bodies as b
from services.ingest.domain.gb26875.bodies import Body

FLOOR_FRAMES_PER_S = 100_000
FRAMES = 20_000
DEVICES = 2_000
RUNS = 7
CHUNK = 4096
BEGIN = datetime(2024, 5, 6, 7, 0)  # noqa: DTZ001

CENTRE = (10).to_bytes(6, "little")


def label(seconds: int) -> TimeLabel:
    return TimeLabel.of(BEGIN + timedelta(seconds=seconds), STANDARD)


def component(chance: random.Random, at: TimeLabel) -> b.ComponentStatus:
    place = f"{chance.randint(1, 30)}号楼{chance.randint(1, 33)}层走廊感烟"
    address = ComponentAddress(chance.randbytes(4))
    word = chance.choice((1, 3, 5, 9))
    return b.ComponentStatus(1, 0, 42, address, word, Text.of(place, STANDARD, 31), at)


def frame_of(chance: random.Random, code: int, objects: tuple[Body, ...], at: TimeLabel) -> bytes:
    source = (100_000 + chance.randrange(DEVICES)).to_bytes(6, "little")
    return encode_frame(Frame(chance.randrange(1 << 16), 1, 0, at, source, CENTRE, 2, Adu(code, objects)))


def device_status(chance: random.Random, at: TimeLabel) -> bytes:
    return frame_of(chance, 21, (b.DeviceStatus(1, at),), at)


def component_status(chance: random.Random, at: TimeLabel) -> bytes:
    return frame_of(chance, 2, (component(chance, at),), at)


def analog_value(chance: random.Random, at: TimeLabel) -> bytes:
    sample = b.AnalogValue(12, 4, 99, ComponentAddress(chance.randbytes(4)), 5, chance.randint(0, 9000), at)
    return frame_of(chance, 3, (sample,), at)


def two_systems(chance: random.Random, at: TimeLabel) -> bytes:
    return frame_of(chance, 1, (b.SystemStatus(1, 0, 1, at), b.SystemStatus(10, 1, 0x0801, at)), at)


def full_frame(chance: random.Random, at: TimeLabel) -> bytes:
    return frame_of(chance, 2, tuple(component(chance, at) for _ in range(22)), at)


def typical(chance: random.Random, at: TimeLabel) -> bytes:
    """40 % device status, 30 % one component, 20 % one analog value, 10 % two systems."""
    shapes = (device_status, component_status, analog_value, two_systems)
    [shape] = chance.choices(shapes, weights=(40, 30, 20, 10))
    return shape(chance, at)


def traffic(shape: Callable[[random.Random, TimeLabel], bytes], count: int, spread_s: int = 120) -> list[bytes]:
    chance = random.Random(26875)
    return [shape(chance, label(number * spread_s // count)) for number in range(count)]


def rates(work: Callable[[], int]) -> tuple[float, float]:
    """Return the best and the middle number of frames per second."""
    seen = []
    for _ in range(RUNS):
        begun = process_time()
        done = work()
        seen.append(done / (process_time() - begun))
    return max(seen), median(seen)


def decoding(frames: list[bytes]) -> Callable[[], int]:
    def work() -> int:
        for raw in frames:
            decode_frame(raw)
        return len(frames)

    return work


def streaming(frames: list[bytes]) -> Callable[[], int]:
    stream = b"".join(frames)

    def work() -> int:
        decoder = StreamDecoder()
        found = 0
        for at in range(0, len(stream), CHUNK):
            found += sum([isinstance(event, Decoded) for event in decoder.feed(stream[at : at + CHUNK])])
        return found

    return work


def encoding(frames: list[bytes]) -> Callable[[], int]:
    values = [decode_frame(raw) for raw in frames]

    def work() -> int:
        for frame in values:
            encode_frame(frame)
        return len(values)

    return work


def report(name: str, work: Callable[[], int]) -> float:
    best, middle = rates(work)
    print(f"{name:42s} {middle:>10,.0f} /s   best {best:>10,.0f} /s")
    return middle


def main() -> int:
    mix = traffic(typical, FRAMES)
    middle = report("decode, typical mix", decoding(mix))
    report("decode, typical mix, every label different", decoding(traffic(typical, FRAMES, spread_s=FRAMES)))
    for shape in (device_status, component_status, analog_value, two_systems):
        report(f"decode, {shape.__name__}", decoding(traffic(shape, FRAMES)))
    report("decode, 22 components in 1004 bytes", decoding(traffic(full_frame, FRAMES // 20)))
    report(f"stream in chunks of {CHUNK}, typical mix", streaming(mix))
    report("encode, typical mix", encoding(mix))
    verdict = "met" if middle >= FLOOR_FRAMES_PER_S else "MISSED"
    print(f"floor of {FLOOR_FRAMES_PER_S:,} typical frames/s on one core: {verdict}")
    return 0 if verdict == "met" else 1


if __name__ == "__main__":
    sys.exit(main())
