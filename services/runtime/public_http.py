"""A port that strangers may reach: bounds on connections, heads and patience."""

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.runtime.lifecycle import Stop
from services.runtime.status import UvicornServer

GRACE_S = 3


class Impatient(H11Protocol):
    """Cuts a caller whose request does not come: uvicorn would wait for ever for the first, and for the rest of a head.

    Else a few hundred silent connections would take all places.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        # Not the base class: there each byte would end the waiting. Here only a whole head does, in handle_events.
        self.conn.receive_data(data)
        self.handle_events()


class PublicServer:
    """Serves what strangers may reach on a port of its own, apart from status and metrics."""

    def __init__(self, app: ASGIApp, host: str, port: int, connections: int, patience_s: int = 30) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections,
            timeout_keep_alive=patience_s,
            http=Impatient,
            h11_max_incomplete_event_size=32 * 1024,
        )
        self._server = UvicornServer(config)

    @property
    def started(self) -> bool:
        return self._server.started

    async def serve(self, stop: Stop) -> None:
        """Listen until stop. Raises OSError when the port is taken."""
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._server.should_exit = True
        if stop.is_set() and not serving.done():
            # Streams end by themselves once the hub has stopped; whoever still hangs after that is cut and told so.
            await asyncio.wait({serving}, timeout=GRACE_S)
            late = set(self._server.server_state.tasks)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=GRACE_S)
            self._server.force_exit = True
        await serving

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn exits the process when it cannot bind
            config = self._server.config
            raise OSError(f"cannot listen on {config.host}:{config.port}: the port is taken") from error
