"""Heartbeats that came of those that were due, by gateway and day (R30)."""

from bisect import bisect_left
from collections.abc import Iterator

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
    for track in population.world.timeline(unit_id).tracks if members else ():
        for member in members:
            found += _of_gateway(population, track, member)
    return found


def _of_gateway(population: Population, track: GatewayTrack, member: Membership) -> Ratio:
    interval = member.pack.profile(member.row.profile).interval
    came = wanted = 0
    for day in _days(track, member):
        supervised = received = 0
        for start, end in population.world.visibility.sighted(*day):
            supervised += end - start
            received += bisect_left(track.heartbeats, end) - bisect_left(track.heartbeats, start)
        due = supervised // interval
        came += min(received, due)  # capped, so that chatty gateways do not hide silent ones
        wanted += due
    return Ratio(came, wanted)


def _days(track: GatewayTrack, member: Membership) -> Iterator[Span]:
    """Yield the days on which the gateway is the unit's, cut to the membership. Runs begin and end at midnight."""
    for run in track.runs:
        start, end = max(run.start, member.start), min(run.end, member.end)
        while start < end:
            after = min(end, midnight(day_of(start) + 1))
            yield Span(start, after)
            start = after
