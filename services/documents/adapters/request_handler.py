"""The handler that hands records of firenet.requests.v1 to the issuing service, partition by partition."""

from collections.abc import Callable, Mapping, Sequence

from schemas import codec
from schemas.topics import REQUESTS
from services.documents.adapters.wire import request_of
from services.documents.domain.errors import Fenced, StoreUnavailable
from services.documents.domain.reasons import RefusedBecause
from services.documents.domain.request import Request
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import DocumentStore, Issuing, PartitionClaim
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from services.runtime.logging import get_logger

AT_ONCE = 50
"""Documents per transaction: so long, some tens of milliseconds, others who want a number of the same series wait."""


class RequestHandler:
    """PartitionHandler of the requests topic: documents and offset are one transaction.

    A record that is no request is counted, logged and passed over: whoever asked does not wait for it for long, and
    the requests behind it must not wait at all.
    """

    def __init__(
        self,
        *,
        store: DocumentStore,
        issuing: Issuing,
        metrics: DocumentsMetrics,
        owner: str,
        on_progress: Callable[[], None],
    ) -> None:
        self._store = store
        self._issuing = issuing
        self._metrics = metrics
        self._owner = owner
        self._on_progress = on_progress
        self._claims: dict[int, PartitionClaim] = {}
        self._saved: dict[int, int] = {}
        self._fenced = False

    async def assigned(self, partition: int) -> int | None:
        try:
            claim, offset = await self._store.claim(REQUESTS, partition, self._owner)
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        self._claims[partition] = claim
        self._saved[partition] = offset
        return offset

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        try:
            for partition, records in batches.items():
                # after an outage in the middle the same records come again: what is committed is left out
                news = [record for record in records if record.offset >= self._saved.get(partition, 0)]
                for first in range(0, len(news), AT_ONCE):
                    await self._take(partition, news[first : first + AT_ONCE])
        except StoreUnavailable as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    async def _take(self, partition: int, records: Sequence[ConsumedRecord]) -> None:
        claim = self._claims.get(partition)
        if claim is None:
            return
        requests = [request for request in map(self._read, records) if request is not None]
        next_offset = records[-1].offset + 1
        try:
            await self._issuing.take(claim, requests, next_offset)
        except Fenced as error:
            # whoever claims it reads on from what is saved: another process, or we, when somebody moved it by hand
            get_logger().warning("fenced", topic=REQUESTS, partition=partition, detail=str(error))
            del self._claims[partition]
            self._fenced = True
            return
        self._saved[partition] = next_offset

    def _read(self, record: ConsumedRecord) -> Request | None:
        try:
            return request_of(record.value)
        except codec.BadRecord as error:
            self._metrics.refused.labels(RefusedBecause.UNDECODABLE).inc()
            place = {"topic": REQUESTS, "partition": record.partition, "offset": record.offset}
            get_logger().error("record_rejected", detail=error.detail, **place)
            return None

    async def idle(self) -> None:
        if self._fenced:  # the loop gives all up and has them assigned anew
            self._fenced = False
            raise Unavailable("a partition was claimed by somebody else")
        self._on_progress()

    async def revoked(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._claims.pop(partition, None)
            self._saved.pop(partition, None)
