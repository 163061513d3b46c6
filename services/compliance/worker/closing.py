"""Closes periods: reads the archived log step by step, computes units, publishes figures.

    take a step --> compute every unit --> publish --> take a step ..
        |                  |                  |
        +------------------+------------------+--> what cannot be used is waited for; then everything is looked up anew

Each of the three is one transaction or gives the same when it is done again, and where we are stands in the database.
So whatever is killed when, the same revisions are published under the same numbers, as known at the same instants.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from services.compliance.domain.attribution import Attribution, Lost
from services.compliance.domain.bodies import Assessment, findings
from services.compliance.domain.errors import Refused
from services.compliance.domain.figure import Figure
from services.compliance.domain.health import begins, tells, trouble_time
from services.compliance.domain.interruptions import Interruption, StandingOutage, interruptions, outage_of, revised
from services.compliance.domain.knowledge import Cut, Knowledge, Known
from services.compliance.domain.period import Window, window_of, windows_between
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import Key, figures_of, part_of
from services.compliance.domain.registry import Registry
from services.compliance.domain.revision import between, published_fields
from services.compliance.domain.signals import Pair
from services.compliance.domain.tally import Counting, Part, Tally
from services.compliance.domain.unit_day import carry, checks_by_unit, faults_of, unit_days
from services.compliance.domain.visibility import Visibility
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import (
    Dirt,
    FactStore,
    FinalUnit,
    LogFold,
    NewFigure,
    Position,
    Published,
    Step,
    StopSignal,
    Unavailable,
    UnitFacts,
    UnitResult,
)  # fmt: skip
from services.compliance.worker.scoring import Scoring
from services.kernel.calendar import day_of, micros, midnight, moment
from services.kernel.words import Period
from services.runtime.clock import Clock

T = TypeVar("T")
UNITS_AT_ONCE = 100
"""So many units are computed between two looks at everything else: some 100 ms of processor, some 20 MB."""
WAIT_S = 1.0
MAX_WAIT_S = 30.0
LATE_TOLD = 20
"""Of one step; all of them are counted."""
FINAL_DAYS = 7
"""So many days become final at once: a few days of heartbeats of some units are read for it, not a year's."""
RUNNING = (Period.DAY, Period.WEEK, Period.MONTH)
"""Periods that are shown while they run; sums of a year at each step would be most of the work."""


@dataclass(slots=True)
class Progress:
    """For /readyz: when the loop last turned, and what it waits for. Seconds of a monotonic clock."""

    turned_s: float | None = None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What is computed of the periods at hand: closed ones that are published, and those that run."""

    closed: Sequence[tuple[Key, Figure]]
    running: Sequence[tuple[Key, Figure]]


class Closing:
    """One process does it; computing goes on in a thread of its own, so that the status page answers meanwhile."""

    def __init__(
        self,
        *,
        log: LogFold,
        store: FactStore,
        metrics: ClosingMetrics,
        clock: Clock,
        tell: Callable[..., Any],
        wake: Callable[[], None],
        poll_s: float,
        kept_from: Callable[[datetime, datetime | None], datetime],
        scoring: Scoring | None = None,
    ) -> None:
        """`wake`: something is to be sent. `poll_s`: how often it is looked whether more is archived.

        `kept_from` says, by the watermark and from when on periods are not closed, before when facts may go.
        """
        self._kept_from = kept_from
        self._scoring = scoring
        self._log = log
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._tell = tell
        self._wake = wake
        self._poll_s = poll_s
        self._thread = ThreadPoolExecutor(1, "closing")
        self._ready = False
        self._folded_to: int | None = None
        """Up to when the log is folded in memory; None: nothing of it."""
        self.needs_from: datetime | None = None
        """From when on figures may still be computed from the archive; None: not known yet."""
        self.progress = Progress()

    async def run(self, stop: StopSignal) -> None:
        """Close periods until stop."""
        wait_s = WAIT_S
        try:
            while not stop.is_set():
                try:
                    busy = await self.turn()
                    wait_s = WAIT_S
                    if not busy:
                        await stop.wait_for(self._poll_s)
                except Unavailable as error:
                    self._waits(error)
                    await stop.wait_for(wait_s)
                    wait_s = min(MAX_WAIT_S, 2 * wait_s)
        finally:
            self._thread.shutdown(wait=False)

    async def turn(self) -> bool:
        """Do what comes next; return whether there was anything."""
        try:
            busy = await self._turn()
        except BaseException:
            self._ready = False  # what is in memory may be ahead of the database
            raise
        self.progress.turned_s, self.progress.waits_for = self._clock.monotonic(), None
        return busy

    async def _turn(self) -> bool:
        position = await self._store.position()
        stands_at = None if position is None else position.known_at
        kept_day = 0 if position is None else position.kept_day
        self.needs_from = moment(midnight(kept_day) if kept_day else 0)
        # Not only at the start: what another process was writing when it ended may stand there a moment later.
        if not self._ready or self._folded_to != stands_at:
            await self._in_thread(self._log.restore, None if position is None else position.state)
            self._ready, self._folded_to = True, stands_at
            if position is not None and position.computed_at == position.known_at == position.published_at:
                await self._show_again(position)
        if position is not None and position.computed_at != position.known_at:
            await self._compute(position)
        elif position is not None and position.published_at != position.known_at:
            await self._publish(position)
        else:
            await self._score(position)
            step = await self._in_thread(self._log.next_step)
            if step is None:
                return position is not None and await self._forget(position)
            await self._take(step, 0 if position is None else position.kept_day)
        return True

    async def _score(self, position: Position | None) -> None:
        """Bring scores up to the figures that stand; a fold that is behind them knows too few packs for that."""
        if self._scoring is not None and position is not None and not self._log.catches_up:
            await self._scoring.turn(self._policies())

    def _waits(self, error: Unavailable) -> None:
        if self.progress.waits_for is None:
            self._tell("closing_waits", reason=str(error))
        self.progress.waits_for = str(error)
        self._metrics.waits.inc()

    async def _take(self, step: Step, kept_day: int) -> None:
        await self._store.take(step)
        if kept_day and not self._log.catches_up:  # what is read again was told when it came
            self._metrics.too_late.inc(_too_late(step, midnight(kept_day)))
            self._tell_late_troubles(step, midnight(kept_day))
        self._folded_to = step.known_at
        self._metrics.steps.inc()
        self._metrics.known_at.set(step.known_at / 1_000_000)

    def _tell_late_troubles(self, step: Step, final: int) -> None:
        """Say which signals of final days begin a trouble: what ended it may be gone, and then nothing of ours does.

        So late come replayed ones alone, and a trouble begins when its signal was refused, not when it was replayed.
        """
        late = [signal for signal, _ in step.signals if begins(signal) and trouble_time(signal) < final]
        self._metrics.late_troubles.inc(len(late))
        for signal in late[:LATE_TOLD]:
            gateway_id, unit_id = signal.pair
            begun = moment(trouble_time(signal)).isoformat()
            self._tell("figures_trouble_too_late", unit_id=unit_id, gateway_id=gateway_id, kind=signal.kind, at=begun)

    async def _compute(self, position: Position) -> None:
        policies, visibility = self._policies(), self._log.visibility
        first_seen = self._log.first_seen
        if first_seen is not None:
            registry = await self._store.registry(position.known_at)
            first = min(day_of(window_of(kind, day_of(first_seen)).start) for kind in Period)
            first = max(first, position.kept_day)
            for unit_ids in chunks(sorted(registry.units), UNITS_AT_ONCE):
                pairs = pairs_of(registry, unit_ids)
                facts = await self._store.unit_facts(unit_ids, pairs, position.kept_day)
                of = part_of_registry(registry, unit_ids, pairs)
                results = await self._in_thread(computed, of, facts, policies, visibility, first)
                await self._store.save_units(results)
                self._metrics.units.inc(len(results))
                self.progress.turned_s = self._clock.monotonic()
        await self._store.computed(position.known_at)

    async def _publish(self, position: Position) -> None:
        visibility = self._log.visibility
        closed = visibility.watermark
        if self._log.catches_up or closed is None:
            await self._store.publish(position, position.closed, (), Assessment((), ()), keep_dirt=True)
            return
        dirt = await self._whose_age_matters(position, await self._store.dirt())
        windows = [
            window
            for window in self._windows(visibility)
            if _concerns(dirt, window) or self._is_newly_closed(window, position.closed, closed)
        ]
        windows = self._whole(windows, position)
        shown = await self._figures(position, windows)
        new = await self._revisions(windows, shown.closed)
        assessment = findings(await self._store.standing(), [(each.key, each.revision, each.figure) for each in new])
        outages = await self._outages(position, dirt)
        all_outages = not self._log.is_of_before
        await self._store.publish(position, closed, new, assessment, outages, all_outages=all_outages)
        self._metrics.outages_published(outages)
        self._show(position, shown, new)
        if new:
            self._wake()
        if self._scoring is not None and any(each.key.window.kind is Period.MONTH for each in new):
            self._scoring.figures_changed()

    def _show(self, position: Position, shown: Shown, new: Sequence[NewFigure]) -> None:
        self._metrics.show(shown.closed, shown.running)
        self._metrics.published(new)
        if new:
            self._tell("figures_published", figures=len(new), revised=sum(each.revision > 1 for each in new))

    async def _show_again(self, position: Position) -> None:
        """Show after a start what was shown before it; nothing is published by that."""
        watermark, policies = self._log.visibility.watermark, self._policies()
        if watermark is None or self._log.catches_up:
            return
        kept = self._final_before(position)
        closed = {
            window.kind: window
            for window in self._windows(self._log.visibility)
            if window.start >= kept and any(end <= watermark for end in policies.closings(window.end))
        }
        shown = await self._figures(position, [closed[kind] for kind in RUNNING if kind in closed])
        self._metrics.show(shown.closed, shown.running)

    def _final_before(self, position: Position) -> int:
        """Return before when figures stay as they are: what they were computed from is gone, or may be."""
        return max(midnight(position.kept_day) if position.kept_day else 0, self._log.gone_before)

    def _whole(self, windows: Sequence[Window], position: Position) -> list[Window]:
        """Return the periods of which everything is there; the others stay as published, each is counted and told."""
        kept = self._final_before(position)
        for window in windows:
            if window.start < kept:
                self._metrics.refused.labels(window.kind.value).inc()
                self._tell("figures_period_refused", period=window.kind.value, start=moment(window.start).isoformat())
        return [window for window in windows if window.start >= kept]

    async def _forget(self, position: Position) -> bool:
        """Make a week final that is old enough, and drop what only it needed; return whether there was one.

        First no day of it is computed again, whatever comes; then its facts go. What a process leaves undone that ends
        in between is larger than it must be, and the next week does it.
        """
        first_seen, watermark = self._log.first_seen, self._log.visibility.watermark
        if first_seen is None or watermark is None or self._log.catches_up:
            return False
        bound = self._kept_from(moment(watermark), await self._store.unclosed_from())
        day = max(position.kept_day, day_of(first_seen)) + FINAL_DAYS
        if midnight(day) > micros(bound):
            return False
        await self._store.move_kept(position.kept_day, day)
        registry = await self._store.registry(position.known_at)
        for unit_ids in chunks(sorted(registry.units), UNITS_AT_ONCE):
            pairs = pairs_of(registry, unit_ids)
            facts = await self._store.unit_facts(unit_ids, pairs, day, before=day)
            of = part_of_registry(registry, unit_ids, pairs)
            policies = self._policies()
            final = await self._in_thread(final_units, of, facts, policies, self._log.visibility, day)
            self._metrics.dropped_rows(await self._store.forget(final, day, policies.longest_common_cause()))
            self.progress.turned_s = self._clock.monotonic()
        self._metrics.dropped_rows({"checks": await self._store.forget_checks(day)})
        self._metrics.final_before.set(midnight(day) / 1_000_000)
        self._tell("figures_final", before=moment(midnight(day)).isoformat())
        return True

    async def _whose_age_matters(self, position: Position, dirt: Dirt) -> Dirt:
        """Add the days of faults that have just become too old to be cured in time: time alone changes their figure."""
        now, before = self._log.visibility.through, position.closed or 0
        limits = self._policies().cure_limits()
        begun = [at for at in await self._store.open_faults() for limit in limits if before <= at + limit <= now]
        return dirt._replace(within=dirt.within | {day_of(at) for at in begun})

    def _windows(self, visibility: Visibility) -> Iterator[Window]:
        """Yield the periods that have begun since we first looked and are over."""
        first_seen, watermark = self._log.first_seen, visibility.watermark
        if first_seen is None or watermark is None:
            return
        for kind in Period:
            for window in windows_between(kind, day_of(first_seen), day_of(watermark)):
                if first_seen < window.end <= watermark:
                    yield window

    def _is_newly_closed(self, window: Window, before: int | None, now: int) -> bool:
        ends = self._policies().closings(window.end)
        return any((before is None or before < end) and end <= now for end in ends)

    async def _figures(self, position: Position, windows: Sequence[Window]) -> Shown:
        policies, visibility = self._policies(), self._log.visibility
        running = [window_of(kind, day_of(visibility.watermark or 0)) for kind in RUNNING]
        counting = Counting([*windows, *running], policies)
        registry = await self._store.registry(position.known_at)
        first = day_of(min(window.start for window in [*windows, *running]))
        async for unit in self._store.histories(registry, first, day_of(max(w.end for w in [*windows, *running]))):
            counting.take(unit)
        made = await self._in_thread(all_figures, counting, policies, visibility)
        known = set(windows)
        return Shown([each for each in made if each[0].window in known], [e for e in made if e[0].window not in known])

    async def _revisions(self, windows: Sequence[Window], made: Sequence[tuple[Key, Figure]]) -> list[NewFigure]:
        """Return what is new, or other than what stands; a part that nobody is in any more is published as empty."""
        found: list[NewFigure] = []
        for window in windows:
            standing = dict(await self._store.published(window))
            ours = {key: figure for key, figure in made if key.window == window and figure.closed}
            for key in standing.keys() - ours.keys():
                found_empty = emptied(key, self._policies(), self._log.visibility)
                ours.update((each, figure) for each, figure in found_empty if figure.closed)
            found += [new for key, figure in sorted(ours.items()) if (new := _revision(key, figure, standing.get(key)))]
        return found

    async def _outages(self, position: Position, dirt: Dirt) -> list[StandingOutage]:
        """Return what is new of outages of days on which any begins, or a gateway was lost, otherwise than before.

        Whose an outage is hangs on who else was lost at about that time: those that begin or were lost so near to such
        a day are looked at too. A week at a time: a new pack may concern every day that is kept.
        """
        policies, final = self._policies(), self._final_before(position)
        reach, found = policies.longest_common_cause(), dict[tuple[str, int], StandingOutage]()
        seen = day_of(max(final, self._log.first_seen or 0))
        for first, after in _spans(dirt, seen, day_of(self._log.visibility.through)):
            start, end = midnight(first), midnight(after)
            held = await self._store.interruptions(start, end, reach)
            times = [each.lost_at for each in held if each.lost_at is not None]
            near = (min(times, default=start) - reach, max(times, default=end) + reach + 1)
            attribution = Attribution(partial(iter, await self._store.losses(*near, policies)))
            standing = await self._store.standing_outages(start, end, held)
            made = await self._in_thread(_outages, held, attribution, standing, final)
            found.update(((each.outage.interruption.unit_id, each.outage.interruption.start), each) for each in made)
        return list(found.values())

    def _policies(self) -> Policies:
        policies = self._log.policies
        assert policies is not None, "no step is taken before a pack is known"
        return policies

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def computed(
    registry: Registry, facts: UnitFacts, policies: Policies, visibility: Visibility, first: int
) -> list[UnitResult]:
    """Return what some units came to: from their carries on, from day `first` where they have none."""
    knowledge = knowledge_of(registry, facts, policies, visibility)
    asked = checks_by_unit(knowledge, knowledge.checks)
    last = day_of(visibility.through)
    results = []
    losses: dict[str, list[Lost]] = {}
    for lost in knowledge.losses():
        losses.setdefault(lost.loss[1], []).append(lost)
    for unit_id in knowledge.unit_ids:
        held = facts.carries.get(unit_id)
        since = first if held is None else max(first, held.first)
        checks = [(each.ordered_at, None if each.end is None else each.end.value) for each in asked.get(unit_id, ())]
        days = list(unit_days(knowledge, unit_id, since, last))
        results.append(
            UnitResult(
                unit_id,
                since,
                days,
                faults_of(knowledge, unit_id),
                checks,
                carry(knowledge, unit_id),
                interruptions(knowledge, unit_id, since),
                [each for each in losses.get(unit_id, ()) if each.loss[2] >= midnight(since)],
            )
        )
    return results


def final_units(
    registry: Registry, facts: UnitFacts, policies: Policies, visibility: Visibility, day: int
) -> list[FinalUnit]:
    """Return from where each gateway is computed that was online before a day, and which signals may go by that."""
    knowledge = knowledge_of(registry, facts, policies, visibility)
    found: list[FinalUnit] = []
    for unit_id in knowledge.unit_ids:
        tracks = knowledge.timeline(unit_id).tracks
        cuts = {(each.gateway_id, unit_id): knowledge.cut(unit_id, each.gateway_id, midnight(day)) for each in tracks}
        known = {pair: cut for pair, cut in cuts.items() if cut is not None}
        needless = knowledge.needless(unit_id, midnight(day))
        gone = [signal.key for each in needless for signal in each.gone]
        found.append(FinalUnit(unit_id, known, gone, [signal.key for each in needless for signal in each.silent]))
    return found


def knowledge_of(registry: Registry, facts: UnitFacts, policies: Policies, visibility: Visibility) -> Knowledge:
    cuts: dict[Pair, Cut] = {}
    for each in facts.carries.values():
        cuts |= each.cuts
    known = Known(None, (), facts.signals, facts.heartbeats, facts.checks, registry)
    return Knowledge(known, policies, visibility=visibility, cuts=cuts)


def _too_late(step: Step, final: int) -> int:
    """Return how many signals are of final days; of one that may begin or end a trouble that is when this did."""
    late = sum(received < final for times in step.heartbeats.values() for received in times)
    times = (trouble_time(signal) if tells(signal) else signal.received for signal, _ in step.signals)
    return late + sum(at < final for at in times)


def all_figures(counting: Counting, policies: Policies, visibility: Visibility) -> list[tuple[Key, Figure]]:
    """Return every figure of the sums; none of a part for which no pack was in force."""
    found: list[tuple[Key, Figure]] = []
    for (window, part), tally in counting.tallies.items():
        try:
            found += figures_of(window, part, tally, policies, visibility)
        except Refused:
            continue  # no pack on the last day of the period: nobody can judge it
    return found


def emptied(key: Key, policies: Policies, visibility: Visibility) -> Iterator[tuple[Key, Figure]]:
    """Yield the figure of a part that nothing counts in any more."""
    part: Part = part_of(key, policies)
    try:
        found = list(figures_of(key.window, part, Tally(), policies, visibility))
    except Refused:
        return
    yield from (each for each in found if each[0] == key)


def _revision(key: Key, figure: Figure, standing: Published | None) -> NewFigure | None:
    now = published_fields(figure)
    if standing is None:
        return NewFigure(key, 1, figure, {})
    difference = between(standing.figure, now)
    return NewFigure(key, standing.revision + 1, figure, difference) if difference else None


def _outages(
    held: Sequence[Interruption], attribution: Attribution, standing: Sequence[StandingOutage], final: int
) -> list[StandingOutage]:
    return list(revised((outage_of(each, attribution) for each in held), standing, final))


def _spans(dirt: Dirt, seen: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the days, [first, after), whose outages are looked at again, in order, a week at once at most.

    All from a day on are those of `seen` and later: before it nobody looked, or days are final.
    """
    days = {day for day in dirt.lost if day <= last}
    if dirt.onwards is not None:
        days.update(range(max(dirt.onwards, seen), last + 1))
    first = None
    for day in sorted(days):
        if first is None:
            first = day
        if day + 1 not in days or day + 1 - first == FINAL_DAYS:
            yield first, day + 1
            first = None


def _concerns(dirt: Dirt, window: Window) -> bool:
    first, after = day_of(window.start), day_of(window.end)
    if dirt.onwards is not None and dirt.onwards <= after:
        return True
    return after in dirt.beginning or any(first <= day < after for day in dirt.within)


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def pairs_of(registry: Registry, unit_ids: Iterable[str]) -> set[Pair]:
    wanted = set(unit_ids)
    return {pair for pair in registry.pairs() if pair[1] in wanted}


def part_of_registry(registry: Registry, unit_ids: Sequence[str], pairs: Iterable[Pair]) -> Registry:
    gateways = {gateway_id: registry.gateways[gateway_id] for gateway_id, _ in pairs}
    adjustments = {unit_id: registry.adjustments[unit_id] for unit_id in unit_ids if unit_id in registry.adjustments}
    return Registry({unit_id: registry.units[unit_id] for unit_id in unit_ids}, gateways, adjustments)
