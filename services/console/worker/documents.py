"""Documents in the console: who may, asked before anything is handed on; and links for those without an account."""

from collections import OrderedDict
from typing import Any

from services.console.domain.documents import (
    File,
    InboxPage,
    MailPage,
    RawForm,
    may_decide,
    may_handle_mails,
    may_revoke,
    party_of,
    party_that_answers,
)
from services.console.domain.errors import TooBusy
from services.console.domain.viewer import Viewer
from services.console.ports.documents import DocumentsService
from services.runtime.clock import Clock

WINDOW_S = 60.0
PER_CLIENT = 60
"""Requests of one address within a minute: a whole office behind one address reads its letters."""
PER_MINUTE = 1200
"""Of all addresses together: whoever has many may keep links from being followed, never the rest of the console."""
CLIENTS = 10_000


class DocumentUseCases:
    """Implements the port `Documents`."""

    def __init__(self, documents: DocumentsService) -> None:
        self._documents = documents

    async def inbox(self, viewer: Viewer, page: InboxPage) -> Any:
        return await self._documents.inbox(party_of(viewer), page)

    async def one(self, viewer: Viewer, document_id: str) -> Any:
        return await self._documents.one(party_of(viewer), document_id)

    async def file(self, viewer: Viewer, document_id: str, digest: str) -> File:
        return await self._documents.file(party_of(viewer), document_id, digest)

    async def sign(self, viewer: Viewer, document_id: str, name: str) -> Any:
        return await self._documents.sign(party_that_answers(viewer), viewer.username, document_id, name)

    async def submit(self, viewer: Viewer, document_id: str, form: RawForm) -> Any:
        return await self._documents.submit(party_that_answers(viewer), viewer.username, document_id, form)

    async def decide(self, viewer: Viewer, document_id: str, submission_id: str, verdict: str, reasons: str) -> Any:
        may_decide(viewer)
        return await self._documents.decide(viewer.username, document_id, submission_id, verdict, reasons)

    async def revoke(self, viewer: Viewer, document_id: str, contact_id: str) -> Any:
        may_revoke(viewer)
        return await self._documents.revoke(viewer.username, document_id, contact_id)


class MailUseCases:
    """Implements the port `Mails`."""

    def __init__(self, documents: DocumentsService) -> None:
        self._documents = documents

    async def page(self, viewer: Viewer, page: MailPage) -> Any:
        may_handle_mails(viewer)
        return await self._documents.mails(page)

    async def one(self, viewer: Viewer, mail_id: str) -> Any:
        may_handle_mails(viewer)
        return await self._documents.mail(mail_id)

    async def file(self, viewer: Viewer, mail_id: str, place: int) -> File:
        may_handle_mails(viewer)
        return await self._documents.mail_file(mail_id, place)

    async def join(self, viewer: Viewer, mail_id: str, document: str, seen: int) -> Any:
        may_handle_mails(viewer)
        return await self._documents.join_mail(viewer.username, mail_id, document, seen)

    async def take(self, viewer: Viewer, mail_id: str, party: str, document_id: str) -> Any:
        may_handle_mails(viewer)
        return await self._documents.take_mail(viewer.username, mail_id, party, document_id)

    async def refuse(self, viewer: Viewer, mail_id: str, reason: str, seen: int) -> Any:
        may_handle_mails(viewer)
        return await self._documents.refuse_mail(viewer.username, mail_id, reason, seen)


class LinkThrottle:
    """Bounds how often links are followed, by address and altogether. Counts in memory, per minute."""

    def __init__(self, clock: Clock, per_client: int = PER_CLIENT, per_minute: int = PER_MINUTE) -> None:
        self._clock = clock
        self._per_client = per_client
        self._per_minute = per_minute
        self._since = clock.monotonic()
        self._clients: OrderedDict[str, int] = OrderedDict()
        self._all = 0

    def count(self, client: str) -> None:
        """Count one request. Raises TooBusy over either bound."""
        now = self._clock.monotonic()
        if now - self._since >= WINDOW_S:
            self._since, self._all = now, 0
            self._clients.clear()
        self._all += 1
        self._clients[client] = self._clients.pop(client, 0) + 1
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        if self._clients[client] > self._per_client or self._all > self._per_minute:
            raise TooBusy("too many requests with links")
