"""A database that was put back gives out no number that stands on paper already."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry

from services.documents.domain.document import document_id_of
from services.documents.domain.errors import StoreUnavailable
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.documents.metrics import DocumentsMetrics
from services.documents.worker.issuing import IssuingService
from services.documents.worker.numbers_told import GRACE, NumbersWatch
from services.runtime.lifecycle import Stop
from tests.fakes.clock import ManualClock
from tests.fakes.documents import MemoryDocuments, PlainRenderer
from tests.unit.alerts.build import T0
from tests.unit.documents.build import request

TOPIC = "firenet.requests.v1"
SERIES = Series("centre", "消监告", 2026)


class Scenario:
    """Documents over a database that can be put back, and a topic that is not."""

    def __init__(self) -> None:
        self.store = MemoryDocuments()
        self.topic: list[ReportedNumber] = []
        self.asked: list[datetime] = []
        self.registry = CollectorRegistry()
        self.clock = ManualClock(T0)
        self.start()

    def start(self) -> None:
        metrics = DocumentsMetrics(CollectorRegistry())
        self.watch = NumbersWatch(store=self.store, read=self.read, metrics=metrics)
        self.issuing = IssuingService(
            store=self.store,
            renderer=PlainRenderer(),
            metrics=metrics,
            clock=self.clock,
            marks={"centre": "消监"},
            wake=lambda: None,
            numbers_known=self.watch.known.is_set,
        )

    async def read(self, since: datetime) -> Sequence[ReportedNumber]:
        self.asked.append(since)
        return [one for one in self.topic if one.issued_at >= since]

    async def take(self, *names: str) -> None:
        claim, _ = await self.store.claim(TOPIC, 0, "test")
        await self.issuing.take(claim, [request(name) for name in names], 1)
        for one in self.store.tables.documents.values():
            if one.number is not None:
                self.topic.append(ReportedNumber(one.document_id, one.number, one.issued_at))

    def serials(self) -> dict[str, tuple[int, datetime]]:
        found = self.store.tables.documents.values()
        return {one.request.request_id: (one.number.serial, one.issued_at) for one in found if one.number}


async def test_requests_have_their_numbers_and_dates_again_in_any_order_and_a_new_one_the_next() -> None:
    here = Scenario()
    await here.watch.run(Stop())
    await here.take("R1")
    kept = here.store.tables.copied()
    here.clock.forward(3 * 3600)
    await here.take("R2", "R3")
    paper = here.serials()
    here.store.tables = kept
    here.clock.forward(3 * 3600)
    here.start()
    await here.watch.run(Stop())
    await here.take("R4", "R3", "R2")
    assert here.serials() == paper | {"R4": (4, here.clock.now())}


async def test_a_start_reads_from_the_newest_document_that_is_there() -> None:
    here = Scenario()
    await here.watch.run(Stop())
    assert here.asked == [datetime.fromtimestamp(0, T0.tzinfo) - GRACE]
    await here.take("R1")
    here.start()
    await here.watch.run(Stop())
    assert here.asked[1:] == [T0 - GRACE]
    assert here.store.tables.told == {}


async def test_what_comes_by_itself_waits_until_the_numbers_are_known() -> None:
    here = Scenario()
    here.topic = [ReportedNumber(document_id_of("elsewhere", "lost"), Number(SERIES, 6), T0)]
    with pytest.raises(StoreUnavailable):
        await here.issuing.issue(request("R1"))
    await here.watch.run(Stop())
    await here.issuing.issue(request("R1"))
    assert here.serials() == {"R1": (7, T0)}
