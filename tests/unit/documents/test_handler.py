"""Records to requests: what is no request is counted and passed over, and nothing is read twice or left out."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from services.documents.adapters.request_handler import AT_ONCE, RequestHandler
from services.documents.domain.errors import Fenced, StoreUnavailable
from services.documents.domain.request import Request
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import PartitionClaim
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from tests.fakes.documents import MemoryDocuments
from tests.unit.documents.build import raw_request


class Issuing:
    """Notes what it was given; raises what `fails` holds."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], int]] = []
        self.fails: list[Exception] = []

    async def take(self, claim: PartitionClaim, requests: Sequence[Request], next_offset: int) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.taken.append(([one.request_id for one in requests], next_offset))


class Scenario:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.issuing = Issuing()
        self.handler = RequestHandler(
            store=MemoryDocuments(),
            issuing=self.issuing,
            metrics=DocumentsMetrics(self.registry),
            owner="test",
            on_progress=lambda: None,
        )

    @property
    def undecodable(self) -> float:
        return self.registry.get_sample_value("firenet_documents_refused_total", {"reason": "undecodable"}) or 0


def record(offset: int, value: bytes | None = None) -> ConsumedRecord:
    return ConsumedRecord(b"U1", raw_request(f"R{offset}") if value is None else value, 0, offset, 0)


async def test_a_record_that_is_no_request_is_counted_and_those_behind_it_are_taken() -> None:
    here = Scenario()
    assert await here.handler.assigned(0) == 0
    await here.handler.handle({0: [record(0, b"{"), record(1), record(2, b"")]})
    assert here.issuing.taken == [(["R1"], 3)]
    assert here.undecodable == 2


async def test_after_an_outage_in_the_middle_what_was_committed_is_left_out() -> None:
    here = Scenario()
    await here.handler.assigned(0)
    records = [record(offset) for offset in range(AT_ONCE + 1)]
    original = here.issuing.take

    async def second_fails(claim: PartitionClaim, requests: Sequence[Request], next_offset: int) -> None:
        if len(here.issuing.taken) == 1 and not here.issuing.fails:
            here.issuing.fails.append(StoreUnavailable("gone"))
            here.issuing.take = original  # type: ignore[method-assign] # fails once
        await original(claim, requests, next_offset)

    here.issuing.take = second_fails  # type: ignore[method-assign] # as above
    with pytest.raises(Unavailable):
        await here.handler.handle({0: records})
    await here.handler.handle({0: records})
    assert [offset for _, offset in here.issuing.taken] == [AT_ONCE, AT_ONCE + 1]
    assert sum(len(ids) for ids, _ in here.issuing.taken) == AT_ONCE + 1


async def test_a_partition_that_somebody_else_claimed_is_let_go_and_asked_for_anew() -> None:
    here = Scenario()
    await here.handler.assigned(0)
    here.issuing.fails = [Fenced("another owner")]
    await here.handler.handle({0: [record(0)]})
    await here.handler.handle({0: [record(1)]})
    assert here.issuing.taken == []
    with pytest.raises(Unavailable, match="claimed by somebody else"):
        await here.handler.idle()
    await here.handler.revoked([0])
    await here.handler.assigned(0)
    await here.handler.idle()
    await here.handler.handle({0: [record(0), record(1)]})
    assert [offset for _, offset in here.issuing.taken] == [2]
