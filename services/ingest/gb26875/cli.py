"""Frames to JSON and back, one object or one frame a line.

Exit codes: 0 everything was good, 1 something was rejected (an object with `error`, `offset` and
`message` says what), 2 wrong usage.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    Decoded,
    DeviceProfile,
    Document,
    Event,
    Gb26875Error,
    Json,
    StreamDecoder,
    encode_frame,
    frame_document,
    read_document,
)

CHUNK = 1 << 16

_NO_HEX = re.compile(r"[^0-9a-fA-F\s]")


class _BadInput(Exception):
    """The input is no hex or no JSON. `offset` counts characters from its beginning."""

    def __init__(self, code: str, offset: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.offset = offset


def main(arguments: Sequence[str], source: TextIO, sink: TextIO) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    given: list[str] = options.input
    profile = None if options.profile is None else PROFILES[options.profile]
    if options.command == "decode":
        return _decode(["\n".join(given)] if given else _chunks(source), profile or STANDARD, sink)
    return _encode(" ".join(given) if given else source.read(), profile, sink)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.ingest.gb26875", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, metavar, help_text in (
        ("decode", "HEX", "print one JSON object per frame; blanks and line ends between bytes do not matter"),
        ("encode", "JSON", "print one line of hex per JSON object, as printed by decode"),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("input", nargs="*", metavar=metavar, help="taken from standard input where not given")
        command.add_argument("--profile", choices=sorted(PROFILES), help="how the device reads the standard")
    return parser


def _chunks(source: TextIO) -> Iterator[str]:
    while chunk := source.read(CHUNK):
        yield chunk


def _decode(texts: Iterable[str], profile: DeviceProfile, sink: TextIO) -> int:
    decoder = StreamDecoder(profile)
    fed = failures = 0
    for data in _hex_bytes(texts):
        if isinstance(data, _BadInput):
            # the frame that the line began is lost with it: one error is enough, but what it hid still counts
            _print_events([event for event in decoder.finish() if isinstance(event, Decoded)], profile, sink)
            _print_error(sink, data.code, data.offset, str(data))
            failures += 1
        else:
            fed += len(data)
            failures += _print_events(decoder.feed(data), profile, sink)
    failures += _print_events(decoder.finish(), profile, sink)
    if not fed and not failures:
        failures += 1
        _print_error(sink, "empty_input", 0, "there is no frame to decode")
    return 1 if failures else 0


def _hex_bytes(texts: Iterable[str]) -> Iterator[bytes | _BadInput]:
    """Yield the bytes of hex text. A line that is not all hex gives what stands before that, and the error.

    No byte goes over a line end: one line that lost a digit must not spoil all that follow.
    """
    half = ""
    broken = False
    passed = 0
    for text in texts:
        for index, line in enumerate(text.split("\n")):
            if index:
                if half:
                    yield _BadInput("bad_hex", passed, "the last byte of the line has one digit only")
                half, broken = "", False
                passed += 1
            bad = None if broken else _NO_HEX.search(line)
            digits = "" if broken else half + "".join(line[: bad.start() if bad else None].split())
            half = digits[-1] if len(digits) % 2 else ""
            yield from _pairs(digits)
            if bad:
                half, broken = "", True
                yield _BadInput("bad_hex", passed + bad.start(), f"{bad[0]!r} is no hex digit")
            passed += len(line)
    if half:
        yield _BadInput("bad_hex", passed, "the last byte has one digit only")


def _pairs(digits: str) -> Iterator[bytes]:
    data = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if data:
        yield data


def _print_events(events: Iterable[Event], profile: DeviceProfile, sink: TextIO) -> int:
    """Print frames and errors and return the number of errors; more bytes of one rejection are no new error."""
    failures = 0
    for event in events:
        if isinstance(event, Decoded):
            _print(sink, frame_document(event.frame, profile))
        elif not event.continued:
            failures += 1
            error = event.error
            _print_error(sink, error.code.value, event.offset + error.offset, error.message, event.raw.hex().upper())
    return failures


def _encode(text: str, profile: DeviceProfile | None, sink: TextIO) -> int:
    failures = 0
    at = 0
    try:
        for at, document in _json_objects(text):
            try:
                used = profile or _named_profile(document, at)
                sink.write(encode_frame(read_document(document, used), used).hex().upper() + "\n")
            except Gb26875Error as error:
                failures += 1
                _print_error(sink, error.code.value, at, error.message)
    except _BadInput as error:
        failures += 1
        _print_error(sink, error.code, error.offset, str(error))
    return 1 if failures else 0


def _named_profile(document: Document, at: int) -> DeviceProfile:
    """Return the profile that the document was decoded with; an unknown name is an error, not `standard`."""
    name = document.get("profile", STANDARD.name)
    if not isinstance(name, str) or name not in PROFILES:
        raise _BadInput("unknown_profile", at, f"there is no profile {name!r}; choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def _json_objects(text: str) -> Iterator[tuple[int, Document]]:
    """Yield each JSON object of the text with the character offset at which it begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_repeats)
    at = _past_blanks(text, 0)
    if at == len(text):
        raise _BadInput("empty_input", 0, "there is no object to encode")
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _BadInput("bad_json", getattr(error, "pos", at), str(error)) from error
        if not isinstance(value, dict):
            raise _BadInput("bad_json", at, "a frame must be a JSON object")
        yield at, value
        at = _past_blanks(text, end)


def _without_repeats(pairs: list[tuple[str, Json]]) -> Document:
    """Return the object. Raises ValueError for a name that it holds twice: only one of the values could be meant."""
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"the name {next(name for name in names if names.count(name) > 1)!r} stands twice in an object"
        )
    return document


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _print_error(sink: TextIO, code: str, offset: int, message: str, raw: str | None = None) -> None:
    document: Document = {"error": code, "offset": offset, "message": message}
    _print(sink, document if raw is None else document | {"raw": raw})


def _print(sink: TextIO, document: object) -> None:
    sink.write(json.dumps(document, ensure_ascii=False) + "\n")
