"""When a unit was offline or unknown, whatever the scope, and whose that is: what published outages are made of (R20).

Whose it is hangs on losses of other units too. So it is decided when all units are computed, from what is kept of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.compliance.domain.attribution import Attribution, Evidence
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.unit_day import every_unit
from services.kernel.calendar import midnight
from services.kernel.words import Connection


class Interruption(NamedTuple):
    """[start, end) in microseconds, `end` None: it went on as far as we had seen.

    `gateway_id`: the one that was lost, None where the unit has none and for time that we did not see; `lost_at`: its
    last proof of life, None without any.
    """

    unit_id: str
    start: int
    end: int | None
    connection: Connection
    cause: str
    gateway_id: str | None = None
    lost_at: int | None = None

    def is_one_with(self, other: "Interruption") -> bool:
        """Tell whether two differ in nothing but their time."""
        return self._replace(start=0, end=None) == other._replace(start=0, end=None)


class PublishedOutage(NamedTuple):
    """A revision of an outage; `units`: how many were lost in the window of a common cause.

    `withdrawn`: what came later says that there was none from this instant on.
    """

    interruption: Interruption
    attribution: str
    group: str | None = None
    begun: int | None = None
    units: int | None = None
    withdrawn: bool = False


class StandingOutage(NamedTuple):
    """A revision that stands, with its number."""

    revision: int
    outage: PublishedOutage


def interruptions(knowledge: Knowledge, unit_id: str, first: int) -> list[Interruption]:
    """Return those of a unit from day `first` on, in order; the first one may have begun before that.

    Time that is exempt, and such that the unit was never connected or is retired in, is none; nor is the time before
    anybody looked at all.
    """
    visibility = knowledge.visibility
    if visibility.watermark is None:
        return []
    until = min(visibility.watermark, visibility.through)
    start = max(midnight(first), visibility.blind[0].end)
    found: list[Interruption] = []
    for member in every_unit(knowledge, unit_id).memberships(unit_id, start, until):
        if member.exempt:
            continue
        for stretch in knowledge.timeline(unit_id).within(member.start, member.end):
            if stretch.connection not in (Connection.OFFLINE, Connection.UNKNOWN):
                continue
            gateway_id, piece = stretch.lost if stretch.lost is not None else (None, None)
            lost_at = None if piece is None else piece.lost_at
            end = None if stretch.end >= until else stretch.end
            now = Interruption(unit_id, stretch.start, end, stretch.connection, stretch.cause, gateway_id, lost_at)
            if found and found[-1].end == now.start and found[-1].is_one_with(now):
                now = now._replace(start=found.pop().start)
            found.append(now)
    return found


def joined(before: Iterable[Interruption], after: Sequence[Interruption], at: int) -> list[Interruption]:
    """Return what holds of a unit when all from `at` on is computed anew, in order.

    `before` was known until now, of all that reaches `at` or beyond; what lies before `at` stays as it was.
    """
    kept = []
    for each in sorted(before):
        if each.start < at:
            kept.append(each if each.end is not None and each.end < at else each._replace(end=at))
    if kept and after and kept[-1].end == after[0].start == at and kept[-1].is_one_with(after[0]):
        return [*kept[:-1], after[0]._replace(start=kept[-1].start), *after[1:]]
    return [*kept, *after]


def outage_of(interruption: Interruption, attribution: Attribution) -> PublishedOutage:
    """Say whose it is and what shows it."""
    evidence = Evidence("unit")
    if interruption.connection is Connection.UNKNOWN:
        evidence = Evidence("self")
    elif interruption.gateway_id is not None:
        evidence = attribution.evidence(interruption.gateway_id, interruption.unit_id, interruption.lost_at)
    units = len(evidence.units) if evidence.units else None
    return PublishedOutage(interruption, evidence.attribution, evidence.group, evidence.begun, units)


def revised(
    made: Iterable[PublishedOutage], standing: Iterable[StandingOutage], final_before: int
) -> Iterator[StandingOutage]:
    """Yield a revision of each outage that is not as it stands, and of each that there is not any more.

    Of one that began before `final_before`, when facts may be gone, nothing but its end is told.
    """
    left = {(each.outage.interruption.unit_id, each.outage.interruption.start): each for each in standing}
    for outage in made:
        of = (outage.interruption.unit_id, outage.interruption.start)
        held = left.pop(of, None)
        if of[1] < final_before:
            if held is None or held.outage.withdrawn:
                continue
            outage = held.outage._replace(interruption=held.outage.interruption._replace(end=outage.interruption.end))
        if held is None:
            yield StandingOutage(1, outage)
        elif held.outage != outage:
            yield StandingOutage(held.revision + 1, outage)
    for (_, start), held in left.items():
        if not held.outage.withdrawn and start >= final_before:
            yield StandingOutage(held.revision + 1, held.outage._replace(withdrawn=True))
