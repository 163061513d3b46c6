"""Faults that ended within the limit, of those that began in the window (R31)."""

from collections.abc import Iterator, Sequence
from typing import Any

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.health import Fault
from services.compliance.domain.population import Population
from services.kernel.calendar import DAY
from services.kernel.ratio import Ratio

AGES = {"under_1d": DAY, "under_3d": 3 * DAY, "under_7d": 7 * DAY}
OLDER = "from_7d"


def fault_cure_timely_rate(population: Population, ask: FigureAsk) -> Counted:
    """`unknown`: open at the horizon and not older than the limit."""
    return cured(list(_faults(population, ask)), ask.limit, population.knowledge.visibility.through)


def cured(faults: Sequence[Fault], limit: int, horizon: int) -> Counted:
    """Return the rate of these faults as seen from the horizon. Microseconds."""
    cures = sorted(fault.ended - fault.begun for fault in faults if fault.ended is not None)
    ages = [horizon - fault.begun for fault in faults if fault.ended is None]
    timely, might = sum(cure <= limit for cure in cures), sum(age <= limit for age in ages)
    return Counted(Ratio(timely, len(faults), might), _detail(cures, ages))


def _faults(population: Population, ask: FigureAsk) -> Iterator[Fault]:
    """Yield the faults that began in the window while the unit was in scope; runs are not asked for (R44).

    Not those that began while an approved adjustment let them off: somebody was at work there.
    """
    for unit_id in population.unit_ids:
        members = list(population.memberships(unit_id, ask.start, ask.end))
        for condition in population.knowledge.conditions(unit_id) if members else ():
            for fault in condition.faults:
                if not fault.let_off and any(member.start <= fault.begun < member.end for member in members):
                    yield fault


def _detail(cures: Sequence[int], ages: Sequence[int]) -> dict[str, Any]:
    by_age = dict.fromkeys([*AGES, OLDER], 0)
    for age in ages:
        by_age[next((name for name, bound in AGES.items() if age < bound), OLDER)] += 1
    return {
        "cured": len(cures),
        "median_us": _nearest_rank(cures, 50),
        "p90_us": _nearest_rank(cures, 90),
        "open_by_age": by_age,
    }


def _nearest_rank(ordered: Sequence[int], percent: int) -> int | None:
    """Return the ceil(n x percent / 100)-th of n, None without any."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
