"""The compound values of the standard: time labels, texts, addresses. Each keeps its raw bytes.

The raw bytes are the value; what they mean is read from them by the device profile. So what was
received is written back byte for byte, also where it means nothing.
"""

from codecs import getdecoder
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from services.ingest.domain.gb26875.errors import EncodeError, ErrorCode
from services.ingest.domain.gb26875.profile import ComponentOrder, DeviceProfile, TimeCoding

LABEL_SIZE = 6
ADDRESS_SIZE = 6
COMPONENT_ADDRESS_SIZE = 4
DESCRIPTION_SIZE = 31
MAX_TEXT = 255

_LABELS_KEPT = 1024
_CENTURY = 2000
_BINARY = TimeCoding.BINARY
_PADDING = b"\x00 "
_decode = getdecoder("gb18030")  # a third of the cost of bytes.decode, which looks the codec up each time


class TimeLabel(NamedTuple):
    """A time label (8.2.3): `at` in the device's own zone, None when the bytes are no date.

    Units:  `at` is naive, whole seconds, years 2000-2099; the standard names no zone.
            `instant` turns it into UTC by the device profile.
    """

    at: datetime | None
    raw: bytes

    @classmethod
    def of(cls, at: datetime, profile: DeviceProfile) -> "TimeLabel":
        """Return the label for a naive local time; part seconds are cut off.

        Raises:  EncodeError(FIELD_RANGE) for an aware time or a year outside 2000-2099.
        """
        if at.tzinfo is not None or not _CENTURY <= at.year < _CENTURY + 100:
            raise EncodeError(ErrorCode.FIELD_RANGE, 0, f"a label holds a local time of 2000-2099, got {at}")
        raw = bytes((at.second, at.minute, at.hour, at.day, at.month, at.year - _CENTURY))
        if profile.time_coding is TimeCoding.BCD:
            raw = bytes(part // 10 << 4 | part % 10 for part in raw)
        return cls(at.replace(microsecond=0, fold=0), raw)

    @classmethod
    def of_instant(cls, instant: datetime, profile: DeviceProfile) -> "TimeLabel":
        """Return the label that the device's clock would show at an aware instant."""
        return cls.of(instant.astimezone(UTC).replace(tzinfo=None) + profile.utc_offset, profile)

    def instant(self, profile: DeviceProfile) -> datetime | None:
        """Return the aware UTC instant, None when the label is no date: fall back to the receiving time."""
        return None if self.at is None else (self.at - profile.utc_offset).replace(tzinfo=UTC)


@lru_cache(maxsize=_LABELS_KEPT)
def read_label(raw: bytes, coding: TimeCoding) -> TimeLabel:
    """Read six bytes: second, minute, hour, day, month, year. Never fails; an impossible time gives `at` None.

    Frames of one second from all devices carry the same label, so the latest few are kept.
    """
    second, minute, hour, day, month, year = raw
    try:
        if coding is not _BINARY:
            second, minute, hour, day, month, year = map(_BCD_VALUE.__getitem__, raw)
        if year > 99:
            return TimeLabel(None, raw)
        # naive on purpose: the label names no zone, see TimeLabel.instant
        return TimeLabel(datetime(_CENTURY + year, month, day, hour, minute, second), raw)  # noqa: DTZ001
    except (ValueError, KeyError):
        return TimeLabel(None, raw)


_BCD_VALUE = {tens << 4 | ones: tens * 10 + ones for tens in range(10) for ones in range(10)}


class Text(NamedTuple):
    """A GB 18030 text: `value` as far as it can be read, `raw` as received with its padding.

    Shape:  a description has exactly 31 raw bytes, a configuration 0 to 255.
    """

    value: str
    raw: bytes

    @classmethod
    def of(cls, value: str, profile: DeviceProfile, size: int | None = None) -> "Text":
        """Return the text padded to `size` bytes; without `size` it is as long as it needs to be.

        Raises:  EncodeError: TEXT_TOO_LONG over `size` or 255 bytes, TEXT_NOT_ENCODABLE when the
                 bytes would not be read back as `value` (a lone surrogate, a NUL, outer spaces).
        """
        try:
            raw = value.encode("gb18030")
        except UnicodeEncodeError as error:
            raise EncodeError(ErrorCode.TEXT_NOT_ENCODABLE, 0, f"no GB 18030 form: {error.reason}") from error
        limit = MAX_TEXT if size is None else size
        if len(raw) > limit:
            raise EncodeError(ErrorCode.TEXT_TOO_LONG, 0, f"text needs {len(raw)} bytes, {limit} fit")
        text = read_text(raw if size is None else raw.ljust(size, profile.text_pad))
        if text.value != value:
            raise EncodeError(ErrorCode.TEXT_NOT_ENCODABLE, 0, f"{value!r} would be read back as {text.value!r}")
        return text


def read_text(raw: bytes) -> Text:
    """Read a text of any padding. Never fails: what cannot be read becomes U+FFFD, `raw` keeps it.

    Front NULs, and NULs and spaces at the end, are padding. A text that has begun ends at the first
    NUL; what stands behind it is what was in the buffer before. A character cut in half at the end
    is left out.
    """
    body = raw.rstrip(_PADDING)
    if 0 in body:
        body = text_body(raw)
    try:
        return tuple.__new__(Text, (_decode(body)[0], raw))  # half the cost of Text(...)
    except UnicodeDecodeError as error:
        if is_cut(error, body):
            return Text(body[: error.start].decode("gb18030"), raw)
        return Text(body.decode("gb18030", "replace"), raw)


def text_body(raw: bytes) -> bytes:
    """Return the bytes of a text without its padding and without what stands behind its end."""
    blank = len(raw) - len(raw.lstrip(_PADDING))
    return raw[raw.rfind(b"\x00", 0, blank) + 1 :].partition(b"\x00")[0].rstrip(_PADDING)


def is_cut(error: UnicodeDecodeError, body: bytes) -> bool:
    """Say whether the one thing wrong with `body` is that its last character lacks its end."""
    return error.end == len(body) and error.reason.startswith("incomplete") and 0x81 <= body[error.start] <= 0xFE


class ComponentAddress(NamedTuple):
    """The four bytes of a component address; the standard gives them no inner structure."""

    raw: bytes

    @property
    def u32_le(self) -> int:
        return int.from_bytes(self.raw, "little")

    @property
    def word0_le(self) -> int:
        return int.from_bytes(self.raw[:2], "little")

    @property
    def word1_le(self) -> int:
        return int.from_bytes(self.raw[2:], "little")

    def parts(self, order: ComponentOrder) -> tuple[tuple[str, int], ...]:
        """Return the named words in the order of the profile; nothing for a plain one."""
        names = _WORD_NAMES[order]
        return tuple(zip(names, (self.word0_le, self.word1_le), strict=True)) if names else ()


_WORD_NAMES: dict[ComponentOrder, tuple[str, ...]] = {
    ComponentOrder.PLAIN: (),
    ComponentOrder.ZONE_POINT: ("zone", "point"),
    ComponentOrder.POINT_ZONE: ("point", "zone"),
    ComponentOrder.CIRCUIT_NODE: ("circuit", "node"),
}


def address_number(raw: bytes) -> int:
    """Return a source or destination address as a number, low byte first."""
    return int.from_bytes(raw, "little")


def address_bytes(number: int) -> bytes:
    """Return the six bytes of an address. Raises EncodeError(FIELD_RANGE) outside 0 to 2**48 - 1."""
    if not 0 <= number < 1 << 8 * ADDRESS_SIZE:
        raise EncodeError(ErrorCode.FIELD_RANGE, 0, f"an address has 48 bits, got {number}")
    return number.to_bytes(ADDRESS_SIZE, "little")


def ipv4_endpoint(raw: bytes) -> str:
    """Return address bytes that hold IPv4 and port in wire order as "a.b.c.d:port"."""
    return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}:{int.from_bytes(raw[4:], 'big')}"
