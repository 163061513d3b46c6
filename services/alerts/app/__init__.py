"""The wiring of alerts, and the only place where settings and adapters meet.

Two lanes that share nothing but the process, and not even that where `ALERTS_LANE` parts them: fire (own consumer,
connections, delivery) and everything else. Fire notices are delivered on both sides: a fire that reaches us as a
finding of rules, because nobody reads the alarms just now, is told as well.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry

from schemas.codec import HEADERS
from schemas.topics import ALARMS, FINDINGS, REGISTRY
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.http_api import Acknowledge, build_api
from services.alerts.adapters.interim_store import LocalInterimStore
from services.alerts.adapters.kafka_events import Decode, event_of_alarm, event_of_finding
from services.alerts.adapters.kafka_notices import KafkaNoticeStream
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.postgres_audit import PostgresAuditLog, PostgresAuditor
from services.alerts.adapters.postgres_cases import WORK_CHANNEL, PostgresCaseStore, PostgresOpenFires
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.app.posts import Posts
from services.alerts.domain.audit import GENESIS, Verified, verify
from services.alerts.domain.ladder import Pace
from services.alerts.domain.values import CaseId, NoPack, StoreUnavailable
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import AlertsSettings, Lane
from services.alerts.worker.delivery import Postman
from services.alerts.worker.desk import Desk, Who
from services.alerts.worker.handover import Handover
from services.alerts.worker.housekeeping import Supervisor, publish_turn, seal_turn
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.interim import DECIDE_S, Interim
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.precedence import Precedence
from services.alerts.worker.pulse import Pulse, Wake
from services.alerts.worker.scribe import Scribe
from services.alerts.worker.turns import Turns
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka import BatchProducer, CompactedFollower
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.postgres import Pool, listen, open_pool
from services.runtime.status import Readiness, StatusServer, process_registry

CHINA = ZoneInfo("Asia/Shanghai")
FIRES_SIDE_BY_SIDE = 3
"""Partitions whose fires are taken in at the same time: half of the fire lane's connections, delivery has the rest."""
FIRE_LIMIT_S = 15.0
"""A transaction of the fire lane takes milliseconds; whoever is frozen in one holds up the next owner no longer."""
_ORDINARY = ("findings", "ladder", "delivery", "publish", "seal")
WATCHED: Mapping[Lane, tuple[str, ...]] = {
    "fire": ("fire", "fire-delivery"),
    "ordinary": ("fire-delivery", *_ORDINARY),
    "all": ("fire", "fire-delivery", *_ORDINARY),
}
"""Tasks that must make progress for the process to be ready."""
RECONNECT_S = 2.0
"""The fire lane is the first to see that the database is back: what it told meanwhile nobody else is to tell again."""
FIRES_HELD = 5_000
"""Records of fires that wait in memory for the database; further ones are told from memory and read again later."""
WATCH_EVERY_S = 1.0
LOOKUPS = 64
PUBLISH_EVERY_S = 0.25
"""Nobody waits for firenet.notices.v1: what ended meanwhile is sent together."""


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
        self._clock = clock
        self._prometheus = process_registry()
        self._metrics = AlertsMetrics(self._prometheus)
        self._pulse = Pulse(clock, self._metrics)
        self._pulse.expect("registry", *WATCHED[settings.lane])
        self._wakes = {name: Wake() for name in ("ladder", "delivery", "fire-delivery", "publish", "interim")}
        self._precedence = Precedence()
        self._turns = Turns(
            clock=clock,
            pulse=self._pulse,
            precedence=self._precedence,
            wakes=self._wakes,
            pause_s=settings.poll_ms / 1000,
        )
        self._pace = Pace(settings.clock_rate)
        self._directory = RegistryDirectory(
            lambda: clock.now().astimezone(CHINA).date(), self._metrics.rejected.labels(REGISTRY).inc
        )
        self._scribe = self._new_scribe(self._metrics)
        self._interim_store = LocalInterimStore(self._scribe.retell, self._scribe.first_told)
        self._handover = Handover(self._interim_store if settings.lane != "ordinary" else None)
        self._interim: Interim | None = None
        self._posts = Posts(settings, clock, self._metrics, self._precedence, self._scribe.retell)

    def _new_scribe(self, metrics: AlertsMetrics) -> Scribe:
        return Scribe(
            directory=self._directory,
            writer=TemplateWriter(self._settings.console_url),
            calendar=ChinaCalendar(),
            metrics=metrics,
            pace=self._pace,
        )

    async def run(self, stop: Stop) -> None:
        """Work until stop, then drain. Raises TaskDied when a part of it ended by itself."""
        settings = self._settings
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
            follower = CompactedFollower(settings.kafka_bootstrap, REGISTRY, self._directory.on_record)
            fire_post = self._posts.postman(stack, "fire", self._posts.outbox(pools.fire))
            post = self._posts.postman(stack, "post", self._posts.outbox(pools.post))
            stack.push_async_callback(fire_post.drain)  # what the last fire taken in has sent on its way
            ready = asyncio.Event()
            tasks = {
                "status": self._status(pools).serve(stop),
                "registry": follower.run(stop),
                "start": self._start(follower, ready, stop),
                "listen": self._listen(dsn, stop),
                "fire-delivery": self._deliver(fire_post, "fire-delivery", stop),
            }
            if settings.lane != "ordinary":
                interim = self._with_interim(stack, pools.fire, fire_post)
                tasks["interim"] = self._turns.run("interim", interim.deliver, stop)
                tasks["watch"] = self._watch(interim, stop)
                tasks["fire"] = self._after(
                    ready, stop, lambda: self._consume(ALARMS, event_of_alarm, pools.fire, fire_post, stop)
                )
            if settings.lane != "fire":
                tasks |= {
                    "findings": self._after(
                        ready, stop, lambda: self._consume(FINDINGS, event_of_finding, pools.work, fire_post, stop)
                    ),
                    "delivery": self._deliver(post, "delivery", stop),
                    "ladder": self._after(ready, stop, lambda: self._ladder(pools.work, stop)),
                    "publish": self._publish(pools.post, stop),
                    "seal": self._seal(pools.work, stop),
                    "supervise": self._supervise(pools.work, stop),
                }
            await supervise(stop, tasks)
        get_logger().info("alerts_stopped")

    def _with_interim(self, stack: AsyncExitStack, pool: Pool, fire_post: Postman) -> Interim:
        """What tells of fires while the database is away. It counts deliveries; the rest is counted when taken in."""
        unseen = AlertsMetrics(CollectorRegistry())
        postman = self._posts.postman(stack, "interim", self._interim_store)
        stack.push_async_callback(postman.drain)
        postman.on_landed = lambda made_room: self._wakes["interim"]()
        intake = CaseIntake(
            store=self._interim_store,
            directory=self._directory,
            scribe=self._new_scribe(unseen),
            metrics=unseen,
            clock=self._clock,
            wake=self._wakes["interim"],
            precedence=self._precedence,
            first_attempts=postman.first_attempts,
        )
        fire_post.told_elsewhere = self._handover.attempted
        fire_post.keep = self._interim_store.adopt
        self._interim = Interim(
            store=self._interim_store,
            intake=intake,
            postman=postman,
            outbox=self._posts.outbox(pool),
            cases=PostgresCaseStore(pool),
            fires=PostgresOpenFires(pool),
            metrics=self._metrics,
            clock=self._clock,
        )
        return self._interim

    async def _watch(self, interim: Interim, stop: Stop) -> None:
        """Ask for the open fires again and again: so it is known before the next fire that the database is away."""
        while not stop.is_set():
            await interim.look()
            if interim.away:
                self._pulse.beat("fire-delivery")  # goes on from memory
            await stop.wait_for(WATCH_EVERY_S)

    def readiness(self) -> Readiness:
        checks = self._pulse.checks()
        try:
            expired = bool(self._directory.expired(self._clock.now()))
            checks["pack"] = "expired" if expired else "ok"
            self._metrics.pack_expired.set(expired)
        except NoPack:
            checks["pack"] = "none"
        bad = [word for name, word in checks.items() if word != "ok" and not (name == "pack" and word == "expired")]
        if self._interim is not None and self._interim.away:
            checks["database"] = "away: fires are told from memory"
        return Readiness(ready=not bad, checks=checks)

    def _status(self, pools: Pools) -> StatusServer:
        desk = Desk(store=PostgresCaseStore(pools.work), clock=self._clock)

        async def acknowledge(case_id: CaseId, wish: Acknowledge) -> Literal["done", "already", "not_found", "closed"]:
            reply = await desk.acknowledge(case_id, Who(wish.account, wish.body_code, wish.via), wish.note)
            return reply.value

        app = build_api(self._settings.api_token, CaseReader(pools.work), acknowledge)
        host, port = self._settings.http_host, self._settings.http_port
        return StatusServer(host, port, self.readiness, self._prometheus, app)

    async def _start(self, follower: CompactedFollower, ready: asyncio.Event, stop: Stop) -> None:
        """Nothing is decided before the registry is known: whom to tell would be nobody."""
        await follower.caught_up(self._settings.registry_deadline_s)
        sys.setswitchinterval(0.001)  # a thread that writes a mail keeps the fire lane waiting no longer than this
        ready.set()
        get_logger().info("alerts_started", instance=self._settings.instance)
        while not stop.is_set():
            self._pulse.beat("registry")
            await stop.wait_for(5)

    async def _after(self, ready: asyncio.Event, stop: Stop, work: Callable[[], Awaitable[None]]) -> None:
        waits = {asyncio.create_task(ready.wait()), asyncio.create_task(stop.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if not stop.is_set():
            await work()

    async def _consume(self, topic: str, decode: Decode, pool: Pool, fire_post: Postman, stop: Stop) -> None:
        fire = topic == ALARMS
        store = PostgresCaseStore(pool)
        name = "fire" if fire else "findings"
        poll_records = 200 if fire else 2 * self._settings.findings_at_once
        intake = CaseIntake(
            store=store,
            directory=self._directory,
            scribe=self._scribe,
            metrics=self._metrics,
            clock=self._clock,
            wake=self._wake_fire if fire else self._wake_all,
            precedence=self._precedence,
            first_attempts=fire_post.first_attempts,
            handover=self._handover,
            defers=self._settings.lane == "ordinary",
        )
        handler = TopicHandler(
            topic=topic,
            decode=decode,
            store=store,
            intake=intake,
            owner=self._settings.instance,
            at_once=50 if fire else self._settings.findings_at_once,
            side_by_side=FIRES_SIDE_BY_SIDE if fire else 1,
            hold=FIRES_HELD if fire else 4 * poll_records,
            on_rejected=self._metrics.rejected.labels(topic).inc,
            on_progress=lambda: self._pulse.beat(name),
            standby=self._interim if fire else None,
            patience_s=DECIDE_S if fire else None,
        )
        if fire and self._interim is not None:
            self._interim.on_found = handler.kick
        loop = KafkaLoop(
            self._settings.kafka_bootstrap,
            topic,
            f"{self._settings.group}-{name}",
            handler,
            f"{self._settings.instance}-{name}",
            poll_records=poll_records,
            noted=handler.saved if fire else None,
            static=True,  # back after kill -9 a fire must not wait until Kafka has given the dead member up
        )
        await loop.run(stop)

    def _wake_fire(self) -> None:
        self._wakes["fire-delivery"]()

    def _wake_all(self) -> None:
        for wake in self._wakes.values():
            wake()

    async def _listen(self, dsn: str, stop: Stop) -> None:
        """Other processes' work wakes our tasks as well; without it they look anyway, a moment later."""
        async for payload in listen(dsn, WORK_CHANNEL, stop):
            if payload == "fire":
                self._wake_fire()
            else:
                self._wake_all()

    async def _deliver(self, postman: Postman, name: str, stop: Stop) -> None:
        def landed(made_room: bool) -> None:
            if made_room:
                self._wakes[name]()
            self._wakes["publish"]()

        postman.on_landed = landed
        await self._turns.run(name, postman.turn, stop)
        await postman.drain()

    async def _ladder(self, pool: Pool, stop: Stop) -> None:
        worker = LadderWorker(
            store=PostgresCaseStore(pool),
            directory=self._directory,
            scribe=self._scribe,
            metrics=self._metrics,
            clock=self._clock,
            wake=self._wake_all,
            precedence=self._precedence,
        )
        await self._turns.run("ladder", worker.turn, stop)

    async def _publish(self, pool: Pool, stop: Stop) -> None:
        producer = BatchProducer(self._settings.kafka_bootstrap, f"{self._settings.instance}-notices", headers=HEADERS)
        outbox = self._posts.outbox(pool)
        stream = KafkaNoticeStream(producer)

        async def turn() -> int:
            await stream.start()
            await stop.wait_for(PUBLISH_EVERY_S)
            return await publish_turn(outbox, stream)

        try:
            await self._turns.run("publish", turn, stop)
        finally:
            await producer.stop()

    async def _seal(self, pool: Pool, stop: Stop) -> None:
        log = PostgresAuditLog(pool)
        await self._turns.run("seal", lambda: seal_turn(log), stop)

    async def _supervise(self, pool: Pool, stop: Stop) -> None:
        supervisor = Supervisor(auditor=PostgresAuditor(pool), metrics=self._metrics, clock=self._clock)
        turns = 0
        while not stop.is_set():
            try:
                await supervisor.turn()
                if turns % 720 == 0:
                    await supervisor.forget()
                turns += 1
            except StoreUnavailable as error:
                get_logger().warning("overview_waits", error=str(error))
            await stop.wait_for(5)


async def run(settings: AlertsSettings, stop: Stop) -> None:
    """Run one alerts process until stop."""
    await Alerts(settings, SystemClock()).run(stop)


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
