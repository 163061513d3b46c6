"""Errors of documents, one small tree."""

from collections.abc import Sequence

from services.documents.domain.reasons import FilesMissing, FormRule, RefusedBecause


class DocumentsError(Exception):
    """Any of them."""


class StoreUnavailable(DocumentsError):
    """The database did not answer; nothing was written."""


class MailboxUnavailable(DocumentsError):
    """The mail server did not answer, or not as it should; nothing was read."""


class Fenced(DocumentsError):
    """Another process has taken the partition over; it reads on from our last commit."""


class NotIssuable(DocumentsError):
    """A request that no document can be made of; no number was used. `reason` says why."""

    def __init__(self, reason: RefusedBecause, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class BadForm(NotIssuable):
    """A finished document that breaks rules of the form."""

    def __init__(self, rules: Sequence[FormRule]) -> None:
        super().__init__(RefusedBecause.FORM, ", ".join(rules))
        self.rules = tuple(rules)


class FilesUnavailable(DocumentsError):
    """No file could be made; the text is the document. `reason` says why."""

    def __init__(self, reason: FilesMissing, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class NotNumbered(DocumentsError):
    """A number or date that a draft cannot be issued with."""


class NotPossible(DocumentsError):
    """What somebody wants to do does not fit what stands; `reason` is a word that pages have a sentence for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadUpload(NotPossible):
    """A file that is not taken."""


class NotFound(DocumentsError):
    """There is no such document, or not for this party; also a link that opens nothing. Nothing tells which."""
