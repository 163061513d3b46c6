"""What one unit came to on one day: the parts that figures of any period, scope and slice are added up from.

Everything about who is counted acts at midnight (R26), so a day is the smallest piece that needs no scope: the same
parts serve every scope and slice that the unit is in on that day.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.compliance.domain.checks import Check
from services.compliance.domain.connection import Link
from services.compliance.domain.durations import duration
from services.compliance.domain.formulas.data_completeness import completeness
from services.compliance.domain.formulas.device_intact_rate import intact
from services.compliance.domain.formulas.isolation_rate import isolated
from services.compliance.domain.formulas.tested_in_time_rate import tested_in_time
from services.compliance.domain.formulas.transmission_timely_rate import transmitted
from services.compliance.domain.health import Fault
from services.compliance.domain.knowledge import Cut, Knowledge
from services.compliance.domain.policy import Policy
from services.compliance.domain.population import Population
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.signals import Pair
from services.compliance.domain.timeline import GatewayTrack
from services.compliance.domain.transmission import Transmissions
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.ratio import Ratio
from services.kernel.words import Connection


class Beginning(NamedTuple):
    """The unit at the midnight at which the day begins. `exempt`: by its row or an adjustment.

    `isolation`: its points (R25), none of an exempt unit.
    """

    connection: Connection
    partly: bool
    exempt: bool
    isolation: Ratio


class UnitDay(NamedTuple):
    """One day up to the horizon, as if the unit were in a scope on it; an exempt day has exempt time only.

    `time`: connected of counted; `beats`: heartbeats; `points`: point time; `tests`: tested of time under a duty to.
    """

    day: int
    time: Ratio
    beats: Ratio
    points: Ratio
    beginning: Beginning
    tests: Ratio
    transmissions: Transmissions


class _EveryUnit(Population):
    """One unit, in scope whatever its facts as long as it is in the register and not retired."""

    def __init__(self, knowledge: Knowledge, unit_id: str) -> None:
        super().__init__(knowledge, (), {}, unit_id)

    def _counts(self, row: UnitRow, pack: Policy, day: int) -> bool:
        return True


def every_unit(knowledge: Knowledge, unit_id: str) -> Population:
    """Return one unit as if it were in a scope for as long as it is in the register and not retired."""
    return _EveryUnit(knowledge, unit_id)


def unit_days(knowledge: Knowledge, unit_id: str, first: int, last: int) -> Iterator[UnitDay]:
    """Yield the days from `first` to `last` on which the unit is in the register and not retired, up to the horizon."""
    everyone = every_unit(knowledge, unit_id)
    through = knowledge.visibility.through
    for day in range(max(first, knowledge.registry.units[unit_id][0].valid_from), last + 1):
        start, end = midnight(day), min(midnight(day + 1), through)
        member = next((found for _, found in everyone.at(start)), None)
        state = knowledge.timeline(unit_id).connection_at(start)
        if member is None or state is None or start > through:
            continue
        yield UnitDay(
            day,
            duration(everyone, unit_id, start, end).ratio(),
            completeness(everyone, unit_id, start, end),
            intact(everyone, unit_id, start, end),
            Beginning(state.connection, state.partly, member.exempt, isolated(everyone, unit_id, member, start)),
            tested_in_time(everyone, unit_id, start, end),
            transmitted(everyone, unit_id, start, end),
        )


def faults_of(knowledge: Knowledge, unit_id: str) -> list[Fault]:
    """Return all faults of a unit that count, whether the registry knows the gateway that told them or not (R44)."""
    found = (fault for condition in knowledge.conditions(unit_id) for fault in condition.faults if not fault.let_off)
    return sorted(found, key=lambda fault: (fault.begun, fault.ended is None, fault.ended or 0))


def checks_by_unit(knowledge: Knowledge, checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Return duty checks by the unit of the gateway's row of the day (R32)."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        row = in_force(knowledge.registry.gateways.get(check.gateway_id, ()), day_of(check.ordered_at))
        if row is not None:
            found.setdefault(row.unit_id, []).append(check)
    return found


class Carry(NamedTuple):
    """From where a unit is computed the next time: days from `first` on, gateways from their `cuts`."""

    first: int
    cuts: dict[Pair, Cut]


def carry(knowledge: Knowledge, unit_id: str) -> Carry | None:
    """Return from where on what is still to come may change a unit, if nothing comes late; None: from its beginning.

    Not before yesterday: a device's own clock may date a trouble back by a day (R21). Earlier where a silence is not
    judged yet: when its deadline passes, the gateway is lost from its last proof on (R13, R15, R43).
    """
    visibility = knowledge.visibility
    if visibility.watermark is None:
        return None
    tracks = knowledge.timeline(unit_id).tracks
    first = day_of(min(visibility.watermark, visibility.through)) - 1
    first = min([first, *(day_of(at) for at in map(_undecided, tracks) if at is not None)])
    cuts: dict[Pair, Cut] = {}
    for track in tracks:
        cut = knowledge.cut(unit_id, track.gateway_id, midnight(first))
        if cut is not None:
            cuts[track.gateway_id, unit_id] = cut
    return Carry(first, cuts)


def _undecided(track: GatewayTrack) -> int | None:
    """Return since when a gateway is silent without being lost, None for one that is lost or not supervised."""
    if not track.pieces or track.pieces[-1].link is Link.OFFLINE:
        return None
    last = track.pieces[-1]
    if last.link is Link.UNKNOWN:
        return min(last.start, last.anchor)
    return track.proofs[-1] if track.proofs else last.start
