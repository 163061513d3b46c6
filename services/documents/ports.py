"""What documents needs from the outside. Adapters implement these; every method may be cancelled."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from services.documents.domain.catalogue import Entry
from services.documents.domain.correspondence import Actor, Change, Correspondence, Written
from services.documents.domain.document import Document, File, Rendition
from services.documents.domain.letter import Letter
from services.documents.domain.mails import Mail, MailSort
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.documents.domain.report import Report
from services.documents.domain.request import Request
from services.documents.domain.uploads import Upload
from services.kernel.words import SubmissionState


@dataclass(frozen=True, slots=True)
class PartitionClaim:
    """Ownership of one partition of a topic; `epoch` grows with each owner and fences the former one."""

    topic: str
    partition: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter and its forms for screens."""

    letter: Letter
    rendition: Rendition


class Renderer(Protocol):
    """Templates in files, by instrument, version and language."""

    def render(
        self, request: Request, number: str, entry: Entry, issued_at: datetime, *, draft: bool
    ) -> tuple[Rendered, ...]:
        """Return the document in every language that it is wanted in, Chinese first. `number` is "" of a draft.

        The same arguments give the same text. An error is a fault of ours.
        """
        ...


class Typesetter(Protocol):
    """Letters, and reports, as files to be printed."""

    async def files(self, letters: Sequence[Letter]) -> tuple[File, ...]:
        """Return a PDF of each, and of drafts a DOCX, within a bounded time.

        Raises FilesUnavailable, and BadForm for what only setting shows: no body on the first page.
        """
        ...

    async def report(self, report: Report) -> bytes:
        """Return a report as PDF, within a bounded time. Raises FilesUnavailable."""
        ...


class IssuingTransaction(Protocol):
    """One database transaction: the documents of a batch, their numbers, and the offset behind it."""

    async def advance(self, claim: PartitionClaim, next_offset: int) -> None:
        """Save the offset. Raises Fenced when somebody else owns the partition."""
        ...

    async def issued(self, document_ids: Collection[str]) -> set[str]:
        """Return which of these documents are there already."""
        ...

    def attempt(self) -> AbstractAsyncContextManager[None]:
        """Begin one document: an exception out of the block takes back what it wrote, its number too, and goes on."""
        ...

    async def next_number(self, series: Series) -> Number:
        """Take the next number of the series; others that want one wait until this transaction ends."""
        ...

    async def told(self, document_id: str) -> ReportedNumber | None:
        """Return the number under which this document was told of before the database was put back; None of others."""
        ...

    async def add(self, document: Document) -> None: ...

    async def document(self, document_id: str) -> Document | None:
        """Return and lock a document, without its texts and files."""
        ...

    async def put_numbered(self, document: Document, by: str, at: datetime) -> None:
        """Write a draft that its issuer has numbered, with its texts and files; it is told of once more."""
        ...


class DocumentStore(Protocol):
    """Documents, series and offsets."""

    def transaction(self) -> AbstractAsyncContextManager[IssuingTransaction]:
        """Begin; commit when the block ends well. Raises StoreUnavailable, Fenced."""
        ...

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        """Take over a partition, fencing its former owner; return the claim and the next offset to read."""
        ...


class ReportedNumbers(Protocol):
    """Numbers that were told of and that the database may have forgotten."""

    async def newest_numbered(self) -> datetime:
        """Return when the newest document with a number was issued, the year 1970 without any."""
        ...

    async def take_told(self, told: Sequence[ReportedNumber]) -> int:
        """Keep the numbers of documents that are not there; their series go on behind them. Return how many are new."""
        ...


class CorrespondenceTransaction(Protocol):
    """One database transaction about one document."""

    async def load(self, document_id: str) -> Correspondence | None:
        """Return and lock what stands of it; None when there is no such document."""
        ...

    async def save(self, after: Correspondence, change: Change, files: Sequence[Upload]) -> None:
        """Write what `change` made of it, with the files that came with it, and that it is to be told."""
        ...


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """Which documents: those of a party (None: all), one of them or a page of those that something is to be done to."""

    party: str | None
    now: datetime
    document_id: str | None = None
    only: Literal["all", "todo", "overdue", "undecided"] = "all"
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Opening:
    """Who looked at a document: by its link (`who`: the contact), or on the page of an account (`who`: "")."""

    document_id: str
    party: str
    via: str
    who: str = ""


class CorrespondenceStore(Protocol):
    """What becomes of documents. Every method raises StoreUnavailable."""

    def transaction(self) -> AbstractAsyncContextManager[CorrespondenceTransaction]:
        """Begin; commit when the block ends well."""
        ...

    async def party_of_link(self, document_id: str, contact_id: str) -> str | None:
        """Return for whom this contact got the document; None when it did not, or its link was taken back."""
        ...

    async def opened(self, opening: Opening, now: datetime) -> None:
        """Write down that a party it went to looked at a document: when first, and when last."""
        ...

    async def revoke(self, document_id: str, contact_id: str, by: str, now: datetime) -> bool:
        """Take the contact's link back; return whether there was one."""
        ...

    async def inbox(self, query: InboxQuery) -> tuple[dict[str, int], Sequence[dict[str, Any]]]:
        """Return how many there are of each sort, and the rows of the page, newest first."""
        ...

    async def view(self, query: InboxQuery) -> tuple[dict[str, Any], Correspondence, Sequence[dict[str, Any]]] | None:
        """Return one document: its row, what became of it, its texts. None when the party has none of that id."""
        ...

    async def replies(self, case_id: str, party: str | None) -> Sequence[dict[str, Any]]:
        """Return the newest replies with files to documents of the case, of this party (None: of all)."""
        ...

    async def file(self, document_id: str, digest: str, party: str | None) -> tuple[str, str, bytes] | None:
        """Return (name, media type, content) of a file that this party (None: anybody) handed in to the document."""
        ...


class Correspondences(Protocol):
    """What recipients and the brigade do to documents. Every method raises NotFound, StoreUnavailable."""

    async def open_link(self, text: str) -> tuple[str, str, str]:
        """Return (document id, contact, party) of a signed link; nothing says why one opens nothing."""
        ...

    async def sign(self, document_id: str, actor: Actor) -> None:
        """Raises NotPossible. Signing twice changes nothing."""
        ...

    async def submit(self, document_id: str, actor: Actor, written: Written) -> None:
        """Raises NotPossible."""
        ...

    async def decide(
        self, document_id: str, submission_id: str, verdict: SubmissionState, by: str, reasons: str
    ) -> None:
        """Raises NotPossible. Who may is for the caller to know."""
        ...

    async def revoke(self, document_id: str, contact_id: str, by: str) -> None:
        """Take back the link of one contact."""
        ...


class Circulars(Protocol):
    async def issue(self, request: Request) -> str:
        """Return the id of the document that the request became. Raises NotIssuable, StoreUnavailable."""
        ...


class ChangeOutbox(Protocol):
    """Changes that nobody has been told of."""

    async def unpublished_changes(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        """Return (id, key, encoded event), oldest first."""
        ...

    async def mark_changes_published(self, change_ids: Sequence[str]) -> None: ...


class Outbox(Protocol):
    """Issued documents that nobody has been told of."""

    async def unpublished(self, limit: int) -> Sequence[Document]: ...

    async def mark_published(self, document_ids: Sequence[str]) -> None: ...


class LateFiles(Protocol):
    """Documents that were issued without their files, for there was no time."""

    async def lacking(self, limit: int) -> Sequence[Document]:
        """Return some of them without their texts, the newest first."""
        ...

    async def put_files(self, document_id: str, files: Sequence[File]) -> None:
        """Write what could be made of one, maybe nothing: it is not tried again."""
        ...


class DocumentStream(Protocol):
    """firenet.documents.v1."""

    async def send(self, documents: Sequence[Document]) -> None:
        """Return once all are stored. Raises StreamUnavailable; some may be stored then, and may be sent again."""
        ...

    async def send_changes(self, records: Sequence[tuple[str, bytes]]) -> None:
        """The same for changes, each (key, encoded event)."""
        ...


class StreamUnavailable(Exception):
    """The cluster did not confirm."""


class Issuing(Protocol):
    """Takes requests of one partition in, documents and offset together."""

    async def take(self, claim: PartitionClaim, requests: Sequence[Request], next_offset: int) -> None:
        """Return once all are issued or refused and the offset is saved. Raises StoreUnavailable, Fenced."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far a mailbox is read. UIDs grow as long as `uid_validity` stays the same; then they begin anew."""

    uid_validity: int
    last_uid: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail in the mailbox. `raw` None: too large to be read. `mail_id` names it by where it is, not by content."""

    position: Position
    raw: bytes | None
    size: int
    mail_id: str


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that waits for a person, with what of it becomes a reply."""

    document_id: str
    sender: str
    sender_name: str
    subject: str
    text: str
    files: tuple[Upload, ...]


Taken = tuple[Correspondence, Change, Sequence[Upload]]
TakeReply = Callable[[WaitingMail, Correspondence], Iterator[Taken]]
"""Returns what taking a mail makes of its document, step by step. Raises NotPossible, NotFound."""


class Mailbox(Protocol):
    """Where answers by mail arrive; nothing in it is ever changed."""

    @property
    def name(self) -> str: ...

    def after(self, position: Position | None, limit: int) -> AsyncGenerator[Arrived, None]:
        """Yield up to `limit` mails behind the position, oldest first; each is fetched when it is asked for.

        Raises MailboxUnavailable. To be closed.
        """
        ...


class MailStore(Protocol):
    """The mails that came. Every method raises StoreUnavailable."""

    async def position(self, mailbox: str) -> Position | None: ...

    async def begin(self, mailbox: str, position: Position) -> int:
        """Write down that a process begins with the mail at this position; return how many times one did."""
        ...

    async def advance(self, mailbox: str, position: Position) -> None:
        """Write down that all mails up to this position are kept."""
        ...

    async def keep(self, mail: Mail, now: datetime) -> MailSort | None:
        """Write a mail down, joined to its document; return what it is, None when it is there already."""
        ...

    async def mails(self, *, everything: bool, limit: int, offset: int = 0) -> Sequence[dict[str, Any]]:
        """Return the mails that wait, or all, newest first."""
        ...

    async def waiting(self) -> int:
        """Return how many mails wait."""
        ...

    async def mail(self, mail_id: str) -> dict[str, Any] | None:
        """Return one with its text, files (without their content), what was done to it, and who was asked."""
        ...

    async def file(self, mail_id: str, place: int) -> Upload | None: ...

    async def join(self, mail_id: str, document: str, by: str, now: datetime, seen: int | None) -> None:
        """Write that a mail answers the document of this id or number, and waits. Raises NotFound, NotPossible.

        `seen`: how many acts it had when somebody looked; None: nobody did. Was it acted on since, `mail_changed`.
        """
        ...

    async def take(self, mail_id: str, party: str, by: str, now: datetime, step: TakeReply) -> None:
        """Write what `step` makes of a waiting mail, and that it is taken.

        Raises NotFound, NotPossible (`mail_decided`), and what `step` raises.
        """
        ...

    async def set_aside(self, mail_id: str, by: str, now: datetime, reason: str, seen: int | None) -> None:
        """Write that a waiting mail is no reply, and why. Raises NotFound."""
        ...
