"""Status over HTTP, without a socket."""

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette

from services.runtime.status import Readiness, add_status_routes


@pytest.mark.parametrize("app", [Starlette(), FastAPI()], ids=["status alone", "beside routes"])
async def test_ready_is_200_and_not_ready_is_503_with_reasons(app: Starlette) -> None:
    state = [Readiness(False, {"kafka": "no answer"})]
    registry = CollectorRegistry()
    Counter("firenet_sample", "A sample.", registry=registry).inc(3)
    add_status_routes(app, lambda: state[0], registry)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://status") as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "checks": {"kafka": "no answer"}}
        state[0] = Readiness(True)
        assert (await client.get("/readyz")).status_code == 200
        assert "firenet_sample_total 3.0" in (await client.get("/metrics")).text
