"""`figures`: packs, registry, facts and an ask in, one line of JSON out. No clock, no environment, no network."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from schemas.inputs import EXIT_OF, InputError, json_line
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
from services.compliance.cli.evaluate import evaluate_answer
from services.compliance.cli.inputs import Inputs, add_arguments
from services.compliance.cli.outages import outages_answer
from services.compliance.domain.blocking import blocking
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate, require_packs, require_unit
from services.compliance.domain.figure import Figure
from services.compliance.domain.forecast import forecast
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.revision import revisions
from services.kernel.calendar import day_of, text


def run(arguments: list[str], stdin: BinaryIO, out: BinaryIO) -> int:
    """Write the answer, or the error in its place, to `out`. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m services.compliance",
        description="Figures, computed again. Without a command: the service; `log --help`: the log from its archive.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, make in ANSWERS.items():
        add_arguments(commands.add_parser(name, description=(make.__doc__ or "").partition("\n")[0]))
    options = parser.parse_args(arguments)
    try:
        line, code = json_line(ANSWERS[options.command](Inputs(options, stdin))), 0
    except (InputError, Refused) as refused:
        error = refused if isinstance(refused, InputError) else InputError(refused.code, refused.where)
        line, code = error.line(), EXIT_OF[error.code]
    out.write(line.encode("utf-8", "replace"))
    return code


def figures_answer(inputs: Inputs) -> dict[str, Any]:
    """Figures, intervals, blocking lists, forecasts and revisions.

    Raises:  InputError, Refused.
    """
    asked = read_ask(inputs.ask)
    known_at = None if asked.known_at is None else to_micros(asked.known_at)
    knowledge_at = partial(inputs.knowledge, adjusted=asked.adjusted)
    knowledge = knowledge_at(known_at)
    visibility = knowledge.visibility
    return {
        "known_at": None if known_at is None else text(known_at),
        "through": text(visibility.through),
        "blind": answer.spans(visibility.known_blind()),
        "impaired": answer.spans(visibility.known_impaired()),
        "figures": [answer.figure(_figure(knowledge, each)) for each in asked.figures],
        "intervals": [_intervals(knowledge, intervals_ask(each)) for each in asked.intervals],
        "blocking": [answer.blocking(blocking(knowledge, target_ask(each))) for each in asked.blocking],
        "forecast": [answer.forecast(forecast(knowledge, target_ask(each))) for each in asked.forecast],
        "revisions": [_revisions(knowledge_at, each) for each in asked.revisions],
    }


def _figure(knowledge: Knowledge, asked: WireFigure) -> Figure:
    return evaluate(knowledge, figure_ask(asked, knowledge.visibility.through))


def _revisions(knowledge_at: Callable[[int | None], Knowledge], asked: WireRevision) -> dict[str, Any]:
    published = [to_micros(each) for each in asked.published_at]
    found = revisions((at, _figure(knowledge_at(at), asked.figure)) for at in published)
    return answer.revisions(asked.figure.metric, asked.figure.scope, found)


def _intervals(knowledge: Knowledge, asked: IntervalsAsk) -> dict[str, Any]:
    for unit_id in asked.units or ():
        require_unit(knowledge, unit_id)
    units = knowledge.unit_ids if asked.units is None else asked.units
    require_packs(knowledge, units, day_of(asked.start), day_of(asked.end - 1))
    found: dict[str, Any] = {}
    end = min(asked.end, knowledge.visibility.through)
    for unit_id in units:
        timeline = knowledge.timeline(unit_id)
        found[unit_id] = answer.unit(timeline.connection(asked.start, end), timeline.healths(asked.start, end))
    return found


ANSWERS: dict[str, Callable[[Inputs], dict[str, Any]]] = {
    "figures": figures_answer,
    "outages": outages_answer,
    "evaluate": evaluate_answer,
}
"""What each command answers."""
