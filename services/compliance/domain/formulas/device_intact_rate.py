"""Time of points without fault and isolation on a connected gateway, of the time of all points (R25)."""

from collections.abc import Iterator
from itertools import pairwise

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Membership, Population
from services.compliance.domain.timeline import CONNECTED, GatewayTrack
from services.kernel.ratio import NOTHING, Ratio


def device_intact_rate(population: Population, ask: FigureAsk) -> Counted:
    found = NOTHING
    for unit_id in population.unit_ids:
        members = list(population.memberships(unit_id, ask.start, ask.end))
        for track in population.knowledge.timeline(unit_id).tracks if members else ():
            points = sorted(set(track.turning_points()))
            for member in members:
                for ratio in _of_gateway(track, points, member):
                    found += ratio
    return Counted(found)


def _of_gateway(track: GatewayTrack, turns: list[int], member: Membership) -> Iterator[Ratio]:
    """`unknown`: no trouble, but the gateway is not connected, so nobody would have heard of one."""
    within = [member.start, *(at for at in turns if member.start < at < member.end), member.end]
    for start, end in pairwise(within):
        piece = track.piece_at(start)
        if piece is None:
            continue  # not a gateway of the unit on this day
        points = track.points_at(start)
        if member.exempt:
            yield Ratio(0, 0, exempt=points * (end - start))
            continue
        trouble = track.trouble_at(start)
        intact = 0 if trouble.all_bad else points - trouble.bad
        heard = intact if piece.link in CONNECTED else 0
        yield Ratio(heard * (end - start), points * (end - start), (intact - heard) * (end - start))
