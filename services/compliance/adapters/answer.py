"""Figures and intervals as the answer tells them (figures.md 7)."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.compliance.domain.blocking import Blocking
from services.compliance.domain.figure import Figure
from services.compliance.domain.forecast import Forecast
from services.compliance.domain.outages import Outage, lost_by
from services.compliance.domain.policy import Policy
from services.compliance.domain.revision import Revision
from services.compliance.domain.timeline import HealthInterval, StateInterval
from services.compliance.domain.visibility import Span
from services.kernel.calendar import text
from services.kernel.policy import Target
from services.kernel.ratio import percent


def figure(made: Figure) -> dict[str, Any]:
    ask, ratio = made.ask, made.counted.ratio
    return {
        "metric": ask.metric,
        "scope": ask.scope,
        "slice": dict(ask.part),
        "unit": ask.unit,
        "from": text(ask.start),
        "to": text(ask.end),
        "through": text(made.through),
        "complete": made.through >= ask.end,
        "closed": made.closed,
        "counts": made.counts,
        "numerator": ratio.numerator,
        "denominator": ratio.denominator,
        "unknown": ratio.unknown,
        "exempt": ratio.exempt,
        "value": percent(ratio.low),
        "low": percent(ratio.low),
        "high": percent(ratio.high),
        "verdict": made.verdict.value,
        "reason": made.reason.value,
        "target": None if made.target is None else _target(made.target),
        "clause": made.clause,
        "pack": _pack(made.pack),
        "packs": [_pack(pack) for pack in made.packs],
        "detail": dict(made.counted.detail),
    }


def _target(target: Target) -> dict[str, str]:
    return {"id": target.id, "op": target.op, "value": target.text, "due": target.due, "clause": target.clause}


def _pack(pack: Policy) -> dict[str, Any]:
    return {"pack_id": pack.pack_id, "version": pack.version}


def unit(connection: Iterable[StateInterval], health: Iterable[HealthInterval]) -> dict[str, Any]:
    """Return the intervals of one unit."""
    return {
        "connection": [
            {
                "from": text(each.start),
                "to": text(each.end),
                "connection": each.state.connection.value,
                "partly": each.state.partly,
                "cause": each.state.cause,
                "attribution": each.state.attribution,
            }
            for each in connection
        ],
        "health": [{"from": text(each.start), "to": text(each.end), "health": each.health} for each in health],
    }


def spans(found: Iterable[Span]) -> list[dict[str, str]]:
    return [{"from": text(start), "to": text(end)} for start, end in found]


def blocking(made: Blocking) -> dict[str, Any]:
    return {
        "target": made.target,
        "at": text(made.at),
        "shortest": [unit_id for unit_id, _ in made.units[: made.shortest]],
        "units": [{"unit": unit_id, "loss": loss} for unit_id, loss in made.units],
    }


def forecast(made: Forecast) -> dict[str, Any]:
    projected = made.projected
    return {
        "target": made.target,
        "at": text(made.at),
        "to": text(made.end),
        "lost_us": made.budget.lost,
        "unknown_us": made.unknown,
        "future_us": made.future,
        "budget_us": made.budget.left,
        "budget_low_us": made.low,
        "budget_minutes": made.minutes,
        "reachable": made.reachable,
        "projected": {
            "numerator": projected.numerator,
            "denominator": projected.denominator,
            "value": percent(projected.low),
        },
        "on_course": made.on_course,
        "units": {unit_id: {"lost_us": each.lost, "budget_us": each.left} for unit_id, each in made.units.items()},
    }


def revisions(metric: str, scope: str, made: Iterable[Revision]) -> dict[str, Any]:
    return {
        "metric": metric,
        "scope": scope,
        "revisions": [
            {
                "number": each.number,
                "published_at": text(each.published_at),
                "figure": dict(each.figure),
                "difference": {name: list(pair) for name, pair in each.difference.items()},
            }
            for each in made
        ],
    }


def outages(found: Sequence[Outage]) -> dict[str, Any]:
    """Return the time lost by whose it is, and each outage with what shows it."""
    return {
        "lost_us": lost_by(found),
        "outages": [
            {
                "unit": each.unit_id,
                "from": text(each.start),
                "to": text(each.end),
                "cause": each.cause,
                "attribution": each.evidence.attribution,
                "gateway": each.evidence.gateway_id,
                "last_proof": None if each.evidence.lost_at is None else text(each.evidence.lost_at),
                "group": each.evidence.group,
                "together_from": None if each.evidence.begun is None else text(each.evidence.begun),
                "together": list(each.evidence.units),
            }
            for each in found
        ],
    }
