"""Bytes to text, when they are not what they should be: the likely reading, never none."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = 64
"""So many bytes tell whether every second one is zero."""

_LONGER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""Characters of more than one byte in UTF-8."""


def likely_text(payload: bytes) -> tuple[str, str]:
    """Return the text, and what is odd about its encoding, "" for nothing."""
    for mark, name in _MARKS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(name, "replace"), f"encoding: {name} with a byte order mark"
    wide = _wide(payload)
    if wide is not None:
        return payload.decode(wide, "replace"), f"encoding: {wide}"
    try:
        return payload.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    if not _is_mostly_utf8(payload):
        try:
            return payload.decode("gb18030"), "encoding: gb18030"
        except UnicodeDecodeError:
            pass
    return payload.decode("utf-8", "replace"), "encoding: bytes that are no UTF-8"


def _wide(payload: bytes) -> str | None:
    """Return the encoding when the beginning is plain text in two bytes each, None when it is not."""
    start = payload[:_WIDE]
    half = len(start) // 2
    if half < 4:
        return None
    first, second = start[0 : 2 * half : 2], start[1 : 2 * half : 2]
    if second.count(0) > half * 3 // 4 and first.count(0) < half // 4:
        return "utf-16-le"
    if first.count(0) > half * 3 // 4 and second.count(0) < half // 4:
        return "utf-16-be"
    return None


def _is_mostly_utf8(payload: bytes) -> bool:
    """Say whether most of what is not ASCII makes whole characters of UTF-8: texts of GBK hardly ever do."""
    beyond = sum(byte > 0x7F for byte in payload)
    return 2 * sum(len(found) for found in _LONGER.findall(payload)) > beyond
