"""The effect of an import as lines for people, in two languages."""

from collections.abc import Iterator, Sequence

from services.kernel.ratio import Ratio, percent, verdict
from services.registry.domain.effect import Effect, Effects, Rerouted, ScopeEffect
from services.registry.domain.entities import Routing, Unit
from services.registry.domain.policy import Policy
from services.registry.domain.words import Said

LISTED = 10
_NOT_LIVE = Said(
    "live networking rate: not shown; the registry does not know who is connected",
    "实时联网率：此处不显示（登记册不掌握各单位是否在线）",
)
WITHOUT_REFUSED = Said("effect without the files that are refused:", "影响（不含未导入的文件）：")


def lines(effects: Effects) -> Iterator[Said]:
    """Yield what differs, district by district and day by day; one sentence when nothing does."""
    if not effects.found and effects.restates_from is None:
        yield Said("effect: no unit, scope or route changes", "影响：单位、统计范围和路由均无变化")
        return
    for effect in effects.found:
        yield from _effect(effect)
    if effects.restates_from is not None:
        day = effects.restates_from
        yield Said(
            f"begins before today, on {day}: figures closed since then will be revised",
            f"自 {day} 起追溯生效：此后已关闭的指标将产生修订",
        )
    if effects.further_days:
        count = effects.further_days
        yield Said(f"more begins on {count} later days, not shown", f"另有 {count} 个更晚的生效日，未列出")
    yield _NOT_LIVE


def _effect(effect: Effect) -> Iterator[Said]:
    pack = _pack(effect)
    yield Said(
        f"effect on {effect.day} in district {effect.district} ({pack}):",
        f"{effect.day} 对区县 {effect.district} 的影响（{pack.zh}）：",
    )
    yield Said(
        f"  units: {effect.units_before} -> {effect.units_after}",
        f"  单位数：{effect.units_before} → {effect.units_after}",
    )
    yield from _units(Said("begin", "新增"), effect.begin)
    yield from _units(Said("end", "注销"), effect.end)
    for scope in effect.scopes:
        yield from _scope(scope)
    yield from _units(Said("commissioned", "已联网验收"), effect.commissioned)
    yield from _units(Said("no longer commissioned", "不再视为已联网验收"), effect.not_commissioned)
    yield from _units(Said("exempt", "停用报备中"), effect.exempt)
    yield from _units(Said("no longer exempt", "不再停用报备"), effect.not_exempt)
    yield from _routes(effect.rerouted)
    yield from _units(Said("no department is named for", "无对应主管部门"), effect.unrouted)


def _pack(effect: Effect) -> Said:
    before, after = _version(effect.pack_before), _version(effect.pack_after)
    if before == after:
        return Said(f"pack {after}", f"政策包 {after.zh}")
    return Said(f"pack {before} -> {after}", f"政策包 {before.zh} → {after.zh}")


def _version(policy: Policy | None) -> Said:
    if policy is None:
        return Said("none", "无")
    return Said(f"{policy.pack_id} version {policy.number}", f"{policy.pack_id} 第 {policy.number} 版")


def _scope(effect: ScopeEffect) -> Iterator[Said]:
    before, after = effect.before.denominator, effect.after.denominator
    target = _target(effect)
    yield Said(
        f"  {effect.scope.name} {effect.scope.name_en}: {before} -> {after} units; "
        f"access rate {_rate(effect.before)} -> {_rate(effect.after)}{target}",
        f"  {effect.scope.name} {effect.scope.name_zh}：{before} → {after} 个单位；"
        f"联网接入率 {_rate(effect.before).zh} → {_rate(effect.after).zh}{target.zh}",
    )
    yield from _units(Said("join", "进入"), effect.joins, deeper=True)
    yield from _units(Said("leave", "退出"), effect.leaves, deeper=True)


def _rate(rate: Ratio) -> Said:
    """Return both counts and the percentage, and how many of them are exempt."""
    shown = percent(rate.low)
    if shown is None:
        return Said("not applicable", "不适用")
    exempt = Said(f", {rate.exempt} exempt", f"，其中停用报备 {rate.exempt}") if rate.exempt else Said("", "")
    counts = f"{rate.numerator}/{rate.denominator} ({shown} %"
    return Said(f"{counts}{exempt})", f"{counts}{exempt.zh})")


def _target(effect: ScopeEffect) -> Said:
    target = effect.target
    if target is None:
        return Said("", "")
    verdicts = [verdict(rate, target.value)[0].value for rate in (effect.before, effect.after)]
    return Said(
        f"; target {target.id} {target.op} {target.text}: {verdicts[0]} -> {verdicts[1]}",
        f"；目标 {target.id} {target.op} {target.text}：{verdicts[0]} → {verdicts[1]}",
    )


def _units(what: Said, units: Sequence[Unit], *, deeper: bool = False) -> Iterator[Said]:
    if units:
        names = [f"{unit.unit_id} {unit.name}" for unit in units[:LISTED]]
        yield _listed(what, [Said(name, name) for name in names], len(units), "    " if deeper else "  ")


def _routes(rerouted: Sequence[Rerouted]) -> Iterator[Said]:
    if rerouted:
        shown = [_route(each) for each in rerouted[:LISTED]]
        yield _listed(Said("routes that change", "路由变化"), shown, len(rerouted), "  ")


def _route(rerouted: Rerouted) -> Said:
    assert rerouted.before is not None, "a unit that was there"
    before, after = _answers(rerouted.before), _answers(rerouted.after)
    return Said(
        f"{rerouted.unit.unit_id} {rerouted.unit.name}: {before} -> {after}",
        f"{rerouted.unit.unit_id} {rerouted.unit.name}：{before.zh} → {after.zh}",
    )


def _answers(route: Routing) -> Said:
    copies = ", ".join(route.copies)
    return Said(
        f"{route.lead}{f' (told: {copies})' if copies else ''}", f"{route.lead}{f'（抄告 {copies}）' if copies else ''}"
    )


def _listed(what: Said, shown: Sequence[Said], count: int, indent: str) -> Said:
    more = count - len(shown)
    return Said(
        f"{indent}{what} ({count}): {'; '.join(shown)}{f' and {more} more' if more else ''}",
        f"{indent}{what.zh}（{count}）：{'；'.join(each.zh for each in shown)}{f' 等，另有 {more} 个' if more else ''}",
    )
