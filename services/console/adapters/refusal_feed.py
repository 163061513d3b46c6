"""firenet.refusals.v1 into the console's own tables; rows and offset are one transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from schemas import codec
from schemas.refusal import Refusal, Replayed
from schemas.topics import REFUSALS
from services.console.adapters.refusal_copy import Claim, Fenced, RefusalCopy
from services.console.domain.errors import DataUnavailable
from services.console.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.kafka_loop import ConsumedRecord, KafkaLoop, LogGap, Unavailable
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.topic_ids import TopicIds

GROUP = "firenet-console-refusals"
PRUNE_EVERY_S = 600.0


class RefusalFeed:
    """PartitionHandler: claims partitions, decodes, stores. A record that cannot be read is counted and passed over."""

    def __init__(
        self,
        copy: RefusalCopy,
        metrics: Metrics,
        clock: Clock,
        *,
        owner: str,
        keep: timedelta,
        keep_rows: int,
        watched: Callable[[KafkaLoop], None] = lambda _: None,
        topic_ids: TopicIds | None = None,
    ) -> None:
        """`watched` gets each loop that is begun, to tell how far behind it is."""
        self._copy = copy
        self._metrics = metrics
        self._clock = clock
        self._owner = owner
        self._keep = keep
        self._keep_rows = keep_rows
        self._watched = watched
        self._topic_ids = topic_ids
        self._claims: dict[int, Claim] = {}
        self._fenced = False
        self._prune_at = clock.monotonic()

    async def run(self, bootstrap: str, stop: Stop) -> None:
        """Follow the topic until stop. What the console keeps is a copy: when the log was made anew, so is the copy."""
        while not stop.is_set():
            loop = KafkaLoop(
                bootstrap,
                REFUSALS,
                GROUP,
                self,
                self._owner,
                poll_records=500,
                poll_ms=200,
                topic_ids=self._topic_ids,
            )
            self._watched(loop)
            try:
                await loop.run(stop)
            except LogGap as gap:
                get_logger().error("refusals_copied_anew", detail=str(gap))
                try:
                    await self._copy.start_over(REFUSALS)
                except DataUnavailable:
                    await stop.wait_for(1)

    async def assigned(self, partition: int) -> int:
        try:
            self._claims[partition], next_offset = await self._copy.claim_partition(REFUSALS, partition, self._owner)
        except DataUnavailable as error:
            raise Unavailable(str(error)) from error
        return next_offset

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        for partition, records in batches.items():
            claim = self._claims.get(partition)
            if claim is None:
                continue
            try:
                await self._store(claim, records)
            except DataUnavailable as error:
                raise Unavailable(str(error)) from error
            except Fenced:
                # Whoever claims it reads on from what is saved: another process, or we.
                get_logger().warning("fenced", topic=REFUSALS, partition=partition)
                self._claims.pop(partition, None)
                self._fenced = True

    async def idle(self) -> None:
        if self._fenced:  # the loop gives all up and has them assigned anew
            self._fenced = False
            raise Unavailable("a partition was claimed by somebody else")
        if self._clock.monotonic() < self._prune_at:
            return
        self._prune_at = self._clock.monotonic() + PRUNE_EVERY_S
        try:
            await self._copy.prune(self._clock.now() - self._keep, self._keep_rows)
        except DataUnavailable as error:
            get_logger().warning("refusals_not_pruned", error=str(error))

    async def revoked(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._claims.pop(partition, None)

    async def _store(self, claim: Claim, records: Sequence[ConsumedRecord]) -> None:
        came: dict[int, Refusal] = {}
        decided: list[Replayed] = []
        unreadable = 0
        for record in records:
            try:
                event = codec.refusals.decode(record.value)
            except codec.BadRecord as bad:
                unreadable += 1
                get_logger().error("record_rejected", offset=record.offset, detail=bad.detail[:200])
                continue
            if isinstance(event, Refusal):
                came[record.offset] = event
            else:
                decided.append(event)
        kept = await self._copy.take(claim, came, decided, records[-1].offset + 1)
        self._metrics.refusals.labels("kept").inc(kept)
        self._metrics.refusals.labels("counted").inc(len(came) - kept)
        self._metrics.refusals.labels("unreadable").inc(unreadable)
