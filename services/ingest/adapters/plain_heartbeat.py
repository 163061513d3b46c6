"""Heartbeats as nearly all gateways write them, read by one compiled pattern.

They are nearly all of the traffic, and the wire model costs four times as much. Whatever does not fit is no fault: it
goes through the wire model, and only that refuses anything. A test holds both ways equal.
"""

import re
from datetime import datetime

from services.ingest.domain.values import Message, Point
from services.kernel.words import SignalKind

_TEXT = r'"([^"\\\x00-\x1f]{%s})"'
"""Without an escape, and so without a quote; the control characters are those that JSON forbids."""
_NAME = _TEXT % "0,64"
_SHORT = _TEXT % "0,200"
_HOUR = r"(?:[01]\d|2[0-3])"
"""Bounds that `datetime.fromisoformat` does not keep: it takes a zone of +08:75, and of Python 3.14 on the hour 24."""

_HEARTBEAT = re.compile(
    r'\{"v": ?1, ?"kind": ?"heartbeat"'
    r'(?:, ?"seq": ?(0|[1-9]\d{0,14})|)'
    r'(?:, ?"occurred_at": ?"(\d{4}-\d\d-\d\dT'
    rf'{_HOUR}:\d\d:\d\d(?:\.\d{{3}}(?:\d{{3}}|)|)(?:Z|[+-]{_HOUR}:[0-5]\d))"|)'
    r'(?:, ?"unit_id": ?"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})"|)'
    rf'(?:, ?"point": ?\{{"address": ?{_TEXT % "1,64"}(?:, ?"system": ?{_NAME}|)(?:, ?"type": ?{_NAME}|)'
    rf'(?:, ?"label": ?{_SHORT}|)\}}|)'
    rf'(?:, ?"text": ?{_SHORT}|)\}}',
    re.ASCII,
).fullmatch
"""In the order of the schema, with one space behind colons and commas or none. `(?:x|)` costs less than `(?:x)?`."""


def read_plain_heartbeat(payload: bytes) -> Message | None:
    """Return what a heartbeat says that is written in the usual way; None for anything else."""
    try:
        found = _HEARTBEAT(payload.decode())
        if found is None:
            return None
        seq, occurred_at, unit_id, address, system, kind, label, text = found.groups()
        return Message(
            SignalKind.HEARTBEAT,
            None if seq is None else int(seq),
            None if occurred_at is None else datetime.fromisoformat(occurred_at),
            unit_id,
            None if address is None else Point(address, system, kind, label),
            None,
            None,
            text,
        )
    except ValueError:  # no UTF-8, or no day of the calendar
        return None
