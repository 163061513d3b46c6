"""Circulars (通报) about scores as requests for a document: facts only, documents words them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from schemas import codec
from schemas.base import PackRef
from schemas.document import (
    MAX_STANDINGS,
    Circular,
    DocumentRequest,
    DocumentRequestData,
    IssuingBody,
    Measured,
    Named,
    Standing,
)
from services.console.domain.errors import DocumentRefused
from services.console.domain.evaluation import NewCircular, ScoredPeriod, ScoredScheme, ScoreRow, placed
from services.console.ports.district import ReadModel
from services.console.ports.evaluation import CircularPrinter
from services.kernel.calendar import CHINA
from services.kernel.ids import derive
from services.kernel.words import Instrument, Language, Period, ScoreGap

SOURCE = "/console"
BRIGADE = "brigade"
OFFICE = "committee-office"
"""Codes of the packs. The one issues, the other has a copy, where the register knows it."""
UNNAMED = ("消防救援大队", "Fire and Rescue Brigade")
ADDRESSEE = Named(zh="各考核对象", en="All bodies evaluated")

Bodies = Mapping[str, tuple[str, str]]


class Circulars:
    """Implements ports.CircularDrafts: names from the read model, the draft by the API of documents."""

    def __init__(self, documents: CircularPrinter, read: ReadModel) -> None:
        self._documents = documents
        self._read = read

    async def draft(self, asked: NewCircular) -> str:
        bodies = (await self._read.names()).bodies
        return await self._documents.draft(codec.requests.encode(request_of(asked, bodies)))


def case_of(scheme: ScoredScheme, period: ScoredPeriod) -> str:
    """Return what stands in the place of a case: all circulars of a scheme and a period have it."""
    district = (scheme.district,) if scheme.district else ()
    return f"circular-{derive('circular', scheme.scheme_id, period.kind.value, period.first.isoformat(), *district)}"


def cases_of(schemes: Iterable[ScoredScheme], period: ScoredPeriod) -> Mapping[str, Sequence[ScoredScheme]]:
    """Return in what places circulars of these schemes may stand.

    One that was drafted while there was one district, or by a version that knew none, stands in that without a
    district. Which of several schemes of one name it is of, the place does not say: it is all of theirs.
    """
    found: dict[str, list[ScoredScheme]] = {}
    for scheme in schemes:
        for case_id in {case_of(scheme, period), case_of(ScoredScheme(scheme.scheme_id), period)}:
            found.setdefault(case_id, []).append(scheme)
    return found


def request_of(asked: NewCircular, bodies: Bodies) -> DocumentRequest:
    """Return the request. The same revisions of the same scores have one id. Raises DocumentRefused.

    Bodies that were scored under different packs do not fit under one clause.
    """
    packs = {(row.score["pack"]["pack_id"], row.score["pack"]["version"]) for row in asked.rows}
    if len(packs) != 1:
        raise DocumentRefused("several_packs")
    if len(asked.rows) > MAX_STANDINGS:
        raise DocumentRefused("too_large")
    ((pack_id, version),) = packs
    called = asked.rows[0].score["called"]
    revisions = sorted(f"{row.score['body']}@{row.revision}" for row in asked.rows)
    request_id = derive(
        "circular", asked.scheme.scheme_id, asked.period.kind.value, str(asked.period.first), *revisions
    )
    office = bodies.get(OFFICE)
    data = DocumentRequestData(
        request_id=request_id,
        case_id=case_of(asked.scheme, asked.period),
        instrument=Instrument.CIRCULAR,
        issuer=IssuingBody(code=BRIGADE, name=_pair(bodies.get(BRIGADE, UNNAMED))),
        addressee=ADDRESSEE,
        copies=() if office is None else (_pair(office),),
        circular=Circular(
            period=period_name(asked.period),
            measure=_measure(called, asked.scheme.district),
            standings=tuple(_standing(row, place, bodies) for row, place in placed(asked.rows)),
        ),
        languages=(Language.ZH, Language.EN),
        clause=called["clause"],
        pack=PackRef(pack_id=pack_id, version=version),
        evidence=None,
    )
    return DocumentRequest(id=request_id, source=SOURCE, subject=BRIGADE, time=asked.at, data=data)


def _measure(called: Mapping[str, str], district: str) -> Named:
    """Return what the scheme is called, with its district where there are several, which may call theirs the same."""
    named = _called(called)
    return Named(zh=f"{named.zh}（{district}）", en=f"{named.en} ({district})") if district else named


def period_name(period: ScoredPeriod) -> Named:
    first = period.first
    match period.kind:
        case Period.MONTH:
            return Named(zh=f"{first.year}年{first.month}月", en=f"{first:%B %Y}")
        case Period.QUARTER:
            number = (first.month + 2) // 3
            return Named(zh=f"{first.year}年第{number}季度", en=f"quarter {number} of {first.year}")
        case _:
            return Named(zh=f"{first.year}年", en=str(first.year))


def _standing(row: ScoreRow, place: int | None, bodies: Bodies) -> Standing:
    score = row.score
    code = str(score["body"]).rpartition("/")[2]
    parts: Sequence[Measured] = [_criterion(one) for one in score["criteria"]] or [_part(one) for one in score["parts"]]
    return Standing(
        body=_called(score["body_called"]) if score["body_called"] else _pair(bodies.get(code, (code, ""))),
        measured=tuple(parts),
        low=score["low"] or "",
        high=score["high"] or "",
        grade=score["grade"],
        worst=score["worst"],
        best=score["best"],
        provisional=score["provisional"],
        list=score["list"],
        place=place,
        gaps=tuple(score["gaps"]),
        rule_years=score["years_not_competent"] if score["rule_holds"] else 0,
        revision=row.revision,
    )


def _criterion(one: Mapping[str, Any]) -> Measured:
    figure = one["figure"] or one.get("listings") or {}  # one before listings had none to name
    return Measured(
        what=_called(one["called"]),
        rate_low=figure.get("low") or "",
        rate_high=figure.get("high") or "",
        low=one["low"] or "",
        high=one["high"] or "",
        gap=one["gap"],
        left_out=one["left_out"],
    )


def _part(one: Mapping[str, Any]) -> Measured:
    """Return a month of a longer period, by the day in China on which it begins."""
    begins = datetime.fromisoformat(one["from"]).astimezone(CHINA).date()
    return Measured(
        what=period_name(ScoredPeriod(Period(one["period"]), begins)),
        low=one["low"] or "",
        high=one["high"] or "",
        gap=ScoreGap.NO_MONTH if one["low"] is None else None,
    )


def _called(said: Mapping[str, str]) -> Named:
    return Named(zh=said["zh"], en=said["en"])


def _pair(pair: tuple[str, str]) -> Named:
    return Named(zh=pair[0], en=pair[1])
