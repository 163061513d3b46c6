"""The documents there are, one entry each: what its numbers are marked with, which wording it has, what it tells of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from services.documents.domain.errors import NotIssuable
from services.documents.domain.reasons import RefusedBecause
from services.documents.domain.request import Request
from services.kernel.words import Instrument


class Matter(StrEnum):
    """What a document tells of, and so which facts its request must have."""

    UNIT = "unit"
    CIRCULAR = "circular"
    """The scores of many bodies, or what one body has missed."""
    HISTORY = "history"
    CLOSURE = "closure"
    """A unit's listing that is closed (销案)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`word` stands behind the issuer's mark in the number; `version` is that of the template in use.

    A template's text is never changed: a new wording is a new version, for what was issued stays as it was. Of a
    `draft` only its issuer makes a document, with a number and a date of its own. `slip`: a receipt comes with it.
    """

    instrument: Instrument
    word: str
    version: int
    matter: Matter = Matter.UNIT
    draft: bool = False
    slip: bool = True

    @property
    def template(self) -> str:
        """The name under which the document remembers its wording."""
        return f"{self.instrument}@{self.version}"

    def worded(self, template: str) -> "Entry":
        """Return it in the wording that a document remembers. Raises ValueError for one that there is not."""
        for version in range(1, self.version + 1):
            entry = replace(self, version=version)
            if entry.template == template:
                return entry
        raise ValueError(f"{self.instrument} has no wording {template}")

    def has_facts(self, request: Request) -> bool:
        match self.matter:
            case Matter.UNIT:
                return request.unit is not None and request.trouble is not None
            case Matter.CIRCULAR:
                return request.circular is not None or self._has_history(request)
            case Matter.HISTORY:
                return self._has_history(request)
            case Matter.CLOSURE:
                return request.unit is not None and request.trouble is not None and request.listed is not None

    @staticmethod
    def _has_history(request: Request) -> bool:
        return request.about is not None and bool(request.grounds)


CATALOGUE: Mapping[Instrument, Entry] = MappingProxyType(
    {
        entry.instrument: entry
        for entry in (
            Entry(Instrument.FAULT_NOTICE, "告", 2),
            Entry(Instrument.CHECK_TASK, "核", 1),
            Entry(Instrument.URGING_NOTICE, "督", 1),
            Entry(Instrument.COPY_NOTICE, "抄", 1),
            Entry(Instrument.CORRECTION_ORDER, "限", 1, draft=True),
            Entry(Instrument.CIRCULAR, "通", 3, Matter.CIRCULAR, slip=False),
            Entry(Instrument.LISTED_SUPERVISION, "挂", 2, draft=True),
            Entry(Instrument.LISTING_CLOSURE, "销", 1, Matter.CLOSURE, draft=True),
            Entry(Instrument.INTERVIEW, "约", 2, Matter.HISTORY, draft=True),
            Entry(Instrument.ACCOUNTABILITY, "责", 1, Matter.HISTORY, draft=True, slip=False),
        )
    }
)


def entry_of(request: Request) -> Entry:
    """Return what is needed to issue it. Raises NotIssuable when its facts are not those of its kind."""
    entry = CATALOGUE[request.instrument]
    if not entry.has_facts(request):
        raise NotIssuable(RefusedBecause.FACTS_MISSING, f"{request.instrument} tells of {entry.matter}")
    # what judges many bodies is an act of the authority that puts its name to it
    return replace(entry, draft=True) if request.circular is not None else entry
