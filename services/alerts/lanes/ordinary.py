"""The ordinary lane: findings to cases, ladders, delivery of what is no fire, and what runs beside."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from schemas.codec import HEADERS
from schemas.topics import DOCUMENTS, FINDINGS, LISTINGS, NOTICES, REQUESTS
from services.alerts.adapters.delivery_report_port import DeliveryReportPort
from services.alerts.adapters.kafka_events import event_of_finding
from services.alerts.adapters.kafka_notices import KafkaNoticeStream
from services.alerts.adapters.kafka_requests import document_of_record
from services.alerts.adapters.listing_acts import PostgresListingActs
from services.alerts.adapters.postgres_audit import PostgresAuditLog, PostgresAuditor
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_delivery_reports import PostgresDeliveryReports
from services.alerts.adapters.postgres_groups import PostgresGroupStore
from services.alerts.adapters.postgres_requests import PostgresRequests
from services.alerts.adapters.retention import CASES_AT_ONCE, TABLES
from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.domain.delivery.documents import DocumentChange, IssuedDocument
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.synthetic import Stage
from services.alerts.lanes.parts import Parts, after
from services.alerts.ports import Unpublished
from services.alerts.worker.delivery import DeliveryWorker
from services.alerts.worker.delivery_reports import DeliveryReportIntake, DeliveryReportQuestions
from services.alerts.worker.document_intake import DocumentIntake
from services.alerts.worker.grouping import GroupingWorker
from services.alerts.worker.housekeeping import EscalationMonitor, publish_turn, seal_turn
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.recounting import RecountingWorker
from services.kernel.retention import kept_from
from services.runtime.kafka import BatchProducer
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.postgres import Pool
from services.runtime.public_http import PublicServer
from services.runtime.retention import Counters, Retention
from services.runtime.topic_ids import SavedTopicIds, topic_id_statements

PUBLISH_EVERY_S = 0.25
"""Nobody waits for firenet.notices.v1: what ended meanwhile is sent together."""
DOCUMENTS_HELD = 400
"""Documents that wait in memory to be taken in, each some ten kilobytes."""
SUPERVISE_EVERY_S = 5.0
RECOUNT_EVERY_S = 10.0
"""A calendar comes with a version of ours: while the one before still runs beside, it goes on counting by its own."""
ASK_EVERY_S = 5.0
REPORT_CONNECTIONS = 64
FORGET_EVERY = 720
"""Turns of the supervisor: once an hour."""


class OrdinaryLane:
    """Works on `work`, delivers on `post`: a receiver that hangs takes no connection from the ladders."""

    def __init__(
        self, parts: Parts, work: Pool, post: Pool, fire_delivery: DeliveryWorker, stack: AsyncExitStack
    ) -> None:
        self._parts = parts
        self._work = work
        self._post = post
        self._fire_delivery = fire_delivery
        self._stack = stack
        self._delivery_worker = parts.delivery_workers.worker(stack, "post", parts.delivery_workers.outbox(post))
        stack.push_async_callback(self._delivery_worker.drain)

    def tasks(self, ready: asyncio.Event, stop: Stop) -> dict[str, Coroutine[Any, Any, None]]:
        notices, acts = self._parts.delivery_workers.outbox(self._post), PostgresListingActs(self._work)
        return {
            "findings": after(ready, stop, lambda: self._consume(stop)),
            "delivery": self._parts.deliver(self._delivery_worker, "delivery", stop),
            "ladder": after(ready, stop, lambda: self._ladder(stop)),
            "grouping": after(ready, stop, lambda: self._group(stop)),
            "publish": self._publish("publish", notices, NOTICES, stop, PUBLISH_EVERY_S),
            "publish-listings": self._publish("publish-listings", acts, LISTINGS, stop, PUBLISH_EVERY_S),
            "requests": self._publish("requests", PostgresRequests(self._work), REQUESTS, stop),
            "documents": after(ready, stop, lambda: self._take_documents(stop)),
            "seal": self._seal(stop),
            "supervise": self._supervise(stop),
            "recount": self._recount(stop),
            "retention": self._forget(stop),
            **self._report_tasks(ready, stop),
        }

    def _report_tasks(self, ready: asyncio.Event, stop: Stop) -> dict[str, Coroutine[Any, Any, None]]:
        """What takes delivery reports of providers in; nothing where no gateway file asks for it."""
        parts, settings = self._parts, self._parts.settings
        gateways = parts.channel_files.gateways
        store = PostgresDeliveryReports(self._work)
        intake = DeliveryReportIntake(store=store, metrics=parts.metrics, clock=parts.clock)
        tasks: dict[str, Coroutine[Any, Any, None]] = {}
        if settings.delivery_report_port:
            port = DeliveryReportPort(gateways=gateways, intake=intake, metrics=parts.metrics, clock=parts.clock)
            tasks["delivery-reports"] = self._take_reports(port, stop)
        queries = parts.delivery_workers.report_queries(self._stack)
        if queries:
            questions = DeliveryReportQuestions(store=store, queries=queries, intake=intake, clock=parts.clock)
            tasks["delivery-report-questions"] = after(ready, stop, lambda: self._ask(questions, stop))
        return tasks

    async def _take_reports(self, port: DeliveryReportPort, stop: Stop) -> None:
        """Listen until stop; a port that cannot be had is tried again, and costs no alarm."""
        settings = self._parts.settings

        async def turn() -> int:
            await PublicServer(port.app(), settings.http_host, settings.delivery_report_port, REPORT_CONNECTIONS).serve(
                stop
            )
            return 0

        await self._parts.turns.run("delivery-reports", turn, stop, beside_alarms=True)

    async def _ask(self, questions: DeliveryReportQuestions, stop: Stop) -> None:
        async def turn() -> int:
            await stop.wait_for(ASK_EVERY_S)
            return await questions.turn()

        await self._parts.turns.run("delivery-report-questions", turn, stop, beside_alarms=True)

    async def _consume(self, stop: Stop) -> None:
        parts, settings = self._parts, self._parts.settings
        store = PostgresCaseStore(self._work)
        poll_records = 2 * settings.findings_at_once
        handler = TopicHandler(
            topic=FINDINGS,
            decode=parts.without_synthetic(Stage.RULES, event_of_finding),
            store=store,
            intake=parts.intake(store, self._fire_delivery, parts.wake_all),
            owner=settings.instance,
            at_once=settings.findings_at_once,
            side_by_side=1,
            hold=4 * poll_records,
            on_rejected=parts.metrics.rejected.labels(FINDINGS).inc,
            on_progress=lambda: parts.health.beat("findings"),
        )
        loop = KafkaLoop(
            settings.kafka_bootstrap,
            FINDINGS,
            f"{settings.group}-findings",
            handler,
            f"{settings.instance}-findings",
            poll_records=poll_records,
            static=True,
            worked_off=handler.saved,
            topic_ids=SavedTopicIds(settings.kafka_bootstrap, self._work, topic_id_statements("alerts")),
        )
        parts.consumers.watch(loop)
        await loop.run(stop)

    async def _ladder(self, stop: Stop) -> None:
        parts = self._parts
        worker = LadderWorker(
            store=PostgresCaseStore(self._work),
            directory=parts.directory,
            composer=parts.composer,
            metrics=parts.metrics,
            clock=parts.clock,
            wake=parts.wake_all,
            fire_priority=parts.fire_priority,
        )
        await parts.turns.run("ladder", worker.turn, stop)

    def _wake_delivery(self) -> None:
        """What is due may have to wait for others first."""
        self._parts.wake_events["grouping"]()
        self._parts.wake_events["delivery"]()

    async def _group(self, stop: Stop) -> None:
        parts = self._parts
        worker = GroupingWorker(
            store=PostgresGroupStore(self._post),
            directory=parts.directory,
            metrics=parts.metrics,
            clock=parts.clock,
            pace=parts.composer.pace,
            wake=parts.wake_events["delivery"],
        )
        await parts.turns.run("grouping", worker.turn, stop)

    async def _publish(self, task: str, waiting: Unpublished, topic: str, stop: Stop, every_s: float = 0) -> None:
        """Tell a topic what waits for it. Each has its own task and producer: one that is missing holds up no other."""
        settings = self._parts.settings
        producer = BatchProducer(settings.kafka_bootstrap, f"{settings.instance}-{task}", headers=HEADERS)
        stream = KafkaNoticeStream(producer, topic)

        async def turn() -> int:
            await stream.start()
            await stop.wait_for(every_s)
            return await publish_turn(waiting, stream)

        try:
            await self._parts.turns.run(task, turn, stop)
        finally:
            await producer.stop()

    async def _take_documents(self, stop: Stop) -> None:
        parts, settings = self._parts, self._parts.settings
        store = PostgresCaseStore(self._work)
        handler: TopicHandler[IssuedDocument | DocumentChange] = TopicHandler(
            topic=DOCUMENTS,
            decode=document_of_record,
            store=store,
            intake=DocumentIntake(
                store=store,
                writer=parts.writer,
                metrics=parts.metrics,
                clock=parts.clock,
                composer=parts.composer,
                wake=self._wake_delivery,
            ),
            owner=settings.instance,
            at_once=settings.findings_at_once,
            side_by_side=1,
            hold=DOCUMENTS_HELD,
            on_rejected=parts.metrics.rejected.labels(DOCUMENTS).inc,
            on_progress=lambda: parts.health.beat("documents"),
        )
        loop = KafkaLoop(
            settings.kafka_bootstrap,
            DOCUMENTS,
            f"{settings.group}-documents",
            handler,
            f"{settings.instance}-documents",
            poll_records=DOCUMENTS_HELD // 4,
            static=True,
            worked_off=handler.saved,
            topic_ids=SavedTopicIds(settings.kafka_bootstrap, self._work, topic_id_statements("alerts")),
        )
        parts.consumers.watch(loop)
        await loop.run(stop)

    async def _seal(self, stop: Stop) -> None:
        log = PostgresAuditLog(self._work)
        await self._parts.turns.run("seal", lambda: seal_turn(log), stop)

    async def _recount(self, stop: Stop) -> None:
        parts = self._parts
        worker = RecountingWorker(
            store=PostgresCaseStore(self._work), pace=parts.composer.pace, metrics=parts.metrics, clock=parts.clock
        )

        async def turn() -> int:
            await stop.wait_for(RECOUNT_EVERY_S)
            return await worker.turn()

        await parts.turns.run("recount", turn, stop)

    async def _supervise(self, stop: Stop) -> None:
        parts = self._parts
        supervisor = EscalationMonitor(auditor=PostgresAuditor(self._work), metrics=parts.metrics, clock=parts.clock)
        turns = 0
        while not stop.is_set():
            try:
                await supervisor.turn()
                if turns % FORGET_EVERY == 0:
                    await supervisor.forget()
                turns += 1
            except StoreUnavailable as error:
                get_logger().warning("overview_waits", error=str(error))
            await stop.wait_for(SUPERVISE_EVERY_S)

    async def _forget(self, stop: Stop) -> None:
        metrics, clock = self._parts.metrics, self._parts.clock
        removed = Counters(metrics.retention_rows, metrics.retention_chunks, metrics.retention_failures)

        async def before() -> datetime:
            return kept_from(clock.now(), self._parts.settings.keep_days)

        await Retention(self._work, TABLES, before, removed, rows=CASES_AT_ONCE).run(stop)
