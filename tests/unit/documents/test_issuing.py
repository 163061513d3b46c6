"""Requests to documents: each once, in the order they came, and none holds up another."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from services.documents.domain.document import document_id_of
from services.documents.domain.request import Named, Request
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import StreamUnavailable
from services.documents.worker.drafts import DraftService
from services.documents.worker.issuing import IssuingService
from services.documents.worker.publishing import PublishingService
from services.kernel.words import Instrument
from tests.fakes.clock import ManualClock
from tests.fakes.documents import (
    MemoryCorrespondences,
    MemoryDocuments,
    MemoryStream,
    PlainRenderer,
    PlainTypesetter,
    unit_of,
)
from tests.unit.alerts.build import T0
from tests.unit.documents.build import request

TOPIC = "firenet.requests.v1"


class Scenario:
    def __init__(self, typesetter: PlainTypesetter | None = None, drafts: Collection[Instrument] = ()) -> None:
        self.store = MemoryDocuments()
        self.stream = MemoryStream()
        self.registry = CollectorRegistry()
        self.clock = ManualClock(T0)
        self.woken = 0
        metrics = DocumentsMetrics(self.registry)
        self.issuing = IssuingService(
            store=self.store,
            renderer=PlainRenderer(),
            typesetter=typesetter,
            drafts=drafts,
            metrics=metrics,
            clock=self.clock,
            marks={"centre": "消监"},
            wake=self.wake,
        )
        self.drafts = DraftService(store=self.store, renderer=PlainRenderer(), typesetter=typesetter, clock=self.clock)
        self.publishing = PublishingService(
            outbox=self.store,
            changes=MemoryCorrespondences(),
            stream=self.stream,
            metrics=metrics,
            clock=self.clock,
        )

    def wake(self) -> None:
        self.woken += 1

    async def take(self, *requests: Request, offset: int = 1) -> None:
        claim, _ = await self.store.claim(TOPIC, 0, "test")
        await self.issuing.take(claim, requests, offset)

    def numbers(self) -> list[str]:
        return [one.number_text for one in self.store.tables.documents.values()]

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


async def test_requests_are_numbered_in_the_order_they_came() -> None:
    here = Scenario()
    await here.take(request("R1"), request("R2"))
    await here.take(request("R3"), offset=3)
    assert here.numbers() == ["消监告〔2026〕1号", "消监告〔2026〕2号", "消监告〔2026〕3号"]
    assert here.counted("firenet_documents_issued_total", instrument=Instrument.FAULT_NOTICE) == 3
    assert here.woken == 2


async def test_a_request_that_comes_again_has_its_document() -> None:
    here = Scenario()
    await here.take(request("R1"), request("R1"))
    first = here.store.tables.documents[document_id_of("/alerts", "R1")]
    here.clock.forward(86400)
    await here.take(request("R1"), offset=2)
    assert list(here.store.tables.documents.values()) == [first]
    assert here.counted("firenet_documents_duplicates_total") == 2
    assert here.woken == 1


async def test_a_document_keeps_the_name_that_a_body_had_when_it_was_asked_for() -> None:
    """Documents knows no register: what a body is called stands in the request, and the text is made once."""
    here = Scenario()
    await here.take(request("R1"))
    [before] = here.store.tables.documents.values()
    later = request("R2")
    await here.take(replace(later, issuer=replace(later.issuer, name=Named("更名后的中心"))), offset=2)
    first, second = here.store.tables.documents.values()
    assert first == before
    assert second.request.issuer.name.zh == "更名后的中心"


async def test_what_cannot_be_rendered_gives_its_number_back_and_holds_nobody_up() -> None:
    here = Scenario()
    await here.take(request("R1"), unit_of(request("R2"), "BUG"), request("R3", instrument="I6"), request("R4"))
    assert here.numbers() == ["消监告〔2026〕1号", "消监告〔2026〕2号"]
    assert here.counted("firenet_documents_refused_total", reason="unexpected") == 1
    assert here.counted("firenet_documents_refused_total", reason="facts_missing") == 1
    assert here.store.tables.offsets[TOPIC, 0][1] == 1


async def test_want_of_memory_refuses_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise MemoryError

    here = Scenario()
    with monkeypatch.context() as patch:
        patch.setattr(PlainRenderer, "render", no_room)
        with pytest.raises(MemoryError):
            await here.take(request("R1"), request("R2"))
    await here.take(request("R1"), request("R2"))
    assert here.numbers() == ["消监告〔2026〕1号", "消监告〔2026〕2号"]


async def test_a_document_is_told_of_once_and_after_an_outage() -> None:
    here = Scenario()
    await here.take(request("R1"), request("R2"))
    here.stream.away = True
    with pytest.raises(StreamUnavailable):
        await here.publishing.turn()
    here.stream.away = False
    assert await here.publishing.turn() == 2
    assert await here.publishing.turn() == 0
    assert sorted(here.stream.sent) == ["消监告〔2026〕1号", "消监告〔2026〕2号"]
