"""Which units stand between a scope and its target (R37)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.compliance.domain.durations import Duration, duration
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import named_target
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.period import year_start
from services.compliance.domain.policy import Policy
from services.compliance.domain.population import Population, scope_names
from services.kernel.calendar import day_of
from services.kernel.policy import Target
from services.kernel.ratio import CONNECTED, NOTHING, Ratio
from services.kernel.words import Connection


class TargetAsk(NamedTuple):
    """`at` and `start` in microseconds; None: the horizon, and 1 January of the year of `at`."""

    target: str
    at: int | None
    start: int | None


class Blocking(NamedTuple):
    """`units`: every unit with a loss, the greatest first. `shortest`: how many of them would have to be cured."""

    target: str
    at: int
    units: Sequence[tuple[str, int]]
    shortest: int


class TargetWindow(NamedTuple):
    """What an ask about a target comes to: [start, at) so far, judged by `target` of `pack`, the pack of `at`."""

    pack: Policy
    target: Target
    population: Population
    start: int
    at: int


def target_window(knowledge: Knowledge, ask: TargetAsk) -> TargetWindow:
    """Raises Refused: `unknown_target`, `no_pack`, `bad_ask`."""
    through = knowledge.visibility.through
    at = through if ask.at is None else min(ask.at, through)
    start = year_start(at) if ask.start is None else ask.start
    pack, target = named_target(knowledge, ask.target, at)
    population = Population(knowledge, scope_names(target.scope, knowledge.policies), {})
    return TargetWindow(pack, target, population, start, at)


def blocking(knowledge: Knowledge, ask: TargetAsk) -> Blocking:
    """Raises Refused: `unknown_target`, `unknown_metric` for a target of another kind, `no_pack`, `bad_ask`."""
    window = target_window(knowledge, ask)
    if window.target.metric not in _LOSSES:
        raise Refused("unknown_metric", f"{window.target.metric} has no list of units that block it")
    losses: list[tuple[str, int]] = []
    whole = NOTHING
    for unit_id, ratio in _LOSSES[window.target.metric](window):
        whole += ratio
        loss = ratio.denominator - ratio.high_numerator
        if loss > 0:
            losses.append((unit_id, loss))
    losses.sort(key=lambda each: (-each[1], each[0]))
    return Blocking(ask.target, window.at, losses, _shortest(losses, whole.missing(window.target.value)))


def so_far(window: TargetWindow) -> Iterator[tuple[str, Duration]]:
    """Yield the times of every unit up to `at`. Raises Refused `no_pack`."""
    if window.start >= window.at:
        return
    policies = window.population.knowledge.policies
    policies.among(window.pack.district, day_of(window.start), day_of(window.at - 1))
    for unit_id in window.population.unit_ids:
        yield unit_id, duration(window.population, unit_id, window.start, window.at)


def _shortest(losses: Sequence[tuple[str, int]], missing: int) -> int:
    for number, (_, loss) in enumerate(losses):
        if missing <= 0:
            return number
        missing -= loss
    return len(losses)


def _by_time(window: TargetWindow) -> Iterator[tuple[str, Ratio]]:
    for unit_id, found in so_far(window):
        yield unit_id, found.ratio()


def _by_access(window: TargetWindow) -> Iterator[tuple[str, Ratio]]:
    for unit_id, member in window.population.at(window.at):
        yield unit_id, Ratio(int(member.commissioned), 1)


def _by_connection(window: TargetWindow) -> Iterator[tuple[str, Ratio]]:
    for unit_id, member in window.population.at(window.at):
        state = window.population.knowledge.timeline(unit_id).connection_at(window.at)
        if state is not None and not member.exempt:
            connected, unknown = state.connection in CONNECTED, state.connection is Connection.UNKNOWN
            yield unit_id, Ratio(int(connected), 1, int(unknown))


_LOSSES = {
    "time_weighted_networking_rate": _by_time,
    "access_rate": _by_access,
    "live_networking_rate": _by_connection,
}
