"""Will a time-weighted target be met by its due day, and how much may still be lost (R38 to R40). Microseconds."""

from collections.abc import Mapping
from typing import NamedTuple

from services.compliance.domain.blocking import TargetAsk, TargetWindow, so_far, target_window
from services.compliance.domain.durations import Duration
from services.compliance.domain.errors import Refused
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.period import due_end
from services.kernel.calendar import SECOND, day_of
from services.kernel.ratio import CONNECTED, Ratio, allowance, reaches


class Budget(NamedTuple):
    """What was lost, and how much more may be, of a whole."""

    lost: int
    left: int


class Forecast(NamedTuple):
    """`low` is what is left if the unknown time was lost. `projected`: if all stays as it is at `at`."""

    target: str
    at: int
    end: int
    budget: Budget
    unknown: int
    future: int
    low: int
    minutes: int
    reachable: bool
    projected: Ratio
    on_course: bool
    units: Mapping[str, Budget]


class _Outlook(NamedTuple):
    """Time in scope from `at` on by the rows known; `kept`: what a unit that is connected now would keep."""

    future: int
    kept: int


def forecast(knowledge: Knowledge, ask: TargetAsk) -> Forecast:
    """Raises Refused: `unknown_target`, `unknown_metric` for a target of another kind, `no_pack`, `bad_ask`."""
    window = target_window(knowledge, ask)
    if window.target.metric != "time_weighted_networking_rate":
        raise Refused("unknown_metric", f"{window.target.metric} has no forecast")
    end = due_end(window.at, window.target.due)
    if end is None:
        raise Refused("unknown_metric", f"{window.target.id} is due on no day of the year")
    if window.at < end:
        knowledge.policies.among(window.pack.district, day_of(window.at), day_of(end - 1))
    past = dict(so_far(window))
    future = {unit_id: _outlook(window, unit_id, end) for unit_id in window.population.unit_ids}
    units = {
        unit_id: _budget(window, found, future[unit_id].future) for unit_id, found in past.items() if found.counted
    }
    return _summed(window, end, past, future, units)


def _summed(
    window: TargetWindow,
    end: int,
    past: Mapping[str, Duration],
    future: Mapping[str, _Outlook],
    units: Mapping[str, Budget],
) -> Forecast:
    so_far = Duration(*(sum(each) for each in zip(*past.values(), strict=True))) if past else Duration()
    to_come = sum(each.future for each in future.values())
    budget = _budget(window, so_far, to_come)
    kept = sum(each.kept for each in future.values())
    projected = Ratio(so_far.connected + kept, so_far.counted + to_come)
    return Forecast(
        target=window.target.id,
        at=window.at,
        end=end,
        budget=budget,
        unknown=so_far.unknown,
        future=to_come,
        low=budget.left - so_far.unknown,
        minutes=budget.left // (60 * SECOND),
        reachable=budget.left >= 0,
        projected=projected,
        on_course=reaches(projected, window.target.value),
        units=units,
    )


def _budget(window: TargetWindow, found: Duration, future: int) -> Budget:
    return Budget(found.lost, allowance(found.counted + future, window.target.value) - found.lost)


def _outlook(window: TargetWindow, unit_id: str, end: int) -> _Outlook:
    state = window.population.knowledge.timeline(unit_id).connection_at(window.at)
    connected = state is not None and state.connection in CONNECTED
    future = kept = 0
    for member in window.population.memberships(unit_id, window.at, end):
        if not member.exempt:
            future += member.end - member.start
            kept += member.end - member.start if connected and member.commissioned else 0
    return _Outlook(future, kept)
