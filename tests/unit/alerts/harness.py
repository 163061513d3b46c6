"""A whole alerts service on memory and a fake clock: intake, ladder, delivery, driven step by step."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from prometheus_client import CollectorRegistry

from services.alerts.adapters.interim_store import LocalInterimStore
from services.alerts.domain.case.event import Event
from services.alerts.domain.delivery.destinations import Destinations
from services.alerts.domain.delivery.documents import DocumentChange, DocumentTerms, IssuedDocument
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import PartitionClaim, Tray, WorkingCalendar
from services.alerts.worker.acknowledgement import AcknowledgementService
from services.alerts.worker.delivery import DeliveryWorker, Lanes
from services.alerts.worker.document_intake import DocumentIntake
from services.alerts.worker.fire_priority import FirePriority
from services.alerts.worker.grouping import GroupingWorker
from services.alerts.worker.handover import Handover
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.notice_composer import NoticeComposer
from services.alerts.worker.recounting import RecountingWorker
from services.kernel.words import Channel
from tests.fakes.alerts import EveryDay, FakeChannel, FakeDirectory, PlainWriter
from tests.fakes.alerts_store import MemoryGroups, MemoryStore
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import RULES, T0


class Unzeroed(AlertsMetrics):
    """Counters appear with their first count: to have all of them at nought takes longer than most stories."""

    def _zero(self) -> None:
        pass


class Harness:
    def __init__(
        self,
        *units: str,
        slots: int = 100,
        store: MemoryStore | None = None,
        **rules: object,
    ) -> None:
        self._slots = slots
        self._handover = Handover()
        self.clock = ManualClock(T0)
        self.store = store or MemoryStore()
        self.directory = FakeDirectory(units or ("U1",))
        self.directory.pack = replace(RULES, **rules)  # type: ignore[arg-type] # names of the pack's fields
        self.carrier = FakeChannel(self.clock)
        self.registry = CollectorRegistry()
        self.metrics = Unzeroed(self.registry)
        self._claims: dict[str, PartitionClaim] = {}
        self._offset = 0
        self._documents = DocumentTerms()
        self.pace = Pace()
        self.calendar: WorkingCalendar = EveryDay()
        self.restart()

    def restart(self) -> None:
        """Forget everything but the store, as a killed process does."""
        self.composer = composer = NoticeComposer(
            directory=self.directory,
            writer=PlainWriter(),
            calendar=self.calendar,
            metrics=self.metrics,
            pace=self.pace,
            documents=self._documents,
        )
        self.documents = DocumentIntake(
            store=self.store,
            writer=PlainWriter(),
            metrics=self.metrics,
            clock=self.clock,
            composer=composer,
            wake=lambda: None,
        )
        common = {
            "store": self.store,
            "directory": self.directory,
            "composer": composer,
            "metrics": self.metrics,
            "clock": self.clock,
            "wake": lambda: None,
            "fire_priority": FirePriority(),
        }
        self.delivery_workers = [self._delivery_worker(self.store, fire=fire) for fire in (True, False)]
        more = {"first_attempts": self.delivery_workers[0].first_attempts, "handover": self._handover}
        self.intake = CaseIntake(**common, **more)  # type: ignore[arg-type] # one set of arguments for two workers
        self.ladder = LadderWorker(**common)  # type: ignore[arg-type] # as above
        self.grouping = GroupingWorker(
            store=MemoryGroups(self.store),
            directory=self.directory,
            metrics=self.metrics,
            clock=self.clock,
            pace=self.pace,
            wake=lambda: None,
        )
        self.acknowledgements = AcknowledgementService(
            store=self.store, directory=self.directory, clock=self.clock, pace=self.pace
        )
        self.store.retell = composer.retell
        self.store.write_digest = PlainWriter().write_digest
        self._claims.clear()

    def slots(self, count: int) -> None:
        """Start anew with room for so many notices on their way."""
        self._slots = count
        self.restart()

    def wait_for_documents(self, seconds: float) -> None:
        """Start anew with notices that wait so long for a document."""
        self._documents = DocumentTerms(timedelta(seconds=seconds), "https://console.firenet-demo.cn")
        self.restart()

    async def go_by(self, calendar: WorkingCalendar) -> None:
        """Start anew with a calendar that is known better, and have what was counted by the last counted again."""
        self.calendar = calendar
        self.pace = replace(self.pace, calendar=calendar)
        self.restart()
        recounting = RecountingWorker(store=self.store, pace=self.pace, metrics=self.metrics, clock=self.clock)
        while await recounting.turn():
            pass

    async def issue(self, *documents: IssuedDocument | DocumentChange) -> None:
        """Take documents, and what became of them, in as they come on their topic."""
        topic = "firenet.documents.v1"
        if topic not in self._claims:
            self._claims[topic], _ = await self.store.claim(topic, 0, "harness")
        await self.documents.take(self._claims[topic], documents, len(documents))

    def kill(self) -> None:
        """End everything that is under way, as `kill -9` does, and start anew."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        self.restart()

    def hand_over(self, handover: Handover, memory: LocalInterimStore) -> None:
        """Work beside a memory that tells while the store is away."""
        self._handover = handover
        self.restart()
        self.delivery_workers[0].sent_elsewhere = handover.attempted
        self.delivery_workers[0].keep = memory.notices.adopt

    def second_lane(self, memory: LocalInterimStore) -> tuple[CaseIntake, DeliveryWorker]:
        """Return an intake and a delivery_worker over `memory`, with the same composer and carrier."""
        delivery_worker = self._delivery_worker(memory.notices, fire=True)
        intake = CaseIntake(
            store=memory,
            directory=self.directory,
            composer=self.composer,
            metrics=self.metrics,
            clock=self.clock,
            wake=lambda: None,
            fire_priority=FirePriority(),
            first_attempts=delivery_worker.first_attempts,
        )
        return intake, delivery_worker

    def ordinary(self) -> CaseIntake:
        """Return the intake of another process, which knows nothing of the memory."""
        return CaseIntake(
            store=self.store,
            directory=self.directory,
            composer=self.composer,
            metrics=self.metrics,
            clock=self.clock,
            wake=lambda: None,
            fire_priority=FirePriority(),
            first_attempts=self._delivery_worker(self.store, fire=True).first_attempts,
            defers=True,
        )

    def lagging(self) -> CaseIntake:
        """Return an intake whose notices leave at the next turn of delivery, those of fires too."""
        return CaseIntake(
            store=self.store,
            directory=self.directory,
            composer=self.composer,
            metrics=self.metrics,
            clock=self.clock,
            wake=lambda: None,
            fire_priority=FirePriority(),
        )

    def _delivery_worker(self, outbox: Tray, *, fire: bool) -> DeliveryWorker:
        lanes = Lanes(
            fire=fire,
            sending={Channel.EMAIL: timedelta(seconds=60), Channel.WEBHOOK: timedelta(seconds=60)},
            destinations=Destinations(slots=self._slots, per_address=100, per_channel={}, rest=timedelta(0)),
        )
        return DeliveryWorker(
            outbox=outbox,
            carriers={Channel.EMAIL: self.carrier, Channel.WEBHOOK: self.carrier},
            lanes=lanes,
            metrics=self.metrics,
            clock=self.clock,
            fire_priority=FirePriority(),
        )

    async def take(self, *events: Event, topic: str = "firenet.findings.v1") -> None:
        if topic not in self._claims:
            self._claims[topic], _ = await self.store.claim(topic, 0, "harness")
        self._offset += len(events)
        await self.intake.take(self._claims[topic], events, self._offset)

    async def finished(self) -> None:
        """Let what is on its way arrive, without any delivery_worker's turn."""
        for delivery_worker in self.delivery_workers:
            await delivery_worker.drain()

    async def deliver(self) -> None:
        await self.grouping.turn()
        for delivery_worker in self.delivery_workers:
            while await delivery_worker.turn():
                await delivery_worker.drain()
            await delivery_worker.drain()

    async def work(self) -> None:
        while await self.ladder.turn():
            pass
        await self.deliver()

    async def pass_time(self, seconds: float, every: float = 600) -> None:
        """Let time pass in small steps, working at each."""
        left = seconds
        while left > 0:
            self.clock.forward(min(every, left))
            left -= every
            await self.work()

    def recipients(self, step: str) -> list[str]:
        """Return who got a notice of this step, in the order of sending."""
        return [ready.to.contact_id for _, ready in self.carrier.sent if ready.subject.split(" ")[0] == step]
