"""Figures and intervals as the answer tells them (figures.md 7)."""

from collections.abc import Iterable
from typing import Any

from services.compliance.domain.figure import Figure
from services.compliance.domain.policy import Policy
from services.compliance.domain.sight import Span
from services.compliance.domain.timeline import HealthInterval, StateInterval
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
                "connection": each.state.connection,
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
