"""The fire lane: alarms to notices with a consumer and connections of its own, and from memory without the database."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.topics import ALARMS
from services.alerts.adapters.kafka_events import event_of_alarm
from services.alerts.adapters.postgres_cases import PostgresCaseStore, PostgresOpenFires
from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.domain.synthetic import Stage
from services.alerts.lanes.parts import Parts, after
from services.alerts.metrics import AlertsMetrics
from services.alerts.worker.delivery import DeliveryWorker
from services.alerts.worker.intake import CaseIntake
from services.alerts.worker.interim import DECIDE_S, Interim
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop
from services.runtime.postgres import Pool
from services.runtime.topic_ids import SavedTopicIds, topic_id_statements

WHICH_TOPIC_S = 0.5
"""So long a fire waits for each answer about which topic it is of: for two of them at the most, one after the other."""
SIDE_BY_SIDE = 3
"""Partitions whose fires are taken in at the same time: half of the fire lane's connections, delivery has the rest."""
AT_ONCE = 50
POLL_RECORDS = 200
HELD = 5_000
"""Records of fires that wait in memory for the database; further ones are told from memory and read again later."""
WATCH_EVERY_S = 1.0


class FireLane:
    """What reads firenet.alarms.v1. Delivery of its notices belongs to the process: see `app`."""

    def __init__(self, parts: Parts, pool: Pool, fire_delivery: DeliveryWorker, stack: AsyncExitStack) -> None:
        self._parts = parts
        self._pool = pool
        self._fire_delivery = fire_delivery
        self.interim = self._build_interim(stack)

    def tasks(self, ready: asyncio.Event, stop: Stop) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "interim": self._parts.turns.run("interim", self.interim.deliver, stop),
            "watch": self._watch(stop),
            "fire": after(ready, stop, lambda: self._consume(stop)),
        }

    def _build_interim(self, stack: AsyncExitStack) -> Interim:
        """What tells of fires while the database is away. It counts deliveries; the rest is counted when taken in."""
        parts = self._parts
        unseen = AlertsMetrics(CollectorRegistry())
        delivery_worker = parts.delivery_workers.worker(stack, "interim", parts.interim_store.notices)
        stack.push_async_callback(delivery_worker.drain)
        delivery_worker.on_finished = lambda made_room: parts.wake_events["interim"]()
        intake = CaseIntake(
            store=parts.interim_store,
            directory=parts.directory,
            composer=parts.new_composer(unseen),
            metrics=unseen,
            clock=parts.clock,
            wake=parts.wake_events["interim"],
            fire_priority=parts.fire_priority,
            first_attempts=delivery_worker.first_attempts,
        )
        self._fire_delivery.sent_elsewhere = parts.handover.attempted
        self._fire_delivery.keep = parts.interim_store.notices.adopt
        return Interim(
            store=parts.interim_store,
            intake=intake,
            delivery_worker=delivery_worker,
            outbox=parts.delivery_workers.outbox(self._pool),
            cases=PostgresCaseStore(self._pool),
            fires=PostgresOpenFires(self._pool),
            metrics=parts.metrics,
            clock=parts.clock,
        )

    async def _watch(self, stop: Stop) -> None:
        """Ask for the open fires again and again: so it is known before the next fire that the database is away."""
        while not stop.is_set():
            await self.interim.look()
            if self.interim.away:
                self._parts.health.beat("fire-delivery")  # goes on from memory
            await stop.wait_for(WATCH_EVERY_S)

    async def _consume(self, stop: Stop) -> None:
        parts, settings = self._parts, self._parts.settings
        store = PostgresCaseStore(self._pool)
        handler = TopicHandler(
            topic=ALARMS,
            decode=parts.without_synthetic(Stage.ALARM, event_of_alarm),
            store=store,
            intake=parts.intake(store, self._fire_delivery, parts.wake_fire),
            owner=settings.instance,
            at_once=AT_ONCE,
            side_by_side=SIDE_BY_SIDE,
            hold=HELD,
            on_rejected=parts.metrics.rejected.labels(ALARMS).inc,
            on_progress=lambda: parts.health.beat("fire"),
            standby=self.interim,
            patience_s=DECIDE_S,
        )
        self.interim.on_found = handler.kick
        loop = KafkaLoop(
            settings.kafka_bootstrap,
            ALARMS,
            f"{settings.group}-fire",
            handler,
            f"{settings.instance}-fire",
            poll_records=POLL_RECORDS,
            noted=handler.saved,
            worked_off=handler.saved,
            begins_at=handler.begins_at,  # a log that was made anew, or restored, must not keep a fire from being told
            topic_ids=SavedTopicIds(
                settings.kafka_bootstrap, self._pool, topic_id_statements("alerts"), limit_s=WHICH_TOPIC_S
            ),
            static=True,  # back after kill -9 a fire must not wait until Kafka has given the dead member up
        )
        parts.consumers.watch(loop)
        await loop.run(stop)
