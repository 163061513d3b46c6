"""The figures of months that scores need, computed from the log: those that would be published, without a revision."""

from collections.abc import Iterator

from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policy
from services.compliance.domain.publishing import ask_of, is_published, key_of
from services.compliance.domain.scheme import Scheme
from services.compliance.domain.scores import Cited
from services.compliance.domain.tally import Part
from services.kernel.calendar import day_of


def month_figures(knowledge: Knowledge, window: Window) -> Iterator[Cited]:
    """Yield the figures by which bodies are scored for a month that is closed, and in which we looked at all."""
    policies = knowledge.policies
    if knowledge.visibility.blind[0].end >= window.end:
        return  # the first blind time is that before we first looked
    for district in policies.districts():
        try:
            pack = policies.in_force(district, day_of(window.end - 1))
        except Refused:
            continue  # nobody can judge it
        for scheme in pack.schemes:
            for value in _slices(knowledge, scheme, district):
                yield from _of_slice(knowledge, window, scheme, pack, value)


def _slices(knowledge: Knowledge, scheme: Scheme, district: str) -> list[str]:
    """Return every slice of the scheme's dimension that a row of the district has ever named."""
    rows = (row for held in knowledge.registry.units.values() for row in held)
    dimension = scheme.dimension.value
    judging = knowledge.policies.judging
    found = {row.dimensions[dimension] for row in rows if judging(row.district) == district}
    return sorted(found - {""})


def _of_slice(knowledge: Knowledge, window: Window, scheme: Scheme, pack: Policy, value: str) -> Iterator[Cited]:
    policies = knowledge.policies
    for criterion in scheme.criteria:
        if criterion.metric is None or not is_published(criterion.metric, pack):
            continue
        part = Part(criterion.scope, scheme.dimension, value, pack.district)
        try:
            figure = evaluate(knowledge, ask_of(criterion.metric, window, part, policies, pack))
        except Refused:
            continue  # a day of it without a pack
        if figure.closed:
            yield Cited(key_of(criterion.metric, window, part, policies), None, figure.counted.ratio)
