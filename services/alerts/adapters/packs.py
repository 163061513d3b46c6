"""The packs of all districts, and what the one that stands in each says about cases."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from schemas.pack import Ladder, Pack, Step
from schemas.registry import PackRecord, PackVersion
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.delivery.budgets import over_quota
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.guarded import AreaEvent, GuardedTime
from services.alerts.domain.escalation.pack_rules import FlappingRules, GroupingRules, PackRules
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import (
    Elapsed,
    OnCondition,
    OnEvent,
    Overdue,
    PeriodClose,
    Trigger,
    WorkingDays,
    WorkingTime,
)
from services.kernel.calendar import day_number
from services.kernel.policy import DatedPack, Packs
from services.kernel.words import CaseCondition, ClockKind, ListingLevel
from services.runtime.logging import get_logger

MAJOR = OnCondition(CaseCondition.MAJOR_DANGER)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pack and what it says about cases."""

    pack: Pack
    rules: PackRules


class PackShelf:
    """All packs that the registry has published, and the one that stands in each district, found once a day."""

    def __init__(self, per_number_a_day: int | None = None) -> None:
        """`per_number_a_day` is how many notices a telephone gets in a day; None: there is no quota."""
        self._per_number_a_day = per_number_a_day
        self._records: dict[str, PackRecord] = {}
        self._chosen: tuple[date, dict[str, Chosen]] | None = None

    def put(self, record: PackRecord) -> None:
        self._records[record.id] = record
        self._chosen = None

    def remove(self, pack_id: str) -> None:
        self._records.pop(pack_id, None)
        self._chosen = None

    def of(self, district: str, day: date) -> Chosen | None:
        """Return the pack that stands in the district, None when it has none. Raises NoPack when there is none at all.

        A subject whose district nobody knows ("") goes by the pack of the only district, where there is only one.
        """
        standing = self.of_all(day)
        if not standing:
            raise NoPack("no policy pack is known")
        if not district and len(standing) == 1:
            return next(iter(standing.values()))
        return standing.get(district)

    def of_all(self, day: date) -> Mapping[str, Chosen]:
        """Return the pack of every district that has one."""
        if self._chosen is None or self._chosen[0] != day:
            packs = Packs(_dated(version) for record in self._records.values() for version in record.versions)
            found = {district: packs.standing(district, day_number(day)) for district in packs.districts()}
            self._chosen = (
                day,
                {
                    district: Chosen(
                        pack.content,
                        self._within_quota(rules_of(pack.content, expired=pack.valid_to < day_number(day))),
                    )
                    for district, pack in found.items()
                    if pack is not None
                },
            )
        return self._chosen[1]

    def _within_quota(self, rules: PackRules) -> PackRules:
        """Refuse to telephones what would break their quota, aloud: the rest of the pack holds, fires are not asked."""
        if self._per_number_a_day is None:
            return rules
        ordinary = {kind: ladder for kind, ladder in rules.ladders.items() if kind not in URGENT}
        over = over_quota(ordinary, self._per_number_a_day)
        for kind, worst in over.items():
            get_logger().error(
                "pack_over_quota", pack=rules.pack_id, kind=str(kind), worst=worst, quota=self._per_number_a_day
            )
        return replace(rules, over_quota=frozenset(over))

    def longest_window(self, day: date) -> timedelta:
        """Return the longest time within which losses have a common cause, in any district. Raises NoPack."""
        windows = [chosen.rules.common_window for chosen in self.of_all(day).values()]
        if not windows:
            raise NoPack("no policy pack is known")
        return max(windows)


def _dated(version: PackVersion) -> DatedPack[Pack]:
    pack = version.pack
    first = day_number(max(version.valid_from, pack.valid_from))
    return DatedPack(pack.district, pack.pack_id, pack.version, first, day_number(pack.valid_to), pack)


def rules_of(pack: Pack, *, expired: bool) -> PackRules:
    """Return what the pack says about cases; a ladder for a kind that we do not know is left out."""
    known = {str(kind) for kind in CaseKind}
    ladders = {
        CaseKind(kind): _steps(ladder, _bridge(pack, kind))
        for ladder in pack.ladders.values()
        for kind in ladder.kinds
        if kind in known
    }
    cause = pack.common_cause
    return PackRules(
        pack_id=pack.pack_id,
        version=pack.version,
        ladders=ladders,
        group_wait=timedelta(seconds=pack.group_wait_s),
        reopen_within=timedelta(seconds=pack.reopen_within_s),
        common_by=tuple(cause.by),
        common_units=cause.units,
        common_window=timedelta(seconds=cause.window_s),
        common_hold=timedelta(seconds=cause.hold_s),
        common_recipients=cause.tells,
        common_clause=cause.clause,
        common_wait=timedelta(seconds=_show_s(pack)),
        common_mass=cause.mass_units or 0,
        grouping=_grouping(pack),
        flapping=_flapping(pack),
        guarded=tuple(
            GuardedTime(one.name_zh, one.name_en, one.first, one.last, one.times, one.clause) for one in pack.guarded
        ),
        area_events=tuple(
            AreaEvent(
                GuardedTime(one.name_zh, one.name_en, one.first, one.last, 0, one.clause),
                frozenset(one.towns),
                frozenset(CaseKind(kind) for kind in one.kinds),
            )
            for one in pack.area_events
        ),
        expired=expired,
        un_acknowledge={
            CaseKind(kind): timedelta(seconds=seconds)
            for kind, seconds in pack.un_acknowledge_s.items()
            if kind in known
        },
        levels=pack.major_danger.levels if pack.major_danger else tuple(ListingLevel),
        listing_clause=pack.major_danger.clause if pack.major_danger else "",
    )


def _bridge(pack: Pack, kind: str) -> Elapsed | None:
    """Return after how long a trouble of the kind is a major hazard; None where the pack names nothing."""
    bridge = pack.major_danger.alarm_system_down if pack.major_danger else None
    lasted = bridge.lasted_s.get(kind) if bridge else None
    return None if lasted is None else Elapsed(timedelta(seconds=lasted))


def _show_s(pack: Pack) -> float:
    """Return how long after a loss its cause may still show itself.

    Units that are lost at one instant had their last proof within one interval before it, so their deadlines pass
    within one interval too. What lies further apart than the window is no common cause any more.
    """
    said = pack.common_cause.show_s
    apart = pack.profiles[pack.default_profile].interval_s if said is None else said
    return min(apart, pack.common_cause.window_s)


def _flapping(pack: Pack) -> FlappingRules | None:
    said = pack.flapping
    if said is None:
        return None
    window, quiet = timedelta(seconds=said.window_s), timedelta(seconds=said.quiet_s)
    return FlappingRules(said.begins, window, quiet, said.tells, said.clause)


def _grouping(pack: Pack) -> GroupingRules | None:
    said = pack.grouping
    if said is None:
        return None
    return GroupingRules(
        wait=timedelta(seconds=said.wait_s),
        interval=timedelta(seconds=said.interval_s),
        repeat=timedelta(seconds=said.repeat_s),
        least=said.least,
        named=said.named,
    )


def _steps(ladder: Ladder, bridge: Elapsed | None) -> tuple[LadderStep, ...]:
    """Return the steps; one for a major hazard stands there with the time that the bridge names, or not at all.

    So a case keeps the bridge that it was opened with, as it keeps its ladder.
    """
    steps = [(step, _trigger(step)) for step in ladder.steps]
    timed = [(step, bridge if trigger == MAJOR else trigger) for step, trigger in steps]
    return tuple(_step(step, trigger) for step, trigger in timed if trigger is not None)


def _step(step: Step, trigger: Trigger) -> LadderStep:
    return LadderStep(
        code=step.code,
        trigger=trigger,
        tells=step.tells,
        document=step.document,
        name_zh=step.name_zh,
        name_en=step.name_en,
        clause=step.clause,
        reply_working_days=step.reply_working_days,
        receipt_working_days=step.receipt_working_days,
        board_only=step.board_only,
        exits=step.exit,
    )


def _trigger(step: Step) -> Trigger:
    said = step.timing
    if said.elapsed is not None:
        return Elapsed(timedelta(seconds=said.elapsed.after_s))
    if said.event is not None:
        return OnEvent(said.event.kind)
    if said.overdue is not None:
        return Overdue(ClockKind(said.overdue.clock))
    if said.period_close is not None:
        return PeriodClose(said.period_close.period)
    if said.condition is not None:
        return OnCondition(said.condition.name)
    working = said.working_time
    assert working is not None, "the other triggers do not come through the check of the pack"
    if working.working_days is not None:
        return WorkingDays(working.working_days, working.calendar)
    assert working.working_s is not None, "one of the two is given"
    return WorkingTime(timedelta(seconds=working.working_s), working.calendar)
