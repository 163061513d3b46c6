"""Everything that is known at one instant, put together once; timelines are made when they are asked for."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.compliance.domain.attribution import Attribution, Evidence, Lost
from services.compliance.domain.checks import CheckStep, checks
from services.compliance.domain.connection import Link, Piece, connection
from services.compliance.domain.errors import Refused
from services.compliance.domain.health import Condition, condition
from services.compliance.domain.needless import Needless, needless
from services.compliance.domain.policy import Policies, Profile
from services.compliance.domain.registry import Registry, UnitRow
from services.compliance.domain.signals import Pair, SignalFact, counting
from services.compliance.domain.tests_due import Due, duties
from services.compliance.domain.timeline import GatewayTrack, Timeline
from services.compliance.domain.transmission import Transmission, transmissions
from services.compliance.domain.visibility import NEVER, Span, TickFact, Visibility, visibility_of
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.words import CountsAsTest


class Cut(NamedTuple):
    """Of a pair, `at` a proof at which it was online: what follows does not depend on what was before (R13, R17).

    So facts before `at` may be left out where nobody asks about that time. `first_proof`: the pair's first ever.
    """

    at: int
    first_proof: int


class Known(NamedTuple):
    """Facts with `recorded_at` <= known_at (None: all), and the rows known then. Ticks in the order of the log.

    `heartbeats`: when those that are nothing but a sign of life were received, in order, replaced ones left out.
    """

    known_at: int | None
    ticks: Sequence[TickFact]
    signals: Sequence[SignalFact]
    heartbeats: Mapping[Pair, Sequence[int]]
    checks: Sequence[CheckStep]
    registry: Registry


class Knowledge:
    def __init__(
        self,
        known: Known,
        policies: Policies,
        *,
        visibility: Visibility | None = None,
        cuts: Mapping[Pair, Cut] | None = None,
    ) -> None:
        """`visibility`: that of the ticks, for who has folded them already. `cuts`: where the past of a pair ends."""
        self.policies = policies
        self.registry = known.registry
        self.visibility: Visibility = visibility or visibility_of(known.ticks, policies, known.known_at)
        self._cuts = cuts or {}
        self.checks = checks(known.checks)
        self._signals = counting(known.signals, self.visibility.watermark)
        self._heartbeats = known.heartbeats
        self._gateways: dict[str, list[str]] = defaultdict(list)
        for gateway_id, unit_id in sorted(known.registry.pairs()):
            self._gateways[unit_id].append(gateway_id)
        self._speakers: dict[str, list[Pair]] = defaultdict(list)
        for pair in sorted(self._signals):
            self._speakers[pair[1]].append(pair)
        self._timelines: dict[str, Timeline] = {}
        self._conditions: dict[Pair, Condition] = {}
        self._duties: dict[str, list[Due]] = {}
        self._tests: dict[tuple[str, CountsAsTest], list[int]] = {}
        self._transmissions: dict[str, list[Transmission]] = {}
        self._attribution = Attribution(self.losses)

    @property
    def unit_ids(self) -> list[str]:
        return sorted(self.registry.units)

    def timeline(self, unit_id: str) -> Timeline:
        """Return the timeline of a unit that has a known row."""
        if unit_id not in self._timelines:
            rows = self.registry.units[unit_id]
            tracks = [self._track(gateway_id, unit_id, rows) for gateway_id in self._gateways.get(unit_id, ())]
            self._timelines[unit_id] = Timeline(
                unit_id, rows, tracks, self.visibility.end, self._attribution, self.registry.adjusted(unit_id)
            )
        return self._timelines[unit_id]

    def evidence(self, unit_id: str, gateway_id: str, piece: Piece) -> Evidence:
        """Return whose an offline piece of a gateway is, and what shows it."""
        return self._attribution.evidence(gateway_id, unit_id, piece.lost_at)

    def conditions(self, unit_id: str) -> list[Condition]:
        """Return what each gateway said of itself for a unit, whether the registry knows the pair or not (R44)."""
        return [self._condition(pair) for pair in self._speakers.get(unit_id, ())]

    def needless(self, unit_id: str, before: int) -> list[Needless]:
        """Return the signals of a unit that nothing from an instant on rests on; of who was never online, none."""
        found: list[Needless] = []
        for track in self.timeline(unit_id).tracks:
            cut, pair = self.cut(unit_id, track.gateway_id, before), (track.gateway_id, unit_id)
            if cut is not None:
                found.append(needless(self._signals.get(pair, ()), track.condition, cut.at, before))
        return found

    def duties_to_test(self, unit_id: str) -> list[Due]:
        """Return the duties to test of a unit that has a known row, over all time."""
        if unit_id not in self._duties:
            rows = self.registry.units[unit_id]
            self._duties[unit_id] = duties(rows, self.registry.adjusted(unit_id), self.policies)
        return self._duties[unit_id]

    def tests(self, unit_id: str, counts: CountsAsTest) -> list[int]:
        """Return when each test was received that names a unit, in order, whoever's the gateway is (R45)."""
        key = (unit_id, counts)
        if key not in self._tests:
            self._tests[key] = sorted(each.received for each in self._told_of(unit_id) if each.is_test(counts))
        return self._tests[key]

    def transmissions(self, unit_id: str) -> list[Transmission]:
        """Return how long each signal took that names a unit, in the order of reception (R46)."""
        if unit_id not in self._transmissions:
            self._transmissions[unit_id] = transmissions(self._told_of(unit_id))
        return self._transmissions[unit_id]

    def _told_of(self, unit_id: str) -> Iterator[SignalFact]:
        for pair in self._speakers.get(unit_id, ()):
            yield from self._signals[pair]

    def _condition(self, pair: Pair) -> Condition:
        if pair not in self._conditions:
            let_off = self.registry.adjusted(pair[1]).of_troubles
            self._conditions[pair] = condition(self._signals.get(pair, ()), let_off)
        return self._conditions[pair]

    def _track(self, gateway_id: str, unit_id: str, rows: Sequence[UnitRow]) -> GatewayTrack:
        pair = (gateway_id, unit_id)
        signals, plain = self._signals.get(pair, []), self._plain(pair)
        runs = [
            Span(midnight(first), NEVER if after is None else midnight(after))
            for first, after in self.registry.runs(gateway_id, unit_id)
        ]
        proofs = self._seen({*plain, *(each.received for each in signals if each.is_proof)})
        wills = self._seen({each.received for each in signals if each.is_last_will})
        profile_at = self._profiles(rows)
        pieces: list[Piece] = []
        cut = self._cuts.get(pair)
        heard = cut is not None
        for run in runs if cut is None else _after(runs, cut.at):
            made, heard = connection(run, proofs, wills, self.visibility, profile_at, heard)
            pieces += made
        return GatewayTrack(
            gateway_id,
            self.registry.gateways[gateway_id],
            runs,
            pieces,
            _first_within(runs, proofs) if cut is None else cut.first_proof,
            self._condition(pair),
            sorted([*plain, *(each.received for each in signals if each.is_heartbeat)]),
            proofs,
        )

    def cut(self, unit_id: str, gateway_id: str, before: int) -> Cut | None:
        """Return the last proof before an instant at which a gateway was online, None without any."""
        track = next(each for each in self.timeline(unit_id).tracks if each.gateway_id == gateway_id)
        for at in reversed(track.proofs[: bisect_left(track.proofs, before)]):
            piece = track.piece_at(at)
            if piece is not None and piece.link is Link.ONLINE and track.first_proof is not None:
                return Cut(at, track.first_proof)
        return self._cuts.get((gateway_id, unit_id))

    def _plain(self, pair: Pair) -> Sequence[int]:
        """Return the heartbeats that were received before the watermark (R8)."""
        times, watermark = self._heartbeats.get(pair, ()), self.visibility.watermark
        return () if watermark is None else times[: bisect_left(times, watermark)]

    def _seen(self, times: Collection[int]) -> list[int]:
        """Return times in order without those in blind time (R10)."""
        found = sorted(times)
        if not found:
            return found
        spans = self.visibility.sighted(found[0], found[-1] + 1)
        return [at for start, end in spans for at in found[bisect_left(found, start) : bisect_left(found, end)]]

    def _profiles(self, rows: Sequence[UnitRow]) -> Callable[[int], Profile]:
        by_day: dict[int, Profile] = {}

        def profile_at(at: int) -> Profile:
            day = day_of(at)
            if day not in by_day:
                row = in_force(rows, day)
                district = (row or rows[0]).district
                pack = self.policies.on(district, day)
                if pack is None:
                    raise Refused("no_pack", f"district {district}")
                by_day[day] = pack.profile(None if row is None else row.profile)
            return by_day[day]

        return profile_at

    def losses(self) -> Iterator[Lost]:
        """Yield every loss that may share its cause with others."""
        for unit_id in self.unit_ids:
            if any(self.policies.on(row.district, row.valid_from) is None for row in self.registry.units[unit_id]):
                continue  # of a district without a pack: nobody can say when it was lost
            timeline = self.timeline(unit_id)
            for track in timeline.tracks:
                for at in sorted({piece.anchor for piece in track.pieces if _is_loss(piece)}):
                    found = self._lost(timeline, track, at)
                    if found is not None:
                        yield found

    def _lost(self, timeline: Timeline, track: GatewayTrack, at: int) -> Lost | None:
        """Return the loss with its groups, None when the unit was none that must be connected then."""
        day = day_of(at)
        row, gateway = in_force(timeline.rows, day), in_force(track.rows, day)
        if row is None or gateway is None or row.retired(day) or not row.commissioned(day):
            return None
        if self.registry.adjusted(timeline.unit_id).exempt(at, row.exempt(day)):
            return None
        pack = self.policies.on(row.district, day)
        if pack is None:
            return None
        groups = {"carrier": gateway.carrier, "town": row.dimensions["town"]}
        return Lost((track.gateway_id, timeline.unit_id, at), groups, pack.common_cause, row.district)


def _after(runs: Sequence[Span], at: int) -> list[Span]:
    """Return the runs from an instant on, the one that holds it from there."""
    return [Span(max(run.start, at), run.end) for run in runs if at < run.end]


def _is_loss(piece: Piece) -> bool:
    return piece.link is Link.OFFLINE and piece.cause == "deadline"


def _first_within(runs: Sequence[Span], proofs: Sequence[int]) -> int | None:
    found = (proofs[index] for run in runs if (index := bisect_left(proofs, run.start)) < len(proofs))
    return min((at for at in found if any(run.start <= at < run.end for run in runs)), default=None)
