"""The documents that can be issued, one entry each: what its numbers are marked with, which template it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.documents.domain.errors import NotIssuable
from services.documents.domain.reasons import RefusedBecause
from services.kernel.words import Instrument


@dataclass(frozen=True, slots=True)
class Entry:
    """`word` stands behind the issuer's mark in the number; `version` is that of the template in use.

    A template's text is never changed: a new wording is a new version, for what was issued stays as it was.
    """

    instrument: Instrument
    word: str
    version: int

    @property
    def template(self) -> str:
        """The name under which the document remembers its wording."""
        return f"{self.instrument}@{self.version}"


CATALOGUE: Mapping[Instrument, Entry] = MappingProxyType(
    {Instrument.FAULT_NOTICE: Entry(Instrument.FAULT_NOTICE, "告", 1)}
)


def entry_of(instrument: Instrument) -> Entry:
    """Return what is needed to issue it. Raises NotIssuable for those that nobody issues here yet."""
    entry = CATALOGUE.get(instrument)
    if entry is None:
        raise NotIssuable(RefusedBecause.NOT_ISSUED_HERE, instrument)
    return entry
