"""Climbs the ladders: first what has a common cause, then the steps that are due, under row locks."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

from services.alerts.domain.audit.entry import AuditEntry, Detail
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.lifecycle import close, cured, lapsed
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict
from services.alerts.domain.escalation.ladder import clock_from, has_exited, is_due, step_of
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.noise.common_cause import (
    Candidate,
    Cause,
    Members,
    again,
    find_causes,
    open_common,
    released,
)
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, CaseTransaction, Changes, Directory
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.notice_composer import ACTOR, NoticeComposer, cancel_waiting
from services.kernel.words import ClockKind
from services.runtime.clock import Clock

STEPS_AT_ONCE = 100
CANDIDATES_AT_ONCE = 50_000
RECENT_SLACK = timedelta(seconds=60)
NO_MEMBERS = Members()


class LadderWorker:
    """Any number may run: cases are claimed with row locks, grouping by one at a time."""

    def __init__(
        self,
        *,
        store: CaseStore,
        directory: Directory,
        composer: NoticeComposer,
        metrics: AlertsMetrics,
        clock: Clock,
        wake: Callable[[], None],
        fire_priority: FirePriority,
    ) -> None:
        self._store = store
        self._directory = directory
        self._composer = composer
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._fire_priority = fire_priority

    async def turn(self) -> int:
        """Group, then take the steps that are due; return how many were taken. Raises StoreUnavailable, NoPack."""
        await self._group()
        await self._end_quiet()
        await self._lapse()
        taken = await self._climb()
        if taken:
            self._wake()
        return taken

    async def _climb(self) -> int:
        async with self._store.transaction() as transaction:
            now = self._clock.now()
            changes = Changes()
            cases = await transaction.due(now, STEPS_AT_ONCE)
            common = [case.case_id for case in cases if case.is_common]
            members = await transaction.open_common_cases(self._directory.longest_window(now)) if common else {}
            earlier = await transaction.taken([case.case_id for case in cases if not case.is_urgent])
            taken = 0
            for case in cases:
                if taken % 20 == 19 and not any(one.is_urgent for one in cases):
                    await self._fire_priority.give_way()
                if case.clocks.step is None or not is_due(case, now):
                    continue
                step = step_of(case, case.clocks.step.step)
                if step is None or has_exited(case, step):
                    # nothing to take: left due it would be looked at for ever, before all others
                    changes.put(clock_from(case, now, timedelta(0), self._composer.pace))
                    continue
                self._composer.take_step(
                    changes,
                    case,
                    step,
                    now,
                    members=members.get(case.case_id, NO_MEMBERS).out,
                    earlier=earlier.get(case.case_id, ()),
                )
                taken += 1
            await transaction.save(changes)
        return taken

    async def _end_quiet(self) -> None:
        """Close what flapped and has been quiet for long enough, and tell so those who were told of it."""
        async with self._store.transaction() as transaction:
            now, changes = self._clock.now(), Changes()
            for case in await transaction.quiet(now, STEPS_AT_ONCE):
                if case.is_listed:  # it was listed while it was quiet: it waits for its listing's closure
                    changes.put(cured(case, now, now, self._composer.pace))
                    over: Detail = {"reason": "listed", "drops": case.sightings.drops}
                    changes.audit.append(AuditEntry(now, ACTOR, "case_kept_open", case.case_id, over))
                    continue
                detail: Detail = {"reason": "quiet", "drops": case.sightings.drops}
                changes.audit.append(AuditEntry(now, ACTOR, "case_closed", case.case_id, detail))
                await self._close(transaction, changes, case, "quiet", now)
            await transaction.save(changes)

    async def _lapse(self) -> None:
        """Take back what people took and did not end in time: it is in sight again, and its ladder goes on."""
        async with self._store.transaction() as transaction:
            now, changes = self._clock.now(), Changes()
            for case in await transaction.due(now, STEPS_AT_ONCE, ClockKind.UN_ACKNOWLEDGE):
                taken = case.acknowledged
                detail: Detail = {"by": taken.by, "at": taken.at.isoformat()} if taken else {}
                changes.put(lapsed(case, now, self._composer.pace))
                changes.audit.append(AuditEntry(now, ACTOR, "acknowledgement_lapsed", case.case_id, detail))
            await transaction.save(changes)

    async def _group(self) -> None:
        try:
            async with self._store.transaction() as transaction:
                if await transaction.alone_with_common_causes():
                    await self._group_within(transaction)
        except Conflict:
            return  # another process opened the same common case; the next turn sees it

    async def _group_within(self, transaction: CaseTransaction) -> None:
        now = self._clock.now()
        window = self._directory.longest_window(now)
        since = now - window - RECENT_SLACK
        changes = Changes()
        members = await transaction.open_common_cases(window)
        book = await transaction.book((), set(members)) if members else None
        cases = book.by_id.values() if book else ()
        running = {(case.facts.district, key): case for case in cases if (key := case.grouping.cause_key)}
        candidates = await transaction.loose_losses(since, CANDIDATES_AT_ONCE)
        by_district: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_district[candidate.district].append(candidate)
        for district, losses in sorted(by_district.items()):
            rules = self._directory.rules(now, district)
            held = frozenset(key for (of, key), case in running.items() if of == district and case.grouping.holds(now))
            for cause in find_causes(losses, rules, self._directory.sizes(district), held):
                case = await self._gather(transaction, changes, cause, running.get((district, cause.key)), rules, now)
                members[case.case_id] = members.get(case.case_id, NO_MEMBERS).joined_by(cause)
        for case in running.values():
            those = members.get(case.case_id, NO_MEMBERS)
            if those.out == 0:
                await self._close(transaction, changes, case, "all_members_back", now)
            else:
                await self._release(transaction, changes, changes.case(case.case_id) or case, those, now)
        await transaction.save(changes)

    async def _gather(
        self,
        transaction: CaseTransaction,
        changes: Changes,
        cause: Cause,
        running: Case | None,
        rules: PackRules,
        now: datetime,
    ) -> Case:
        if running is None:
            sample = (await transaction.book((), {cause.members[0]})).by_id[cause.members[0]]
            common = open_common(cause, sample, rules, now, self._composer.pace)
            await transaction.save(Changes(opened={common.case_id: common}))
            action = "common_case_opened"
        else:
            common = again(running, cause, rules, now, self._composer.pace)
            changes.put(common)
            action = "common_case_renewed" if common.sightings.drops > running.sightings.drops else "common_case_grew"
        if action != "common_case_grew":
            self._metrics.common_causes.inc()
        until = common.grouping.held_until
        held = await transaction.hold_members(common, cause.members)
        changes.audit.append(
            AuditEntry(
                now,
                ACTOR,
                action,
                common.case_id,
                {
                    "cause": cause.key,
                    "members": len(held),
                    "held_until": until.isoformat() if until else None,
                    "clause": common.clause,
                    "pack": f"{common.pack_id}@{common.pack_version}",
                },
            )
        )
        return common

    async def _release(
        self, transaction: CaseTransaction, changes: Changes, case: Case, members: Members, now: datetime
    ) -> None:
        """Hold the members of a cause that has cleared no longer: who is still out has letters of its own."""
        rules = self._directory.rules(now, case.facts.district)
        common = released(case, members, rules, now, self._composer.pace)
        if common is None:
            return
        assert case.grouping.held_until is not None, "only what is held is released"
        changes.put(common)
        freed = await transaction.release_members(common, case.grouping.held_until)
        detail: Detail = {"members": len(freed), "held_until": str(common.grouping.held_until), "out_of": members.taken}
        changes.audit.append(AuditEntry(now, ACTOR, "common_case_released", common.case_id, detail))

    async def _close(
        self, transaction: CaseTransaction, changes: Changes, case: Case, reason: str, now: datetime
    ) -> None:
        closed = close(case, reason, now)
        changes.put(closed)
        cancel_waiting(changes, closed, Reason.CASE_CLOSED)
        recipients = await transaction.recipients([case.case_id])
        self._composer.all_clear(changes, closed, recipients.get(case.case_id, []), now)
