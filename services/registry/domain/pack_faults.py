"""What is wrong with a policy pack beyond its shape: names that lead nowhere, things said twice, steps out of order.

The pack is looked at as its file has it, before it is known to be one, so that everything wrong is told at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from itertools import pairwise

from services.kernel.words import (
    COUNTED_ALWAYS,
    DIMENSIONS_UNLESS_SAID,
    NUMBER_OF,
    UNION_UNLESS_SAID,
    UNNAMED,
    FindingKind,
)
from services.registry.domain.errors import shortened
from services.registry.domain.ladder_holes import ladder_holes, unheard_clocks
from services.registry.domain.pack_tree import Fault, Path, items, named, names, part, texts
from services.registry.domain.words import Said

_HINTS_UP_TO = 100
"""Among so many names the nearest is looked for: a file may have thousands of both."""


def broken_references(pack: object) -> Iterator[Fault]:
    """Yield what the schema refuses for the pack as a whole, each at its own place."""
    bodies = {code for _, department in items(pack, "departments") if isinstance(code := department.get("code"), str)}
    for at, route in items(pack, "routes"):
        yield from _unknown(bodies, route.get("lead"), ("routes", at, "lead"), _BODY)
        yield from _unknown_of(bodies, route.get("copies"), ("routes", at, "copies"), _BODY)
        if route.get("street_leads") is True and route.get("lead") is not None:
            expected = Said("either a department that leads or the street", "牵头部门与街镇牵头只能二选一")
            yield Fault(("routes", at, "street_leads"), expected, Said("both", "两者都有"))
    yield from _unknown_of(bodies, part(pack, "default_route", "copies"), ("default_route", "copies"), _BODY)
    yield from _unknown(names(pack, "profiles"), part(pack, "default_profile"), ("default_profile",), _PROFILE)
    scopes = names(pack, "scopes")
    for name, target in named(pack, "targets"):
        for scope in str(target.get("scope", "")).split("+"):
            yield from _unknown(scopes, scope, ("targets", name, "scope"), _SCOPE)
    yield from _unknown_of(scopes, part(pack, "union"), ("union",), _SCOPE)
    yield from _of_evaluations(pack, scopes)
    for section in ("union", "dimensions"):
        yield from _twice([((section, at), name) for at, name in texts(part(pack, section))])
    dimensions = [name for _, name in texts(part(pack, "dimensions"))]
    if dimensions and (missing := [name for name in COUNTED_ALWAYS if name not in dimensions]):
        yield Fault(
            ("dimensions",),
            Said("district and department among them", "其中含 district 与 department"),
            f"no {missing[0]}",
        )
    begins, ends = part(pack, "valid_from"), part(pack, "valid_to")
    if isinstance(begins, date) and isinstance(ends, date) and ends < begins:
        yield Fault(("valid_to",), Said(f"a day not before {begins}", f"不早于 {begins} 的日期"), str(ends))
    for name, _ in named(pack, "ladders"):
        yield from _out_of_order(pack, name)
        yield from unheard_clocks(pack, name)


def contradictions(pack: object) -> Iterator[Fault]:
    """Yield what the schema lets pass and an import must not: codes that stand twice, ladders that serve nobody,
    evaluations that would score no month."""
    for name, said in named(pack, "evaluation"):
        criteria = list(named(said, "criteria"))
        if all(criterion.get("rate") is None for _, criterion in criteria):
            yield Fault(("evaluation", name, "criteria"), _MEASURED, ", ".join(code for code, _ in criteria))
    for section in ("departments", "routes"):
        yield from _twice(((section, at, "code"), item.get("code")) for at, item in items(pack, section))
    kinds = [
        (("ladders", name, "kinds", at), kind)
        for name, ladder in named(pack, "ladders")
        for at, kind in texts(ladder.get("kinds"))
    ]
    known = {each.value for each in FindingKind}
    for path, kind in kinds:
        yield from _unknown(known, kind, path, _KIND)
    yield from _unknown_keys(known | {"common_cause"}, pack, "un_acknowledge_s", _KIND)
    yield from _twice(kinds)
    for name, _ in named(pack, "ladders"):
        yield from ladder_holes(pack, name)
    for at, span in items(pack, "guarded"):
        first, last = span.get("first"), span.get("last")
        if isinstance(first, date) and isinstance(last, date) and last < first:
            expected = Said(f"a day not before {first}", f"不早于 {first} 的日期")
            yield Fault(("guarded", at, "last"), expected, str(last))


@dataclass(frozen=True, slots=True)
class Term:
    """The days of one version of a pack, the last one included."""

    pack_id: str
    version: int
    first: date
    last: date


def overlapping(own: Term, others: Sequence[Term]) -> Said | None:
    """Return what is expected of a pack's first day when another pack of its district holds on some of its days.

    A later version of the same pack is no other one: it takes the place of the earlier.
    """
    for other in others:
        if (other.pack_id, other.version) == (own.pack_id, own.version):
            return Said(
                f"one file for version {own.version} of {own.pack_id}",
                f"{own.pack_id} 第 {own.version} 版只出现在一个文件中",
            )
        if other.pack_id != own.pack_id and own.first <= other.last and other.first <= own.last:
            return Said(
                "days that no other pack of the district has "
                f"({other.pack_id} holds from {other.first} to {other.last})",
                f"与同一区县其他政策包不重叠的日期（{other.pack_id} 的有效期为 {other.first} 至 {other.last}）",
            )
    return None


_BODY = Said("the code of a body among `departments`", "departments 中机构的代码")
_PROFILE = Said("the name of one of the `profiles`", "profiles 中的监测档位")
_SCOPE = Said("the name of one of the `scopes`", "scopes 中的统计范围")
WHOLE = 100
_POINTS = Said(f"criteria whose points come to {WHOLE}", f"各考核项分值合计 {WHOLE}")
_WEIGHTS = Said(f"weights that come to {WHOLE}", f"权重合计 {WHOLE}")
_DIMENSION = Said("one of the `dimensions` of the pack", "dimensions 中的维度")
_PUBLISHED = Said(
    "a scope whose figures are published: one of the `scopes`, their `union`, or that of a target, written as there",
    "已发布指标的统计范围：scopes 之一、union 或 targets 所列，写法相同",
)
_NUMBER_OF = {metric.value: number for metric, number in NUMBER_OF.items()}
_NAMED = Said(
    "points of a person for `bodies` that are named, a town or a department", "人工评分仅限 bodies 所列机构、街镇或部门"
)
_LISTED = Said("a town or a department, whose listings are counted", "街镇或部门：挂牌督办按街镇、牵头部门统计")
_MEASURED = Said(
    "a criterion by a `rate` too: a month is scored once its figures are published",
    "至少一项按 rate 计算的考核项：某月指标发布后才有当月得分",
)
_KIND = Said("a kind of finding", "问题类型")


def _unknown(known: Collection[str], name: object, path: Path, what: Said) -> Iterator[Fault]:
    if not isinstance(name, str) or name in known:
        return
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6) if len(known) <= _HINTS_UP_TO else []
    hint = Said(f" (did you mean {near[0]}?)", f"（是否应为 {near[0]}？）") if near else Said("", "")
    yield Fault(path, Said(f"{what}{hint}", f"{what.zh}{hint.zh}"), shortened(name))


def _unknown_keys(known: Collection[str], pack: object, section: str, expected: Said) -> Iterator[Fault]:
    found = part(pack, section)
    for key in found if isinstance(found, Mapping) else ():
        yield from _unknown(known, key, (section, str(key)), expected)


def _unknown_of(known: Collection[str], names: object, path: Path, what: Said) -> Iterator[Fault]:
    for at, name in texts(names):
        yield from _unknown(known, name, (*path, at), what)


def _twice(named: Iterator[tuple[Path, object]] | Sequence[tuple[Path, object]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, name in named:
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Fault(path, Said("a name that stands once", "不重复的名称"), shortened(name))
        seen.add(name)


def _of_evaluations(pack: object, scopes: set[str]) -> Iterator[Fault]:
    """Yield what an evaluation names that the pack does not count."""
    counted = [name for _, name in texts(part(pack, "dimensions"))] or list(DIMENSIONS_UNLESS_SAID)
    unnamed = [each for each in UNNAMED if each in counted]
    said_union = part(pack, "union")
    union = (
        [name for name in UNION_UNLESS_SAID if name in scopes]
        if said_union is None
        else [name for _, name in texts(said_union)]
    )
    unsound = len(set(union)) < len(union) or not scopes.issuperset(union)  # is told there
    joined = {"+".join(union), *(str(target.get("scope")) for _, target in named(pack, "targets"))}
    published = {*scopes, *(each for each in joined if each and scopes.issuperset(each.split("+")))}
    for name, said in named(pack, "evaluation"):
        dimension = said.get("dimension")
        yield from _unknown(counted, dimension, ("evaluation", name, "dimension"), _DIMENSION)
        for code, criterion in named(said, "criteria"):
            path: Path = ("evaluation", name, "criteria", code)
            scope = part(criterion, "rate", "scope")
            if not (unsound and "+" in str(scope)):
                yield from _unknown(published, scope, (*path, "rate", "scope"), _PUBLISHED)
            number = _NUMBER_OF.get(str(part(criterion, "rate", "metric")))
            if number is not None and part(pack, "publication", number) is None:
                expected = Said(
                    f"a figure that is published: set `publication: {number}`",
                    f"已发布的指标：请设定 publication 的 {number}",
                )
                yield Fault((*path, "rate", "metric"), expected, str(part(criterion, "rate", "metric")))
            if criterion.get("listings") is not None and dimension in unnamed:
                yield Fault((*path, "listings"), _LISTED, str(dimension))
            if criterion.get("manual") is True and dimension in unnamed and not said.get("bodies"):
                yield Fault((*path, "manual"), _NAMED, str(dimension))
        points = [_number(criterion.get("points")) for _, criterion in named(said, "criteria")]
        yield from _not_whole(points, ("evaluation", name, "criteria"), _POINTS)
        weights = [_number(part(said, "year", each)) for each in ("months", "quarters")]
        yield from _not_whole(weights, ("evaluation", name, "year"), _WEIGHTS)
        bands = [(each, _number(part(said, "bands", each))) for each in ("excellent", "good", "competent")]
        for (_, above), (band, least) in pairwise(bands):
            if above and least and least >= above:
                expected = Said(f"fewer than the {above} of the grade above", f"小于上一等次的 {above} 分")
                yield Fault(("evaluation", name, "bands", band), expected, str(least))


def _number(value: object) -> int:
    """Return a whole number, 0 for what is none: the schema says so."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _not_whole(weights: Sequence[int], path: Path, expected: Said) -> Iterator[Fault]:
    if weights and sum(weights) != WHOLE:
        yield Fault(path, expected, str(sum(weights)))


def _out_of_order(pack: object, ladder: str) -> Iterator[Fault]:
    """Yield the steps that come before the one above them, and the codes that stand twice."""
    waited = 0.0
    codes: list[tuple[Path, object]] = []
    for at, step in items(part(pack, "ladders", ladder), "steps"):
        path: Path = ("ladders", ladder, "steps", at)
        codes.append(((*path, "code"), step.get("code")))
        after = step.get("after_s")
        if not isinstance(after, int | float) or isinstance(after, bool):
            continue
        if after < waited:
            expected = Said(f"at least the {waited:g} s of the step above it", f"不小于上一步骤的 {waited:g} 秒")
            yield Fault((*path, "after_s"), expected, f"{after:g}")
        waited = after
    yield from _twice(codes)
