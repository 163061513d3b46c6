"""Port ExchangeLog over a producer of its own."""

import asyncio
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from schemas import codec
from schemas.topics import EXCHANGES
from services.ingest.adapters.exchange_wire import exchange_of
from services.ingest.domain.controls import ExchangeEvent
from services.ingest.metrics import ExchangeMetrics
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record
from services.runtime.logging import get_logger

APPEND_DEADLINE_S = 3.0
PAUSE_S = 0.5


class KafkaExchangeLog:
    def __init__(self, bootstrap: str, client_id: str, metrics: ExchangeMetrics) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._metrics = metrics
        self._producer: BatchProducer | None = None

    async def append(self, events: Sequence[ExchangeEvent]) -> bool:
        records = [
            Record(EXCHANGES, one.order.gateway_id.encode(), codec.exchanges.encode(exchange_of(one))) for one in events
        ]
        try:
            producer = self._producer or await self._connect()
            await producer.send_many(records, deadline_s=APPEND_DEADLINE_S)
        except (KafkaUnavailable, KafkaError, OSError, TimeoutError) as error:
            self._metrics.unreported.inc(len(records))
            get_logger().warning("exchanges_not_reported", records=len(records), error=str(error)[:200])
            await self.close()  # after an error the client's own state is in doubt: start it anew
            await asyncio.sleep(PAUSE_S)
            return False
        return True

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _connect(self) -> BatchProducer:
        producer = BatchProducer(self._bootstrap, self._client_id, headers=codec.HEADERS)
        async with asyncio.timeout(APPEND_DEADLINE_S):
            await producer.start()
        self._producer = producer
        return producer
