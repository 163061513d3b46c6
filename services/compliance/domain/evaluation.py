"""From an ask to a figure: the formula's count, the pack of the day, the target and the verdict (R35, R36)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.compliance.domain.errors import Refused
from services.compliance.domain.figure import Counted, Figure, FigureAsk
from services.compliance.domain.formulas.catalogue import CATALOGUE, Formula
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.population import Population, scope_names
from services.compliance.domain.visibility import Visibility
from services.kernel.calendar import day_of
from services.kernel.effective import in_force
from services.kernel.policy import Target, target_for
from services.kernel.ratio import Ratio, Reason, Verdict, verdict


def formula_of(metric: str) -> Formula:
    """Raises Refused `unknown_metric`."""
    if metric not in CATALOGUE:
        raise Refused("unknown_metric", metric)
    return CATALOGUE[metric]


def evaluate(knowledge: Knowledge, ask: FigureAsk) -> Figure:
    """Return the figure. Raises Refused: `unknown_metric`, `unknown_scope`, `unknown_unit`, `no_pack`, `bad_ask`."""
    formula = formula_of(ask.metric)
    scopes = scope_names(ask.scope, knowledge.policies)
    if ask.unit is not None:
        require_unit(knowledge, ask.unit)

    def count(through: int) -> Counted:
        population = Population(knowledge, scopes, ask.part, ask.unit)
        return formula.count(population, replace(ask, end=through) if formula.cut else ask)

    row = None if ask.unit is None else in_force(knowledge.registry.units[ask.unit], _last_day(ask))
    return judged(knowledge.policies, knowledge.visibility, ask, count, None if row is None else row.district)


def judged(
    policies: Policies,
    visibility: Visibility,
    ask: FigureAsk,
    count: Callable[[int], Counted],
    of_unit: str | None = None,
) -> Figure:
    """Return the figure of what `count` returns for a window that has begun and ends, as far as known, at an instant.

    `of_unit`: the district of the unit that is asked about. Raises Refused: `unknown_scope`, `no_pack`, `bad_ask`.
    """
    formula = formula_of(ask.metric)
    scopes = scope_names(ask.scope, policies)
    last_day = _last_day(ask)
    district = _district(policies, ask, of_unit)
    packs = policies.among(district, day_of(ask.start), last_day)
    pack = policies.in_force(district, last_day)
    through = min(ask.end, visibility.through)
    target = target_for(pack.targets, ask.metric, ask.scope)
    begun = ask.start <= visibility.through if formula.instant else ask.start < visibility.through
    counted, said = Counted(Ratio(0, 0)), (Verdict.NOT_APPLICABLE, Reason.NOT_BEGUN)
    if begun:
        counted = count(through)
        said = verdict(counted.ratio, None if target is None else target.value)
    return Figure(
        ask=ask,
        through=through,
        closed=visibility.watermark is not None and visibility.watermark >= ask.end + pack.close_after,
        counts=formula.counts,
        counted=counted,
        verdict=said[0],
        reason=said[1],
        target=target,
        clause=pack.scopes[scopes[0]].clause if scopes[0] in pack.scopes else None,
        pack=pack,
        packs=packs,
    )


def _last_day(ask: FigureAsk) -> int:
    return day_of(ask.end if formula_of(ask.metric).instant else ask.end - 1)


def require_unit(knowledge: Knowledge, unit_id: str) -> None:
    """Raises Refused `unknown_unit` for one without a row known."""
    if unit_id not in knowledge.registry.units:
        raise Refused("unknown_unit", unit_id)


def require_packs(knowledge: Knowledge, units: Sequence[str], first: int, last: int) -> None:
    """Raises Refused `no_pack` for a day on which a district of one of the units has none."""
    districts: set[str] = set()
    for unit_id in units:
        rows = knowledge.registry.units[unit_id]
        held = [in_force(rows, first), *(row for row in rows if first <= row.valid_from <= last)]
        districts |= {row.district for row in held if row is not None}
    for district in sorted(districts) or knowledge.policies.districts():
        knowledge.policies.among(district, first, last)


def _district(policies: Policies, ask: FigureAsk, of_unit: str | None) -> str:
    """Return the district whose pack judges. Raises Refused `bad_ask` when several districts leave that open."""
    districts = policies.districts()
    if len(districts) == 1:
        return districts[0]
    if "district" in ask.part:
        return ask.part["district"]
    if of_unit is None:
        raise Refused("bad_ask", f"packs of several districts: the slice must name one of {', '.join(districts)}")
    return of_unit


def named_target(knowledge: Knowledge, target_id: str, at: int) -> tuple[Policy, Target]:
    """Return a target and the pack of the day of `at`, which has it.

    Raises Refused: `unknown_target`, `no_pack`, and `bad_ask` where packs of several districts leave it open.
    """
    districts = knowledge.policies.districts()
    if len(districts) > 1:
        raise Refused("bad_ask", f"packs of several districts: a target may be of {', '.join(districts)}")
    pack = knowledge.policies.in_force(districts[0], day_of(at))
    found = next((target for target in pack.targets if target.id == target_id), None)
    if found is None:
        raise Refused("unknown_target", target_id)
    return pack, found
