"""What the lanes of one process are made of: its clock, registry, metrics and wake-ups."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from prometheus_client import CollectorRegistry

from schemas.topics import REGISTRY
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.interim_store import LocalInterimStore
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.adapters.topic_handler import Decode
from services.alerts.domain.case.event import Event
from services.alerts.domain.delivery.documents import DocumentTerms
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.synthetic import Stage
from services.alerts.lanes.channel_files import read_channel_files
from services.alerts.lanes.delivery_workers import DeliveryWorkers
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore
from services.alerts.settings import AlertsSettings
from services.alerts.worker.delivery import DeliveryWorker
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.handover import Handover
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.notice_composer import NoticeComposer
from services.alerts.worker.synthetic import SyntheticAlarms
from services.alerts.worker.turns import Turns
from services.alerts.worker.wake_event import WakeEvent
from services.kernel.calendar import CHINA
from services.runtime.clock import Clock
from services.runtime.consumer_metrics import ConsumerCollector
from services.runtime.kafka_loop import ConsumedRecord
from services.runtime.lifecycle import Stop
from services.runtime.task_health import TaskHealth

WAKEABLE = ("ladder", "grouping", "delivery", "fire-delivery", "publish", "interim", "requests", "synthetic")
"""Tasks that others may wake before their pause is over."""


class Parts:
    """Made once per process, before any lane. Nothing here connects to anything; a few files are read."""

    def __init__(self, settings: AlertsSettings, clock: Clock, prometheus: CollectorRegistry) -> None:
        self.settings = settings
        self.clock = clock
        self.metrics = AlertsMetrics(prometheus)
        self.consumers = ConsumerCollector(prometheus)
        self.channel_files = read_channel_files(settings, self.metrics)
        self.health = TaskHealth(clock, lambda task: self.metrics.turns.labels(task).inc())
        self.wake_events = {name: WakeEvent() for name in WAKEABLE}
        self.fire_priority = FirePriority()
        self.turns = Turns(
            clock=clock,
            health=self.health,
            fire_priority=self.fire_priority,
            wake_events=self.wake_events,
            pause_s=settings.poll_ms / 1000,
            failed=lambda task: self.metrics.task_failures.labels(task).inc(),
        )
        self.directory = RegistryDirectory(
            lambda: clock.now().astimezone(CHINA).date(),
            self.metrics.rejected.labels(REGISTRY).inc,
            self.channel_files.per_number_a_day,
        )
        self.writer = TemplateWriter(settings.console_url)
        self.composer = self.new_composer(self.metrics)
        self.interim_store = LocalInterimStore(self.composer.retell, self.composer.first_recipients)
        # the ordinary lane beside the fire lane knows what was told from memory; in a process of its own it cannot
        self.handover = Handover(self.interim_store if settings.lane != "ordinary" else None)
        self.synthetic: SyntheticAlarms | None = None
        """Who takes the synthetic alarms out of what the lanes read; set before any lane reads."""
        self.delivery_workers = DeliveryWorkers(
            settings,
            clock,
            self.metrics,
            self.fire_priority,
            self.composer.retell,
            self.writer.write_digest,
            self.channel_files,
        )

    def new_composer(self, metrics: AlertsMetrics) -> NoticeComposer:
        calendar = ChinaCalendar()
        return NoticeComposer(
            directory=self.directory,
            writer=self.writer,
            calendar=calendar,
            metrics=metrics,
            pace=Pace(self.settings.clock_rate, calendar, self.settings.supervision_rate),
            documents=DocumentTerms(
                timedelta(seconds=self.settings.document_wait_s),
                self.settings.console_url,
                self.settings.document_issuers,
            ),
        )

    def intake(self, store: CaseStore, fire_delivery: DeliveryWorker, wake: Callable[[], None]) -> CaseIntake:
        """Return an intake over the database whose new fire notices leave at the commit."""
        return CaseIntake(
            store=store,
            directory=self.directory,
            composer=self.composer,
            metrics=self.metrics,
            clock=self.clock,
            wake=wake,
            fire_priority=self.fire_priority,
            first_attempts=fire_delivery.first_attempts,
            handover=self.handover,
            defers=self.settings.lane == "ordinary",
        )

    def without_synthetic(self, stage: Stage, decode: Decode[Event]) -> Decode[Event]:
        """Return `decode` that passes over synthetic alarms: neither the case book nor the memory ever sees one."""

        def decoded(topic: str, record: ConsumedRecord) -> Event | None:
            event = decode(topic, record)
            taken = event is not None and self.synthetic is not None and self.synthetic.take(stage, event)
            return None if taken else event

        return decoded

    def wake_fire(self) -> None:
        self.wake_events["fire-delivery"]()

    def wake_all(self) -> None:
        for wake in self.wake_events.values():
            wake()

    async def deliver(self, delivery_worker: DeliveryWorker, name: str, stop: Stop) -> None:
        """Bring notices out until stop. What is on its way then is waited for by whoever made the worker."""

        def finished(made_room: bool) -> None:
            if made_room:
                self.wake_events[name]()
            self.wake_events["publish"]()

        delivery_worker.on_finished = finished
        await self.turns.run(name, delivery_worker.turn, stop)


async def after(ready: asyncio.Event, stop: Stop, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work once `ready` is set; not at all when stop comes first."""
    waits = {asyncio.create_task(ready.wait()), asyncio.create_task(stop.wait())}
    _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if not stop.is_set():
        await work()
