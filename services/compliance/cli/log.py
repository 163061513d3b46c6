"""`log`: a span of the archived log as one partition, for `python -m services.rules facts --log -`.

FROM and TO are the window of the figures. What was recorded before FROM is printed too, since it decides how a unit
stood at FROM: whether it was ever heard, since when it is silent, which faults are open. All of it by default;
`--before-days` shortens it. What was recorded up to `--after-s` later than TO is printed for the watermark to reach TO.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from schemas import codec
from schemas.inputs import EXIT_OF, InputError
from schemas.topics import EXCHANGES, LISTINGS, REGISTRY, SIGNALS
from services.compliance.adapters import archive_lines
from services.compliance.adapters.archive_lines import Line
from services.compliance.adapters.archive_reader import ArchiveReader, BadArchive
from services.compliance.adapters.ask import to_micros

CODECS: dict[str, codec.Codec[Any]] = {
    SIGNALS: codec.signals,
    EXCHANGES: codec.exchanges,
    REGISTRY: codec.registry,
    LISTINGS: codec.listings,
}
DAY_MS = 86_400_000


def run(arguments: list[str], out: BinaryIO, errors: TextIO) -> int:
    """Write the lines, or the error in their place, to `out`; what was left out to `errors`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.compliance log", description=__doc__)
    parser.add_argument("start", metavar="FROM", help="RFC 3339, or a date: its 00:00 in Asia/Shanghai")
    parser.add_argument("end", metavar="TO")
    parser.add_argument("--archive", required=True, type=Path, help="folder of the archive (COMPLIANCE_ARCHIVE_ROOT)")
    parser.add_argument("--before-days", type=int, help="days of log before FROM; all there are without it")
    parser.add_argument("--after-s", type=int, default=21_600, help="seconds of log after TO (close_after_s)")
    parser.add_argument("--registry-out", type=Path, help="write the registry's last record of each entity there first")
    parser.add_argument("--despite-gaps", action="store_true", help="go on where a part of the log is missing")
    options = parser.parse_args(arguments)
    tell = partial(print, file=errors)
    try:
        start, end = _span(options)
        reader = ArchiveReader(options.archive, tell if options.despite_gaps else None)
        whole = reader.whole_until()
        if whole < end:
            tell(f"the archive is whole until {whole.decode()} only")
            end = whole
        if options.registry_out is not None:
            _write_registry(reader, end, options.registry_out)
        _print(reader.lines(start, end), out, tell)
    except BadArchive as error:
        return _refuse(InputError("bad_log", str(error)), out)
    except InputError as error:
        return _refuse(error, out)
    return 0


def _refuse(error: InputError, out: BinaryIO) -> int:
    out.write(error.line().encode("utf-8", "replace"))
    return EXIT_OF[error.code]


def _span(options: argparse.Namespace) -> tuple[bytes, bytes]:
    """Return begin and end of the log as instants that compare as text. Raises InputError `bad_ask`."""
    try:
        start_ms, end_ms = to_micros(options.start) // 1000, to_micros(options.end) // 1000
    except ValueError as error:
        raise InputError("bad_ask", f"FROM and TO: {error}") from error
    if start_ms >= end_ms:
        raise InputError("bad_ask", "FROM is not before TO")
    begin_ms = 0 if options.before_days is None else max(0, start_ms - options.before_days * DAY_MS)
    return archive_lines.instant(begin_ms).encode(), archive_lines.instant(end_ms + options.after_s * 1000).encode()


def _print(lines: Iterator[Line], out: BinaryIO, tell: Callable[[str], None]) -> None:
    """Write the events as one partition: its offsets are numbers of the merged log, not Kafka's."""
    left_out: Counter[str] = Counter()
    offset = 0
    for line in lines:
        if _is_event(line):
            head = b'{"recorded_at":"%b","topic":"%b","partition":0,"offset":%d,"event":'
            out.write(head % (line.recorded_at, line.topic.encode(), offset) + (line.rest or b"") + b"\n")
            offset += 1
        else:
            left_out[line.topic] += 1
    out.flush()
    for topic, records in sorted(left_out.items()):
        tell(f"{topic}: {records} records are no events and left out, as rules does")


def _is_event(line: Line) -> bool:
    """Whether rules would have taken it: what is no event is counted there and has no effect."""
    if line.rest is None:
        return False
    try:
        CODECS[line.topic].decode(line.rest[:-1])
    except codec.BadRecord:
        return False
    return True


def _write_registry(reader: ArchiveReader, end: bytes, path: Path) -> None:
    """Write the last record of each entity. Raises InputError `bad_registry`."""
    latest: dict[tuple[str, str], bytes] = {}
    for line in reader.registry(end):
        if _is_event(line) and line.rest is not None:
            record = codec.registry.decode(line.rest[:-1]).data.record
            latest[record.kind, record.id] = line.rest[:-1]
    try:
        path.write_bytes(b"".join(latest[key] + b"\n" for key in sorted(latest)))
    except OSError as error:
        raise InputError("bad_registry", f"{path.name}: {error.strerror}") from error
