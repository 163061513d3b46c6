"""What the clauses say that packs cite: a letter quotes them by name and wording, never by our short citations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.documents.domain.request import Named
from services.kernel.words import Language

FILE = Path(__file__).with_name("clauses.yaml")
INNER = str.maketrans("“”", "‘’")
"""What stands in quotation marks within a quotation."""
MAX_QUOTED = 2
"""More of them make a letter that nobody reads; all that are cited stand on the evidence sheet."""


@dataclass(frozen=True, slots=True)
class Clause:
    name: Named
    wording: Named


@dataclass(frozen=True, slots=True)
class Quote:
    """A clause in one language."""

    name: str
    wording: str


class Clauses:
    """The catalogue by citation. What stands in no catalogue is not quoted: a proposal of ours, or a clause unknown."""

    def __init__(self, clauses: Mapping[str, Clause]) -> None:
        self._clauses = clauses
        # the longest first: `003 street 1` is not what `003 street 14` begins with
        self._keys = sorted(clauses, key=len, reverse=True)

    @classmethod
    def load(cls, file: Path = FILE) -> "Clauses":
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        return cls({key: Clause(Named(**one["name"]), Named(**one["wording"])) for key, one in raw.items()})

    def quotes(self, citation: str, language: Language) -> tuple[Quote, ...]:
        """Return the first clauses of a citation as packs write it: `001 一(五)(六); 003 street 15; proposal +4 h`."""
        found = [self._clauses[key] for part in citation.split(";") if (key := self._key_of(part.strip()))]
        return tuple(
            Quote(one.name.in_language(language), one.wording.in_language(language).translate(INNER))
            for one in found[:MAX_QUOTED]
        )

    def _key_of(self, part: str) -> str | None:
        return next((key for key in self._keys if re.match(rf"{re.escape(key)}(?!\d)", part)), None)


def citations(citation: str) -> Sequence[str]:
    """Return the parts of a citation, proposals of ours too."""
    return [part.strip() for part in citation.split(";") if part.strip()]
