"""The consumer of the refusals, fenced while the group still gives it the partition."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.refusal import Refusal, Replayed
from services.console.adapters.refusal_copy import Claim, Fenced, RefusalCopy
from services.console.adapters.refusal_feed import RefusalFeed
from services.console.metrics import Metrics
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0
from tests.fakes.console_refusals import refusal


class Copy:
    def __init__(self) -> None:
        self.fences = 1
        self.taken: list[int] = []

    async def claim_partition(self, *_: Any) -> tuple[Claim, int]:
        return cast(Claim, object()), 0

    async def take(self, _: Claim, came: Mapping[int, Refusal], __: Sequence[Replayed], ___: int) -> int:
        self.fences -= 1
        if self.fences >= 0:
            raise Fenced
        self.taken += came
        return len(came)

    async def prune(self, *_: Any) -> None:
        return None


async def test_a_partition_that_was_fenced_and_is_still_ours_is_claimed_anew() -> None:
    copy = Copy()
    feed = RefusalFeed(
        cast(RefusalCopy, copy),
        Metrics(CollectorRegistry()),
        ManualClock(T0),
        owner="me",
        keep=timedelta(days=1),
        keep_rows=9,
    )
    batch = {0: [ConsumedRecord(None, codec.refusals.encode(refusal(1)), 0, 0, 0)]}
    await feed.assigned(0)
    await feed.handle(batch)
    with pytest.raises(Unavailable, match="claimed by somebody else"):
        await feed.idle()
    await feed.revoked([0])
    await feed.assigned(0)
    await feed.idle()
    await feed.handle(batch)
    assert copy.taken == [0]
