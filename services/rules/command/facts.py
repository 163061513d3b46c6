"""`facts`: policy packs, registry and log in, what they establish out. No clock, no environment, no network."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

from schemas import facts as wire
from schemas.codec import BadRecord, Codec
from schemas.establishing import FIRST_YEAR, LAST_YEAR, Establishing, LogLine, is_believable, is_passed_over
from schemas.inputs import EXIT_OF, InputError, lines, read_packs, read_registry

STDIN = Path("/dev/stdin")
MAX_IN_MEMORY = 64 * 1024 * 1024
"""Bytes of facts that wait in memory for the end of the log; the rest waits in a file. A half-read log tells none."""
_LOG: Codec[LogLine] = Codec(LogLine)


def run(arguments: list[str], out: BinaryIO) -> int:
    """Write the facts, or the error in their place, to `out`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.rules facts", description=__doc__)
    parser.add_argument("--pack", action="append", default=[], type=Path, help="policy pack (YAML), once or more")
    parser.add_argument("--registry", required=True, type=Path, help="registry events (JSON lines)")
    parser.add_argument("--log", required=True, type=Path, help="log of one partition (JSON lines); - is stdin")
    options = parser.parse_args(arguments)
    try:
        packs = read_packs(options.pack)
        read_registry(options.registry)
        with SpooledTemporaryFile(MAX_IN_MEMORY) as told:
            count = 0
            for fact in Establishing(packs).facts(_read_log(options.log)):
                told.write(wire.facts.encode(fact) + b"\n")
                count += 1
            told.seek(0)
            shutil.copyfileobj(told, out)
    except InputError as error:
        out.write(error.line().encode("utf-8", "replace"))
        return EXIT_OF[error.code]
    out.write(wire.facts.encode(wire.EndFact(facts=count)) + b"\n")
    return 0


def _read_log(path: Path) -> Iterator[LogLine]:
    """Yield the lines. Raises InputError `bad_log` or `log_not_in_order`."""
    latest = None
    try:
        with STDIN.open("rb") if str(path) == "-" else path.open("rb") as stream:
            for number, raw in lines(stream, "bad_log"):
                try:
                    line = _LOG.decode(raw)
                except BadRecord as error:
                    raise InputError("bad_log", f"line {number}: {error.detail}") from error
                if latest is not None and line.recorded_at < latest:
                    raise InputError("log_not_in_order", f"line {number}")
                latest = line.recorded_at
                if not is_believable(line):
                    raise InputError("bad_log", f"line {number}: a year from {FIRST_YEAR} to {LAST_YEAR}")
                if not is_passed_over(line.event):
                    yield line
    except OSError as error:
        raise InputError("bad_log", f"{path.name}: {error.strerror}") from error
