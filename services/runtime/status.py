"""Every service answers /metrics, /healthz and /readyz. Ready means progress, not an open socket."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvicorn
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.runtime.lifecycle import Stop


@dataclass(frozen=True, slots=True)
class Readiness:
    """`checks` says in a word or a short sentence how each part is doing."""

    ready: bool
    checks: dict[str, str] = field(default_factory=dict)


def process_registry() -> CollectorRegistry:
    """Return a registry that already tells of the process itself: start, CPU, memory, open files."""
    registry = CollectorRegistry()
    for collect in (ProcessCollector, PlatformCollector, GCCollector):
        collect(registry=registry)
    return registry


class UvicornServer(uvicorn.Server):
    """uvicorn would take over SIGINT and SIGTERM; the service handles them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class StatusServer:
    """Serves status (and the routes of `app`, when given) on one port until stop.

    A service with no other routes does not load FastAPI: that is a fifth of the time in which it starts.
    """

    def __init__(
        self,
        host: str,
        port: int,
        readiness: Callable[[], Readiness],
        registry: CollectorRegistry,
        app: Starlette | None = None,
    ) -> None:
        self._app = app or Starlette()
        add_status_routes(self._app, readiness, registry)
        config = uvicorn.Config(
            self._app, host=host, port=port, log_config=None, access_log=False, lifespan="off", server_header=False
        )
        self._server = UvicornServer(config)

    async def serve(self, stop: Stop) -> None:
        """Listen until stop. Raises OSError when the port is taken."""
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._server.should_exit = True
        self._server.force_exit = stop.is_set()
        stopping.cancel()
        await serving

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn exits the process when it cannot bind
            config = self._server.config
            raise OSError(f"cannot listen on {config.host}:{config.port}: the port is taken") from error


def add_status_routes(app: Starlette, readiness: Callable[[], Readiness], registry: CollectorRegistry) -> None:
    """Add /metrics, /healthz and /readyz to `app`."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def readyz(_: Request) -> Response:
        state = readiness()
        return JSONResponse({"ready": state.ready, "checks": state.checks}, status_code=200 if state.ready else 503)

    for answer in (metrics, healthz, readyz):
        app.add_route(f"/{answer.__name__}", answer, methods=["GET"], include_in_schema=False)
