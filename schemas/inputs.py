"""Files that both halves of `rules facts | compliance figures` read, and the closed set of errors they answer with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from schemas import codec, strict_yaml
from schemas.pack import Pack
from schemas.registry import RegistryEvent

EXIT_OF = {
    "bad_ask": 2, "unknown_scope": 2, "unknown_metric": 2, "unknown_unit": 2, "unknown_target": 2, "no_pack": 2,
    "bad_pack": 3,
    "bad_registry": 4,
    "bad_log": 5, "log_not_in_order": 5,
}  # fmt: skip
MAX_LINE = 4 * 1024 * 1024
"""Bytes of one line. A wire record is at most 1 MiB; an answer to a longer line would be memory, not evidence."""
MAX_ASK = 4 * 1024 * 1024


class InputError(Exception):
    """`code` is a key of EXIT_OF, `where` free text that quotes nothing of the content."""

    def __init__(self, code: str, where: str) -> None:
        super().__init__(f"{code}: {where}")
        self.code = code
        self.where = where

    def line(self) -> str:
        """Return the one line of JSON that stands in place of an answer."""
        return json_line({"error": {"code": self.code, "where": self.where}})


def json_line(value: object) -> str:
    """Return `value` as one line: keys sorted, no blanks, a newline at the end."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def lines(stream: BinaryIO, code: str) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line). Raises InputError(code) for a line longer than MAX_LINE."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise InputError(code, f"line {number}: longer than {MAX_LINE} bytes")
        yield number, line.rstrip(b"\r\n")


def read_bytes(path: Path, code: str, limit: int) -> bytes:
    """Return the bytes of a file of at most `limit`. Raises InputError(code)."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise InputError(code, f"{path.name}: {error.strerror}") from error
    if len(raw) > limit:
        raise InputError(code, f"{path.name}: more than {limit} bytes")
    return raw


def read_packs(paths: list[Path]) -> list[Pack]:
    """Read policy packs. Raises InputError: `no_pack` for an empty list, `bad_pack` for what is none."""
    if not paths:
        raise InputError("no_pack", "no --pack was given")
    return [_read_pack(path) for path in paths]


def _read_pack(path: Path) -> Pack:
    raw = read_bytes(path, "bad_pack", 4 * strict_yaml.MAX_CHARS)
    try:
        return Pack.model_validate(strict_yaml.read(raw.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise InputError("bad_pack", f"{path.name}: not UTF-8") from error
    except strict_yaml.WrongYaml as error:
        raise InputError("bad_pack", f"{path.name} line {error.line}: not a pack in YAML") from error
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise InputError("bad_pack", f"{path.name}: {place or 'not the fields of a pack'}") from error


def read_registry(path: Path) -> list[RegistryEvent]:
    """Read one RegistryEvent a line. Raises InputError `bad_registry`."""
    events: list[RegistryEvent] = []
    try:
        with path.open("rb") as stream:
            for number, line in lines(stream, "bad_registry"):
                try:
                    events.append(codec.registry.decode(line))
                except codec.BadRecord as error:
                    raise InputError("bad_registry", f"line {number}: {error.detail}") from error
    except OSError as error:
        raise InputError("bad_registry", f"{path.name}: {error.strerror}") from error
    return events
