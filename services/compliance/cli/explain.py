"""`explain`: what a published figure is made of, whom it is judged by, how it was revised, how to compute it again."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TextIO

from schemas.inputs import EXIT_OF
from services.compliance.adapters.stored import StoreAway, StoredFigure, revisions_of
from services.compliance.domain.formulas.catalogue import CATALOGUE
from services.compliance.domain.period import window_of
from services.compliance.domain.publishing import Key
from services.compliance.settings import ComplianceSettings
from services.kernel.calendar import CHINA, day_number, moment
from services.kernel.words import Dimension, Period
from services.runtime.settings import load

NOT_FOUND = 2
SHOWN_DETAIL = 2000
"""Characters: `open_by_age` and its like are short, but a later formula may tell more."""


def run(arguments: list[str], out: TextIO, errors: TextIO) -> int:
    """Write the explanation to `out`. Returns 0, 2 where no such figure is published, 5 while the database is away."""
    parser = argparse.ArgumentParser(prog="python -m services.compliance explain", description=__doc__)
    parser.add_argument("metric", choices=sorted(CATALOGUE))
    parser.add_argument("scope", help="as the pack names it: S1, or a union: S1+S2")
    parser.add_argument("period", choices=[each.value for each in Period])
    parser.add_argument("day", type=date.fromisoformat, metavar="DAY", help="any day of the period, as in 2026-03-10")
    parser.add_argument(
        "--slice", required=True, type=_slice, metavar="KIND=ID", help="district=ID, town=ID, department=ID .."
    )
    options = parser.parse_args(arguments)
    window = window_of(Period(options.period), day_number(options.day))
    kind, value = options.slice
    key = Key(options.metric, options.scope, kind, value, window)
    try:
        published = list(revisions_of(load(ComplianceSettings).database_dsn.get_secret_value(), key))
    except StoreAway as error:
        print(f"the database cannot be asked now: {error}", file=errors)
        return EXIT_OF["bad_log"]
    if not published:
        print(f"no figure is published of {_named(key)}", file=errors)
        return NOT_FOUND
    for line in explained(key, published):
        print(line, file=out)
    return 0


def explained(key: Key, published: Sequence[StoredFigure]) -> Iterator[str]:
    """Yield what there is to say of a figure, its revisions in order; the last one stands."""
    said: Mapping[str, Any] = json.loads(published[-1].text)
    yield _named(key)
    if said["value"] is None:
        yield "  not applicable: nothing counts in it"
    elif said["low"] == said["high"]:
        yield f"  {said['value']} %"
    else:
        yield f"  {said['low']} % to {said['high']} %: unknown time and units may lie on either side"
    yield f"  {said['numerator']} of {said['denominator']} {said['counts']}, {said['unknown']} of them unknown"
    if said["exempt"]:
        yield f"  {said['exempt']} {said['counts']} are exempt, and in neither number"
    yield from _judged(said)
    if said["detail"]:
        yield f"  beside it: {json.dumps(said['detail'], ensure_ascii=False)[:SHOWN_DETAIL]}"
    for before, each in zip([None, *published], published, strict=False):
        yield f"  revision {each.revision}, as known at {moment(each.known_at).astimezone(CHINA).isoformat()}"
        if before is not None:
            yield from _differing(json.loads(before.text), json.loads(each.text))
    yield "  compute it again (docs/how-to/recompute-a-figure.md), as known at a revision:"
    yield f"    {json.dumps(_ask(key, said, published[-1]), ensure_ascii=False)}"


def _judged(said: Mapping[str, Any]) -> Iterator[str]:
    target = said["target"]
    yield f"  {said['verdict']}: {said['reason']}"
    if target is not None:
        asked = f"{target['op']} {target['value']}, due {target['due']} ({target['clause']})"
        yield f"  target {target['id']}: {asked}"
    yield f"  clause of the scope: {said['clause'] or 'none'}"
    yield "  packs of its days: " + ", ".join(f"{each['pack_id']} version {each['version']}" for each in said["packs"])


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, value in after.items():
        if before.get(name) != value:
            yield f"    {name}: {_said(before.get(name))} -> {_said(value)}"


def _said(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:SHOWN_DETAIL]


def _ask(key: Key, said: Mapping[str, Any], standing: StoredFigure) -> dict[str, Any]:
    """Return the ask; a limit or a share that the pack gives is to be added by whoever asks."""
    window = {"at": said["from"]} if CATALOGUE[key.metric].instant else {"from": said["from"], "to": said["to"]}
    figure = {"metric": key.metric, "scope": key.scope, "slice": said["slice"], **window}
    needed = dict.fromkeys(sorted(CATALOGUE[key.metric].needs), "AS IN THE PACK")
    return {"known_at": moment(standing.known_at).isoformat(), "figures": [figure | needed]}


def _named(key: Key) -> str:
    start, end = (moment(at).astimezone(CHINA).date() for at in (key.window.start, key.window.end))
    return f"{key.metric} of {key.scope}, {key.slice_kind} {key.slice_id}, {key.window.kind} from {start} until {end}"


def _slice(text: str) -> tuple[str, str]:
    kind, _, value = text.partition("=")
    try:
        dimension = Dimension(kind)
    except ValueError:
        raise argparse.ArgumentTypeError(f"one of {', '.join(Dimension)}, then = and an id") from None
    if not value:
        raise argparse.ArgumentTypeError("an id behind the =")
    return dimension.value, value
