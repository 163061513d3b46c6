"""Answers what a pack would have said of a closed period; nothing that is published changes by it.

It is computed from the facts that closing keeps, with one pack in place of its district's, some units at a time, in a
thread of its own beside closing. Whatever goes wrong here is said with the question, and ends nothing else.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from services.compliance.domain.figure import Figure
from services.compliance.domain.period import Window
from services.compliance.domain.publishing import Key
from services.compliance.domain.registry import Registry
from services.compliance.domain.revision import published_fields
from services.compliance.domain.tally import Counting, UnitHistory
from services.compliance.domain.unit_day import checks_by_unit, faults_of, unit_days
from services.compliance.domain.what_if import (
    MAX_ATTEMPTS,
    Membership,
    NotAnswered,
    Said,
    Supposed,
    Unanswered,
    answer,
    heartbeats_before,
    is_of,
    require_whole,
    scopes_of,
)
from services.compliance.metrics import WhatIfMetrics
from services.compliance.ports import (
    FactStore,
    Position,
    StopSignal,
    TakenWhatIf,
    Unavailable,
    UnitFacts,
    WhatIf,
    WhatIfStore,
)
from services.compliance.worker.closing import (
    all_figures,
    chunks,
    emptied,
    knowledge_of,
    pairs_of,
    part_of_registry,
)
from services.kernel.calendar import day_of
from services.runtime.clock import Clock

UNITS_AT_ONCE = 10
"""All heartbeats since days became final are read of each: some 20 MB for a year of one each 10 s."""
LIMIT_S = 600.0
POLL_S, WAIT_S, FORGET_S = 2.0, 30.0, 3600.0

Suppose = Callable[[str, WhatIf], tuple[Supposed, Window]]
"""From a state of the fold and a question. Raises NotAnswered."""


class Lost(Exception):
    """The question is another process's by now."""


class Work(NamedTuple):
    """What a question is answered from."""

    taken: TakenWhatIf
    stop: StopSignal | None
    position: Position
    supposed: Supposed
    window: Window


class WhatIfs:
    """One question at a time; of several processes each takes another."""

    def __init__(
        self,
        *,
        store: WhatIfStore,
        facts: FactStore,
        suppose: Suppose,
        metrics: WhatIfMetrics,
        clock: Clock,
        tell: Callable[..., Any],
        limit_s: float = LIMIT_S,
    ) -> None:
        self._store = store
        self._facts = facts
        self._suppose = suppose
        self._metrics = metrics
        self._clock = clock
        self._tell = tell
        self._limit_s = limit_s
        self._thread = ThreadPoolExecutor(1, "what-ifs")
        self._forgot_s: float | None = None

    async def run(self, stop: StopSignal) -> None:
        """Answer until stop. A question that is being answered then is taken again by whoever is there."""
        try:
            while not stop.is_set():
                try:
                    busy = await self.turn(stop)
                except Unavailable:
                    await stop.wait_for(WAIT_S)
                except Exception as error:  # noqa: BLE001 - nor may one about the table of questions
                    self._tell("what_if_broke", error=f"{type(error).__name__}: {str(error)[:200]}")
                    await stop.wait_for(WAIT_S)
                else:
                    if not busy:
                        await stop.wait_for(POLL_S)
        finally:
            self._thread.shutdown(wait=False)

    async def turn(self, stop: StopSignal | None = None) -> bool:
        """Take one and answer it; return whether there was one. Raises Unavailable."""
        taken = await self._store.take(self._clock.now())
        if taken is None:
            await self._forget()
            return False
        try:
            found = await self._answer(taken, stop)
        except Lost:
            outcome = "lost"
        except NotAnswered as refused:
            outcome = refused.why.value
            await self._store.failed(taken, refused.why, self._clock.now())
        except Unavailable:
            self._metrics.answers.labels("unavailable").inc()
            raise
        except Exception as error:  # noqa: BLE001 - our bug about a question must stop neither figures nor the archive
            outcome = Unanswered.INTERNAL.value
            self._tell("what_if_broke", error=f"{type(error).__name__}: {str(error)[:200]}")
            await self._store.failed(taken, Unanswered.INTERNAL, self._clock.now())
        else:
            outcome = "done"
            await self._store.answered(taken, found, self._clock.now())
        self._metrics.answers.labels(outcome).inc()
        self._tell("what_if_answered", what_if_id=taken.what_if_id, attempt=taken.attempt, outcome=outcome)
        return True

    async def _forget(self) -> None:
        now_s = self._clock.monotonic()
        if self._forgot_s is None or now_s - self._forgot_s >= FORGET_S:
            await self._store.forget(self._clock.now())
            self._forgot_s = now_s

    async def _answer(self, taken: TakenWhatIf, stop: StopSignal | None) -> dict[str, Any]:
        asked = await self._store.question(taken)
        if asked is None or taken.attempt > MAX_ATTEMPTS:
            raise NotAnswered(Unanswered.INTERRUPTED)
        position = await self._facts.position()
        if position is None:
            raise NotAnswered(Unanswered.NOT_CLOSED)
        supposed, window = await self._in_thread(self._suppose, position.state, asked)
        require_whole(supposed, window, position.kept_day)
        published = {
            key: each.figure
            for key, each in (await self._facts.published(window)).items()
            if is_of(key, supposed.district)
        }
        if not published:
            raise NotAnswered(Unanswered.NOT_PUBLISHED)
        counting = Counting([window], supposed.policies)
        membership = Membership(supposed, day_of(window.end - 1), scopes_of(window, supposed))
        await self._count(Work(taken, stop, position, supposed, window), counting, membership)
        await self._require_unmoved(asked, position, supposed)
        made = await self._in_thread(all_figures, counting, supposed.policies, supposed.visibility)
        return answer(published, _computed(published, made, supposed, window), membership.changes(), supposed)

    async def _count(self, work: Work, counting: Counting, membership: Membership) -> None:
        """Raises NotAnswered when it takes too long, Lost when it is to be left to others."""
        taken, stop, position, supposed, window = work
        registry = await self._facts.registry(position.known_at)
        until, ends_s = heartbeats_before(supposed.pack(window), window), self._clock.monotonic() + self._limit_s
        unit_ids = sorted(unit_id for unit_id, rows in registry.units.items() if supposed.concerns(rows))
        for some in chunks(unit_ids, UNITS_AT_ONCE):
            if (stop is not None and stop.is_set()) or not await self._store.keep(taken, self._clock.now()):
                raise Lost
            pairs = pairs_of(registry, some)
            facts = await self._facts.unit_facts(some, pairs, position.kept_day, before=until)
            of = part_of_registry(registry, some, pairs)
            for history in await self._in_thread(_histories, of, facts, supposed, window):
                counting.take(history)
                membership.take(history.unit_id, history.rows)
            if self._clock.monotonic() > ends_s:
                raise NotAnswered(Unanswered.TOO_LONG)

    async def _require_unmoved(self, asked: WhatIf, position: Position, supposed: Supposed) -> None:
        """Raises NotAnswered where facts may have gone meanwhile: days became final, or new packs fold the log anew."""
        now = await self._facts.position()
        if now is None or now.kept_day != position.kept_day:
            raise NotAnswered(Unanswered.FACTS_MOVED)
        again, _ = await self._in_thread(self._suppose, now.state, asked)
        if again.packs_known != supposed.packs_known:
            raise NotAnswered(Unanswered.FACTS_MOVED)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _histories(registry: Registry, facts: UnitFacts, supposed: Supposed, window: Window) -> list[UnitHistory]:
    knowledge = knowledge_of(registry, facts, supposed.policies, supposed.visibility)
    checks, days = checks_by_unit(knowledge, knowledge.checks), (day_of(window.start), day_of(window.end))
    return [
        UnitHistory(
            unit_id,
            registry.units[unit_id],
            list(unit_days(knowledge, unit_id, *days)),
            faults_of(knowledge, unit_id),
            checks.get(unit_id, ()),
        )
        for unit_id in knowledge.unit_ids
    ]


def _computed(
    published: dict[Key, Said], made: Sequence[tuple[Key, Figure]], supposed: Supposed, window: Window
) -> dict[Key, Said]:
    """Return the figures of the district; of a scope that is published and has nobody in it, the empty one."""
    found: dict[Key, Said] = {key: published_fields(figure) for key, figure in made if is_of(key, supposed.district)}
    names = supposed.pack(window).published
    for key in published.keys() - found.keys():
        if key.scope in names:
            found |= {each: published_fields(one) for each, one in emptied(key, supposed.policies, supposed.visibility)}
    return found
