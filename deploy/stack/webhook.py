"""A webhook receiver on loopback that stands in for a monitoring centre's own system in the demo and in tests.

It checks the Standard Webhooks signature and refuses what is not signed with the shared secret.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from deploy.stack.ports import HOST
from services.runtime.clock import Clock, SystemClock

MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted call: `id` is the notice's, the same in every repeat."""

    id: str
    at: datetime
    body: dict[str, Any]


class WebhookReceiver:
    """Accepts signed POSTs until stopped, keeps the last thousand and tells `on_received` of each."""

    def __init__(
        self,
        port: int,
        secret: str,
        on_received: Callable[[Received], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self.url = f"http://{HOST}:{port}/firenet"
        self.received: list[Received] = []
        self.refused = 0
        receiver = self
        verifier = Webhook(secret)
        own_clock = clock or SystemClock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                if length > MAX_BODY_BYTES:
                    self._answer(413)
                    return
                raw = self.rfile.read(length)
                try:
                    body = verifier.verify(raw, dict(self.headers.items()))
                except (WebhookVerificationError, ValueError):
                    receiver.refused += 1
                    self._answer(401)
                    return
                self._answer(204)
                one = Received(self.headers["webhook-id"], own_clock.now(), body if isinstance(body, dict) else {})
                receiver.received = [*receiver.received[-999:], one]
                on_received(one)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
                return

        self._server = ThreadingHTTPServer((HOST, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True)

    def __enter__(self) -> "WebhookReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
