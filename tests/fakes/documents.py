"""Store, renderer and stream of documents in memory: the store holds the promises of the PostgreSQL one."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from services.documents.adapters.labels import day
from services.documents.adapters.wire import changed_event
from services.documents.domain.catalogue import Entry
from services.documents.domain.correspondence import Change, Correspondence, change_id_of
from services.documents.domain.document import Document, File, Rendition, languages_of
from services.documents.domain.errors import Fenced, FilesUnavailable
from services.documents.domain.letter import Block, BlockKind, Head, Letter, Sheet
from services.documents.domain.mails import Mail, MailSort
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.documents.domain.reasons import FilesMissing
from services.documents.domain.report import Report
from services.documents.domain.request import Request
from services.documents.domain.uploads import Upload
from services.documents.ports import (
    Arrived,
    InboxQuery,
    Opening,
    PartitionClaim,
    Position,
    Rendered,
    StreamUnavailable,
    TakeReply,
)
from services.kernel.words import FileKind, Language


@dataclass
class Tables:
    documents: dict[str, Document] = field(default_factory=dict)
    series: dict[Series, int] = field(default_factory=dict)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    told: dict[str, ReportedNumber] = field(default_factory=dict)

    def copied(self) -> "Tables":
        return Tables(dict(self.documents), dict(self.series), dict(self.offsets), set(self.published), dict(self.told))


class MemoryTransaction:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    async def advance(self, claim: PartitionClaim, next_offset: int) -> None:
        epoch, _ = self.tables.offsets.get((claim.topic, claim.partition), (0, 0))
        if epoch != claim.epoch:
            raise Fenced("another owner")
        self.tables.offsets[claim.topic, claim.partition] = (epoch, next_offset)

    async def issued(self, document_ids: Collection[str]) -> set[str]:
        return set(document_ids) & self.tables.documents.keys()

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        before = self.tables.copied()
        try:
            yield
        except BaseException:
            self.tables = before
            raise

    async def next_number(self, series: Series) -> Number:
        self.tables.series[series] = self.tables.series.get(series, 0) + 1
        return Number(series, self.tables.series[series])

    async def told(self, document_id: str) -> ReportedNumber | None:
        return self.tables.told.get(document_id)

    async def add(self, document: Document) -> None:
        self.tables.documents[document.document_id] = document

    async def document(self, document_id: str) -> Document | None:
        return self.tables.documents.get(document_id)

    async def put_numbered(self, document: Document, by: str, at: datetime) -> None:
        self.tables.documents[document.document_id] = document
        self.tables.published.discard(document.document_id)


class MemoryDocuments:
    """Store and outbox over the same tables. A transaction that fails leaves no trace."""

    def __init__(self) -> None:
        self.tables = Tables()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        draft = MemoryTransaction(self.tables.copied())
        yield draft
        self.tables = draft.tables

    async def claim(self, topic: str, partition: int, owner: str) -> tuple[PartitionClaim, int]:
        epoch, offset = self.tables.offsets.get((topic, partition), (0, 0))
        self.tables.offsets[topic, partition] = (epoch + 1, offset)
        return PartitionClaim(topic, partition, epoch + 1), offset

    async def unpublished(self, limit: int) -> Sequence[Document]:
        waiting = [one for one in self.tables.documents.values() if one.document_id not in self.tables.published]
        return sorted(waiting, key=lambda one: (one.issued_at, one.document_id))[:limit]

    async def newest_numbered(self) -> datetime:
        numbered = [one.issued_at for one in self.tables.documents.values() if one.number is not None]
        return max(numbered, default=datetime.fromtimestamp(0, UTC))

    async def take_told(self, told: Sequence[ReportedNumber]) -> int:
        kept = self.tables.documents.keys() | self.tables.told.keys()
        news = [one for one in told if one.document_id not in kept]
        for one in news:
            self.tables.told[one.document_id] = one
            series = one.number.series
            self.tables.series[series] = max(self.tables.series.get(series, 0), one.number.serial)
        return len(news)

    async def lacking(self, limit: int) -> Sequence[Document]:
        return [one for one in self.tables.documents.values() if one.files_due][:limit]

    async def put_files(self, document_id: str, files: Sequence[File]) -> None:
        kept = self.tables.documents[document_id]
        self.tables.documents[document_id] = replace(kept, files=tuple(files), files_due=False)

    async def mark_published(self, document_ids: Sequence[str]) -> None:
        self.tables.published |= set(document_ids)


class PlainRenderer:
    """Writes what the form asks for and no more; what is about BUG meets a fault of ours, UNFORMED has no addressee."""

    def render(
        self, request: Request, number: str, entry: Entry, issued_at: datetime, *, draft: bool
    ) -> tuple[Rendered, ...]:
        if request.subject == "BUG":
            raise ZeroDivisionError
        return tuple(
            self._rendered(request, number, entry, issued_at, draft, language) for language in languages_of(request)
        )

    def _rendered(
        self, request: Request, number: str, entry: Entry, issued_at: datetime, draft: bool, language: Language
    ) -> Rendered:
        letter = Letter(
            language=language,
            draft=draft,
            head=Head.PLAIN,
            issuer="issuer",
            number=number,
            title=f"title {language}",
            addressee="" if request.subject == "UNFORMED" else "addressee",
            body=(Block(BlockKind.PARAGRAPH, "body"),),
            date="" if draft else day(language, issued_at),
            copies=(),
            covering="",
            attachments=(),
            slip=None,
            evidence=Sheet("evidence", ()),
            link="",
            issued_at=issued_at,
            due_at=None,
            latest_fact_at=None,
            foreign=frozenset(),
        )
        text = " ".join((number, letter.title, letter.addressee, "body", letter.issuer, letter.date))
        return Rendered(letter, Rendition(language, letter.title, text, entry.template))


class PlainTypesetter:
    """A file for each letter; while `away` says why, none."""

    def __init__(self) -> None:
        self.away: FilesMissing | None = None
        self.made = 0

    async def files(self, letters: Sequence[Letter]) -> tuple[File, ...]:
        if self.away is not None:
            raise FilesUnavailable(self.away)
        self.made += 1
        return tuple(File(one.language, FileKind.PDF, b"%PDF " + one.number.encode()) for one in letters)

    async def report(self, report: Report) -> bytes:
        if self.away is not None:
            raise FilesUnavailable(self.away)
        self.made += 1
        return b"%PDF " + report.title.encode()


class MemoryStream:
    """Keeps what was sent; while `away` nothing gets through."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.changes: list[bytes] = []
        self.away = False

    async def send(self, documents: Sequence[Document]) -> None:
        if self.away:
            raise StreamUnavailable("away")
        self.sent += [document.number_text for document in documents]

    async def send_changes(self, records: Sequence[tuple[str, bytes]]) -> None:
        if self.away:
            raise StreamUnavailable("away")
        self.changes += [event for _, event in records]


@dataclass
class Letters:
    """What became of documents, by their ids, and what is still to be told of it."""

    stands: dict[str, Correspondence] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    changes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)


class MemoryCorrespondenceTransaction:
    def __init__(self, letters: Letters) -> None:
        self.letters = letters

    async def load(self, document_id: str) -> Correspondence | None:
        return self.letters.stands.get(document_id)

    async def save(self, after: Correspondence, change: Change, files: Sequence[Upload]) -> None:
        self.letters.stands[after.document_id] = after
        self.letters.files |= {one.sha256: one for one in files}
        self.letters.changes.setdefault(change_id_of(after.document_id, change), changed_event(after, change))


class MemoryCorrespondences:
    """Acts and outbox in memory; lists and pages are questions of SQL, and are asked of PostgreSQL only."""

    def __init__(self, *stands: Correspondence) -> None:
        self.letters = Letters({one.document_id: one for one in stands})

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryCorrespondenceTransaction]:
        old = self.letters
        draft = Letters(dict(old.stands), dict(old.files), dict(old.changes), set(old.published))
        yield MemoryCorrespondenceTransaction(draft)
        self.letters = draft

    async def party_of_link(self, document_id: str, contact_id: str) -> str | None:
        stands = self.letters.stands.get(document_id)
        found = (one for one in stands.recipients if one.contact_id == contact_id) if stands else iter(())
        return next((one.party for one in found if one.revoked_at is None), None)

    async def opened(self, opening: Opening, now: datetime) -> None:
        raise NotImplementedError

    async def revoke(self, document_id: str, contact_id: str, by: str, now: datetime) -> bool:
        if await self.party_of_link(document_id, contact_id) is None:
            return False
        stands = self.letters.stands[document_id]
        recipients = tuple(
            replace(one, revoked_at=now) if one.contact_id == contact_id else one for one in stands.recipients
        )
        self.letters.stands[document_id] = replace(stands, recipients=recipients)
        return True

    async def inbox(self, query: InboxQuery) -> tuple[dict[str, int], Sequence[dict[str, Any]]]:
        raise NotImplementedError

    async def view(self, query: InboxQuery) -> tuple[dict[str, Any], Correspondence, Sequence[dict[str, Any]]] | None:
        raise NotImplementedError

    async def replies(self, case_id: str, party: str | None) -> Sequence[dict[str, Any]]:
        raise NotImplementedError

    async def file(self, document_id: str, digest: str, party: str | None) -> tuple[str, str, bytes] | None:
        raise NotImplementedError

    async def unpublished_changes(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        waiting = [(one, *said) for one, said in self.letters.changes.items() if one not in self.letters.published]
        return waiting[:limit]

    async def mark_changes_published(self, change_ids: Sequence[str]) -> None:
        self.letters.published |= set(change_ids)


class MemoryMailbox:
    """Mails in their order; says in `asked` which was fetched, and raises `away` when it is set."""

    name = "answers@mail/INBOX"

    def __init__(self, *mails: bytes) -> None:
        self.mails = mails
        self.asked: list[int] = []
        self.away: Exception | None = None

    async def after(self, position: Position | None, limit: int) -> AsyncGenerator[Arrived, None]:
        if self.away is not None:
            raise self.away
        last = 0 if position is None else position.last_uid
        for uid in range(last + 1, min(last + limit, len(self.mails)) + 1):
            self.asked.append(uid)
            raw = self.mails[uid - 1]
            yield Arrived(Position(1, uid), raw, len(raw), f"mail at {uid}")


class MemoryMails:
    """What the PostgreSQL one promises of taking in; joins nothing to documents, and nothing is taken from it."""

    def __init__(self) -> None:
        self.kept: list[Mail] = []
        self.begun: dict[int, int] = {}
        self.reached: Position | None = None
        self.away: Exception | None = None

    async def position(self, mailbox: str) -> Position | None:
        return self.reached

    async def begin(self, mailbox: str, position: Position) -> int:
        self.begun[position.last_uid] = self.begun.get(position.last_uid, 0) + 1
        return self.begun[position.last_uid]

    async def advance(self, mailbox: str, position: Position) -> None:
        self.reached = position
        self.begun.pop(position.last_uid, None)

    async def keep(self, mail: Mail, now: datetime) -> MailSort | None:
        if self.away is not None:
            raise self.away
        if any(one.mail_id == mail.mail_id for one in self.kept):
            return None
        self.kept.append(mail)
        return mail.sort

    async def mails(self, *, everything: bool, limit: int, offset: int = 0) -> Sequence[dict[str, Any]]:
        raise NotImplementedError

    async def waiting(self) -> int:
        raise NotImplementedError

    async def mail(self, mail_id: str) -> dict[str, Any] | None:
        raise NotImplementedError

    async def file(self, mail_id: str, place: int) -> Upload | None:
        raise NotImplementedError

    async def join(self, mail_id: str, document: str, by: str, now: datetime, seen: int | None) -> None:
        raise NotImplementedError

    async def take(self, mail_id: str, party: str, by: str, now: datetime, step: TakeReply) -> None:
        raise NotImplementedError

    async def set_aside(self, mail_id: str, by: str, now: datetime, reason: str, seen: int | None) -> None:
        raise NotImplementedError


def unit_of(request: Request, unit_id: str) -> Request:
    """Return the request for another unit."""
    return replace(request, subject=unit_id)
