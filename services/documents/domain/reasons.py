"""Why a request was refused, which rule of the form it broke, and why a document has no files."""

from enum import StrEnum


class RefusedBecause(StrEnum):
    """One closed set for the metric and the log. `unexpected` is a fault of ours that met this request."""

    UNDECODABLE = "undecodable"
    FACTS_MISSING = "facts_missing"
    FORM = "form"
    UNEXPECTED = "unexpected"


class FormRule(StrEnum):
    """The rules of the form of a document that are checked before it is issued (docs/domain/letters.md, 1)."""

    NUMBER_MISSING = "number_missing"
    NUMBER_FORM = "number_form"
    NUMBER_YEAR = "number_year"
    NUMBER_OF_A_DRAFT = "number_of_a_draft"
    TITLE = "title"
    ADDRESSEE = "addressee"
    BODY = "body"
    BODY_NOT_ON_FIRST_PAGE = "body_not_on_first_page"
    LEVELS = "levels"
    ATTACHMENTS = "attachments"
    SIGNATURE = "signature"
    DATE_FORM = "date_form"
    DATE_BEFORE_FACTS = "date_before_facts"
    DEADLINE_PAST = "deadline_past"
    COPIES = "copies"
    ORDER = "order"
    INTERNAL_WORDS = "internal_words"
    UNFILLED = "unfilled"
    TOO_LONG = "too_long"


class FilesMissing(StrEnum):
    """Why a document left as text and page only."""

    NO_FONT = "no_font"
    TOO_SLOW = "too_slow"
    TOO_LATE = "too_late"
    TOO_LARGE = "too_large"
    ENGINE = "engine"
