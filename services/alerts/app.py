"""The wiring of an alerts process, and the only place, with `lanes`, where settings and adapters meet.

Two lanes that share nothing but the process, and not even that where `ALERTS_LANE` parts them: fire (own consumer,
connections, delivery) and everything else. Fire notices are delivered on both sides: a fire that reaches us as a
finding of rules, because nobody reads the alarms just now, is told as well.
"""

import asyncio
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import REGISTRY
from services.alerts.adapters.case_explanation import explain_case
from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.evidence_bundle import bundle_files, write_bundle
from services.alerts.adapters.http_api import Acknowledge, build_api
from services.alerts.adapters.http_listings import ListingsApi, listing_routes
from services.alerts.adapters.http_work import grave_result_routes, work_routes
from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import WORK_CHANNEL, PostgresCaseStore
from services.alerts.adapters.postgres_evidence import PostgresEvidence
from services.alerts.adapters.postgres_listings import ListingReader
from services.alerts.adapters.postgres_synthetic import PostgresSyntheticRuns
from services.alerts.adapters.synthetic_receipt import receipt_routes
from services.alerts.domain.audit.bundle import NoBundle
from services.alerts.domain.audit.chain import GENESIS, Verified, verify
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.errors import NoPack
from services.alerts.domain.ids import CaseId
from services.alerts.domain.synthetic import RunResult
from services.alerts.lanes.fire import FireLane
from services.alerts.lanes.ordinary import OrdinaryLane
from services.alerts.lanes.parts import Parts
from services.alerts.lanes.synthetic import alarms_of, heartbeat_tasks, receipt_key, send_one, synthetic_tasks
from services.alerts.settings import AlertsSettings, Lane
from services.alerts.worker.acknowledgement import AcknowledgementService
from services.alerts.worker.case_work import CaseWorkService
from services.alerts.worker.grave_results import GraveResults
from services.alerts.worker.listing import ListingService
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka import CompactedFollower
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.names import under_a_name
from services.runtime.postgres import Pool, listen, open_pool
from services.runtime.status import Readiness, StatusServer, process_registry

FIRE_LIMIT_S = 15.0
"""A transaction of the fire lane takes milliseconds; whoever is frozen in one holds up the next owner no longer."""
_ORDINARY = ("findings", "ladder", "grouping", "delivery", "publish", "seal", "requests", "documents")
WATCHED: Mapping[Lane, tuple[str, ...]] = {
    "fire": ("fire", "fire-delivery"),
    "ordinary": ("fire-delivery", *_ORDINARY),
    "all": ("fire", "fire-delivery", *_ORDINARY),
}
"""Tasks that must make progress for the process to be ready."""
RECONNECT_S = 2.0
"""The fire lane is the first to see that the database is back: what it told meanwhile nobody else is to tell again."""
LOOKUPS = 64


@dataclass(frozen=True, slots=True)
class Pools:
    """The fire lane's connections are its own: no storm can take them."""

    fire: Pool
    post: Pool
    work: Pool


class Alerts:
    """One process. Any number may run against the same database and group."""

    def __init__(self, settings: AlertsSettings, clock: Clock) -> None:
        self._settings = settings
        self._prometheus = process_registry()
        self._parts = Parts(settings, clock, self._prometheus)
        self._parts.health.expect("registry", *WATCHED[settings.lane])
        self._fire: FireLane | None = None

    async def run(self, stop: Stop) -> None:
        """Work until stop, then drain. Raises TaskDied when a part of it ended by itself."""
        settings, parts = self._settings, self._parts
        dsn = settings.database_dsn.get_secret_value()
        # names are asked for in these threads: each pool has lookups of its own under way, and a name server that
        # hangs must not leave Kafka's waiting behind them
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookups"))
        async with AsyncExitStack() as stack:
            pools = Pools(
                fire=await stack.enter_async_context(open_pool(dsn, "alerts-fire", 2, 6, FIRE_LIMIT_S, RECONNECT_S)),
                post=await stack.enter_async_context(open_pool(dsn, "alerts-post", 1, 6)),
                work=await stack.enter_async_context(open_pool(dsn, "alerts-work", 1, 6)),
            )
            stack.push_async_callback(self._leave_nothing_in_memory)  # the last to be done before the database goes
            follower = CompactedFollower(settings.kafka_bootstrap, REGISTRY, parts.directory.on_record)
            fire_delivery = parts.delivery_workers.worker(stack, "fire", parts.delivery_workers.outbox(pools.fire))
            stack.push_async_callback(fire_delivery.drain)  # behind the tasks, which have little time to end
            ready = asyncio.Event()
            parts.synthetic = alarms_of(parts, PostgresSyntheticRuns(pools.work), stack)
            tasks = {
                "status": self._status(pools).serve(stop),
                "registry": follower.run(stop),
                "start": self._start(follower, ready, stop),
                "listen": self._listen(dsn, stop),
                "fire-delivery": parts.deliver(fire_delivery, "fire-delivery", stop),
                **synthetic_tasks(parts, parts.synthetic, pools.work, stop),
                **heartbeat_tasks(parts, pools.work, stack, stop),
            }
            if settings.lane != "ordinary":
                self._fire = FireLane(parts, pools.fire, fire_delivery, stack)
                tasks |= self._fire.tasks(ready, stop)
            if settings.lane != "fire":
                tasks |= OrdinaryLane(parts, pools.work, pools.post, fire_delivery, stack).tasks(ready, stop)
            await supervise(stop, tasks)
        get_logger().info("alerts_stopped")

    def readiness(self) -> Readiness:
        parts = self._parts
        checks = parts.health.checks()
        try:
            expired = bool(parts.directory.expired(parts.clock.now()))
            checks["pack"] = "expired" if expired else "ok"
            parts.metrics.pack_expired.set(expired)
        except NoPack:
            checks["pack"] = "none"
        bad = [word for name, word in checks.items() if word != "ok" and not (name == "pack" and word == "expired")]
        if self._fire is not None and self._fire.interim.away:
            checks["database"] = "away: fires are told from memory"
        return Readiness(ready=not bad, checks=checks)

    async def _leave_nothing_in_memory(self) -> None:
        if self._fire is not None:
            await self._fire.interim.leave()

    def _status(self, pools: Pools) -> StatusServer:
        acknowledgements = AcknowledgementService(
            store=PostgresCaseStore(pools.work),
            directory=self._parts.directory,
            clock=self._parts.clock,
            pace=self._parts.composer.pace,
        )

        async def acknowledge(case_id: CaseId, request: Acknowledge) -> Reply:
            who = Who(request.account, request.body_code, request.via)
            return await acknowledgements.acknowledge(case_id, who, request.note)

        work = CaseWorkService(
            store=PostgresCaseStore(pools.work), clock=self._parts.clock, acknowledgements=acknowledgements
        )
        receipt = receipt_routes(PostgresSyntheticRuns(pools.work), receipt_key(self._settings), self._parts.clock)
        listings = ListingService(
            store=PostgresCaseStore(pools.work),
            directory=self._parts.directory,
            composer=self._parts.composer,
            clock=self._parts.clock,
        )
        listed = listing_routes(ListingsApi(listings, ListingReader(pools.work), self._parts.clock))
        results = GraveResults(
            store=PostgresCaseStore(pools.work),
            directory=self._parts.directory,
            composer=self._parts.composer,
            clock=self._parts.clock,
        )
        routes = (work_routes(work), receipt, listed, grave_result_routes(results))
        app = build_api(self._settings.api_token, CaseReader(pools.work), acknowledge, *routes)
        host, port = self._settings.http_host, self._settings.http_port
        return StatusServer(host, port, self.readiness, self._prometheus, app)

    async def _start(self, follower: CompactedFollower, ready: asyncio.Event, stop: Stop) -> None:
        """Nothing is decided before the registry is known: whom to tell would be nobody."""
        await follower.caught_up(self._settings.registry_deadline_s)
        sys.setswitchinterval(0.001)  # a thread that writes a mail keeps the fire lane waiting no longer than this
        ready.set()
        get_logger().info("alerts_started", instance=self._settings.instance)
        while not stop.is_set():
            self._parts.health.beat("registry")
            await stop.wait_for(5)

    async def _listen(self, dsn: str, stop: Stop) -> None:
        """Other processes' work wake_events our tasks as well; without it they look anyway, a moment later."""
        async for payload in listen(dsn, WORK_CHANNEL, stop):
            if payload == "fire":
                self._parts.wake_fire()
            else:
                self._parts.wake_all()


async def run(settings: AlertsSettings, stop: Stop) -> None:
    """Run one alerts process until stop. Raises TaskDied."""
    # a name for each lane: one that waits for the other's would leave fires, or all else, to nobody
    service = "alerts-fire" if settings.lane == "fire" else "alerts"

    async def work(named: AlertsSettings) -> None:
        await Alerts(named, SystemClock()).run(stop)

    await under_a_name(service, settings, settings.http_port, stop, work)


async def send_synthetic_alarm(settings: AlertsSettings) -> RunResult | None:
    """Send one now and return what became of it; None when no broker is named. Raises StoreUnavailable."""
    async with open_pool(settings.database_dsn.get_secret_value(), "alerts-synthetic", 1, 2) as pool:
        return await send_one(Parts(settings, SystemClock(), process_registry()), pool)


async def make_bundle(dsn: str, case_id: CaseId, path: Path) -> int:
    """Write the evidence bundle of a case; return how many files it has. Raises NoBundle, OSError, StoreUnavailable.

    The chain is verified whole before, so that the bundle says how long it was.
    """
    verified = await verify_audit(dsn)
    if verified.broken_at is not None:
        raise NoBundle(f"the audit chain is broken at entry {verified.broken_at}: {verified.why}")
    async with open_pool(dsn, "alerts-bundle", 1, 1) as pool:
        record, part = await PostgresEvidence(pool).of(case_id)
    files = bundle_files(record, part, verified, SystemClock().now())
    await asyncio.to_thread(write_bundle, path, files)
    return len(files)


async def explain(dsn: str, case_id: CaseId) -> list[str] | None:
    """Return what there is to say of a case, None when there is none. Raises StoreUnavailable."""
    async with open_pool(dsn, "alerts-explain", 1, 1) as pool:
        return await explain_case(pool, case_id)


async def verify_audit(dsn: str) -> Verified:
    """Return how far the audit chain in the database holds."""
    async with open_pool(dsn, "alerts-verify", 1, 1) as pool:
        log = PostgresAuditLog(pool)
        so_far = Verified(0, GENESIS)
        while links := await log.links(so_far.entries, 5000):
            so_far = verify(links, so_far)
            if so_far.broken_at is not None:
                break
        return so_far
