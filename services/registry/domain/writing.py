"""Entities as the rows that an import takes: the reverse of `rows`, under the same headings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.kernel.words import BodyKind, Construction, ContactRole, Language, TelephoneUse
from services.registry.domain.columns import COLUMNS
from services.registry.domain.devices import STANDARD, shown_address
from services.registry.domain.entities import F, Facts, Gateway, History, Kind
from services.registry.domain.rows import BODY_KIND, CONSTRUCTION, LANGUAGE, ROLE, TELEPHONE_USE
from services.registry.domain.timeline import periods

_WORDS: Mapping[type[StrEnum], Mapping[str, StrEnum]] = {
    Construction: CONSTRUCTION,
    BodyKind: BODY_KIND,
    ContactRole: ROLE,
    Language: LANGUAGE,
    TelephoneUse: TELEPHONE_USE,
}


@dataclass(frozen=True, slots=True)
class Written:
    """One file: its headings and, for each entity, its cells in the order of the headings."""

    kind: Kind
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_down(kind: Kind, histories: Mapping[str, History[Facts]], day: date, *, chinese: bool) -> Written:
    """Return what holds on `day` of every entity of a kind; of one that only begins later, what it begins with.

    Each row carries the day from which its facts hold, so that the import finds that it has them already. What held
    before, and what begins later, a file of one row for each entity cannot say.
    """
    columns = COLUMNS[kind]
    headings = [f"{column.zh}{'*' * column.required}" if chinese else column.name for column in columns]
    names = [column.name for column in columns]
    rows = [_row(names, *_holding(history, day), chinese=chinese) for _, history in sorted(histories.items())]
    return Written(kind, headings, rows)


def form_of(kind: Kind, history: History[Facts] | None, day: date) -> dict[str, str]:
    """Return the texts of one entity by field, in English words: what a form shows and hands in again.

    `valid_from` is left empty: what is changed in a form holds from the day on which it is taken, unless it says so.
    """
    names = [column.name for column in COLUMNS[kind]]
    if history is None:
        return dict.fromkeys(names, "")
    facts, since = _holding(history, day)
    cells = zip(names, _row(names, facts, since, chinese=False), strict=True)
    return {name: "" if name == "valid_from" else text for name, text in cells}


def _holding(history: History[F], day: date) -> tuple[F, date]:
    """Return the facts that hold on `day`, the first ones before they begin, and since when they hold."""
    found = periods(history.versions)
    since, _, facts = next((each for each in reversed(found) if each[0] <= day), found[0])
    return facts, since


def _row(names: Sequence[str], facts: Facts, since: date, *, chinese: bool) -> list[str]:
    return [since.isoformat() if name == "valid_from" else cell(facts, name, chinese=chinese) for name in names]


def cell(facts: Facts, name: str, *, chinese: bool) -> str:
    """Return the text that a file has for a field; "" for nothing."""
    if isinstance(facts, Gateway) and name == "device_address" and facts.device_address is not None:
        return shown_address(facts.device_address, facts.device_profile or STANDARD)
    value: object = getattr(facts, name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return ("是" if value else "否") if chinese else ("yes" if value else "no")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return _word(value) if chinese else value.value
    if isinstance(value, tuple):
        return ("；" if chinese else "; ").join(map(str, value))
    return str(value)


def _word(value: StrEnum) -> str:
    return first_chinese(_WORDS[type(value)], value)


def first_chinese(known: Mapping[str, StrEnum], value: StrEnum) -> str:
    """Return the Chinese word by which an import knows a value: the first of them."""
    return next(word for word, meant in known.items() if meant is value and not word.isascii())
