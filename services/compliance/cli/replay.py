"""`replay`: figures of a span computed anew from the log, and held against what was published.

Every revision whose period lies within FROM and TO is computed as known when it was published, by the formulas of
`figures`, from the log as it stands in the archive or in Kafka. Each that differs is printed, one JSON object a line.
Exit code 0: all are the same, byte for byte; 1: some differ; 2 to 5 as for `figures`. With `--pack` it is shown what
other packs would have said: no difference is a fault then, and the exit code is 0.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, TextIO

from schemas.establishing import Establishing, is_passed_over
from schemas.inputs import EXIT_OF, InputError, json_line, read_packs
from schemas.pack import Pack
from schemas.topics import LOGGED, all_topics
from services.compliance.adapters import archive_lines
from services.compliance.adapters.archive_reader import ArchiveReader, BadArchive
from services.compliance.adapters.ask import to_micros
from services.compliance.adapters.facts import Facts, known
from services.compliance.adapters.figure_rows import figure_text
from services.compliance.adapters.kafka_copy import copy_of_kafka
from services.compliance.adapters.log_fold import log_line, packs_known
from services.compliance.adapters.packs import policies
from services.compliance.adapters.stored import StoreAway, StoredFigure, figures_between
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import ask_of, part_of
from services.compliance.ports import Waits
from services.compliance.settings import ComplianceSettings
from services.kernel.calendar import day_of, text
from services.runtime.settings import load

MS = 1000


def run(arguments: list[str], out: BinaryIO, errors: TextIO) -> int:
    """Write what differs to `out`, what was done to `errors`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.compliance replay", description=__doc__)
    parser.add_argument("start", metavar="FROM", help="RFC 3339, or a date: its 00:00 in Asia/Shanghai")
    parser.add_argument("end", metavar="TO")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--archive", type=Path, help="folder of the archive; that of the settings without it")
    source.add_argument("--kafka", action="store_true", help="the log as Kafka holds it (FIRENET_KAFKA_BOOTSTRAP)")
    parser.add_argument("--pack", action="append", default=[], type=Path, help="what this pack (YAML) would have said")
    options = parser.parse_args(arguments)
    settings = load(ComplianceSettings)
    tell = partial(print, file=errors)
    try:
        start, end = to_micros(options.start), to_micros(options.end)
        packs = read_packs(options.pack) if options.pack else None
        dsn = settings.database_dsn.get_secret_value()
        stored = list(figures_between(dsn, start, end))
        with tempfile.TemporaryDirectory(prefix="firenet-replay-") as folder:
            root = options.archive or settings.archive_root
            if options.kafka:
                root = Path(folder)
                topics = {each.name: each.partitions for each in all_topics().values() if each.name in LOGGED}
                asyncio.run(copy_of_kafka(settings.kafka_bootstrap, topics, root))
            differing = _differing(ArchiveReader(root, tell), stored, packs)
            many = sum(1 for line in differing if out.write(json_line(line).encode()))
    except (BadArchive, StoreAway, Waits) as error:
        return _refuse(InputError("bad_log", str(error)), out)
    except ValueError as error:
        return _refuse(InputError("bad_ask", f"FROM and TO: {error}"), out)
    except InputError as error:
        return _refuse(error, out)
    tell(f"{len(stored)} revisions, {many} {'would be other figures' if packs else 'differ'}")
    return 1 if many and packs is None else 0


def _refuse(error: InputError, out: BinaryIO) -> int:
    out.write(error.line().encode("utf-8", "replace"))
    return EXIT_OF[error.code]


def _differing(
    reader: ArchiveReader, stored: list[StoredFigure], packs: list[Pack] | None
) -> Iterator[dict[str, object]]:
    if not stored:
        return
    latest = max(each.known_at for each in stored)
    for ruling, figures in _by_packs(reader, stored, packs):
        facts = _facts(reader, ruling, latest)
        judged_by = policies(ruling)
        for known_at, group in groupby(figures, key=lambda each: each.known_at):
            knowledge = Knowledge(known([], facts, known_at), judged_by)
            for each in group:
                now = _computed(knowledge, judged_by, each)
                if now != each.text:
                    yield _difference(each, now)


def _by_packs(
    reader: ArchiveReader, stored: list[StoredFigure], packs: list[Pack] | None
) -> Iterator[tuple[list[Pack], list[StoredFigure]]]:
    """Yield what was published under the same packs; under those given, where some are."""
    if packs is not None:
        yield packs, stored
        return
    of: dict[int, list[Pack]] = {}
    for known_at in sorted({each.known_at for each in stored}):
        of[known_at] = packs_known(reader, _until(known_at))
    for _, group in groupby(stored, key=lambda each: [pack.model_dump_json() for pack in of[each.known_at]]):
        figures = list(group)
        yield of[figures[0].known_at], figures


def _facts(reader: ArchiveReader, packs: list[Pack], latest: int) -> Facts:
    found = Facts()
    lines = (log_line(each) for each in reader.lines(b"", _until(latest)))
    events = (line for line in lines if line is not None and not is_passed_over(line.event))
    for fact in Establishing(packs).facts(events):
        found.take(fact)
    return found


def _until(known_at: int) -> bytes:
    """Return the first instant that was not known: archived times are whole milliseconds."""
    return archive_lines.instant(known_at // MS + 1).encode()


def _computed(knowledge: Knowledge, judged_by: Policies, stored: StoredFigure) -> str | None:
    """Return the figure as text, None where these packs do not have it."""
    key = stored.key
    part = part_of(key, judged_by)
    try:
        pack = judged_by.in_force(part.district, day_of(key.window.end - 1))
        return figure_text(evaluate(knowledge, ask_of(key.metric, key.window, part, judged_by, pack)))
    except Refused:
        return None


def _difference(stored: StoredFigure, now: str | None) -> dict[str, object]:
    key = stored.key
    return {
        "metric": key.metric,
        "scope": key.scope,
        "slice": {key.slice_kind: key.slice_id},
        "period": key.window.kind.value,
        "from": text(key.window.start),
        "to": text(key.window.end),
        "revision": stored.revision,
        "known_at": text(stored.known_at),
        "published": stored.text,
        "computed": now,
    }
