"""Section 7: the whole answer, and the one line that it is."""

import json
from fractions import Fraction
from math import floor
from typing import Any

from tests.naive import metrics
from tests.naive.inputs import (
    US,
    History,
    Pack,
    Refused,
    Row,
    date_of,
    day_number,
    day_of,
    decimal_text,
    instant,
    midnight,
    pack_in_force,
    told,
)
from tests.naive.knowledge import Knowledge
from tests.naive.metrics import Count, Question, of_time
from tests.naive.units import CONNECTED, KnownUnits, commissioned

EIGHT = ("numerator", "denominator", "unknown", "exempt", "value", "low", "high", "verdict")


def answer(history: History) -> str:
    """Return the line that the pipe must print."""
    try:
        value: Row = _answer(history)
    except Refused as error:
        value = {"error": {"code": error.code, "where": ""}}
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _answer(history: History) -> Row:
    ask = history.ask
    known_at = None if ask.get("known_at") is None else instant(ask["known_at"])
    worlds: dict[int | None, KnownUnits] = {}

    def world_at(moment: int | None) -> KnownUnits:
        if moment not in worlds:
            worlds[moment] = KnownUnits(Knowledge(history, moment))
        return worlds[moment]

    units_known = world_at(known_at)
    through = units_known.known.through
    return {
        "known_at": None if known_at is None else told(known_at),
        "through": told(through),
        "blind": spans(units_known.known.blind),
        "impaired": spans([(a, min(b, through)) for a, b in units_known.known.impaired if a < through]),
        "figures": [figure(units_known, each) for each in ask.get("figures", [])],
        "intervals": [intervals(units_known, each) for each in ask.get("intervals", [])],
        "blocking": [blocking(units_known, each) for each in ask.get("blocking", [])],
        "forecast": [forecast(units_known, each) for each in ask.get("forecast", [])],
        "revisions": [
            revisions([world_at(instant(text)) for text in each["published_at"]], each)
            for each in ask.get("revisions", [])
        ],
    }


def spans(times: list[tuple[int, int]]) -> list[Row]:
    """Return spans as they go out."""
    return [{"from": told(a), "to": told(b)} for a, b in times]


def window(units_known: KnownUnits, ask: Row) -> tuple[int, int]:
    """Section 2: from and to; an instant metric has both equal. 12m goes back by the calendar of Shanghai."""
    if "from" in ask:
        start, end = instant(ask["from"]), instant(ask["to"])
        if start >= end:
            raise Refused("bad_ask")
        return start, end
    at = units_known.known.through if ask.get("at") is None else instant(ask["at"])
    if ask.get("span") == "7d":
        return at - 7 * 86_400 * US, at
    if ask.get("span") == "12m":
        day = date_of(day_of(at))
        year_before = day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)
        return at - midnight(day_of(at)) + midnight(day_number(year_before.isoformat())), at
    return at, at


def days_of(start: int, end: int) -> range:
    """R2: the days of a window, half-open; an instant has its own."""
    return range(day_of(start), day_of(max(start, end - 1)) + 1)


def packs_of(units_known: KnownUnits, start: int, end: int) -> list[Pack]:
    """R2: the packs of all days of a window, in order, each once."""
    result: list[Pack] = []
    for day in days_of(start, end):
        if pack_in_force(units_known.known.packs, day) is None:
            raise Refused("no_pack")
        if units_known.known.pack(day) not in result:
            result.append(units_known.known.pack(day))
    return result


def check_scope(units_known: KnownUnits, text: str) -> None:
    """Section 1: unknown_scope."""
    if any(all(name not in pack.scopes for pack in units_known.known.packs) for name in text.split("+")):
        raise Refused("unknown_scope")


def figure(units_known: KnownUnits, ask: Row) -> Row:
    """Section 7: one figure."""
    metric = ask["metric"]
    if metric not in metrics.COUNTS:
        raise Refused("unknown_metric")
    check_scope(units_known, ask["scope"])
    if ask.get("unit") is not None and ask["unit"] not in units_known.known.units:
        raise Refused("unknown_unit")
    start, end = window(units_known, ask)
    packs = packs_of(units_known, start, end)
    pack = units_known.known.pack(days_of(start, end)[-1])
    through = min(end, units_known.known.through)
    begun = start < through or (start == end and through == end)
    count = counted(units_known, ask, start, end) if begun else Count()
    target = target_of(pack, metric, ask["scope"])
    watermark = units_known.known.watermark
    verdict, reason = judged(count, target, begun=begun)
    return {
        "metric": metric,
        "scope": ask["scope"],
        "slice": ask.get("slice") or {},
        "unit": ask.get("unit"),
        "from": told(start),
        "to": told(end),
        "through": told(through),
        "complete": through == end,
        "closed": watermark is not None and watermark >= end + pack.close_after,
        "counts": metrics.COUNTS[metric],
        "numerator": count.numerator,
        "denominator": count.denominator,
        "unknown": count.unknown,
        "exempt": count.exempt,
        "value": per_cent(count.numerator, count.denominator),
        "low": per_cent(count.numerator, count.denominator),
        "high": per_cent(count.numerator + count.unknown, count.denominator),
        "verdict": verdict,
        "reason": reason,
        "target": target,
        "clause": pack.scopes.get(ask["scope"].split("+")[0], {}).get("clause"),
        "pack": pack.ref,
        "packs": [each.ref for each in packs],
        "detail": count.detail,
    }


def counted(units_known: KnownUnits, ask: Row, start: int, end: int) -> Count:
    """Section 6 for a window that has begun."""
    question = Question(ask["scope"], start, min(end, units_known.known.through), ask)
    if ask["metric"] in metrics.INSTANT:
        return metrics.INSTANT[ask["metric"]](units_known, question)
    if ask["metric"] == metrics.DUTY_CHECKS:
        return metrics.duty_check_answer_rate(units_known, question, end)
    return metrics.WINDOW[ask["metric"]](units_known, question)


def per_cent(numerator: int, denominator: int) -> str | None:
    """R29: floored to one decimal."""
    if denominator == 0:
        return None
    tenths = numerator * 1000 // denominator
    return f"{tenths // 10}.{tenths % 10}"


def target_of(pack: Pack, metric: str, scope: str) -> Row | None:
    """Section 7: the pack's first target by id with the same metric and scope text."""
    for name in sorted(pack.targets):
        target = pack.targets[name]
        if (target["metric"], target["scope"]) == (metric, scope):
            return {
                "id": name,
                "op": ">=",
                "value": decimal_text(target["value"]),
                "due": target["due"],
                "clause": target["clause"],
            }
    return None


def judged(count: Count, target: Row | None, *, begun: bool) -> tuple[str, str]:
    """R36: verdict and reason, the first that fits."""
    if not begun:
        return "not_applicable", "not_begun"
    if count.denominator == 0:
        return "not_applicable", "all_exempt" if count.exempt > 0 else "empty_scope"
    if target is None:
        return "no_target", "no_target"
    needed = Fraction(target["value"]) * count.denominator
    if count.numerator >= needed:
        return "compliant", "low_meets_target"
    if count.numerator + count.unknown < needed:
        return "non_compliant", "high_below_target"
    return "undetermined", "unknown_between"


def intervals(units_known: KnownUnits, ask: Row) -> Row:
    """Section 7: per unit connection and health, cut to the window and the horizon."""
    start, end = window(units_known, ask)
    packs_of(units_known, start, end)
    units = sorted(units_known.known.units) if ask.get("units") is None else ask["units"]
    if any(unit not in units_known.known.units for unit in units):
        raise Refused("unknown_unit")
    return {unit: unit_intervals(units_known, unit, start, end) for unit in units}


def unit_intervals(units_known: KnownUnits, unit: str, start: int, end: int) -> Row:
    """Section 7: neighbours equal in all fields merged; nothing while absent."""
    connection: list[Any] = []
    health: list[Any] = []
    for stretch in units_known.stretches(unit):
        begin, until = max(start, stretch.start), min(end, stretch.end)
        if begin < until and stretch.connection is not None:
            merge(connection, begin, until, stretch.connection._asdict())
            merge(health, begin, until, {"health": stretch.health})
    out = [[{**row, "from": told(row["from"]), "to": told(row["to"])} for row in rows] for rows in (connection, health)]
    return {"connection": out[0], "health": out[1]}


def merge(rows: list[Row], begin: int, end: int, fields: Row) -> None:
    """Add an interval, or lengthen the last one if it touches and equals it."""
    if rows and rows[-1]["to"] == begin and {**rows[-1], "from": 0, "to": 0} == {**fields, "from": 0, "to": 0}:
        rows[-1]["to"] = end
    else:
        rows.append({"from": begin, "to": end, **fields})


def until_now(units_known: KnownUnits, ask: Row) -> tuple[int, int, Row]:
    """Section 2 for blocking and forecast: from, at (never beyond the horizon), the target of at's day."""
    through = units_known.known.through
    at = through if ask.get("at") is None else min(instant(ask["at"]), through)
    year = date_of(day_of(at)).year
    start = midnight(day_number(f"{year}-01-01")) if ask.get("from") is None else instant(ask["from"])
    packs_of(units_known, min(start, at), at)
    packs_of(units_known, at, at)
    targets = units_known.known.pack(day_of(at)).targets
    if ask["target"] not in targets:
        raise Refused("unknown_target")
    return start, at, targets[ask["target"]]


def blocking(units_known: KnownUnits, ask: Row) -> Row:
    """R37: which units stand between the target and us."""
    start, at, target = until_now(units_known, ask)
    metric, scope = target["metric"], target["scope"]
    losses: dict[str, int] = {}
    if metric == "time_weighted_networking_rate":
        question = Question(scope, start, at, {})
        for unit in units_known.known.units:
            own = of_time(units_known, question, unit)
            losses[unit] = own.denominator - own.numerator - own.unknown
        whole = metrics.time_weighted(units_known, question)
    elif metric in ("access_rate", "live_networking_rate"):
        question = Question(scope, at, at, {})
        for unit, now in metrics.members_at(units_known, question):
            if metric == "access_rate":
                losses[unit] = 1 - commissioned(now.row or {}, day_of(at))
            else:
                losses[unit] = 1 - metrics.says(now, *CONNECTED, "unknown", "exempt")
        whole = metrics.INSTANT[metric](units_known, question)
    else:
        raise Refused("unknown_metric")
    units = sorted(((unit, loss) for unit, loss in losses.items() if loss > 0), key=lambda each: (-each[1], each[0]))
    reached, needed = whole.numerator + whole.unknown, Fraction(target["value"]) * whole.denominator
    shortest = []
    for unit, loss in units:
        if reached >= needed:
            break
        shortest.append(unit)
        reached += loss
    return {
        "target": ask["target"],
        "at": told(at),
        "shortest": shortest,
        "units": [{"unit": unit, "loss": loss} for unit, loss in units],
    }


def forecast(units_known: KnownUnits, ask: Row) -> Row:
    """R38 to R40: what is left of the budget until the end of the due day."""
    start, at, target = until_now(units_known, ask)
    if target["metric"] != "time_weighted_networking_rate":
        raise Refused("unknown_metric")
    to = midnight(day_number(f"{date_of(day_of(at)).year}-{target['due']}") + 1)
    share = Fraction(target["value"])
    question = Question(target["scope"], start, at, {})
    so_far = metrics.time_weighted(units_known, question)
    future, kept = 0, so_far.numerator
    units = {}
    for unit in units_known.known.units:
        own = of_time(units_known, question, unit)
        coming, commissioned_time = future_of(units_known, question, unit, at, to)
        future += coming
        now = units_known.connection(unit, at)
        if now is not None and now.connection in CONNECTED:
            kept += commissioned_time
        if own.denominator > 0:
            lost = own.denominator - own.numerator - own.unknown
            units[unit] = {"lost_us": lost, "budget_us": floor((1 - share) * (own.denominator + coming)) - lost}
    whole = so_far.denominator + future
    lost = so_far.denominator - so_far.numerator - so_far.unknown
    budget = floor((1 - share) * whole) - lost
    return {
        "target": ask["target"],
        "at": told(at),
        "to": told(to),
        "lost_us": lost,
        "unknown_us": so_far.unknown,
        "future_us": future,
        "budget_us": budget,
        "budget_low_us": budget - so_far.unknown,
        "budget_minutes": budget // (60 * US),
        "reachable": budget >= 0,
        "projected": {"numerator": kept, "denominator": whole, "value": per_cent(kept, whole)},
        "on_course": whole > 0 and kept >= share * whole,
        "units": units,
    }


def future_of(units_known: KnownUnits, question: Question, unit: str, at: int, to: int) -> tuple[int, int]:
    """R38, R39: a unit's in-scope time not exempt in [at, to), and that of it on days of commission."""
    future = on_commission = 0
    turns = units_known.days_of_change() | units_known.adjusted_from(unit)
    borders = sorted({at, *(each for each in turns if at < each < to)}) if at < to else []
    for begin, end in zip(borders, [*borders[1:], to], strict=False):
        day = day_of(begin)
        row = units_known.known.unit_row(unit, day)
        if metrics.member(units_known, question, row, day) and not units_known.exempt(unit, begin):
            future += end - begin
            on_commission += (end - begin) * commissioned(row or {}, day)
    return future, on_commission


def revisions(worlds: list[KnownUnits], ask: Row) -> Row:
    """R41: the figure as known at each publication; those that differ get the next number."""
    published: list[Row] = []
    before: Row | None = None
    for units_known in worlds:
        whole = figure(units_known, ask["figure"])
        now = {field: whole[field] for field in EIGHT}
        if now == before:
            continue
        difference = (
            {} if before is None else {key: [before[key], now[key]] for key in EIGHT if before[key] != now[key]}
        )
        moment = units_known.known.known_at
        assert moment is not None
        published.append(
            {"number": len(published) + 1, "published_at": told(moment), "figure": now, "difference": difference}
        )
        before = now
    return {"metric": ask["figure"]["metric"], "scope": ask["figure"]["scope"], "revisions": published}
