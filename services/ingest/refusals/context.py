"""Wiring of the command line: what it reads and writes, open for as long as one command runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from services.ingest.adapters.kafka_store import KafkaStore
from services.ingest.adapters.refusal_log import KafkaRefusalLog
from services.ingest.adapters.registry_feed import RegistryFeed
from services.ingest.adapters.wire import Encoder
from services.ingest.app import DECODERS, REPLAYER
from services.ingest.domain.directory import Directory
from services.ingest.domain.errors import LogUnavailable
from services.ingest.metrics import Metrics
from services.ingest.settings import IngestSettings
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.replayer import Replayer
from services.runtime.kafka import KafkaUnavailable
from services.runtime.lifecycle import Stop

CONNECT_S = 15.0


@dataclass(frozen=True, slots=True)
class CliContext:
    log: KafkaRefusalLog
    directory: Directory
    replayer: Replayer


@asynccontextmanager
async def open_context(settings: IngestSettings) -> AsyncIterator[CliContext]:
    """Yield a workbench that knows today's registry. Raises LogUnavailable."""
    stop = Stop()
    directory, metrics = Directory(), Metrics(CollectorRegistry())
    feed = RegistryFeed(settings.kafka_bootstrap, directory, metrics)
    store = KafkaStore(settings.kafka_bootstrap, "firenet-refusals", Encoder(REPLAYER), metrics)
    following = asyncio.create_task(feed.run(stop))
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await store.start(stop)
            await feed.wait_caught_up(settings.registry_deadline_s)
        except (KafkaUnavailable, TimeoutError) as error:
            raise LogUnavailable(str(error) or f"no answer from Kafka at {settings.kafka_bootstrap}") from error
        log = KafkaRefusalLog(settings.kafka_bootstrap)
        replayer = Replayer(Classifier(directory, DECODERS), directory, log, store, metrics)
        yield CliContext(log, directory, replayer)
    finally:
        stop.set()
        await store.close()
        await asyncio.gather(following, return_exceptions=True)
