"""Requests to letters: the wording once per kind of document and language, what is foreign as one line of plain text.

A wording gives the title, then a line each: `# ` a heading, `> ` what those are told who have a copy, else a paragraph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from services.documents.adapters.clauses import Clauses, Quote
from services.documents.adapters.labels import LABELS, Labels, counted, day, moment
from services.documents.domain.catalogue import CATALOGUE, Entry
from services.documents.domain.letter import Block, BlockKind, Head, Letter, Sheet
from services.documents.domain.request import Circular, Component, Measured, Named, Request, Standing
from services.kernel.words import Instrument, Language
from services.runtime.texts import one_line

TEMPLATES = Path(__file__).parent / "templates"
ON_THE_PAGE = 3
"""So many components are named in the letter; more are listed on a sheet."""
CENTRE = "centre"
"""The monitoring centre is a technical body and no authority: its mark is not red."""
CLOSINGS = ("特此", "妥否")
"""How the line begins that ends a letter, where it has one."""


@dataclass(frozen=True, slots=True)
class _Wording:
    title: str
    body: tuple[Block, ...]
    covering: str


class Composer:
    """All wordings are read when it is made: a missing one ends the process at its start."""

    def __init__(self, clauses: Clauses) -> None:
        self._clauses = clauses
        self._wordings = {
            (entry.template, language): _wording(language, f"{entry.instrument}.v{entry.version}.{language}.j2")
            for newest in CATALOGUE.values()
            for entry in (replace(newest, version=each) for each in range(1, newest.version + 1))
            for language in Language
        }

    def compose(
        self, request: Request, number: str, entry: Entry, issued_at: datetime, language: Language, draft: bool
    ) -> Letter:
        """Return the letter in this language. The same arguments give the same letter."""
        words = LABELS[language]
        due_at = request.due_at if request.due_at and request.due_at > issued_at else None
        quotes = self._clauses.quotes(request.basis.clause, language)
        wording = self._read(request, entry, language, due_at, quotes)
        addressee = one_line(request.addressee.in_language(language))
        copies = dict.fromkeys(one_line(one.in_language(language)) for one in request.copies)
        return Letter(
            language=language,
            draft=draft,
            head=_head(request, draft),
            issuer=one_line(request.issuer.name.in_language(language)),
            number=number,
            title=wording.title,
            addressee=addressee,
            body=_with_provisional_dates(wording.body, request, words),
            date="" if draft else day(language, issued_at),
            copies=tuple(one for one in copies if one and one != addressee),
            covering=wording.covering,
            attachments=tuple(_attachments(request, words)),
            slip=_slip(request, number, wording.title, addressee, words) if entry.slip else None,
            evidence=_evidence(request, number, entry, words),
            link=one_line(request.link),
            issued_at=issued_at,
            due_at=due_at,
            latest_fact_at=request.latest_fact_at,
            foreign=frozenset(_foreign(request)),
        )

    def _read(
        self, request: Request, entry: Entry, language: Language, due_at: datetime | None, quotes: tuple[Quote, ...]
    ) -> _Wording:
        said = self._wordings[entry.template, language].render(
            unit=request.unit,
            trouble=request.trouble,
            earlier=request.earlier,
            circular=request.circular,
            about=request.about,
            grounds=request.grounds,
            meeting=request.meeting,
            listed=request.listed,
            requested_at=request.requested_at,
            due_at=due_at,
            reply_due_at=request.reply_due_at,
            quotes=quotes,
            addressee=request.addressee.in_language(language),
        )
        title, *lines = [line.strip() for line in said.splitlines() if line.strip()]
        covering = " ".join(line.removeprefix("> ") for line in lines if line.startswith("> "))
        return _Wording(title, tuple(_block(line) for line in lines if not line.startswith("> ")), covering)


def _with_provisional_dates(body: tuple[Block, ...], request: Request, words: Labels) -> tuple[Block, ...]:
    """Say of dates that may come to be others that they may, before the closing line of the letter."""
    if not request.provisional_years:
        return body
    told = Block(
        BlockKind.PARAGRAPH, words.provisional_dates.format(years=words.comma.join(map(str, request.provisional_years)))
    )
    closes = body[-1].text.startswith(CLOSINGS)
    return (*body[:-1], told, body[-1]) if closes else (*body, told)


def _block(line: str) -> Block:
    if line.startswith("# "):
        return Block(BlockKind.HEADING, line.removeprefix("# "))
    return Block(BlockKind.PARAGRAPH, line)


def _head(request: Request, draft: bool) -> Head:
    if draft:
        return Head.OWN_PAPER
    return Head.PLAIN if request.issuer.code.startswith(CENTRE) else Head.RED


def _attachments(request: Request, words: Labels) -> list[Sheet]:
    """Return the sheets behind the letter: the components, when they are many, or the scores of a circular."""
    sheets = []
    listed = request.trouble.listed if request.trouble else ()
    if len(listed) > ON_THE_PAGE:
        sheets.append(Sheet(words.components, _component_rows(listed, words), words.component_columns))
    if request.circular is not None:
        sheets.append(Sheet(words.standings, _standing_rows(request.circular, words), words.standing_columns))
    return sheets


def _component_rows(listed: Sequence[Component], words: Labels) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(n),
            one_line(one.label) or words.none,
            one_line(one.system) or words.none,
            one_line(one.address),
            moment(words.language, one.since) if one.since else words.none,
        )
        for n, one in enumerate(listed, start=1)
    )


def _standing_rows(circular: Circular, words: Labels) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(one.place) if one.place else words.none,
            one_line(one.body.in_language(words.language)),
            words.listed(_measured(each, words) for each in one.measured) or words.none,
            words.revised.format(said=words.between(one.low, one.high) or words.none, n=one.revision),
            words.grade_of(one),
            words.listed(_remarks(one, words)) or words.none,
        )
        for one in circular.standings
    )


def _measured(one: Measured, words: Labels) -> str:
    """Return a part of a score in words: its figure, the points it gave, and why something of it is not known."""
    said = [one_line(one.what.in_language(words.language))]
    rate, points = words.between(one.rate_low, one.rate_high), words.between(one.low, one.high)
    said += [f"{rate} %"] if rate else []
    if one.is_left_out:
        said.append(words.left_out)
    else:
        said += [words.points.format(n=points)] if points else []
        said += [words.gaps[one.gap]] if one.gap else []
    return words.comma.join(said)


def _remarks(one: Standing, words: Labels) -> list[str]:
    said = [words.provisional_score] if one.is_provisional else []
    said += [words.gaps[gap] for gap in one.gaps]
    return said + ([words.years_running.format(n=one.rule_years)] if one.rule_years else [])


def _slip(request: Request, number: str, title: str, addressee: str, words: Labels) -> Sheet:
    is_check = request.instrument is Instrument.CHECK_TASK
    blanks = words.check_blanks if is_check else words.slip_blanks
    rows = (
        (words.number, number or words.blank_number),
        (words.document, title),
        (words.receiver, addressee),
        *((blank, "") for blank in blanks),
    )
    return Sheet(words.slip, rows, intro=words.slip_intro, foot=words.slip_foot)


def _evidence(request: Request, number: str, entry: Entry, words: Labels) -> Sheet:
    rows = (
        (words.number, number or words.blank_number),
        (words.case, request.case_id),
        (words.request, f"{request.source} {request.request_id}"),
        (words.subject, request.subject),
        (words.kind, f"{request.instrument}" + (f" / {request.trouble.kind}" if request.trouble else "")),
        (words.clauses, request.basis.clause),
        (words.pack, request.basis.pack),
        (words.log, request.basis.evidence or words.by_revision),
        (words.template, entry.template),
    )
    return Sheet(words.evidence, tuple((label, one_line(said)) for label, said in rows), intro=words.evidence_intro)


def _foreign(request: Request) -> list[str]:
    """Return every text of the request that stands in a letter and is not ours."""
    named: list[Named | None] = [request.issuer.name, request.addressee, *request.copies, request.about]
    plain: list[str] = []
    if request.unit is not None:
        unit = request.unit
        named += [unit.name, unit.category, unit.town]
        plain += [unit.address, unit.responsible, unit.telephone]
    if request.trouble is not None:
        plain += [text for one in request.trouble.listed for text in (one.label, one.system, one.address)]
    for earlier in request.earlier:
        named += earlier.to
        plain.append(earlier.number)
    if request.circular is not None:
        standings = request.circular.standings
        named += [request.circular.period, request.circular.measure, *(one.body for one in standings)]
        named += [each.what for one in standings for each in one.measured]
    for ground in request.grounds:
        named.append(ground.fact)
        plain.append(ground.number)
    if request.meeting is not None:
        plain.append(request.meeting.place)
    if request.listed is not None:
        plain += [request.listed.number, request.listed.inspector]
    texts = [*plain, *(text for one in named if one is not None for text in (one.zh, one.en))]
    return [one for one in map(one_line, texts) if len(one) > 1]


def _wording(language: Language, name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - plain text: whoever makes markup of it escapes it
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=one_line,
    )
    filters: Mapping[str, Any] = {
        "moment": partial(moment, language),
        "date": partial(day, language),
        "name": lambda named: named.in_language(language),
        "counted": counted,
        "score": LABELS[language].score_of,
    }
    environment.filters.update(filters)
    return environment.get_template(name)
