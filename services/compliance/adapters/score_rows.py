"""Scores of bodies as rows, and as the command line prints them."""

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from schemas.inputs import json_line
from services.compliance.adapters.figure_rows import figure_id
from services.compliance.domain.formulas.score import Span, part_of_whole
from services.compliance.domain.listings import DueListing, ListedAct, in_time
from services.compliance.domain.period import Window
from services.compliance.domain.publishing import Key
from services.compliance.domain.scheme import Named
from services.compliance.domain.scores import Cited, Entry, Mark, Part, Score
from services.kernel.calendar import day_number, micros, moment, text
from services.kernel.ratio import Ratio, percent
from services.kernel.words import ListingAct, Period


def cited_of(row: Sequence[Any]) -> Cited:
    metric, scope, slice_kind, slice_id, begins, ends, revision, *counts = row
    key = Key(metric, scope, slice_kind, slice_id, Window(Period.MONTH, micros(begins), micros(ends)))
    return Cited(key, revision, Ratio(*(int(count) for count in counts)))


def entry_of(row: Sequence[Any]) -> Entry:
    entry_id, district, scheme_id, body_id, criterion_id, month, points, most, account, reason = row
    given = None if points is None else Fraction(points)
    return Entry(entry_id, district, scheme_id, body_id, criterion_id, day_number(month), given, most, account, reason)


def listed_act_of(row: Sequence[Any]) -> ListedAct:
    listing_id, number, act, at, due_at, *whose = row
    due = None if due_at is None else micros(due_at)
    return ListedAct(listing_id, number, ListingAct(act), micros(at), due, *whose)


def listed_act_row(act: ListedAct) -> tuple[Any, ...]:
    return (
        act.listing_id, act.number, act.act.value, moment(act.at), None if act.due_at is None else moment(act.due_at),
        act.unit_id, act.district, act.town, act.department,
    )  # fmt: skip


def score_row(score: Score, revision: int) -> tuple[Any, ...]:
    scheme, low, high = score.scheme, *_bounds(score.span)
    return (
        scheme.scheme_id, score.body_id, score.window.kind.value, moment(score.window.start),
        moment(score.window.end), revision, low, high, _word(score.grade), score.is_provisional,
        _word(score.list), scheme.pack_id, scheme.pack_version, False, score_text(score),
    )  # fmt: skip


def withdrawn_row(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the revision after the one that stands, which says that no such score is made any more."""
    *of, begins, revision, said, ends, pack_id, pack_version, _ = row
    score = json.loads(said) | _OF_NOTHING
    return (
        *of, begins, ends, revision + 1, None, None, None, True, None, pack_id, pack_version, True,
        json_line(score).rstrip("\n"),
    )  # fmt: skip


_OF_NOTHING: dict[str, Any] = {
    "low": None, "high": None, "grade": None, "worst": None, "best": None, "provisional": True, "list": None,
    "gaps": [], "criteria": [], "parts": [], "years_not_competent": 0, "rule_holds": False, "hard_rule": None,
}  # fmt: skip


def score_text(score: Score) -> str:
    """Return the score as the command line prints it, without the end of the line."""
    return json_line(score_json(score)).rstrip("\n")


def score_json(score: Score) -> dict[str, Any]:
    """Return all of a score: points as texts of 100, floored to one decimal."""
    scheme = score.scheme
    low, high = _bounds(score.span)
    body = scheme.bodies.get(score.body_id.rpartition("/")[2])
    return {
        "scheme": scheme.scheme_id,
        "called": _called(scheme.called),
        "body": score.body_id,
        "body_called": None if body is None else _called(body.called),
        "dimension": scheme.dimension.value,
        "period": score.window.kind.value,
        "from": text(score.window.start),
        "to": text(score.window.end),
        "low": low,
        "high": high,
        "grade": _word(score.grade),
        "worst": _word(score.worst),
        "best": _word(score.best),
        "provisional": score.is_provisional,
        "list": _word(score.list),
        "gaps": [gap.value for gap in score.gaps],
        "criteria": [_mark(mark) for mark in score.marks],
        "parts": [_part(part) for part in score.parts],
        "years_not_competent": score.years_not_competent,
        "rule_holds": score.rule_holds,
        "hard_rule": scheme.hard_rule if score.rule_holds else None,
        "pack": {"pack_id": scheme.pack_id, "version": scheme.pack_version},
    }


def _mark(mark: Mark) -> dict[str, Any]:
    criterion = mark.criterion
    low, high = _bounds(None if mark.share is None else part_of_whole(mark.share, criterion.points))
    return {
        "id": criterion.criterion_id,
        "called": _called(criterion.called),
        "points": criterion.points,
        "manual": criterion.is_manual,
        "low": low,
        "high": high,
        "gap": None if mark.gap is None else mark.gap.value,
        "left_out": mark.is_left_out,
        "figure": None if mark.figure is None else _figure(mark.figure),
        "entry": None if mark.entry is None else _entry(mark.entry),
        **({"listings": _listings(mark.listings)} if criterion.listings else {}),
    }


def _listings(listings: Sequence[DueListing]) -> dict[str, Any]:
    """Return the listings that were due; `low` and `high`: what share of them was in time, per cent."""
    ratio = in_time(listings)
    due = [
        {"id": each.listing_id, "unit": each.listed.unit_id, "due": text(each.due_at), "outcome": each.outcome.value}
        for each in listings
    ]
    return {"low": percent(ratio.low), "high": percent(ratio.high), "due": due}


def _figure(cited: Cited) -> dict[str, Any]:
    key, ratio = cited.key, cited.ratio
    return {
        "id": None if cited.revision is None else figure_id(key, cited.revision),
        "metric": key.metric,
        "scope": key.scope,
        "slice_kind": key.slice_kind,
        "slice_id": key.slice_id,
        "revision": cited.revision,
        "low": percent(ratio.low),
        "high": percent(ratio.high),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    points = None if entry.points is None else format(float(entry.points), "g")
    return {"id": entry.entry_id, "points": points, "account": entry.account, "reason": entry.reason}


def _part(part: Part) -> dict[str, Any]:
    low, high = _bounds(part.span)
    return {
        "period": part.window.kind.value,
        "from": text(part.window.start),
        "low": low,
        "high": high,
        "open": part.is_open,
    }


def _bounds(span: Span | None) -> tuple[str | None, str | None]:
    return (None, None) if span is None else (percent(span.low), percent(span.high))


def _called(named: Named) -> dict[str, str]:
    return {"zh": named.name_zh, "en": named.name_en, "clause": named.clause}


def _word(word: Any) -> str | None:
    return None if word is None else str(word.value)
