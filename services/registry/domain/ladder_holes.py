"""Holes in a ladder: a step that reaches nobody, that nothing ever makes due, or whose exit cannot happen.

What the schema refuses of an older kind as well (`unheard_clocks`) is told here with its place.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from services.kernel.words import (
    FINDINGS_OF_BODIES,
    INSTRUMENTS_OF_BODIES,
    PERIODS_BY_LENGTH,
    BodyKind,
    CaseCondition,
    CaseEvent,
    ClockKind,
    FindingKind,
    Instrument,
    Period,
    Recipient,
    StepExit,
)
from services.registry.domain.errors import shortened
from services.registry.domain.pack_tree import Fault, Path, items, part, texts
from services.registry.domain.words import Said

OF_BODIES = FINDINGS_OF_BODIES
TOLD_OF_BODIES = frozenset(
    {Recipient.BODY, Recipient.CENTRE, Recipient.BRIGADE, Recipient.COMMITTEE, Recipient.GOVERNMENT}
)
"""Recipients that a case of a body has; units have all but `body`."""
FROM_THE_PACK = {Recipient.COMMITTEE: BodyKind.COMMITTEE, Recipient.GOVERNMENT: BodyKind.GOVERNMENT}
"""Recipients that come with the pack, and with no file of the district."""
HAPPENS_TO_BODIES = frozenset({CaseEvent.REOPENED})

_NOBODY = Said("at least one recipient, or `board_only: true`", "至少一个告知对象，或 board_only: true")
_ONE_SORT = Said(
    "kinds of units or of bodies (`below_target`, `not_competent`, `grave_result`), not both in one ladder",
    "单位类问题与机构类问题（below_target、not_competent、grave_result）不得同在一个阶梯",
)
_OF_UNITS = Said("a recipient that a unit has", "单位案件中存在的告知对象")
_TOLD = Said(f"a recipient of a case of a body: {', '.join(sorted(TOLD_OF_BODIES))}", "机构案件中存在的告知对象")
_PAPER_OF_UNIT = Said(
    "a document about a unit (I1 to I5, I7), or a word of its own", "关于单位的文书（I1至I5、I7）或自定名称"
)
_PAPER_OF_BODY = Said(
    "a document about a body (I6, I8, I9), or a word of its own", "关于机构的文书（I6、I8、I9）或自定名称"
)
_NEVER_TOLD = Said(
    "closes that make findings about bodies (`publication.findings`), without which this ladder never begins",
    "产生机构问题的周期结算（publication.findings），否则本阶梯永不开始",
)
_BEFORE_CLOSES = Said(
    "a close, a condition or an event: what time makes due would wait for the closes before it",
    "结算、条件或事件触发：时间触发的步骤会被前面的结算步骤挡住",
)
_OF_BODIES_ONLY = Said("a trigger that a case of a unit has", "单位案件可用的触发方式")
_OF_UNITS_ONLY = Said("a trigger that a case of a body has", "机构案件可用的触发方式")
_HAPPENS = Said("an event that happens to a body: reopened", "机构案件会发生的事件：reopened")


class _Ladder(NamedTuple):
    path: Path
    steps: tuple[tuple[int, Mapping[str, object]], ...]
    of_bodies: bool
    closes: Collection[Period]


def ladder_holes(pack: object, name: str) -> Iterator[Fault]:
    """Yield the holes of a ladder that the schema lets pass: a pack that is in the register already goes on holding."""
    path: Path = ("ladders", name)
    kinds = [kind for _, kind in texts(part(pack, *map(str, path), "kinds"))]
    of_bodies = bool(OF_BODIES & set(kinds))
    if not (set(kinds) <= OF_BODIES or not of_bodies):
        yield Fault((*path, "kinds"), _ONE_SORT, ", ".join(kinds)[:80])
        return
    known = {each.value for each in Period}
    closes = [Period(text) for _, text in texts(part(pack, "publication", "findings")) if text in known]
    if of_bodies and FindingKind.BELOW_TARGET not in kinds:
        closes = [Period.YEAR]  # a grade is that of a year, and what a person enters has no close
    if of_bodies and not closes:
        yield Fault((*path, "kinds"), _NEVER_TOLD, "none")
        return
    ladder = _Ladder(path, tuple(items(part(pack, *map(str, path)), "steps")), of_bodies, closes)
    kinds_of_bodies = {body.get("kind") for _, body in items(pack, "departments")}
    waits = False
    for at, step in ladder.steps:
        here: Path = (*path, "steps", at)
        yield from _recipients(step, here, ladder, kinds_of_bodies)
        yield from _document(step, here, ladder)
        yield from _trigger(step, here, ladder)
        by_close = ladder.of_bodies and (_trigger_of(step, "period_close") or _trigger_of(step, "condition"))
        by_time = step.get("after_s") is not None or _trigger_of(step, "elapsed") or _trigger_of(step, "working_time")
        if waits and by_time:
            yield Fault((*here, "trigger" if step.get("after_s") is None else "after_s"), _BEFORE_CLOSES, "a time")
        waits = waits or bool(by_close)


def unheard_clocks(pack: object, name: str) -> Iterator[Fault]:
    """Yield steps that wait for a clock which no step before them sets, and exits by a reply that nobody wants."""
    wanted: set[str] = set()
    for at, step in items(part(pack, "ladders", name), "steps"):
        here: Path = ("ladders", name, "steps", at)
        overdue = _trigger_of(step, "overdue")
        clock = overdue.get("clock") if overdue else None
        if clock in ("receipt", "reply") and clock not in wanted:
            expected = Said(
                f"a clock that a step before it sets (`{clock}_working_days`)",
                f"前面步骤所设的期限（{clock}_working_days）",
            )
            yield Fault((*here, "trigger", "overdue", "clock"), expected, str(clock))
        for place, exit_ in texts(step.get("exit")):
            if exit_ == StepExit.REPLIED and "reply" not in wanted:
                wants = Said(
                    "an exit that can happen: no step before it wants a reply",
                    "可能发生的退出条件：前面没有要求回函的步骤",
                )
                yield Fault((*here, "exit", place), wants, exit_)
        wanted |= {clock for clock in ("receipt", "reply") if step.get(f"{clock}_working_days")}


def _recipients(
    step: Mapping[str, object], here: Path, ladder: _Ladder, kinds_of_bodies: Collection[object]
) -> Iterator[Fault]:
    if step.get("tells") == [] and step.get("board_only") is not True:
        yield Fault((*here, "tells"), _NOBODY, "none")
    known = {each.value for each in Recipient}
    for at, told in texts(step.get("tells")):
        if told not in known:
            continue  # the schema says so
        who = Recipient(told)
        if ladder.of_bodies and who not in TOLD_OF_BODIES:
            yield Fault((*here, "tells", at), _TOLD, told)
        elif not ladder.of_bodies and who is Recipient.BODY:
            yield Fault((*here, "tells", at), _OF_UNITS, told)
        elif who in FROM_THE_PACK and FROM_THE_PACK[who].value not in kinds_of_bodies:
            expected = Said(
                f"a body of the kind {who.value} among `departments`", f"departments 中类别为 {who.value} 的机构"
            )
            yield Fault((*here, "tells", at), expected, "none")


def _document(step: Mapping[str, object], here: Path, ladder: _Ladder) -> Iterator[Fault]:
    code = step.get("document")
    if code not in {each.value for each in Instrument}:
        return
    if (code in INSTRUMENTS_OF_BODIES) != ladder.of_bodies:
        yield Fault((*here, "document"), _PAPER_OF_BODY if ladder.of_bodies else _PAPER_OF_UNIT, shortened(str(code)))


def _trigger(step: Mapping[str, object], here: Path, ladder: _Ladder) -> Iterator[Fault]:
    path: Path = (*here, "trigger")
    condition, close, event = (_trigger_of(step, kind) for kind in ("condition", "period_close", "event"))
    of_unit = condition is not None and condition.get("name") == CaseCondition.MAJOR_DANGER
    if condition and not ladder.of_bodies and not of_unit:
        yield Fault((*path, "condition"), _OF_BODIES_ONLY, "a condition")
    if not ladder.of_bodies:
        return
    overdue = _trigger_of(step, "overdue")
    if of_unit or (overdue and overdue.get("clock") == ClockKind.LISTING):
        yield Fault(path, _OF_UNITS_ONLY, "a listing")
        return
    if event and event.get("kind") in {each.value for each in CaseEvent} - {each.value for each in HAPPENS_TO_BODIES}:
        yield Fault((*path, "event", "kind"), _HAPPENS, shortened(str(event.get("kind"))))
    longest = max(map(PERIODS_BY_LENGTH.index, ladder.closes))
    closed = PERIODS_BY_LENGTH[longest]
    wanted = close.get("period") if close else None
    if wanted in set(PERIODS_BY_LENGTH[longest + 1 :]):
        yield Fault((*path, "period_close", "period"), _up_to(closed), shortened(str(wanted)))
    if condition and condition.get("name") == CaseCondition.TWO_YEARS_RUNNING and Period.YEAR not in ladder.closes:
        yield Fault((*path, "condition", "name"), _up_to(closed), str(condition.get("name")))


def _up_to(closed: Period) -> Said:
    return Said(
        f"a close that happens: `publication.findings` goes up to {closed.value}",
        f"会发生的结算：publication.findings 最长到 {closed.value}",
    )


def _trigger_of(step: Mapping[str, object], kind: str) -> Mapping[str, object] | None:
    found = part(step, "trigger", kind)
    return found if isinstance(found, Mapping) else None
