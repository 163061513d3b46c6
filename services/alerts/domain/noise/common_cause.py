"""Common cause: many units of one carrier or town lost together make one case, and their own ladders wait.

A loss tells nobody before its cause has had time to show itself (`PackRules.first_wait`). When it does, the steps of
the members wait as long as it stands, at most `common_hold`. It has cleared when fewer than half of them are out: the
rest then have a window's time to come back as well, and who is still out has letters of its own. Only what would be
told anew waits: cases are opened, seen and ended as ever.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

from services.alerts.domain.case.case import Case, Grouping, Sightings, case_id_of
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import SubjectFacts, common_cause_subject
from services.alerts.domain.escalation.ladder import AT_ONCE, Pace, clock_from
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed
from services.alerts.domain.ids import CaseId
from services.kernel.words import ClockKind, StepExit

COMMON_STEP = "C0"
MAX_REPEATS = 6
"""So often a cause that stands is told again; by then its members have had letters of their own for long."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open lost connection that belongs to no common case yet."""

    case_id: CaseId
    detected_at: datetime
    carriers: tuple[str, ...]
    town: str
    district: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """What the members share, as in `carrier:cmcc` or `town:T03`."""

    key: str
    members: tuple[CaseId, ...]
    newest: datetime


@dataclass(frozen=True, slots=True)
class Members:
    """How many units of a common case are out, and how many its last drop took."""

    out: int = 0
    taken: int = 0

    def joined_by(self, cause: Cause) -> "Members":
        return Members(self.out + len(cause.members), self.taken + len(cause.members))


def find_causes(
    candidates: Sequence[Candidate], rules: PackRules, sizes: Mapping[str, int], running: frozenset[str]
) -> list[Cause]:
    """Return the causes that explain the candidates of one district, each candidate in at most one.

    A key counts when at least `common_units` of its losses lie within one window, or when its common case is
    `running` (held) already. The key that explains most is taken first; among equals the one of which the larger share
    is lost (`sizes` holds the units of each key): a power cut in a town is not blamed on the carrier of half the
    district.
    """
    left = list(candidates)
    found: list[Cause] = []
    while left:
        groups = {
            key: members if key in running else _clustered(members, rules.common_window, rules.common_units)
            for key, members in _by_key(left, rules).items()
        }
        groups = {key: members for key, members in groups.items() if members}
        if not groups:
            break
        # Of as many losses the larger share is that of the smaller group; a key of unknown size comes last.
        key = max(groups, key=lambda key: (len(groups[key]), -(sizes.get(key, 0) or inf), key))
        members = groups[key]
        found.append(_cause(key, members))
        taken = {member.case_id for member in members}
        left = [candidate for candidate in left if candidate.case_id not in taken]
    whole = _whole_district(left, rules, running)
    return [*found, whole] if whole else found


def _whole_district(left: Sequence[Candidate], rules: PackRules, running: frozenset[str]) -> Cause | None:
    """Return the cause of what no carrier and no town explains: too many at once to be each a case of its own."""
    if not left or not rules.common_mass:
        return None
    key = f"district:{left[0].district}"
    members = left if key in running else _clustered(left, rules.common_window, rules.common_mass)
    return _cause(key, members) if members else None


def _cause(key: str, members: Sequence[Candidate]) -> Cause:
    return Cause(key, tuple(member.case_id for member in members), max(member.detected_at for member in members))


def _by_key(candidates: Sequence[Candidate], rules: PackRules) -> dict[str, list[Candidate]]:
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if "carrier" in rules.common_by:
            for carrier in candidate.carriers:
                groups[f"carrier:{carrier}"].append(candidate)
        if "town" in rules.common_by and candidate.town:
            groups[f"town:{candidate.town}"].append(candidate)
    return groups


def _clustered(members: Sequence[Candidate], window: timedelta, units: int) -> list[Candidate]:
    """Return those that lie in some window together with at least `units` losses."""
    ordered = sorted(members, key=lambda member: member.detected_at)
    inside: dict[CaseId, Candidate] = {}
    start = 0
    for end, member in enumerate(ordered):
        while member.detected_at - ordered[start].detected_at > window:
            start += 1
        if end - start + 1 == units:
            inside.update((one.case_id, one) for one in ordered[start : end + 1])
        elif end - start + 1 > units:
            inside[member.case_id] = member
            if ordered[start].case_id not in inside:
                inside.update((one.case_id, one) for one in ordered[start : end + 1])
    return list(inside.values())


def open_common(cause: Cause, sample: Case, rules: PackRules, now: datetime, pace: Pace) -> Case:
    """Return the common case of `cause`; `sample` is one of its members and lends the evidence and the district."""
    district = sample.facts.district
    finding_id = f"common:{district}:{cause.key}:{cause.newest.isoformat()}"
    kind, _, value = cause.key.partition(":")
    town = value if kind == "town" else ""
    case = Case(
        case_id=case_id_of(finding_id),
        kind=CaseKind.COMMON_CAUSE,
        facts=SubjectFacts(
            common_cause_subject(district, cause.key), name=cause.key, name_en=cause.key, district=district, town=town
        ),
        finding_id=case_id_of(finding_id),
        effective_at=sample.effective_at,
        detected_at=cause.newest,
        opened_at=now,
        sightings=Sightings(now, count=len(cause.members)),
        pack_id=rules.pack_id,
        pack_version=rules.version,
        clause=rules.common_clause,
        proof=sample.proof,
        ladder=_steps(COMMON_STEP, rules),
        grouping=Grouping(cause.key, held_until=now + pace.observed(rules.common_hold)),
    )
    return clock_from(case, now, rules.group_wait, pace)


def again(common: Case, cause: Cause, rules: PackRules, now: datetime, pace: Pace) -> Case:
    """Return the common case with further members. When its hold was over this is a new drop: held, told anew."""
    recipients = common.sightings
    seen = replace(recipients, count=recipients.count + len(cause.members), last_at=now)
    if common.grouping.holds(now):
        return replace(common, sightings=seen)
    drop = seen.drops + 1
    new = _steps(f"{COMMON_STEP}.{drop}", rules)
    taken = [step.code for step in common.ladder].index(common.step) + 1 if common.step else 0
    return replace(
        common,
        sightings=replace(seen, drops=drop),
        detected_at=cause.newest,
        lapse_delay=timedelta(0),
        grouping=replace(common.grouping, held_until=now + pace.observed(rules.common_hold)),
        ladder=(*common.ladder[:taken], *new),
        clocks=common.clocks.set(ClockKind.STEP, Clock(now + pace.observed(rules.group_wait), new[0].code)),
    )


def _steps(code: str, rules: PackRules) -> tuple[LadderStep, ...]:
    """Return the step that tells of a drop, and those that tell of it again as long as it stands."""
    step = LadderStep(
        code=code,
        trigger=AT_ONCE,
        tells=rules.common_recipients,
        document="COMMON",
        name_zh="共因告警",
        name_en="Common-cause notice",
        clause=rules.common_clause,
    )
    if rules.grouping is None or not rules.grouping.repeat:
        return (step,)
    every = rules.grouping.repeat
    again = (
        replace(
            step,
            code=f"{code}.r{count}",
            trigger=Elapsed(count * every),
            name_zh="共因续报",
            name_en="Common cause stands",
            exits=(StepExit.CASE_CLOSED, StepExit.ACKNOWLEDGED),
        )
        for count in range(1, MAX_REPEATS + 1)
    )
    return (step, *again)


def released(common: Case, members: Members, rules: PackRules, now: datetime, pace: Pace) -> Case | None:
    """Return the common case whose members are held no longer than a window more; None while its cause stands."""
    until = now + pace.observed(rules.common_window)
    if common.grouping.held_until is None or common.grouping.held_until <= until:
        return None
    if 2 * members.out >= members.taken:
        return None
    return replace(common, grouping=replace(common.grouping, held_until=until))


def joins(case: Case, common: Case) -> bool:
    """Say whether a person may count the case among those of this common cause: a lost connection of its district."""
    return (
        case.kind is CaseKind.CONNECTION_LOST
        and common.is_common
        and case.grouping.common_case_id is None
        and case.facts.district == common.facts.district
        and common.grouping.held_until is not None
    )
