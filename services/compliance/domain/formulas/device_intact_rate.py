"""Time of points without fault and isolation on a connected gateway, of the time of all points (R25)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Membership, Population
from services.compliance.domain.timeline import CONNECTED, GatewayTrack
from services.kernel.ratio import NOTHING, Ratio


def device_intact_rate(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id in population.unit_ids:
        found += intact(population, unit_id, ask.start, ask.end)
    return Counted(found)


def intact(population: Population, unit_id: str, start: int, end: int) -> Ratio:
    """Return the point time of one unit within [start, end)."""
    found = NOTHING
    members = list(population.memberships(unit_id, start, end))
    for track in population.knowledge.timeline(unit_id).tracks if members else ():
        for member in members:
            for ratio in _of_gateway(track, track.turns, member):
                found += ratio
    return found


def _of_gateway(track: GatewayTrack, turns: Sequence[int], member: Membership) -> Iterator[Ratio]:
    """`unknown`: no trouble, but the gateway is not connected, so nobody would have heard of one."""
    within = [member.start, *turns[bisect_right(turns, member.start) : bisect_left(turns, member.end)], member.end]
    for start, end in pairwise(within):
        piece = track.piece_at(start)
        if piece is None:
            continue  # not a gateway of the unit on this day
        trouble, points = track.trouble_at(start), track.points_at(start)
        counted = 0 if member.exempt else trouble.counted(points)
        intact = 0 if trouble.all_bad or not counted else counted - trouble.bad
        heard = intact if piece.link in CONNECTED else 0
        span = end - start
        yield Ratio(heard * span, counted * span, (intact - heard) * span, (points - counted) * span)
