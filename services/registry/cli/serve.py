"""The wiring of the registry's service: it takes the console's orders, and hands on what was approved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.kernel.words import AdjustmentState
from services.registry.adapters.files import HandedFiles
from services.registry.adapters.http_api import Orders, build_api
from services.registry.adapters.http_proposals import LARGE, add_proposals
from services.registry.adapters.http_scores import add_scores
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.postgres import open_store
from services.registry.adapters.sheets import pack_yaml
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.entities import Kind
from services.registry.domain.errors import BusUnavailable, RecordTooLarge, StoreUnavailable
from services.registry.domain.manual_scores import ManualScore, NewScore
from services.registry.domain.proposals import ProposalFaulty, ProposalRequest
from services.registry.metrics import RegistryMetrics
from services.registry.ports import Store
from services.registry.settings import RegistrySettings
from services.registry.worker.adjusting import AdjustmentService
from services.registry.worker.checking import PackCheck
from services.registry.worker.copies import CopiesWatch
from services.registry.worker.importing import Importer
from services.registry.worker.manual_scores import ManualScoreService
from services.registry.worker.proposing import ProposalService
from services.registry.worker.publishing import Publisher
from services.runtime.clock import Clock, SystemClock
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers, supervise
from services.runtime.logging import configure, get_logger
from services.runtime.settings import load
from services.runtime.status import Readiness, StatusServer, process_registry

STALL_S = 60.0
COPIES_S = 60.0
HANDED_MB, UNPACKED_MB, HANDED_ROWS = 4, 64, 20_000
"""Of a file that comes over HTTP: while one is read nothing else is. Larger ones go to the command line."""


PACK_NAME = "pack.yaml"


def _handed(content: bytes) -> HandedFiles:
    return HandedFiles(content, max_file_mb=HANDED_MB, max_unpacked_mb=UNPACKED_MB, max_rows=HANDED_ROWS)


class RegistryService:
    """One process. A connection for each order: they are few, and none is left that has died meanwhile."""

    def __init__(self, settings: RegistrySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._prometheus = process_registry()
        self._metrics = RegistryMetrics(self._prometheus)
        self._bus = KafkaBus(bootstrap=settings.kafka_bootstrap, replication=settings.replication)
        self._news = asyncio.Event()
        self._checks = {"database": "not asked yet", "kafka": "not needed yet"}
        self._turned_at = clock.monotonic()

    async def run(self, stop: Stop) -> None:
        """Serve until stop. Raises TaskDied when a part of it ended by itself."""
        orders = Orders(self._request, self._decide)
        app = build_api(self._settings.api_token, orders, self._metrics, LARGE)
        add_proposals(app, self._desk, self._check_pack, self._news.set, self._metrics)
        add_scores(app, self._enter, self._decide_score, self._metrics)
        status = StatusServer(
            self._settings.http_host, self._settings.http_port, self._readiness, self._prometheus, app
        )
        watch = CopiesWatch(copies=self._bus, wanted=self._settings.replication, metrics=self._metrics)
        try:
            await supervise(
                stop,
                {"status": status.serve(stop), "publish": self._publish(stop), "copies": watch.run(COPIES_S, stop)},
            )
        finally:
            await self._bus.close()

    def _readiness(self) -> Readiness:
        """Kafka may be away: orders are taken all the same, and handed on when it is back."""
        turns = self._clock.monotonic() - self._turned_at < STALL_S
        checks = self._checks | ({} if turns else {"publish": "stalled"})
        return Readiness(turns and self._checks["database"] == "ok", checks)

    async def _request(self, asked: AdjustmentRequest, by: Person) -> Adjustment:
        async with open_store(self._settings.database_dsn.get_secret_value(), by.account) as store:
            return await AdjustmentService(store=store, clock=self._clock).request(asked, by)

    async def _decide(self, action: str, adjustment_id: str, by: Person, note: str) -> Adjustment:
        async with open_store(self._settings.database_dsn.get_secret_value(), by.account) as store:
            service = AdjustmentService(store=store, clock=self._clock)
            match action:
                case "approve":
                    held = await service.approve(adjustment_id, by)
                case "reject":
                    held = await service.reject(adjustment_id, by, note)
                case "withdraw":
                    held = await service.withdraw(adjustment_id, by, note)
                case _:
                    held = await service.end(adjustment_id, by, note)
        get_logger().info("adjustment_decided", adjustment_id=adjustment_id, action=action, state=held.state.value)
        self._news.set()
        return held

    async def _enter(self, asked: NewScore, by: Person) -> ManualScore:
        async with open_store(self._settings.database_dsn.get_secret_value(), by.account) as store:
            held = await ManualScoreService(store=store, clock=self._clock).enter(asked, by)
        get_logger().info("score_entered", entry_id=held.entry_id, body=held.asked.body_id)
        return held

    async def _decide_score(self, entry_id: str, state: AdjustmentState, by: Person, note: str) -> ManualScore:
        async with open_store(self._settings.database_dsn.get_secret_value(), by.account) as store:
            held = await ManualScoreService(store=store, clock=self._clock).decide(entry_id, state, by, note)
        get_logger().info("score_decided", entry_id=entry_id, body=held.asked.body_id, state=state.value)
        return held

    @asynccontextmanager
    async def _desk(self, account: str) -> AsyncIterator[ProposalService]:
        async with open_store(self._settings.database_dsn.get_secret_value(), account) as store:
            yield ProposalService(store=store, clock=self._clock, importer=self._importer)

    def _importer(self, store: Store, request: ProposalRequest) -> Importer:
        files = _handed(request.content)
        listed = self._settings.listed_errors
        return Importer(
            files=files,
            store=store,
            clock=self._clock,
            listed_errors=listed,
            twins_meant=request.meant,
            is_agreed=True,
        )

    def _check_pack(self, content: bytes) -> bytes:
        """Return the pack of a file as an import takes it back, as `check` reads it. Raises ProposalFaulty."""
        files = _handed(content)
        (report,) = PackCheck(files=files, listed=self._settings.listed_errors).check([PACK_NAME])
        if report.refused:
            raise ProposalFaulty(report)
        return pack_yaml(files.read_pack(PACK_NAME).policy)

    async def _publish(self, stop: Stop) -> None:
        """Hand on what was approved, at once and, what Kafka did not take or the command line left, a little later."""
        while not stop.is_set():
            self._news.clear()
            await self._publish_once()
            self._turned_at = self._clock.monotonic()
            await _either(self._news, stop, self._settings.publish_every_s)

    async def _publish_once(self) -> None:
        try:
            async with open_store(self._settings.database_dsn.get_secret_value(), "registry") as store:
                self._checks["database"] = "ok"
                async with store.transaction() as register:
                    waiting = len(await register.unpublished(self._settings.publish_batch, Kind.ADJUSTMENT))
                    proposed = await register.proposals.unpublished()
                self._metrics.unpublished.set(waiting)
                if waiting or proposed:
                    publisher = Publisher(
                        store=store, bus=self._bus, clock=self._clock, batch=self._settings.publish_batch
                    )
                    await publisher.publish(None if proposed else Kind.ADJUSTMENT)
                    self._metrics.unpublished.set(0)
                    self._checks["kafka"] = "ok"
        except StoreUnavailable as error:
            self._checks["database"] = "no answer"
            get_logger().warning("adjustments_not_published", reason="database", error=str(error)[:200])
        except (BusUnavailable, RecordTooLarge) as error:
            self._checks["kafka"] = "no answer"
            await self._bus.close()
            get_logger().warning("adjustments_not_published", reason="kafka", error=str(error)[:200])


async def _either(news: asyncio.Event, stop: Stop, limit_s: float) -> None:
    """Return when there is news, when all is to end, or after `limit_s`."""
    waiting = [asyncio.create_task(news.wait()), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def run(settings: RegistrySettings, stop: Stop) -> None:
    await RegistryService(settings, SystemClock()).run(stop)


async def _main(settings: RegistrySettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1  # the reason is in the log already
    return 0


def main() -> int:
    settings = load(RegistrySettings)
    configure("registry", settings.log_level)
    return asyncio.run(_main(settings))
