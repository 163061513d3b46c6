"""The wiring of ingest, and the only place where settings and adapters meet."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from services.ingest.adapters.broker_names import BrokerNames, new_token
from services.ingest.adapters.commands_feed import CommandsFeed
from services.ingest.adapters.device_datagrams import DeviceDatagrams
from services.ingest.adapters.device_lanes import DeviceLanes, DeviceSource
from services.ingest.adapters.device_listener import DeviceListener
from services.ingest.adapters.device_tls import Tls
from services.ingest.adapters.exchange_log import KafkaExchangeLog
from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.json_decoder import JsonDecoder, StatusDecoder
from services.ingest.adapters.kafka_store import KafkaStore
from services.ingest.adapters.mqtt_source import MqttSource
from services.ingest.adapters.refusal_log import KafkaRefusalLog
from services.ingest.adapters.registry_feed import RegistryFeed
from services.ingest.adapters.stamps import Stamps
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.connection_policy import Limits
from services.ingest.domain.controls import Terms
from services.ingest.domain.decide import Decode
from services.ingest.domain.directory import Directory
from services.ingest.domain.exchanges import Exchanges
from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.naming import MAX_SLOTS, Naming
from services.ingest.domain.readiness import problems
from services.ingest.domain.values import Format
from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.lanes import (
    FILTERS,
    Adoption,
    adopt_all,
    broker_of,
    client_id,
    follow_on,
    mqtt_source,
    redelivered_before,
)
from services.ingest.metrics import ExchangeMetrics, MessageCountsCollector, Metrics
from services.ingest.ports import ControlTransport
from services.ingest.settings import IngestSettings
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.command_dispatcher import CommandDispatcher
from services.ingest.worker.lane import LaneWorker
from services.ingest.worker.replayer import Replayer
from services.ingest.worker.ticker import Ticker
from services.kernel.words import Transport
from services.runtime.clock import Clock, SystemClock
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.status import Readiness, StatusServer, process_registry

REPLAYER = "replay"
"""The instance that replayed signals name: several processes that carry out one order write the same bytes."""
GATHERING = frozenset({"main", "device"})
"""Lanes that gather a batch; the others send each message at once."""
DEVICE_HOLD_MESSAGES = 16384
LOOK_AT_OTHERS_S = 0.25
CLOSING_S = 15.0
"""After its drain a process closes its connections: to a Kafka that does not answer that takes 10 s."""
DEVICE_HOLD_BYTES = 32 * 1024 * 1024

DECODERS: Mapping[str, Decode] = {
    Format.JSON: JsonDecoder().decode,
    Format.STATUS: StatusDecoder().decode,
    Format.GB26875: Gb26875Decoder().decode,
}


class Ingest:
    """What works under one name: two lanes of the broker, two of devices that know none, the registry feed, ticks."""

    def __init__(self, settings: IngestSettings, clock: Clock, process: "Process | None" = None) -> None:
        """`settings.instance` is the name; `process` holds it, None where nobody else can have it."""
        self._settings = settings
        self._clock = clock
        self._names = None if process is None else process.names
        self._prometheus = process_registry() if process is None else process.prometheus
        self._metrics = Metrics(self._prometheus) if process is None else process.metrics
        self._directory = Directory()
        self._feed = RegistryFeed(settings.kafka_bootstrap, self._directory, self._metrics)
        encoder = Encoder(settings.instance)
        self._stamps = stamps = Stamps(clock)
        self._redelivered_before = redelivered_before(stamps, self._may_connect)
        self._brokers = {
            lane: mqtt_source(settings, settings.instance, lane, stamps, self._metrics, clock, self._may_connect)
            for lane in FILTERS
        }
        self._ports: dict[str, DeviceListener | DeviceDatagrams] = {}
        self._sources: dict[str, MqttSource | DeviceSource] = {**self._brokers, **self._devices(stamps)}
        # A store of its own for each lane: the fire lane's records never stand behind a batch of heartbeats.
        self._stores = {lane: self._store(lane, encoder) for lane in (*self._sources, "ticks")}
        self._stores["replays"] = self._store("replays", Encoder(REPLAYER))
        self._classifier = Classifier(self._directory, DECODERS)
        self._prometheus.register(
            MessageCountsCollector({lane: source.counts for lane, source in self._sources.items()})
        )
        started_at = stamps.next()
        self._watermark = InstanceWatermark(self._sources, epoch=int(started_at.timestamp() * 1000), since=started_at)
        self._metrics.clock_ahead.set_function(lambda: stamps.ahead_s)
        self._ticker = Ticker(
            list(self._sources.values()), self._watermark, self._stores["ticks"], self._metrics, clock, stamps.next
        )
        exchange_metrics = ExchangeMetrics(self._prometheus)
        self._exchange_log = KafkaExchangeLog(
            settings.kafka_bootstrap, f"firenet-{settings.instance}-exchanges", exchange_metrics
        )
        self._dispatcher = CommandDispatcher(
            Exchanges(
                settings.instance,
                Terms(
                    timedelta(seconds=settings.exchange_timeout_s),
                    settings.exchange_resends,
                    minute=timedelta(seconds=settings.exchange_minute_s),
                ),
            ),
            self._control_transports(),
            self._exchange_log,
            self._directory,
            exchange_metrics,
            stamps.next,
            self._watermark.proven_until,
        )
        replayer = Replayer(
            self._classifier,
            self._directory,
            KafkaRefusalLog(settings.kafka_bootstrap),
            self._stores["replays"],
            self._metrics,
        )
        self._commands = CommandsFeed(
            settings.kafka_bootstrap, self._dispatcher, replayer.carry_out, exchange_metrics, clock
        )
        self._drained = {lane: asyncio.Event() for lane in self._sources}
        self._started = asyncio.Event()

    async def run(self, stop: Stop) -> None:
        """Work until stop, then drain. Raises TaskDied when a part of it ended by itself."""
        gaps = self._gap_watch()
        tasks = {
            "registry": self._feed.run(stop),
            "start": self._start(stop),
            "ticks": self._tick(stop),
            "commands": self._when_started(self._commands.run, stop),
            "dispatcher": self._when_started(self._dispatcher.run, stop),
        }
        if self._names is not None:
            tasks["adoptions"] = self._when_started(
                partial(adopt_all, self._names, partial(self._adoption, self._names), self._metrics), stop
            )
            if gaps is not None:
                tasks["gaps"] = self._count_gaps_alone(gaps, self._names, stop)
        tasks |= {lane: self._work(lane, gaps, stop) for lane in self._sources}
        watched = {**self._brokers, **self._ports}
        tasks |= {f"watch-{name}": self._watch(part, stop) for name, part in watched.items()}
        try:
            await supervise(stop, tasks, drain_s=self._settings.drain_s)
        finally:
            for part in watched.values():
                await part.close()
            # Together: each may wait 10 s for a Kafka that does not answer.
            await asyncio.gather(self._exchange_log.close(), *(store.close() for store in self._stores.values()))
            get_logger().info(
                "ingest_stopped",
                **{f"left_{lane}": source.counts().in_flight for lane, source in self._sources.items()},
            )

    def readiness(self) -> Readiness:
        connections = {lane: source.health() for lane, source in self._brokers.items()}
        ports = {name: port.is_open for name, port in self._ports.items()}
        settled_age_s = {lane: source.settled_age_s for lane, source in self._sources.items()}
        checks = problems(self._feed.caught_up, connections, ports, settled_age_s)
        return Readiness(ready=all(word == "ok" for word in checks.values()), checks=checks)

    async def _start(self, stop: Stop) -> None:
        """Open what is needed in order: Kafka, then the registry; broker and ports only when both are there."""
        for store in self._stores.values():
            if not await store.start(stop):
                return
        reading = self._feed.wait_caught_up(self._settings.registry_deadline_s)
        if not await stop.or_until(reading) or stop.is_set():
            return
        await follow_on(
            self._settings.kafka_bootstrap, self._settings.instance, self._stamps, self._watermark, self._clock
        )
        gc.collect()
        gc.freeze()  # what lives until the end need not be looked at again with every batch
        sys.setswitchinterval(0.001)  # the fire lane's thread waits no longer than this for a busy event loop
        for source in self._brokers.values():
            source.start()
        for port in self._ports.values():
            await port.open()
        self._started.set()
        get_logger().info("ingest_started", instance=self._settings.instance, gateways=len(self._directory))
        await stop.wait()

    def _gap_watch(self) -> GapWatch | None:
        if not self._settings.count_gaps:
            return None
        gaps = GapWatch(timedelta(seconds=self._settings.gap_grace_s))
        if self._names is not None:  # before a lane is open: what waits in our sessions may be a part already
            gaps.share(self._names.alone, self._stamps.next())
        self._metrics.counting_numbers.set(gaps.counts)
        return gaps

    async def _count_gaps_alone(self, gaps: GapWatch, names: BrokerNames, stop: Stop) -> None:
        """Others are heard of before they hold a name and read: a pause comes long before the grace of a loss ends."""
        while not await stop.wait_for(LOOK_AT_OTHERS_S):
            gaps.share(names.alone, self._stamps.next())
            self._metrics.counting_numbers.set(gaps.counts)

    def _may_connect(self) -> bool:
        return self._names is None or self._names.holds(self._settings.instance)

    def _adoption(self, names: BrokerNames, name: str) -> Adoption:
        return Adoption(self._settings, name, names, self._directory, DECODERS, self._metrics, self._clock)

    async def _work(self, lane: str, gaps: GapWatch | None, stop: Stop) -> None:
        if await stop.or_until(self._started.wait()):
            worker = LaneWorker(
                lane,
                self._sources[lane],
                self._stores[lane],
                self._classifier,
                self._watermark,
                gaps,
                self._metrics,
                self._clock,
                batch_messages=self._settings.batch_messages,
                batch_every_s=self._settings.batch_every_ms / 1000 if lane in GATHERING else 0,
                on_stored=self._dispatcher.stored,
                overtakes=lane not in GATHERING,
                redelivered_before=self._redelivered_before if lane in FILTERS else lambda: None,
            )
            await worker.run(stop)
        self._drained[lane].set()

    async def _tick(self, stop: Stop) -> None:
        if not await stop.or_until(self._started.wait()):
            return
        await self._ticker.run(stop)
        for drained in self._drained.values():
            await drained.wait()
        await self._ticker.leave()

    async def _when_started(self, run: Callable[[Stop], Awaitable[None]], stop: Stop) -> None:
        if await stop.or_until(self._started.wait()):
            await run(stop)

    async def _watch(self, part: MqttSource | DeviceListener | DeviceDatagrams, stop: Stop) -> None:
        if await stop.or_until(self._started.wait()):
            await part.watch(stop)

    def _control_transports(self) -> dict[Transport, ControlTransport]:
        """Return the ways down to a device. UDP is none: a firewall on its way may let nothing in by then."""
        carriers: dict[Transport, ControlTransport] = {Transport.MQTT_GB26875: self._brokers["main"]}
        listener = self._ports.get("tcp")
        if isinstance(listener, DeviceListener):
            carriers[Transport.TCP_GB26875] = listener
        return carriers

    def _store(self, lane: str, encoder: Encoder) -> KafkaStore:
        producer = client_id(self._settings.instance, lane)
        return KafkaStore(self._settings.kafka_bootstrap, producer, encoder, self._metrics)

    def _devices(self, stamps: Stamps) -> dict[str, DeviceSource]:
        """Make the listeners that are switched on, and the lanes that they fill; nothing when all are off."""
        settings = self._settings
        if not (settings.tcp_port or settings.udp_port):
            return {}
        main, fire = (Inbox(stamps, self._clock, DEVICE_HOLD_MESSAGES, DEVICE_HOLD_BYTES) for _ in range(2))
        lanes = DeviceLanes(main, fire, self._metrics)
        where = (lanes, self._directory, self._metrics, self._clock)
        if settings.tcp_port:
            tls = None
            if settings.tcp_tls_cert and settings.tcp_tls_key:
                tls = Tls(settings.tcp_tls_cert, settings.tcp_tls_key, settings.tcp_tls_client_ca, settings.tcp_tls_crl)
            limits = Limits(
                connections=settings.device_connections,
                per_peer=settings.device_connections_per_peer,
                first_frame_s=settings.device_first_frame_s,
                frame_s=settings.device_frame_s,
                idle_s=settings.device_idle_s,
            )
            self._ports["tcp"] = DeviceListener(
                settings.device_host, settings.tcp_port, *where, limits, tls, trusting=settings.tcp_open
            )
        if settings.udp_port:
            self._ports["udp"] = DeviceDatagrams(settings.device_host, settings.udp_port, *where)
        return lanes.sources


class Process:
    """One process of ingest on its way to a name, and what works under it once it has one."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.prometheus = process_registry()
        self.metrics = Metrics(self.prometheus)
        shares = settings.mqtt_share_group != ""
        # Without a share group each name gets every message: then there is one, and whoever comes next stands by.
        naming = Naming(new_token(), settings.instance, slots=MAX_SLOTS if shares else 1, adopts=shares)
        host = f"{socket.gethostname()}, process {os.getpid()}"
        self.names = BrokerNames(broker_of(settings), settings.mqtt_share_group, naming, host, self.metrics, clock)
        self._ingest: Ingest | None = None

    async def run(self, stop: Stop) -> None:
        """Work until stop, then drain. Raises TaskDied when a part of it ended by itself, or the name was lost."""
        settings = self._settings
        status = StatusServer(settings.http_host, settings.http_port, self.readiness, self.prometheus)
        tasks = {"status": status.serve(stop), "names": self.names.run(stop), "ingest": self._work(stop)}
        try:
            await supervise(stop, tasks, drain_s=settings.drain_s + CLOSING_S)
        finally:
            await self.names.close()  # after everything that works under the name

    def readiness(self) -> Readiness:
        checks = {"name": self.names.problem()}
        checks |= {"lanes": "not begun yet"} if self._ingest is None else self._ingest.readiness().checks
        return Readiness(ready=all(word == "ok" for word in checks.values()), checks=checks)

    async def _work(self, stop: Stop) -> None:
        name = await self.names.name(stop)
        if name is None:
            return
        self._ingest = Ingest(self._settings.model_copy(update={"instance": name}), self._clock, self)
        await self._ingest.run(stop)


async def run(settings: IngestSettings, stop: Stop) -> None:
    """Run one ingest process until stop."""
    await Process(settings, SystemClock()).run(stop)
