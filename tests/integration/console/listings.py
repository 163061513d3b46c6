"""The API of alerts for listings beside a console under test, on the same database, and a case to be listed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from deploy.stack.ports import free_ports
from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.http_api import Acknowledge, build_api
from services.alerts.adapters.http_listings import ListingsApi, listing_routes
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_listings import ListingReader
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.ids import CaseId
from services.alerts.ports import Changes
from services.alerts.worker.listing import ListingService
from services.alerts.worker.notice_composer import NoticeComposer
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.runtime.postgres import open_pool
from services.runtime.status import Readiness, StatusServer
from tests.fakes.alerts import EveryDay, FakeDirectory, PlainWriter
from tests.integration.console.harness import served
from tests.unit.alerts.build import case
from tests.unit.alerts.harness import Harness


@asynccontextmanager
async def listings(dsn: str) -> AsyncIterator[tuple[dict[str, Any], CaseId]]:
    """Yield what the console is to be started with, and the id of an open case of health in street T1."""
    (port,) = free_ports(1)
    async with open_pool(dsn, "test-listings", 1, 3) as pool:
        store, directory, clock = PostgresCaseStore(pool), FakeDirectory(("U1",)), SystemClock()
        composer = NoticeComposer(
            directory=directory, writer=PlainWriter(), calendar=EveryDay(), metrics=Harness("U1").metrics, pace=Pace()
        )
        service = ListingService(store=store, directory=directory, composer=composer, clock=clock)
        one, changes = case(seconds=-3600, step="H0"), Changes()
        changes.opened[one.case_id] = one
        async with store.transaction() as transaction:
            await transaction.save(changes)

        async def nobody(case_id: CaseId, asked: Acknowledge) -> Reply:
            return Reply.NOT_FOUND

        routes = listing_routes(ListingsApi(service, ListingReader(pool), clock))
        app = build_api(SecretStr("alerts-secret"), CaseReader(pool), nobody, routes)
        server = StatusServer("127.0.0.1", port, lambda: Readiness(True), CollectorRegistry(), app)
        async with served(server, port, Stop()):
            yield {"alerts_url": f"http://127.0.0.1:{port}"}, one.case_id
