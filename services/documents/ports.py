"""What documents needs from the outside. Adapters implement these; every method may be cancelled."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.documents.domain.catalogue import Entry
from services.documents.domain.document import Document, File, Rendition
from services.documents.domain.letter import Letter
from services.documents.domain.numbering import Number, Series
from services.documents.domain.request import Request


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
    """Letters as files to be printed."""

    async def files(self, letters: Sequence[Letter]) -> tuple[File, ...]:
        """Return a PDF of each, and of drafts a DOCX, within a bounded time.

        Raises FilesUnavailable, and BadForm for what only setting shows: no body on the first page.
        """
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


class StreamUnavailable(Exception):
    """The cluster did not confirm."""


class Issuing(Protocol):
    """Takes requests of one partition in, documents and offset together."""

    async def take(self, claim: PartitionClaim, requests: Sequence[Request], next_offset: int) -> None:
        """Return once all are issued or refused and the offset is saved. Raises StoreUnavailable, Fenced."""
        ...
