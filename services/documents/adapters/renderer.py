"""Documents from templates: the wording once per kind of document and language, the form of a letter once for all.

A wording gives the title and then headings and paragraphs, a line each; `letter.txt` and `letter.html` put these into
the letter form of GB/T 9704. What is foreign (names, labels) is one line of plain text wherever it stands: it can
neither add a paragraph nor markup.
"""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jinja2

from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.document import Rendition, languages_of
from services.documents.domain.numbering import Number
from services.documents.domain.request import Named, Request
from services.kernel.calendar import CHINA
from services.kernel.words import Language
from services.runtime.texts import one_line

TEMPLATES = Path(__file__).parent / "templates"
FORMS = ("text", "html")
WORDS = {
    Language.ZH: {
        "colon": "：",
        "indent": "　　",
        "right": "　" * 20,
        "copies": "抄送：",
        "stop": "。",
        "link": "查看与签收：",
        "translation": "",
    },
    Language.EN: {
        "colon": ":",
        "indent": "",
        "right": " " * 40,
        "copies": "Copies to: ",
        "stop": ".",
        "link": "View and acknowledge: ",
        "translation": "A translation; the Chinese text is the document.",
    },
}
"""What stands around every letter."""
JOIN = {Language.ZH: "，", Language.EN: ", "}
Block = tuple[Literal["heading", "paragraph"], str]


def moment(language: Language, instant: datetime) -> str:
    """Return an instant as a letter writes it, in China's time."""
    at = instant.astimezone(CHINA)
    if language is Language.ZH:
        return f"{at.year}年{at.month}月{at.day}日{at.hour}时{at.minute:02}分"
    return f"{at.hour:02}:{at.minute:02} on {day(language, instant)}"


def day(language: Language, instant: datetime) -> str:
    """Return the day as a letter is dated: Arabic digits without leading zeros (GB/T 9704)."""
    at = instant.astimezone(CHINA)
    return f"{at.year}年{at.month}月{at.day}日" if language is Language.ZH else f"{at.day} {at:%B} {at.year}"


class TemplateRenderer:
    """See ports.Renderer. All templates are read when it is made: a missing one ends the process at its start."""

    def __init__(self) -> None:
        plain, html = _environment(escape=False), _environment(escape=True)
        self._forms = {"text": plain.get_template("letter.txt.j2"), "html": html.get_template("letter.html.j2")}
        self._wordings = {
            (entry.template, language): _wording(language, f"{entry.instrument}.v{entry.version}.{language}.j2")
            for entry in CATALOGUE.values()
            for language in Language
        }

    def render(self, request: Request, number: Number, template: str, issued_at: datetime) -> tuple[Rendition, ...]:
        return tuple(self._render(request, number, template, issued_at, one) for one in languages_of(request))

    def _render(
        self, request: Request, number: Number, template: str, issued_at: datetime, language: Language
    ) -> Rendition:
        due_at = request.due_at if request.due_at and request.due_at > issued_at else None
        said = self._wordings[template, language].render(
            unit=request.unit, trouble=request.trouble, requested_at=request.requested_at, due_at=due_at
        )
        title, *lines = [line for line in said.splitlines() if line.strip()]
        letter = {
            "lang": str(language),
            "words": WORDS[language],
            "issuer": one_line(request.issuer.name.in_language(language)),
            "number": number.text,
            "title": title,
            "addressee": one_line(request.addressee.in_language(language)),
            "body": [_block(line) for line in lines],
            "date": day(language, issued_at),
            "copies": JOIN[language].join(one_line(one.in_language(language)) for one in request.copies),
            "link": one_line(request.link),
        }
        text, page = (self._forms[form].render(letter) for form in FORMS)
        return Rendition(language, title, text, page)


def _environment(*, escape: bool, **more: Any) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=escape,  # noqa: S701 - the other one writes plain text, which escaping would corrupt
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **more,
    )


def _wording(language: Language, name: str) -> jinja2.Template:
    environment = _environment(escape=False, finalize=one_line)
    environment.filters["moment"] = partial(moment, language)
    environment.filters["name"] = lambda named: _name(named, language)
    return environment.get_template(name)


def _name(named: Named, language: Language) -> str:
    return named.in_language(language)


def _block(line: str) -> Block:
    return ("heading", line.removeprefix("# ")) if line.startswith("# ") else ("paragraph", line)
