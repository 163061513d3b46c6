"""The lanes of one name at the broker: those of this process, and those of a member that is gone."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from services.ingest.adapters.broker_names import BrokerNames, end_session
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.kafka_store import KafkaStore
from services.ingest.adapters.last_tick import find_predecessor
from services.ingest.adapters.mqtt_session import Broker
from services.ingest.adapters.mqtt_source import MqttSource, subscription
from services.ingest.adapters.stamps import Stamps
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import Decode
from services.ingest.domain.directory import Directory
from services.ingest.domain.naming import VALID_S
from services.ingest.domain.topics import FIRE_FILTERS, MAIN_FILTERS
from services.ingest.domain.watermark import MAX_AHEAD, InstanceWatermark
from services.ingest.metrics import Metrics
from services.ingest.settings import IngestSettings
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.lane import LaneWorker
from services.ingest.worker.ticker import Ticker
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger

FILTERS = {"main": MAIN_FILTERS, "fire": FIRE_FILTERS}
LOOK_EVERY_S = 0.1
STANDSTILL_S = 60.0


def broker_of(settings: IngestSettings) -> Broker:
    password = settings.mqtt_password.get_secret_value() if settings.mqtt_password is not None else None
    return Broker(
        settings.mqtt_host,
        settings.mqtt_port,
        settings.mqtt_protocol,
        settings.mqtt_username or None,
        password,
        settings.mqtt_tls_ca or None,
    )


def client_id(name: str, lane: str) -> str:
    """Return what the session of a lane is called at the broker, and its producer at Kafka."""
    return f"firenet-{name}-{lane}"


def mqtt_source(
    settings: IngestSettings,
    name: str,
    lane: str,
    stamps: Stamps,
    metrics: Metrics,
    clock: Clock,
    may_connect: Callable[[], bool],
    *,
    goes_on: bool = True,
) -> MqttSource:
    """Return a lane of `name` at the broker. Not `goes_on`: only what waits in its session is read."""
    # Twice the window: what an older connection left may still be on its way to Kafka when a new one fills.
    inbox = Inbox(stamps, clock, hold_messages=2 * settings.mqtt_window, hold_bytes=settings.mqtt_hold_bytes)
    reads = subscription(lane, FILTERS[lane], settings.mqtt_share_group, name)
    return MqttSource(
        lane,
        broker_of(settings),
        client_id(name, lane),
        reads if goes_on else reads.without_messages,
        inbox,
        metrics,
        clock,
        window=settings.mqtt_window,
        session_expiry_s=settings.mqtt_session_expiry_s,
        silent_limit_s=settings.mqtt_silent_limit_s,
        may_connect=may_connect,
    )


async def follow_on(bootstrap: str, name: str, stamps: Stamps, watermark: InstanceWatermark, clock: Clock) -> None:
    """Go on where an earlier process of this name was, should the clock have been set back meanwhile."""
    last = await find_predecessor(bootstrap, name)
    if last is None:
        return
    ahead = last.stamped_at - clock.now()
    if ahead > MAX_AHEAD:
        get_logger().error("clock_far_behind_the_log", ahead_s=ahead.total_seconds())
    else:
        stamps.go_on_from(last.stamped_at)
    watermark.follow_on(last, stamps.next())


def redelivered_before(stamps: Stamps, holds: Callable[[], bool]) -> Callable[[], datetime | None]:
    """Return what gives the instant before which whatever was received may have gone to another process as well.

    None while `holds`. Of a process that stands still the broker takes the session away, at the earliest when a claim
    is no longer valid, and delivers what was not acknowledged to whoever adopts it (decision 95).
    """
    return lambda: None if holds() else stamps.next() - timedelta(seconds=VALID_S)


class Adoption:
    """The end of a member that is gone: what waits in its sessions is stored under its name, with ticks of its own;
    the last one says that it leaves, so that nobody waits for it any more; then the broker forgets the sessions.
    """

    def __init__(
        self,
        settings: IngestSettings,
        name: str,
        names: BrokerNames,
        directory: Directory,
        decoders: Mapping[str, Decode],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._name = name
        self._names = names
        self._shared = metrics
        self._clock = clock
        own = Metrics(CollectorRegistry())  # the gauges of this process are about its own lanes
        self._stamps = stamps = Stamps(clock)
        self._sources = {
            lane: mqtt_source(settings, name, lane, stamps, own, clock, lambda: names.holds(name), goes_on=False)
            for lane in FILTERS
        }
        encoder = Encoder(name)
        self._stores = {
            lane: KafkaStore(settings.kafka_bootstrap, client_id(name, lane), encoder, own)
            for lane in (*FILTERS, "ticks")
        }
        since = stamps.next()
        self._watermark = InstanceWatermark(FILTERS, epoch=int(since.timestamp() * 1000), since=since)
        self._ticker = Ticker(
            list(self._sources.values()), self._watermark, self._stores["ticks"], own, clock, stamps.next
        )
        # Its own: what the broker delivers again is known by its number, and each session has numbers of its own.
        self.classifier = Classifier(directory, decoders)
        self._workers = {
            lane: LaneWorker(
                lane,
                source,
                self._stores[lane],
                self.classifier,
                self._watermark,
                None,  # what others got of the same gateway is not known here
                own,
                clock,
                batch_messages=settings.batch_messages,
                batch_every_s=settings.batch_every_ms / 1000 if lane == "main" else 0,
                overtakes=lane == "fire",
                redelivered_before=redelivered_before(stamps, lambda: names.holds(name)),
            )
            for lane, source in self._sources.items()
        }

    async def run(self, stop: Stop) -> bool:
        """Return whether all is stored and the sessions are ended.

        Not when stopped, when the name went away or is asked for, or when nothing was stored for a minute.
        """
        get_logger().info("session_adopting", name=self._name)
        giving_up = Stop()
        watching = asyncio.create_task(self._watch(stop, giving_up))
        try:
            return await self._read(giving_up) and await self._end_sessions()
        finally:
            watching.cancel()

    async def _read(self, giving_up: Stop) -> bool:
        """Return whether all that waits in the sessions is stored, and nothing of ours reads them any more."""
        ending = Stop()
        try:
            for store in self._stores.values():
                if not await store.start(giving_up):
                    return False
            bootstrap = self._settings.kafka_bootstrap
            followed = follow_on(bootstrap, self._name, self._stamps, self._watermark, self._clock)
            if not await giving_up.or_until(followed):
                return False
            for source in self._sources.values():
                source.start()
            tasks = {f"adopt-{lane}": worker.run(ending) for lane, worker in self._workers.items()}
            tasks |= {f"adopt-watch-{lane}": source.watch(ending) for lane, source in self._sources.items()}
            tasks["adopt-ticks"] = self._ticker.run(ending)
            working = asyncio.create_task(supervise(ending, tasks, drain_s=self._settings.drain_s))
            empty = await self._until_empty(giving_up, working)
            ending.set()
            await working
            empty = empty and self._names.holds(self._name)
            if empty:
                await self._ticker.leave()
        finally:
            ending.set()
            for source in self._sources.values():
                await source.close()
            await asyncio.gather(*(store.close() for store in self._stores.values()))
            self._count()
        return empty

    async def _watch(self, stop: Stop, giving_up: Stop) -> None:
        """Have it given up at stop, without the name, and when nothing moves on: another member may fare better."""
        moved_at, settled = self._clock.monotonic(), -1
        while self._names.holds(self._name) and not await stop.wait_for(LOOK_EVERY_S):
            counts = [source.counts() for source in self._sources.values()]
            now, before = self._clock.monotonic(), settled
            settled = sum(one.received - one.handed_back - one.in_flight for one in counts)
            if settled != before:
                moved_at = now
            elif now - moved_at > STANDSTILL_S:
                get_logger().warning("session_adoption_stands_still", name=self._name, settled=settled)
                break
        giving_up.set()

    async def _until_empty(self, giving_up: Stop, working: asyncio.Task[None]) -> bool:
        """A probe that came back on both lanes stood behind all that waited there: then nothing does any more."""
        while self._watermark.proven_until() is None:
            if working.done() or not self._names.holds(self._name) or await giving_up.wait_for(LOOK_EVERY_S):
                return False
        return True

    async def _end_sessions(self) -> bool:
        """Closing took seconds: somebody else may hold the name by now, and read sessions that are alive."""
        broker = broker_of(self._settings)
        for lane in FILTERS:
            if not self._names.holds(self._name):
                return False
            if not await asyncio.to_thread(end_session, broker, client_id(self._name, lane)):
                return False
        self._shared.sessions_adopted.inc()
        counts = {lane: source.counts().received for lane, source in self._sources.items()}
        get_logger().info("session_ended", name=self._name, **counts)
        return True

    def _count(self) -> None:
        for source in self._sources.values():
            counts = source.counts()
            self._shared.adopted.labels("stored").inc(counts.stored)
            self._shared.adopted.labels("repeated").inc(counts.repeated)
            self._shared.adopted.labels("refused").inc(sum(counts.refused.values()))


async def adopt_all(names: BrokerNames, begin: Callable[[str], Adoption], metrics: Metrics, stop: Stop) -> None:
    """Read the sessions of members that are gone to their end, one after the other, until stop.

    What goes wrong with the leftovers of another is counted and tried again, and costs our own lanes nothing.
    """
    while (name := await names.adopted(stop)) is not None:
        ended = False
        try:
            ended = await begin(name).run(stop)
        except Exception as error:  # noqa: BLE001 - whatever it is, our own lanes go on
            get_logger().warning("session_not_adopted", name=name, error=repr(error)[:200])
        if ended:
            names.emptied(name)
        else:
            names.give_up(name)
            if not stop.is_set():
                metrics.adoptions_given_up.inc()
