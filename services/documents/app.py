"""The wiring of a documents process, and the only place where settings and adapters meet."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from schemas.codec import HEADERS
from schemas.topics import REQUESTS
from services.documents.adapters.circular_api import CircularApi
from services.documents.adapters.http_api import DocumentsApi, build_api
from services.documents.adapters.imap_box import ImapMailbox, MailboxAddress
from services.documents.adapters.kafka_documents import KafkaDocumentStream
from services.documents.adapters.kafka_told import numbers_told
from services.documents.adapters.mail_api import MailApi
from services.documents.adapters.postgres_correspondence import PostgresCorrespondences
from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.postgres_mails import PostgresMails
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.adapters.report_api import ReportApi
from services.documents.adapters.request_handler import RequestHandler
from services.documents.adapters.typesetter import TypstTypesetter
from services.documents.metrics import DocumentsMetrics
from services.documents.settings import DocumentsSettings
from services.documents.worker.correspondence import CorrespondenceService
from services.documents.worker.drafts import DraftService
from services.documents.worker.issuing import IssuingService
from services.documents.worker.late_files import LateFilesService
from services.documents.worker.mail_intake import MailIntake, MailUseCases
from services.documents.worker.numbers_told import NumbersWatch
from services.documents.worker.publishing import PublishingService
from services.runtime.clock import SystemClock
from services.runtime.consumer_metrics import ConsumerCollector
from services.runtime.kafka import BatchProducer
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.names import under_a_name
from services.runtime.postgres import open_pool
from services.runtime.settings import keys_of
from services.runtime.status import Readiness, StatusServer, process_registry
from services.runtime.task_health import OK, TaskHealth
from services.runtime.topic_ids import SavedTopicIds, topic_id_statements

POLL_RECORDS = 200
LATE_FILES_S = 5.0
"""How often documents without files are looked for."""
TASKS = ("requests", "publish", "files")


def readiness(health: TaskHealth) -> Readiness:
    checks = health.checks()
    return Readiness(all(word == OK for word in checks.values()), checks)


def typesetter_of(settings: DocumentsSettings) -> TypstTypesetter | None:
    if not settings.pdf:
        return None
    return TypstTypesetter(
        timeout_s=settings.pdf_timeout_s,
        max_bytes=settings.pdf_max_bytes,
        folders=settings.font_dirs,
        strict=settings.strict_fonts,
    )


def mailbox_of(settings: DocumentsSettings) -> ImapMailbox | None:
    if settings.imap_host is None:
        return None
    return ImapMailbox(
        MailboxAddress(
            host=settings.imap_host,
            port=settings.imap_port,
            user=settings.imap_user,
            password=settings.imap_password.get_secret_value(),
            folder=settings.imap_folder,
            security=settings.imap_security,
            timeout_s=settings.imap_timeout_s,
        )
    )


async def run(settings: DocumentsSettings, stop: Stop) -> None:
    """Run one documents process until stop. Raises TaskDied when a part of it ended by itself."""
    await under_a_name("documents", settings, settings.http_port, stop, lambda named: _run(named, stop))


async def _run(settings: DocumentsSettings, stop: Stop) -> None:
    clock, prometheus = SystemClock(), process_registry()
    metrics = DocumentsMetrics(prometheus)
    health = TaskHealth(clock, lambda task: metrics.turns.labels(task).inc())
    health.expect(*TASKS)
    producer = BatchProducer(settings.kafka_bootstrap, f"{settings.instance}-documents", headers=HEADERS)
    async with open_pool(settings.database_dsn.get_secret_value(), "documents", 1, 4) as pool:
        store, correspondences = PostgresDocuments(pool), PostgresCorrespondences(pool)
        stream = KafkaDocumentStream(producer)
        publishing = PublishingService(
            outbox=store, changes=correspondences, stream=stream, metrics=metrics, clock=clock
        )
        renderer, typesetter = TemplateRenderer(), typesetter_of(settings)
        numbers = NumbersWatch(
            store=store, read=lambda since: numbers_told(settings.kafka_bootstrap, since, stop), metrics=metrics
        )
        issuing = IssuingService(
            store=store,
            renderer=renderer,
            typesetter=typesetter,
            files_within=timedelta(seconds=settings.pdf_within_s),
            drafts=settings.drafts,
            metrics=metrics,
            clock=clock,
            marks=settings.marks,
            wake=publishing.wake,
            numbers_known=lambda: numbers.known.is_set(),
        )
        late_files = LateFilesService(store=store, renderer=renderer, typesetter=typesetter)
        handler = RequestHandler(
            store=store,
            issuing=issuing,
            metrics=metrics,
            owner=settings.instance,
            on_progress=lambda: health.beat("requests"),
        )
        loop = KafkaLoop(
            settings.kafka_bootstrap,
            REQUESTS,
            f"{settings.group}-requests",
            handler,
            f"{settings.instance}-requests",
            poll_records=POLL_RECORDS,
            static=True,
            topic_ids=SavedTopicIds(settings.kafka_bootstrap, pool, topic_id_statements("documents")),
        )
        ConsumerCollector(prometheus, [loop])
        correspondence = CorrespondenceService(
            store=correspondences,
            metrics=metrics,
            clock=clock,
            link_keys=keys_of(settings.link_keys),
            wake=publishing.wake,
        )
        has_api = bool(settings.api_token.get_secret_value())
        documents_api = DocumentsApi(correspondences, correspondence, clock)
        mail_store = PostgresMails(pool)
        mail_api = MailApi(mail_store, MailUseCases(store=mail_store, clock=clock, wake=publishing.wake))
        reports = ReportApi(typesetter)
        circulars = CircularApi(issuing)
        api = build_api(settings.api_token, documents_api, reports, mail_api, circulars) if has_api else None
        status = StatusServer(settings.http_host, settings.http_port, lambda: readiness(health), prometheus, api)
        mailbox = mailbox_of(settings)
        mails: dict[str, Coroutine[Any, Any, None]] = {}
        if mailbox is not None:
            health.expect("mails")
            ours = frozenset(address.lower() for address in settings.mail_from)
            intake = MailIntake(mailbox=mailbox, store=mail_store, metrics=metrics, clock=clock, ours=ours)
            mails = {"mails": intake.run(settings.imap_every_s, lambda: health.beat("mails"), stop)}
        get_logger().info("documents_started", instance=settings.instance)
        try:
            await supervise(
                stop,
                {
                    "status": status.serve(stop),
                    "requests": _consume(loop, numbers, stop),
                    "publish": publishing.run(settings.poll_ms / 1000, lambda: health.beat("publish"), stop),
                    "files": late_files.run(LATE_FILES_S, lambda: health.beat("files"), stop),
                    **mails,
                },
            )
        finally:
            await producer.stop()
            if mailbox is not None:
                mailbox.close()
    get_logger().info("documents_stopped")


async def _consume(loop: KafkaLoop, numbers: NumbersWatch, stop: Stop) -> None:
    """Take requests in once it is known which numbers were given out."""
    await numbers.run(stop)
    if not stop.is_set():
        await loop.run(stop)


async def number(settings: DocumentsSettings, document_id: str, number_text: str, issued_at: datetime, by: str) -> None:
    """Issue a draft with the number and date that its issuer gave it. Raises NotNumbered, BadForm, StoreUnavailable."""
    async with open_pool(settings.database_dsn.get_secret_value(), "documents", 1, 1) as pool:
        drafts = DraftService(
            store=PostgresDocuments(pool),
            renderer=TemplateRenderer(),
            typesetter=typesetter_of(settings),
            clock=SystemClock(),
        )
        await drafts.number(document_id, number_text, issued_at, by=by)


@asynccontextmanager
async def mail_desk(settings: DocumentsSettings) -> AsyncIterator[MailUseCases]:
    """Yield what a person does with mails by. Raises StoreUnavailable."""
    async with open_pool(settings.database_dsn.get_secret_value(), "documents", 1, 1) as pool:
        yield MailUseCases(store=PostgresMails(pool), clock=SystemClock())
