"""Everything that is known at one instant, put together once; timelines are made when they are asked for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from services.compliance.domain.attribution import Attribution, Lost
from services.compliance.domain.connection import Link, Piece, connection
from services.compliance.domain.health import health_changes
from services.compliance.domain.policy import Policies, Profile
from services.compliance.domain.registry import Registry, UnitRow
from services.compliance.domain.sight import NEVER, Sight, Span, TickFact, look
from services.compliance.domain.signals import SignalFact, counting
from services.compliance.domain.timeline import GatewayTrack, Timeline
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force


class Known(NamedTuple):
    """Facts with `recorded_at` <= known_at (None: all), in the order of the log, and the rows known then."""

    known_at: int | None
    ticks: Sequence[TickFact]
    signals: Sequence[SignalFact]
    registry: Registry


class World:
    def __init__(self, known: Known, policies: Policies) -> None:
        self.policies = policies
        self.registry = known.registry
        self.sight: Sight = look(known.ticks, policies, known.known_at)
        self._signals = counting(known.signals, self.sight.watermark)
        self._gateways: dict[str, list[str]] = defaultdict(list)
        for gateway_id, unit_id in sorted(known.registry.pairs()):
            self._gateways[unit_id].append(gateway_id)
        self._timelines: dict[str, Timeline] = {}
        self._attribution = Attribution(self._losses, policies)

    @property
    def unit_ids(self) -> list[str]:
        return sorted(self.registry.units)

    def timeline(self, unit_id: str) -> Timeline:
        """Return the timeline of a unit that has a known row."""
        if unit_id not in self._timelines:
            rows = self.registry.units[unit_id]
            tracks = [self._track(gateway_id, unit_id, rows) for gateway_id in self._gateways.get(unit_id, ())]
            self._timelines[unit_id] = Timeline(unit_id, rows, tracks, self._attribution)
        return self._timelines[unit_id]

    def _track(self, gateway_id: str, unit_id: str, rows: Sequence[UnitRow]) -> GatewayTrack:
        signals = self._signals.get((gateway_id, unit_id), [])
        runs = [
            Span(midnight(first), NEVER if after is None else midnight(after))
            for first, after in self.registry.runs(gateway_id, unit_id)
        ]
        blind = self.sight.blind
        proofs = sorted({each.received for each in signals if each.is_proof and not _in(blind, each.received)})
        wills = sorted({each.received for each in signals if each.is_last_will and not _in(blind, each.received)})
        profile_at = self._profiles(rows)
        pieces: list[Piece] = []
        heard = False
        for run in runs:
            made, heard = connection(run, proofs, wills, self.sight, profile_at, heard)
            pieces += made
        return GatewayTrack(
            gateway_id,
            self.registry.gateways[gateway_id],
            runs,
            pieces,
            min((proof for proof in proofs if _in(runs, proof)), default=None),
            health_changes(signals),
            [piece.start for piece in pieces],
        )

    def _profiles(self, rows: Sequence[UnitRow]) -> Callable[[int], Profile]:
        by_day: dict[int, Profile] = {}

        def profile_at(at: int) -> Profile:
            day = day_of(at)
            if day not in by_day:
                row = in_force(rows, day)
                by_day[day] = self.policies.on(day).profile(None if row is None else row.profile)
            return by_day[day]

        return profile_at

    def _losses(self) -> Iterator[Lost]:
        """Yield every loss that may share its cause with others."""
        for unit_id in self.unit_ids:
            timeline = self.timeline(unit_id)
            for track in timeline.tracks:
                for at in sorted({piece.anchor for piece in track.pieces if _is_loss(piece)}):
                    found = _lost(timeline, track, at)
                    if found is not None:
                        yield found


def _is_loss(piece: Piece) -> bool:
    return piece.link is Link.OFFLINE and piece.cause == "deadline"


def _lost(timeline: Timeline, track: GatewayTrack, at: int) -> Lost | None:
    """Return the loss with its groups, None when the unit was none that must be connected then."""
    day = day_of(at)
    row, gateway = in_force(timeline.rows, day), in_force(track.rows, day)
    if row is None or gateway is None or row.retired(day) or row.exempt(day) or not row.commissioned(day):
        return None
    groups = {"carrier": gateway.carrier, "town": row.dimensions["town"]}
    return Lost((track.gateway_id, timeline.unit_id, at), groups)


def _in(spans: Iterable[Span], at: int) -> bool:
    return any(span.start <= at < span.end for span in spans)
