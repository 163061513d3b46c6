"""The wiring of alerts, and the only place where settings and adapters meet.

Two lanes that share nothing but the process, and not even that where `ALERTS_LANE` parts them: fire (own consumer,
connections, delivery) and everything else. Fire notices are delivered on both sides: a fire that reaches us as a
finding of rules, because nobody reads the alarms just now, is told as well.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from schemas.codec import HEADERS
from schemas.topics import ALARMS, FINDINGS, REGISTRY
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.http_api import Acknowledge, build_api
from services.alerts.adapters.kafka_events import Decode, TopicHandler, event_of_alarm, event_of_finding
from services.alerts.adapters.kafka_notices import KafkaNoticeStream, notice_event
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.mail import MailCarrier, MailServer
from services.alerts.adapters.postgres_audit import PostgresAuditLog, PostgresAuditor
from services.alerts.adapters.postgres_cases import WORK_CHANNEL, PostgresCaseStore
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.adapters.secrets import SecretFiles
from services.alerts.adapters.webhook import WebhookCarrier, webhook_client
from services.alerts.domain.audit import GENESIS, Verified, verify
from services.alerts.domain.delivery import Destinations
from services.alerts.domain.ladder import Pace
from services.alerts.domain.values import CaseId, Channel, Conflict, NoPack, StoreUnavailable
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import StreamUnavailable
from services.alerts.settings import AlertsSettings, Lane
from services.alerts.worker.delivery import Lanes, Postman
from services.alerts.worker.desk import Desk, Who
from services.alerts.worker.housekeeping import Supervisor, publish_turn, seal_turn
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.ladder import LadderWorker
from services.alerts.worker.precedence import Precedence
from services.alerts.worker.pulse import Pulse, Wake
from services.alerts.worker.scribe import Scribe
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka import BatchProducer, CompactedFollower, KafkaUnavailable
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.postgres import Pool, backoff_s, listen, open_pool
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
QUICK_FOR_S = 2.0
"""So long after the last news of a fire its notices are looked for more often."""
PUBLISH_EVERY_S = 0.25
"""Nobody waits for firenet.notices.v1: what ended meanwhile is sent together."""
SMTP_EXCHANGES = 8
"""Exchanges of one mail, each with its own deadline: greeting, EHLO, STARTTLS, sign-in, MAIL, RCPT, DATA, text."""


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
        self._wakes = {name: Wake() for name in ("ladder", "delivery", "fire-delivery", "publish")}
        self._precedence = Precedence()
        self._pace = Pace(settings.clock_rate)
        self._directory = RegistryDirectory(
            lambda: clock.now().astimezone(CHINA).date(), self._metrics.rejected.labels(REGISTRY).inc
        )
        self._scribe = Scribe(
            directory=self._directory,
            writer=TemplateWriter(settings.console_url),
            calendar=ChinaCalendar(),
            metrics=self._metrics,
            pace=self._pace,
        )

    async def run(self, stop: Stop) -> None:
        """Work until stop, then drain. Raises TaskDied when a part of it ended by itself."""
        settings = self._settings
        dsn = settings.database_dsn.get_secret_value()
        async with AsyncExitStack() as stack:
            pools = Pools(
                fire=await stack.enter_async_context(open_pool(dsn, "alerts-fire", 2, 6, FIRE_LIMIT_S)),
                post=await stack.enter_async_context(open_pool(dsn, "alerts-post", 1, 6)),
                work=await stack.enter_async_context(open_pool(dsn, "alerts-work", 1, 6)),
            )
            follower = CompactedFollower(settings.kafka_bootstrap, REGISTRY, self._directory.on_record)
            fire_post = self._postman(stack, pools.fire, fire=True)
            post = self._postman(stack, pools.post, fire=False)
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

    def readiness(self) -> Readiness:
        checks = self._pulse.checks()
        try:
            expired = bool(self._directory.expired(self._clock.now()))
            checks["pack"] = "expired" if expired else "ok"
            self._metrics.pack_expired.set(expired)
        except NoPack:
            checks["pack"] = "none"
        bad = [word for name, word in checks.items() if word != "ok" and not (name == "pack" and word == "expired")]
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
        )
        handler = TopicHandler(
            topic=topic,
            decode=decode,
            store=store,
            intake=intake,
            owner=self._settings.instance,
            at_once=50 if fire else self._settings.findings_at_once,
            side_by_side=FIRES_SIDE_BY_SIDE if fire else 1,
            hold=4 * poll_records,
            on_rejected=self._metrics.rejected.labels(topic).inc,
            on_progress=lambda: self._pulse.beat(name),
        )
        loop = KafkaLoop(
            self._settings.kafka_bootstrap,
            topic,
            f"{self._settings.group}-{name}",
            handler,
            f"{self._settings.instance}-{name}",
            poll_records=poll_records,
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
        await self._turns(name, postman.turn, stop)
        await postman.drain()

    def _postman(self, stack: AsyncExitStack, pool: Pool, *, fire: bool) -> Postman:
        """Each lane has its own connections, threads and slots."""
        settings = self._settings
        slots = 32
        deadline_s, ca = settings.webhook_deadline_s, settings.webhook_ca
        client = webhook_client(connections=slots, deadline_s=deadline_s, ca=ca)
        stack.push_async_callback(client.aclose)
        apart = webhook_client(connections=slots, deadline_s=deadline_s, keep=False, ca=ca)
        stack.push_async_callback(apart.aclose)
        mail = MailCarrier(
            server=self._mail_server(),
            clock=self._clock,
            threads=settings.mail_connections,
            name="fire" if fire else "post",
        )
        stack.callback(mail.close)
        webhook = WebhookCarrier(
            client=client,
            apart=apart,
            secrets=SecretFiles(settings.secrets_dir),
            clock=self._clock,
            allow_local=settings.allow_local_webhooks,
            inside=settings.webhook_networks,
            deadline_s=deadline_s,
        )
        stack.callback(webhook.close)
        destinations = Destinations(
            slots=slots,
            per_address=8 if fire else 2,
            per_channel={Channel.EMAIL: settings.mail_connections, Channel.WEBHOOK: slots - settings.mail_connections},
            rest=timedelta(seconds=0.2 if fire else 2),
        )
        sending = {
            Channel.WEBHOOK: timedelta(seconds=settings.webhook_deadline_s + 5),
            Channel.EMAIL: timedelta(seconds=SMTP_EXCHANGES * settings.smtp_timeout_s + 5),
        }
        return Postman(
            outbox=PostgresOutbox(pool, notice_event, self._scribe.retell),
            carriers={Channel.EMAIL: mail, Channel.WEBHOOK: webhook},
            lanes=Lanes(fire=fire, sending=sending, destinations=destinations),
            metrics=self._metrics,
            clock=self._clock,
            precedence=self._precedence,
        )

    def _mail_server(self) -> MailServer:
        settings = self._settings
        return MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.mail_from,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            timeout_s=settings.smtp_timeout_s,
        )

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
        await self._turns("ladder", worker.turn, stop)

    async def _publish(self, pool: Pool, stop: Stop) -> None:
        producer = BatchProducer(self._settings.kafka_bootstrap, f"{self._settings.instance}-notices", headers=HEADERS)
        outbox = PostgresOutbox(pool, notice_event, self._scribe.retell)
        stream = KafkaNoticeStream(producer)
        started = False

        async def turn() -> int:
            nonlocal started
            if not started:
                await producer.start()
                started = True
            await stop.wait_for(PUBLISH_EVERY_S)
            return await publish_turn(outbox, stream)

        try:
            await self._turns("publish", turn, stop)
        finally:
            await producer.stop()

    async def _seal(self, pool: Pool, stop: Stop) -> None:
        log = PostgresAuditLog(pool)
        await self._turns("seal", lambda: seal_turn(log), stop)

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

    async def _turns(self, name: str, turn: Callable[[], Awaitable[int]], stop: Stop) -> None:
        """Turn while there is work, else wait for a wake-up; what is down is waited for with growing pauses."""
        attempt = 0
        wake = self._wakes.get(name)
        pause = self._settings.poll_ms / 1000
        quick_until = 0.0
        while not stop.is_set():
            try:
                if name != "fire-delivery":
                    await self._precedence.give_way()
                busy = await turn() > 0
                attempt = 0
                self._pulse.beat(name)
            except (StoreUnavailable, Conflict, StreamUnavailable, KafkaUnavailable, NoPack) as error:
                attempt += 1
                busy = False
                get_logger().warning("task_waits", task=name, error=f"{type(error).__name__}: {error}", attempt=attempt)
                await stop.wait_for(min(5.0, backoff_s(attempt)))
            if busy:
                await asyncio.sleep(0)
            elif wake is not None:
                # a fire notice whose case is locked just now is left for the next turn, which must not be far
                quick = name == "fire-delivery" and self._clock.monotonic() < quick_until
                if await wake.wait(pause / 5 if quick else pause):
                    quick_until = self._clock.monotonic() + QUICK_FOR_S
            else:
                await stop.wait_for(4 * pause)


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
