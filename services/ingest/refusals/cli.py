"""The commands for refusals. What each does and how it is called: `options`."""

import argparse
import asyncio
import heapq
import json
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import LogUnavailable
from services.ingest.domain.gb26875 import Document
from services.ingest.domain.replays import Query, ReplayNote, ReplayOrder, StoredRefusal, in_time, may_be_of, note_of
from services.ingest.refusals import show
from services.ingest.refusals.context import CliContext, open_context
from services.ingest.refusals.options import query_of, read_options
from services.ingest.settings import IngestSettings
from services.runtime.clock import Clock, SystemClock
from services.runtime.logging import configure
from services.runtime.settings import load

DONE, NOT_ALL, USAGE, NO_KAFKA = 0, 1, 2, 3
BATCH, BATCH_BYTES = 200, 4 * 1024 * 1024
"""Refusals replayed together, at most, and about how many bytes of them."""


def main(argv: Sequence[str], out: TextIO = sys.stdout, clock: Clock | None = None) -> int:
    """Run one command and return its exit code."""
    clock = clock or SystemClock()
    options = read_options(argv, clock.now())
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
    async with open_context(settings) as context:
        command = _COMMANDS[options.command]
        code = await command(context, options, clock, out)
        if context.log.unreadable:
            sys.stderr.write(
                f"{context.log.unreadable} records of the topic are no refusals that this version can read\n"
            )
        return code


async def _list(context: CliContext, options: argparse.Namespace, _: Clock, out: TextIO) -> int:
    query = query_of(options)
    histories = await context.log.notes(query.since)
    newest: list[tuple[datetime, str, StoredRefusal]] = []
    states: Counter[str] = Counter()
    async for refusal in context.log.refusals(query):
        state = show.state_of(histories.get(refusal.position.refusal_id, ()))
        if options.state not in (state, "all"):
            continue
        states[state] += 1
        arrival = refusal.arrival
        light = refusal._replace(arrival=arrival._replace(payload=b""))  # bytes are for `inspect`
        heapq.heappush(newest, (arrival.received_at, f"{refusal.position}", light))
        if len(newest) > options.limit:
            heapq.heappop(newest)
    shown = [refusal for _, _, refusal in sorted(newest, reverse=True)]
    if options.json:
        for refusal in shown:
            _print(out, show.document(refusal, histories.get(refusal.position.refusal_id, ()), raw=False))
        return DONE
    out.write(show.headings() + "\n")
    for refusal in shown:
        out.write(show.row(refusal, histories.get(refusal.position.refusal_id, ())) + "\n")
    counts = ", ".join(f"{states[state]} {state}" for state in (show.OPEN, show.REPLAYED))
    out.write(f"{len(shown)} shown of {states.total()} that match ({counts})\n")
    return DONE


async def _inspect(context: CliContext, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    histories = await context.log.notes(options.since, {options.id})
    history = histories.get(options.id, ())
    async for refusal in context.log.refusals(Query(since=options.since, ids=frozenset({options.id}))):
        ((_, today),) = context.replayer.decide([refusal], clock.now())
        if options.json:
            frames = show.frames(refusal, context.directory)
            _print(out, show.document(refusal, history) | {"today": show.verdict(today), "frames": [*frames]})
        else:
            for line in show.sheet(refusal, history, today, context.directory, options.max_bytes):
                out.write(line + "\n")
        return DONE
    sys.stderr.write(f"there is no refusal {options.id} in the log\n")
    return NOT_ALL


async def _export(context: CliContext, options: argparse.Namespace, _: Clock, out: TextIO) -> int:
    query = query_of(options)
    histories = await context.log.notes(query.since)
    reasons: Counter[str] = Counter()
    with _new_file(options.file) as sink:
        async for refusal in context.log.refusals(query):
            _print(sink, show.document(refusal, histories.get(refusal.position.refusal_id, ())))
            reasons[refusal.reason] += 1
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


async def _replay(context: CliContext, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    query = query_of(options, options.ids)
    histories = await context.log.notes(query.since, query.ids)
    order = ReplayOrder(secrets.token_hex(16), options.by, clock.now(), ())
    return await _decide_anew(context, _batches(context.log.refusals(query)), histories, order, options, out)


async def _adopt(context: CliContext, options: argparse.Namespace, clock: Clock, out: TextIO) -> int:
    """What came over several carriers stands in several partitions: sorted as a whole, it is decided in its order."""
    now = clock.now()
    if not isinstance(context.directory.sender(options.gateway, now), Sender):
        sys.stderr.write(f"the register does not know gateway {options.gateway} today: import it first\n")
        return NOT_ALL
    query = Query(since=options.since, until=options.until)
    histories = await context.log.notes(query.since)
    found = [
        refusal
        async for refusal in context.log.refusals(query)
        if may_be_of(refusal, options.gateway, context.directory, now)
    ]
    order = ReplayOrder(secrets.token_hex(16), options.by, now, (), adopting=True)
    return await _decide_anew(context, _batches(_each(sorted(found, key=in_time))), histories, order, options, out)


async def _each(refusals: Sequence[StoredRefusal]) -> AsyncIterator[StoredRefusal]:
    for refusal in refusals:
        yield refusal


async def _decide_anew(
    context: CliContext,
    batches: AsyncIterator[list[StoredRefusal]],
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
            decided = context.replayer.decide(due, order.at, adopting=order.adopting)
            notes = [note_of(refusal, outcome, order) for refusal, outcome in decided]
        else:
            notes = list(await context.replayer.replay(due, order))
        for note in notes:
            became[note.reason or "accepted"] += 1
            if options.json:
                _print(out, {"id": note.position.refusal_id, "gateway_id": note.gateway_id} | show.result(note))
            else:
                out.write(f"{note.position.refusal_id}  {note.gateway_id or '-':<16}  {show.in_words(note)}\n")
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


async def _batches(refusals: AsyncIterator[StoredRefusal]) -> AsyncIterator[list[StoredRefusal]]:
    batch: list[StoredRefusal] = []
    size = 0
    async for refusal in refusals:
        batch.append(refusal)
        size += len(refusal.arrival.payload)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_open(refusal: StoredRefusal, histories: Mapping[str, Sequence[ReplayNote]]) -> bool:
    return show.state_of(histories.get(refusal.position.refusal_id, ())) == show.OPEN


def _print(sink: TextIO, one: Document) -> None:
    sink.write(json.dumps(one, ensure_ascii=False) + "\n")


_COMMANDS = {"list": _list, "inspect": _inspect, "export": _export, "replay": _replay, "adopt": _adopt}
