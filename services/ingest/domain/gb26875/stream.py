"""Frames out of a byte stream that may hold anything, in bounded memory (1.2 of our notes).

Frames are found by their length field. After a frame that breaks a rule the search goes on at the
byte after its start, so a false start never swallows the real frame behind it.

Every byte fed belongs to exactly one event: `b"".join(event.raw for event in events)` is the input.
"""

from dataclasses import dataclass
from typing import NamedTuple

from services.ingest.domain.gb26875.errors import ErrorCode, FrameError, Gb26875Error
from services.ingest.domain.gb26875.frame import (
    LENGTH_OFFSET,
    MIN_FRAME,
    START,
    Frame,
    decode_frame,
    truncated,
)
from services.ingest.domain.gb26875.profile import STANDARD, DeviceProfile

MAX_REJECTED_RAW = 4096

_LENGTH_KNOWN = LENGTH_OFFSET + 2


class Decoded(NamedTuple):
    """A good frame; `offset` is its place in the stream, `raw` its bytes."""

    offset: int
    raw: bytes
    frame: Frame


class Rejected(NamedTuple):
    """Bytes that are no frame, in pieces of at most 4096.

    `error.offset` counts from the rejected start. One bad frame is one event with `continued`
    false; false starts inside it are not told apart. `continued` marks further bytes of the same
    rejection, kept for the record: do not answer or count them again.
    """

    offset: int
    raw: bytes
    error: Gb26875Error
    continued: bool


Event = Decoded | Rejected


@dataclass(slots=True)
class _Rejection:
    """A rejection that goes on until the next good frame, or the next bad one at or after `until`."""

    error: Gb26875Error
    until: int
    reported: bool = False


class StreamDecoder:
    """Turns the bytes of one connection into events.

    Between calls it holds less than one frame (at most 1053 bytes); one call adds what it is fed.
    It knows no time: whoever reads the connection calls `finish` when it ends, or when
    `pending` bytes have waited too long for the rest of their frame.
    """

    def __init__(self, profile: DeviceProfile = STANDARD) -> None:
        self._profile = profile
        self._data = b""
        self._base = 0  # stream offset of _data[0]
        self._mark = 0  # rejected bytes before this index of _data are reported
        self._rejection: _Rejection | None = None

    @property
    def pending(self) -> int:
        """Bytes held back: the beginning of a frame, or half a start mark."""
        return len(self._data)

    def feed(self, data: bytes) -> list[Event]:
        """Return what became certain with these bytes, in stream order. Never raises for their content."""
        self._data += data
        return self._drain(final=False)

    def finish(self) -> list[Event]:
        """Give up waiting: reject the unfinished frame, and find whole frames that it may have hidden.

        The decoder may be fed again afterwards.
        """
        return self._drain(final=True)

    def _drain(self, *, final: bool) -> list[Event]:
        events: list[Event] = []
        data = self._data
        self._mark = at = 0
        while True:
            start = data.find(START, at)
            if start < 0:
                at = self._skip(at, len(data) - (not final and data.endswith(b"@", at)))
                break
            if at != start:
                self._skip(at, start)
            size = self._size(start)
            if size is None and not final:
                at = start
                break
            at = start + self._take(start, size or 0, events)
        self._tell(at, events)
        self._data = data[at:]
        self._base += at
        return events

    def _size(self, start: int) -> int | None:
        """Return how many bytes a verdict on the start needs, None while they are not all there."""
        there = len(self._data) - start
        if there < _LENGTH_KNOWN:
            return None
        length = self._data[start + LENGTH_OFFSET] | self._data[start + LENGTH_OFFSET + 1] << 8
        size = MIN_FRAME + length if length <= self._profile.adu_limit else _LENGTH_KNOWN
        return size if size <= there else None

    def _take(self, start: int, size: int, events: list[Event]) -> int:
        """Look at the start and return how many bytes to go on by: a whole good frame, or one byte.

        Shape:  `size` is 0 for a start whose bytes end too early.
        """
        raw = self._data[start : start + size] if size else self._data[start:]
        if size < MIN_FRAME and self._covered(start):
            return 1
        try:
            if not size:
                raise truncated(raw)
            frame = decode_frame(raw, self._profile)
        except Gb26875Error as error:
            if not self._covered(start):
                self._tell(start, events)
                until = max(size, MIN_FRAME) if size else len(self._data) - start
                self._rejection = _Rejection(error, self._base + start + until)
            return 1
        if self._mark != start:
            self._tell(start, events)
        self._rejection = None
        self._mark = start + size
        events.append(tuple.__new__(Decoded, (self._base + start, raw, frame)))
        return size

    def _covered(self, start: int) -> bool:
        """Say whether this start lies inside what an earlier rejection claimed to be its frame."""
        return self._rejection is not None and self._base + start < self._rejection.until

    def _skip(self, at: int, end: int) -> int:
        """Pass over bytes without a start mark; they are a rejection of their own unless one goes on."""
        if at < end and self._rejection is None:
            message = f"start mark must be 4040, got {self._data[at : at + 2].hex()}"
            self._rejection = _Rejection(FrameError(ErrorCode.BAD_START, 0, message), self._base + at)
        return max(at, end)

    def _tell(self, end: int, events: list[Event]) -> None:
        """Emit the rejected bytes up to `end`."""
        for at in range(self._mark, end, MAX_REJECTED_RAW):
            assert self._rejection is not None
            raw = self._data[at : min(end, at + MAX_REJECTED_RAW)]
            events.append(Rejected(self._base + at, raw, self._rejection.error, self._rejection.reported))
            self._rejection.reported = True
        self._mark = end


def decode_all(data: bytes, profile: DeviceProfile = STANDARD) -> list[Event]:
    """Return every frame and every rejection in one block of bytes, such as a datagram or a capture."""
    decoder = StreamDecoder(profile)
    return decoder.feed(data) + decoder.finish()
