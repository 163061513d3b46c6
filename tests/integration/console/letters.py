"""Documents beside a console under test: its API on the same database, and documents that were sent to somebody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from deploy.stack.ports import free_ports
from services.documents.adapters.circular_api import CircularApi
from services.documents.adapters.http_api import DocumentsApi, build_api
from services.documents.adapters.mail_api import MailApi
from services.documents.adapters.postgres_correspondence import PostgresCorrespondences
from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.postgres_mails import PostgresMails
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.adapters.report_api import ReportApi
from services.documents.adapters.typesetter import TypstTypesetter
from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.document import Document, document_id_of
from services.documents.domain.mails import read
from services.documents.domain.numbering import Number, Series
from services.documents.metrics import DocumentsMetrics
from services.documents.worker.correspondence import CorrespondenceService
from services.documents.worker.issuing import IssuingService
from services.documents.worker.mail_intake import MailUseCases
from services.kernel.links import Link, sealed
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.runtime.postgres import Pool, open_pool
from services.runtime.status import Readiness, StatusServer
from tests.unit.documents.build import request

TOKEN = "documents-secret"
KEY = b"links-secret-of-the-tests"
TABLES = (
    "mail_acts, mail_files, delivery_reports, openings, mails, changes, attachments, files, submissions, receipts,"
    " recipients, renditions, documents, series"
)
SENT = (
    {"contact_id": "c-health", "party": "health", "is_addressee": True},
    {"contact_id": "c-street", "party": "dongjie", "is_addressee": False},
    {"contact_id": "c-room", "party": "unit_control_room", "is_addressee": True},
)


@dataclass
class Letters:
    """What a console needs to know of documents, and what a test does behind it."""

    url: str
    pool: Pool
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def settings(self) -> dict[str, Any]:
        """What the console is to be started with."""
        return {"documents_url": self.url, "documents_token": SecretStr(TOKEN)}

    async def send(
        self, request_id: str = "R1", serial: int = 1, recipients: Sequence[dict[str, Any]] = SENT, **data: Any
    ) -> str:
        """Issue a document and return its id. It is to be signed within a day, answered within three."""
        now = self.clock.now()
        due = {
            "receipt_due_at": (now + timedelta(days=1)).isoformat(),
            "reply_due_at": (now + timedelta(days=3)).isoformat(),
        }
        wanted = request(request_id, **{"recipients": recipients, "languages": ["zh", "en"], **due, **data})
        number = Number(Series("centre", "消监告", 2026), serial)
        document_id = document_id_of(wanted.source, request_id)
        rendered = TemplateRenderer().render(wanted, number.text, CATALOGUE[wanted.instrument], now, draft=False)
        texts = tuple(one.rendition for one in rendered)
        async with PostgresDocuments(self.pool).transaction() as transaction:
            await transaction.add(Document(document_id, wanted, number, "I1@2", now, texts))
        return document_id

    async def receive(self, raw: bytes) -> str:
        """Keep a mail as the mailbox would bring it, and return its id."""
        mail = read(raw, frozenset())
        await PostgresMails(self.pool).keep(mail, self.clock.now())
        return mail.mail_id

    def link(self, document_id: str, contact: str = "c-room", days: float = 30, key: bytes = KEY) -> str:
        until: datetime = self.clock.now() + timedelta(days=days)
        return sealed(Link(document_id, contact, until), key)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()


@asynccontextmanager
async def letters(dsn: str) -> AsyncIterator[Letters]:
    """Yield the API of documents, ready, on an empty book."""
    (port,) = free_ports(1)
    clock, stop = SystemClock(), Stop()
    async with open_pool(dsn, "test-documents", 1, 4) as pool:
        async with pool.connection() as connection:
            tables = ", ".join(f"documents.{name}" for name in TABLES.split(", "))
            await connection.execute(f"TRUNCATE {tables} CASCADE".encode())
        store = PostgresCorrespondences(pool)
        service = CorrespondenceService(
            store=store,
            metrics=DocumentsMetrics(CollectorRegistry()),
            clock=clock,
            link_keys=[KEY],
            wake=lambda: None,
        )
        typesetter = TypstTypesetter(timeout_s=60, max_bytes=10**6)
        mails = PostgresMails(pool)
        mail_api = MailApi(mails, MailUseCases(store=mails, clock=clock))
        issuing = IssuingService(
            store=PostgresDocuments(pool),
            renderer=TemplateRenderer(),
            typesetter=typesetter,
            metrics=DocumentsMetrics(CollectorRegistry()),
            clock=clock,
            marks={},
            wake=lambda: None,
        )
        app = build_api(
            SecretStr(TOKEN), DocumentsApi(store, service, clock), ReportApi(typesetter), mail_api, CircularApi(issuing)
        )
        server = StatusServer("127.0.0.1", port, lambda: Readiness(True), CollectorRegistry(), app)
        serving = asyncio.create_task(server.serve(stop))
        try:
            yield Letters(f"http://127.0.0.1:{port}", pool)
        finally:
            stop.set()
            await serving
            typesetter.close()
