"""A missed close in words, for letters: which period, which rate over whom, what it came to and what was wanted."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from services.alerts.domain.case.closes import GRAVE_RESULT, Close
from services.alerts.domain.delivery.documents import Named
from services.kernel.calendar import CHINA
from services.kernel.words import Period

METRICS: Mapping[str, Named] = {
    "time_weighted_networking_rate": Named("时段联网率", "time-weighted networking rate"),
    "access_rate": Named("联网接入率", "access rate"),
    "live_networking_rate": Named("实时联网率", "live networking rate"),
    "online_rate": Named("在线率", "online rate"),
    "device_intact_rate": Named("设备完好率", "device intact rate"),
    "meeting_units_rate": Named("达标单位率", "rate of meeting units"),
}
"""How figures are called in letters; one that is not here goes by its name in the pack."""
EVALUATION = "evaluation"
"""The metric of a close that is that of a score: see `schemas.body_finding`."""
_HALVES = {1: Named("上半年", "first half"), 7: Named("下半年", "second half")}


def last_day(close: Close) -> date:
    """Return the last day of its period."""
    return (close.ends.astimezone(CHINA) - timedelta(days=1)).date()


def period_of(close: Close) -> Named:
    """Return the period as people call it."""
    first, last = close.begins.astimezone(CHINA).date(), last_day(close)
    match close.period:
        case Period.DAY:
            return Named(_day(first), f"{first:%d %B %Y}".lstrip("0"))
        case Period.WEEK:
            return Named(f"{_day(first)}至{_day(last)}", f"{first:%d %B %Y} to {last:%d %B %Y}")
        case Period.MONTH:
            return Named(f"{first.year}年{first.month}月", f"{first:%B %Y}")
        case Period.QUARTER:
            number = (first.month + 2) // 3
            return Named(f"{first.year}年第{number}季度", f"quarter {number} of {first.year}")
        case Period.HALF_YEAR:
            half = _HALVES[first.month]
            return Named(f"{first.year}年{half.zh}", f"the {half.en} of {first.year}")
        case Period.YEAR:
            return Named(f"{first.year}年度", f"the year {first.year}")


def fact_of(close: Close, scopes: Mapping[str, Named]) -> Named:
    """Return what a document says of the close."""
    period, metric = period_of(close), METRICS.get(close.metric, Named(close.metric, close.metric))
    if close.metric == GRAVE_RESULT:
        return Named(_short(f"{period.zh}登记失职致严重后果：{close.value}"), _short(f"Grave result: {close.value}"))
    if close.metric == EVALUATION:
        points_zh = f"，得{close.value}分" if close.value else ""
        points_en = f" with {close.value} points" if close.value else ""
        return Named(f"{period.zh}考核结果为不称职{points_zh}", f"Graded not competent for {period.en}{points_en}")
    over = [scopes.get(name, Named(name, name)) for name in close.scope.split("+")]
    over_zh, over_en = "及".join(one.zh for one in over), " and ".join((one.en or one.zh).lower() for one in over)
    target, value = percent(close.target), close.value
    rate_en = metric.en[:1].upper() + metric.en[1:]
    came_zh, came_en = (f"为{value}%", f"was {value} %") if value else ("未达标", "was below its target")
    return Named(
        _short(f"{period.zh}{metric.zh}{came_zh}，目标为不低于{target}%（{over_zh}）"),
        _short(f"{rate_en} for {period.en} {came_en}, the target is at least {target} % ({over_en})"),
    )


def percent(share: str) -> str:
    """Return a share as a percentage without trailing zeros; what is no number stays as it is."""
    try:
        return f"{(Decimal(share) * 100).normalize():f}"
    except InvalidOperation:
        return share


def _short(text: str) -> str:
    """Return it within what a name may hold on the wire; the figures stand first."""
    return text if len(text) <= 200 else f"{text[:198]}…）"


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
