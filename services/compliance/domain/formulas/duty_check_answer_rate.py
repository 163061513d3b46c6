"""Answered duty checks of those asked (R32)."""

from collections.abc import Sequence

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.kernel.calendar import day_of
from services.kernel.effective import in_force
from services.kernel.ratio import Ratio
from services.kernel.words import ExchangeStep


def duty_check_answer_rate(population: Population, ask: FigureAsk) -> Counted:
    """`unknown`: not known what became of it, or no end yet. One that never reached the device is left out."""
    units, gateways = set(population.unit_ids), population.knowledge.registry.gateways
    ends: list[ExchangeStep | None] = []
    for check in population.knowledge.checks:
        day = day_of(check.ordered_at)
        row = in_force(gateways.get(check.gateway_id, ()), day)
        asked = ask.start <= check.ordered_at < ask.end
        if asked and row is not None and row.unit_id in units and population.on(row.unit_id, day) is not None:
            ends.append(check.end)
    return answered(ends)


def answered(ends: Sequence[ExchangeStep | None]) -> Counted:
    """Return the rate of checks that ended so; None is one without an end."""
    failed = ends.count(ExchangeStep.FAILED)
    unknown = ends.count(ExchangeStep.UNKNOWN) + ends.count(None)
    ratio = Ratio(ends.count(ExchangeStep.ANSWERED), len(ends) - failed, unknown)
    return Counted(ratio, {"failed": failed})
