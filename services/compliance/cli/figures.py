"""`figures`: packs, registry, facts and an ask in, one line of JSON out. No clock, no environment, no network."""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from schemas.inputs import EXIT_OF, MAX_ASK, InputError, json_line, read_bytes, read_packs, read_registry
from services.compliance.adapters import answer
from services.compliance.adapters.ask import (
    IntervalsAsk,
    WireFigure,
    WireRevision,
    figure_ask,
    intervals_ask,
    read_ask,
    target_ask,
    to_micros,
)
from services.compliance.adapters.facts import known, read_facts
from services.compliance.adapters.packs import policies
from services.compliance.domain.blocking import blocking
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate, require_packs, require_unit
from services.compliance.domain.figure import Figure
from services.compliance.domain.forecast import forecast
from services.compliance.domain.revision import revisions
from services.compliance.domain.world import World
from services.kernel.calendar import day_of, text


def run(arguments: list[str], stdin: BinaryIO, out: BinaryIO) -> int:
    """Write the answer, or the error in its place, to `out`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.compliance", description="Figures, computed again.")
    command = parser.add_subparsers(dest="command", required=True).add_parser("figures", description=__doc__)
    command.add_argument("--pack", action="append", default=[], type=Path, help="policy pack (YAML), once or more")
    command.add_argument("--registry", required=True, type=Path, help="registry events (JSON lines)")
    command.add_argument("--facts", required=True, help="what `python -m services.rules facts` wrote; - is stdin")
    command.add_argument("--ask", required=True, type=Path, help="what is asked (JSON)")
    options = parser.parse_args(arguments)
    try:
        line, code = json_line(_answer(options, stdin)), 0
    except (InputError, Refused) as refused:
        error = refused if isinstance(refused, InputError) else InputError(refused.code, refused.where)
        line, code = error.line(), EXIT_OF[error.code]
    out.write(line.encode("utf-8", "replace"))
    return code


def _answer(options: argparse.Namespace, stdin: BinaryIO) -> dict[str, Any]:
    facts = _facts(options.facts, stdin)
    packs = policies(read_packs(options.pack))
    registry = read_registry(options.registry)
    asked = read_ask(read_bytes(options.ask, "bad_ask", MAX_ASK))
    known_at = None if asked.known_at is None else to_micros(asked.known_at)
    world_at = cache(lambda at: World(known(registry, facts, at), packs))
    world = world_at(known_at)
    sight = world.sight
    return {
        "known_at": None if known_at is None else text(known_at),
        "through": text(sight.through),
        "blind": answer.spans(sight.told_blind()),
        "impaired": answer.spans(sight.told_impaired()),
        "figures": [answer.figure(_figure(world, each)) for each in asked.figures],
        "intervals": [_intervals(world, intervals_ask(each)) for each in asked.intervals],
        "blocking": [answer.blocking(blocking(world, target_ask(each))) for each in asked.blocking],
        "forecast": [answer.forecast(forecast(world, target_ask(each))) for each in asked.forecast],
        "revisions": [_revisions(world_at, each) for each in asked.revisions],
    }


def _figure(world: World, asked: WireFigure) -> Figure:
    return evaluate(world, figure_ask(asked, world.sight.through))


def _revisions(world_at: Callable[[int], World], asked: WireRevision) -> dict[str, Any]:
    published = [to_micros(each) for each in asked.published_at]
    found = revisions((at, _figure(world_at(at), asked.figure)) for at in published)
    return answer.revisions(asked.figure.metric, asked.figure.scope, found)


def _facts(source: str, stdin: BinaryIO) -> Any:
    if source == "-":
        return read_facts(stdin)
    try:
        with Path(source).open("rb") as stream:
            return read_facts(stream)
    except OSError as error:
        raise InputError("bad_log", f"facts: {error.strerror}") from error


def _intervals(world: World, asked: IntervalsAsk) -> dict[str, Any]:
    for unit_id in asked.units or ():
        require_unit(world, unit_id)
    units = world.unit_ids if asked.units is None else asked.units
    require_packs(world, units, day_of(asked.start), day_of(asked.end - 1))
    found: dict[str, Any] = {}
    end = min(asked.end, world.sight.through)
    for unit_id in units:
        timeline = world.timeline(unit_id)
        found[unit_id] = answer.unit(timeline.connection(asked.start, end), timeline.healths(asked.start, end))
    return found
