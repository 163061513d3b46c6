"""Letters as plain text and as an HTML page: one form of each for all documents."""

from datetime import datetime

import jinja2

from services.documents.adapters.clauses import Clauses
from services.documents.adapters.composer import TEMPLATES, Composer
from services.documents.adapters.labels import LABELS, printed
from services.documents.domain.catalogue import Entry
from services.documents.domain.document import Rendition, languages_of
from services.documents.domain.letter import Letter
from services.documents.domain.request import Request
from services.documents.ports import Rendered


class TemplateRenderer:
    """See ports.Renderer. All templates are read when it is made: a missing one ends the process at its start."""

    def __init__(self) -> None:
        self._composer = Composer(Clauses.load())
        self._text = _environment(escape=False).get_template("letter.txt.j2")
        self._html = _environment(escape=True).get_template("letter.html.j2")

    def render(
        self, request: Request, number: str, entry: Entry, issued_at: datetime, *, draft: bool
    ) -> tuple[Rendered, ...]:
        letters = [
            self._composer.compose(request, number, entry, issued_at, language, draft)
            for language in languages_of(request)
        ]
        return tuple(Rendered(letter, self._rendition(letter)) for letter in letters)

    def _rendition(self, letter: Letter) -> Rendition:
        said = printed(letter) | {
            "words": LABELS[letter.language],
            "body": letter.body,
            "attachments": letter.attachments,
            "slip": letter.slip,
            "link": letter.link,
        }
        text, html = self._text.render(said), self._html.render(said)
        return Rendition(letter.language, letter.title, text, html, letter.covering)


def _environment(*, escape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=escape,  # noqa: S701 - the other one writes plain text, which escaping would corrupt
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
