"""The figures of months that scores need, computed from the log: those that would be published, without a revision."""

from collections.abc import Iterator

from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policy
from services.compliance.domain.publishing import ask_of, is_published, key_of
from services.compliance.domain.scores import Cited
from services.compliance.domain.tally import Counting, Part
from services.kernel.calendar import day_of


def month_figures(knowledge: Knowledge, window: Window) -> Iterator[Cited]:
    """Yield the figures by which bodies are scored for a month that is closed, and in which we looked at all."""
    policies = knowledge.policies
    if knowledge.visibility.blind[0].end >= window.end:
        return  # the first blind time is that before we first looked
    for part in sorted(_counted(knowledge, window)):
        try:
            pack = policies.in_force(part.district, day_of(window.end - 1))
        except Refused:
            continue  # nobody can judge it
        for metric in _metrics(pack, part):
            yield from _figure(knowledge, window, metric, part, pack)


def _counted(knowledge: Knowledge, window: Window) -> set[Part]:
    """Return the parts in which some unit was on some day of the month or at its end: the others are not published."""
    counting = Counting([window], knowledge.policies)
    days = range(day_of(window.start), day_of(window.end) + 1)
    held = knowledge.registry.units.values()
    return {part for rows in held for day in days for part in counting.parts(rows, day, window) if part.value}


def _metrics(pack: Policy, part: Part) -> list[str]:
    """Return what any scheme of the pack asks of the part, each once."""
    asked = [
        each.metric
        for scheme in pack.schemes
        if scheme.dimension is part.dimension
        for each in scheme.criteria
        if each.metric is not None and each.scope == part.scope and is_published(each.metric, pack)
    ]
    return list(dict.fromkeys(asked))


def _figure(knowledge: Knowledge, window: Window, metric: str, part: Part, pack: Policy) -> Iterator[Cited]:
    policies = knowledge.policies
    try:
        figure = evaluate(knowledge, ask_of(metric, window, part, policies, pack))
    except Refused:
        return  # a day of it without a pack
    if figure.closed:
        yield Cited(key_of(metric, window, part, policies), None, figure.counted.ratio)
