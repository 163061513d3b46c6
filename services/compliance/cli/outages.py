"""`outages`: every outage of a scope in a window, whose it is, what shows it, and what each of them cost."""

from typing import Any

from services.compliance.adapters import answer
from services.compliance.adapters.ask import WireOutages, outages_window, read_outages_ask, to_micros
from services.compliance.cli.inputs import Inputs
from services.compliance.domain.evaluation import require_packs, require_unit
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.outages import outages
from services.compliance.domain.population import Population, scope_names
from services.kernel.calendar import day_of, text


def outages_answer(inputs: Inputs) -> dict[str, Any]:
    """Every outage of a scope in a window, whose it is and what shows it.

    Raises:  InputError, Refused.
    """
    asked = read_outages_ask(inputs.ask)
    known_at = None if asked.known_at is None else to_micros(asked.known_at)
    knowledge = inputs.knowledge(known_at)
    return {
        "known_at": None if known_at is None else text(known_at),
        "through": text(knowledge.visibility.through),
        "outages": [_of_scope(knowledge, each) for each in asked.outages],
    }


def _of_scope(knowledge: Knowledge, asked: WireOutages) -> dict[str, Any]:
    start, end = outages_window(asked)
    if asked.unit is not None:
        require_unit(knowledge, asked.unit)
    population = Population(knowledge, scope_names(asked.scope, knowledge.policies), asked.slice or {}, asked.unit)
    require_packs(knowledge, population.unit_ids, day_of(start), day_of(end - 1))
    found = outages(population, start, min(end, knowledge.visibility.through))
    return {
        "scope": asked.scope,
        "slice": dict(asked.slice or {}),
        "unit": asked.unit,
        "from": text(start),
        "to": text(end),
        **answer.outages(found),
    }
