"""Published figures and findings about bodies as rows and as events."""

import json
from collections.abc import Mapping
from typing import Any

from schemas import body_finding as wire
from schemas import codec
from schemas.base import PackRef
from schemas.figure import FigureBody, FigureData, FigurePublished
from schemas.inputs import json_line
from schemas.topics import FIGURES, FINDINGS
from services.compliance.adapters import answer
from services.compliance.domain.bodies import BodyFinding
from services.compliance.domain.figure import Figure
from services.compliance.domain.publishing import Key
from services.compliance.domain.revision import PUBLISHED, Value
from services.compliance.ports import NewFigure, Published
from services.kernel.calendar import moment
from services.kernel.ids import derive

SOURCE = "/compliance"


def figure_text(figure: Figure) -> str:
    """Return the figure as the command line prints it, byte for byte, without the end of the line."""
    return json_line(answer.figure(figure)).rstrip("\n")


def published_of(revision: int, text: str) -> Published:
    said: Mapping[str, Value] = json.loads(text)
    return Published(revision, {name: said[name] for name in PUBLISHED})


def figure_row(new: NewFigure, known_at: int) -> tuple[Any, ...]:
    key, figure, ratio = new.key, new.figure, new.figure.counted.ratio
    said = answer.figure(figure)
    return (
        key.metric, key.scope, key.slice_kind, key.slice_id, key.window.kind.value, moment(key.window.start),
        moment(key.window.end), new.revision, moment(known_at), ratio.numerator, ratio.denominator, ratio.unknown,
        ratio.exempt, said["value"], said["low"], said["high"], said["verdict"], said["reason"],
        figure.pack.pack_id, figure.pack.version, _difference(new), figure_text(figure),
    )  # fmt: skip


def _difference(new: NewFigure) -> str:
    return json_line({name: list(pair) for name, pair in new.difference.items()}).rstrip("\n")


def figure_id(key: Key, revision: int) -> str:
    of = (key.metric, key.scope, key.slice_kind, key.slice_id, key.window.kind.value, str(key.window.start))
    return derive("figure", *of, str(revision))


def figure_event(new: NewFigure, known_at: int) -> tuple[str, str, bytes]:
    """Return topic, key and value."""
    key = new.key
    data = FigureData(
        metric=key.metric,
        scope=key.scope,
        slice_kind=key.slice_kind,
        slice_id=key.slice_id,
        period_kind=key.window.kind,
        period_from=moment(key.window.start),
        period_to=moment(key.window.end),
        revision=new.revision,
        known_at=moment(known_at),
        difference=dict(new.difference),
        figure=FigureBody.model_validate(answer.figure(new.figure)),
    )
    event = FigurePublished(
        id=figure_id(key, new.revision), source=SOURCE, subject=key.slice_id[:128], time=moment(known_at), data=data
    )
    return FIGURES, key.slice_id, codec.figures.encode(event)


def body_event(found: BodyFinding, known_at: int) -> tuple[str, str, bytes]:
    """Return topic, key and value."""
    key, said = found.key, answer.figure(found.figure)
    target = said["target"]
    close = wire.Missed(
        figure_id=figure_id(key, found.revision),
        metric=key.metric,
        scope=key.scope,
        period_kind=key.window.kind,
        period_from=moment(key.window.start),
        period_to=moment(key.window.end),
        revision=found.revision,
        value=said["value"],
        low=said["low"],
        high=said["high"],
        verdict=said["verdict"],
        target=target["value"],
        due=target["due"],
    )
    data = wire.BodyFindingData(
        finding_id=found.finding_id,
        subject=wire.BodySubject(id=key.slice_id),
        phase=found.phase,
        effective_at=moment(key.window.end),
        detected_at=moment(known_at),
        missed=found.missed,
        close=close,
        clause=target["clause"],
        pack=PackRef.model_validate(said["pack"]),
    )
    event = wire.BodyFinding(
        id=found.event_id, source=SOURCE, subject=key.slice_id[:128], time=moment(known_at), data=data
    )
    return FINDINGS, key.slice_id, codec.findings.encode(event)
