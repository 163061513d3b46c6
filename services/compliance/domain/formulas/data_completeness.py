"""Heartbeats that came of those that were due, by gateway and day (R30)."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Membership, Population
from services.compliance.domain.timeline import GatewayTrack
from services.compliance.domain.visibility import Span
from services.kernel.calendar import day_of, midnight
from services.kernel.ratio import NOTHING, Ratio


def data_completeness(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id in population.unit_ids:
        found += completeness(population, unit_id, ask.start, ask.end)
    return Counted(found)


def completeness(population: Population, unit_id: str, start: int, end: int) -> Ratio:
    """Return the heartbeats of one unit within [start, end)."""
    found = NOTHING
    members = [
        member for member in population.memberships(unit_id, start, end) if member.commissioned and not member.exempt
    ]
    for track in population.knowledge.timeline(unit_id).tracks if members else ():
        found += _of_gateway(population, track, members)
    return found


def _of_gateway(population: Population, track: GatewayTrack, members: Sequence[Membership]) -> Ratio:
    came = wanted = 0
    for _, of_day in groupby(_parts(track, members), key=lambda part: day_of(part[0].start)):
        parts = list(of_day)
        supervised = received = 0
        for span, _ in parts:
            for start, end in population.knowledge.visibility.sighted(*span):
                supervised += end - start
                received += bisect_left(track.heartbeats, end) - bisect_left(track.heartbeats, start)
        member = parts[0][1]  # one row and one pack hold the whole day
        due = supervised // member.pack.profile(member.row.profile).interval
        came += min(received, due)  # capped, so that chatty gateways do not hide silent ones
        wanted += due
    return Ratio(came, wanted)


def _parts(track: GatewayTrack, members: Sequence[Membership]) -> Iterator[tuple[Span, Membership]]:
    """Yield the times in which the gateway is the unit's, cut to memberships and days, in order.

    Runs and rows begin and end at midnight; of one day there are several parts when some of it is exempt.
    """
    for member in members:
        for run in track.runs:
            start, end = max(run.start, member.start), min(run.end, member.end)
            while start < end:
                after = min(end, midnight(day_of(start) + 1))
                yield Span(start, after), member
                start = after
