"""Look at what was refused, take it away, and have it decided anew.

    list     the newest refusals that match, and how many there are
    inspect  one refusal with its bytes, and what the decoders make of it today
    export   all that match, as JSON lines with the bytes in base64
    replay   decide anew with today's registry and decoders, as of when it was received
    adopt    replay all that a gateway said before it was entered in the register, in its order

Instants are ISO 8601 (China time without an offset) or an age such as 90m, 12h, 7d. Exit codes: 0 done, 1 not
everything (no such refusal, or some stay unusable), 2 wrong usage, 3 no answer from Kafka.
"""

import argparse
import asyncio
import getpass
import heapq
import json
import re
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import LogUnavailable
from services.ingest.domain.gb26875 import Document
from services.ingest.domain.replays import Kept, Query, ReplayNote, ReplayOrder, in_time, may_be_of, note_of
from services.ingest.refusals import show
from services.ingest.refusals.workbench import Workbench, open_workbench
from services.ingest.settings import IngestSettings
from services.kernel.calendar import CHINA
from services.kernel.words import RefusalReason
from services.runtime.clock import Clock, SystemClock
from services.runtime.logging import configure
from services.runtime.settings import load

DONE, NOT_ALL, USAGE, NO_KAFKA = 0, 1, 2, 3
BATCH, BATCH_BYTES = 200, 4 * 1024 * 1024
"""Refusals replayed together, at most, and about how many bytes of them."""

REASONS = tuple(reason.value for reason in RefusalReason)
_ID = re.compile(r"[0-9a-f]{32}")
_AGE = re.compile(r"(\d{1,5})([mhd])")
_AGES = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def main(argv: Sequence[str], out: TextIO = sys.stdout, clock: Clock | None = None) -> int:
    """Run one command and return its exit code."""
    clock = clock or SystemClock()
    options = _options(argv, clock.now())
    configure("ingest-refusals", "error", sys.stderr)
    try:
        return asyncio.run(_run(options, load(IngestSettings), clock, out))
    except LogUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return NO_KAFKA
    except OSError as error:
        sys.stderr.write(f"the file cannot be written: {error}\n")
        return USAGE


async def _run(options: argparse.Namespace, settings: IngestSettings, clock: Clock, out: TextIO) -> int:
    async with open_workbench(settings) as bench:
        command = _COMMANDS[options.command]
        code = await command(bench, options, clock, out)
        if bench.log.unreadable:
            sys.stderr.write(
                f"{bench.log.unreadable} records of the topic are no refusals that this version can read\n"
            )
        return code


# --- the five commands


async def _list(bench: Workbench, options: argparse.Namespace, _: Clock, out: TextIO) -> int:
    query = _query(options)
    histories = await bench.log.notes(query.since)
    newest: list[tuple[datetime, str, Kept]] = []
    states: Counter[str] = Counter()
    async for kept in bench.log.refusals(query):
        state = show.state_of(histories.get(kept.place.refusal_id, ()))
        if options.state not in (state, "all"):
            continue
        states[state] += 1
        arrival = kept.arrival
        light = kept._replace(arrival=arrival._replace(payload=b""))  # bytes are for `inspect`
        heapq.heappush(newest, (arrival.received_at, f"{kept.place}", light))
        if len(newest) > options.limit:
            heapq.heappop(newest)
    shown = [kept for _, _, kept in sorted(newest, reverse=True)]
    if options.json:
        for kept in shown:
            _print(out, show.document(kept, histories.get(kept.place.refusal_id, ()), raw=False))
        return DONE
    out.write(show.headings() + "\n")
    for kept in shown:
        out.write(show.row(kept, histories.get(kept.place.refusal_id, ())) + "\n")
    counts = ", ".join(f"{states[state]} {state}" for state in (show.OPEN, show.REPLAYED))
    out.write(f"{len(shown)} shown of {states.total()} that match ({counts})\n")
    return DONE


async def _inspect(bench: Workbench, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    histories = await bench.log.notes(options.since, {options.id})
    history = histories.get(options.id, ())
    async for kept in bench.log.refusals(Query(since=options.since, ids=frozenset({options.id}))):
        ((_, today),) = bench.replayer.decide([kept], clock.now())
        if options.json:
            frames = show.frames(kept, bench.directory)
            _print(out, show.document(kept, history) | {"today": show.verdict(today), "frames": [*frames]})
        else:
            for line in show.sheet(kept, history, today, bench.directory, options.max_bytes):
                out.write(line + "\n")
        return DONE
    sys.stderr.write(f"there is no refusal {options.id} in the log\n")
    return NOT_ALL


async def _export(bench: Workbench, options: argparse.Namespace, _: Clock, out: TextIO) -> int:
    query = _query(options)
    histories = await bench.log.notes(query.since)
    reasons: Counter[str] = Counter()
    with _new_file(options.file) as sink:
        async for kept in bench.log.refusals(query):
            _print(sink, show.document(kept, histories.get(kept.place.refusal_id, ())))
            reasons[kept.reason] += 1
    counts = "".join(f", {count} {reason}" for reason, count in reasons.most_common())
    out.write(f"{reasons.total()} refusals written to {options.file}{counts}\n")
    return DONE


@contextmanager
def _new_file(name: str) -> Iterator[TextIO]:
    """Yield a file that only its owner can read, and that has its name once it is complete. Raises FileExistsError."""
    target, part = Path(name), Path(f"{name}.part")
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    part.touch(mode=0o600)
    with part.open("w", encoding="utf-8") as sink:
        yield sink
    part.rename(target)


async def _replay(bench: Workbench, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    query = _query(options, options.ids)
    histories = await bench.log.notes(query.since, query.ids)
    order = ReplayOrder(secrets.token_hex(16), options.by, clock.now(), ())
    return await _decide_anew(bench, _batches(bench.log.refusals(query)), histories, order, options, out)


async def _adopt(bench: Workbench, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    """What came over several carriers stands in several partitions: sorted as a whole, it is decided in its order."""
    now = clock.now()
    if not isinstance(bench.directory.sender(options.gateway, now), Sender):
        sys.stderr.write(f"the register does not know gateway {options.gateway} today: import it first\n")
        return NOT_ALL
    query = Query(since=options.since, until=options.until)
    histories = await bench.log.notes(query.since)
    found = [kept async for kept in bench.log.refusals(query) if may_be_of(kept, options.gateway, bench.directory, now)]
    order = ReplayOrder(secrets.token_hex(16), options.by, now, (), adopting=True)
    return await _decide_anew(bench, _batches(_each(sorted(found, key=in_time))), histories, order, options, out)


async def _each(refusals: Sequence[Kept]) -> AsyncIterator[Kept]:
    for kept in refusals:
        yield kept


async def _decide_anew(
    bench: Workbench,
    batches: AsyncIterator[list[Kept]],
    histories: Mapping[str, Sequence[ReplayNote]],
    order: ReplayOrder,
    options: argparse.Namespace,
    out: TextIO,
) -> int:
    became: Counter[str] = Counter()
    left = options.limit
    async for batch in batches:
        due = [one for one in batch if options.again or _is_open(one, histories)]
        became["replayed before"] += len(batch) - len(due)
        became["beyond --limit"] += max(0, len(due) - left)
        due = due[:left]
        left -= len(due)
        if options.dry_run:
            decided = bench.replayer.decide(due, order.at, adopting=order.adopting)
            notes = [note_of(kept, outcome, order) for kept, outcome in decided]
        else:
            notes = list(await bench.replayer.replay(due, order))
        for note in notes:
            became[note.reason or "accepted"] += 1
            if options.json:
                _print(out, {"id": note.place.refusal_id, "gateway_id": note.gateway_id} | show.result(note))
            else:
                out.write(f"{note.place.refusal_id}  {note.gateway_id or '-':<16}  {show.told(note)}\n")
    return _sum_up(became, options, out)


def _sum_up(became: Counter[str], options: argparse.Namespace, out: TextIO) -> int:
    if not options.json:
        counts = ", ".join(f"{count} {word}" for word, count in became.most_common() if count)
        out.write(f"{'would be' if options.dry_run else 'are now'}: {counts or 'none matched'}\n")
    ids = getattr(options, "ids", ())
    missing = len(set(ids)) - became.total() if ids else 0
    if missing > 0:
        sys.stderr.write(f"{missing} of the refusals named are not in the log\n")
    done = became["accepted"] + became["replayed before"]
    return DONE if done == became.total() and missing <= 0 else NOT_ALL


async def _batches(refusals: AsyncIterator[Kept]) -> AsyncIterator[list[Kept]]:
    batch: list[Kept] = []
    size = 0
    async for kept in refusals:
        batch.append(kept)
        size += len(kept.arrival.payload)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_open(kept: Kept, histories: Mapping[str, Sequence[ReplayNote]]) -> bool:
    return show.state_of(histories.get(kept.place.refusal_id, ())) == show.OPEN


def _print(sink: TextIO, one: Document) -> None:
    sink.write(json.dumps(one, ensure_ascii=False) + "\n")


_COMMANDS = {"list": _list, "inspect": _inspect, "export": _export, "replay": _replay, "adopt": _adopt}


# --- the command line


def _query(options: argparse.Namespace, ids: Sequence[str] = ()) -> Query:
    return Query(options.reason, options.gateway, options.since, options.until, frozenset(ids))


def _options(argv: Sequence[str], now: datetime) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.ingest.refusals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the newest refusals that match")
    _filters(listing, now)
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="show so many at most (50)")
    listing.add_argument("--state", choices=(show.OPEN, show.REPLAYED, "all"), default="all")

    inspecting = commands.add_parser("inspect", help="everything about one refusal")
    inspecting.add_argument("id", type=_refusal_id, metavar="ID")
    inspecting.add_argument("--since", type=lambda text: _instant(text, now), metavar="WHEN", help="look from here on")
    inspecting.add_argument(
        "--max-bytes", type=_count, default=65536, metavar="N", help="bytes in the hex dump (65536)"
    )

    exporting = commands.add_parser("export", help="all that match, as JSON lines in a new file")
    exporting.add_argument("file", metavar="FILE")
    _filters(exporting, now)

    replaying = commands.add_parser("replay", help="have refusals decided anew; name them, or give a filter")
    replaying.add_argument("ids", nargs="*", type=_refusal_id, metavar="ID")
    _filters(replaying, now)

    adopting = commands.add_parser("adopt", help="all that a gateway said before it was entered in the register")
    adopting.add_argument("gateway", metavar="GATEWAY", help="its id in the register")
    _period(adopting, now)

    for command in (replaying, adopting):
        command.add_argument("--dry-run", action="store_true", help="say what would become of each, store nothing")
        command.add_argument("--again", action="store_true", help="also those that became signals already: same ids")
        command.add_argument("--limit", type=_count, default=1000, metavar="N", help="replay so many at most (1000)")
        command.add_argument("--by", type=_person, default=None, metavar="NAME", help="who orders it (the user)")

    for command in (listing, inspecting, replaying, adopting):
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    if options.command in ("replay", "adopt"):
        options.by = options.by or _person(getpass.getuser())
    if options.command == "replay":
        named = (options.ids, options.reason, options.gateway, options.since, options.until)
        if not any(named):
            replaying.error("name refusals, or say which with --reason, --gateway, --since or --until")
    return options


def _filters(parser: argparse.ArgumentParser, now: datetime) -> None:
    parser.add_argument("--reason", choices=REASONS, metavar="REASON", help=", ".join(REASONS))
    parser.add_argument("--gateway", metavar="ID", help="the gateway that the topic or the device claims")
    _period(parser, now)


def _period(parser: argparse.ArgumentParser, now: datetime) -> None:
    parser.add_argument("--since", type=lambda text: _instant(text, now), metavar="WHEN", help="received then or later")
    parser.add_argument("--until", type=lambda text: _instant(text, now), metavar="WHEN", help="received before then")


def _instant(text: str, now: datetime) -> datetime:
    age = _AGE.fullmatch(text)
    if age is not None:
        return now - int(age[1]) * _AGES[age[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an instant nor an age such as 12h") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=CHINA)


def _refusal_id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no id of a refusal: 32 hex digits")
    return text


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def _person(text: str) -> str:
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has 1 to 64 printable characters")
    return text
