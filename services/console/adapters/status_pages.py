"""Looks at the status page of every instance of every service, and at the broker's certificate."""

import asyncio
import math
import ssl
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from services.console.domain.system_health import InstanceSeen, ServiceSeen

MAX_INSTANCES = 16
MAX_BYTES = 4 * 1024 * 1024
MAX_CHECKS = 40
MAX_WORD = 120
WANTED = frozenset(
    {
        "firenet_ingest_sequence_missing_total",
        "firenet_ingest_sequence_found_total",
        "firenet_ingest_counting_numbers",
        "firenet_archive_free_bytes",
        "firenet_figures_late_troubles_total",
        "firenet_consumer_lag_records",
        "firenet_consumer_partitions",
    }
)


class StatusPages:
    """See ports.SystemProbe. Every look has a deadline and a bound; an answer that is none is no answer."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        services: Mapping[str, Sequence[tuple[str, int]]],
        broker: tuple[str, int] | None,
        deadline_s: float,
    ) -> None:
        """`services`: hosts and ports of each; a host's name may lead to several instances."""
        self._client = client
        self._services = services
        self._broker = broker
        self._deadline_s = deadline_s

    async def services(self) -> Sequence[ServiceSeen]:
        looks = (self._service(name, places) for name, places in self._services.items())
        return list(await asyncio.gather(*looks))

    async def broker_end(self) -> datetime | None:
        """Return when the certificate that the broker shows ends, None where it shows none."""
        if self._broker is None:
            return None
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.to_thread(_end_of_certificate, self._broker, self._deadline_s)
        except (OSError, ValueError):  # TimeoutError and ssl.SSLError are OSErrors
            return None

    async def _service(self, name: str, places: Sequence[tuple[str, int]]) -> ServiceSeen:
        found = await asyncio.gather(*(self._addresses(host, port) for host, port in places))
        shown = sorted({one for addresses in found for one in addresses})[:MAX_INSTANCES]
        if not shown:
            return ServiceSeen(name, ())
        nowhere = [
            InstanceSeen(f"{host}:{port}", None) for (host, port), led in zip(places, found, strict=True) if not led
        ]
        return ServiceSeen(name, (*await asyncio.gather(*(self._instance(*one) for one in shown)), *nowhere))

    async def _addresses(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=2)
        except (OSError, UnicodeError):
            return ()
        return [(str(entry[4][0]), port) for entry in found]

    async def _instance(self, address: str, port: int) -> InstanceSeen:
        host = f"[{address}]" if ":" in address else address
        shown = f"{host}:{port}"
        try:
            async with asyncio.timeout(self._deadline_s):
                status, body = await self._get(f"http://{shown}/readyz")
                state = httpx.Response(status, content=body).json()
                checks = {str(key)[:MAX_WORD]: str(word)[:MAX_WORD] for key, word in list(state["checks"].items())}
                ready = status == httpx.codes.OK and state["ready"] is True
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return InstanceSeen(shown, None)
        return InstanceSeen(shown, ready, dict(list(checks.items())[:MAX_CHECKS]), await self._metrics(shown))

    async def _metrics(self, shown: str) -> Mapping[str, float]:
        try:
            async with asyncio.timeout(self._deadline_s):
                status, body = await self._get(f"http://{shown}/metrics")
                return _sums(body.decode()) if status == httpx.codes.OK else {}
        except (httpx.HTTPError, OSError, ValueError):
            return {}

    async def _get(self, url: str) -> tuple[int, bytes]:
        """Raises ValueError when the answer is too long."""
        body = bytearray()
        async with self._client.stream("GET", url, timeout=self._deadline_s, follow_redirects=False) as answer:
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise ValueError("the answer is too long")
            return answer.status_code, bytes(body)


def _sums(text: str) -> Mapping[str, float]:
    sums: dict[str, float] = defaultdict(float)
    lines = "\n".join(line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in WANTED)
    for family in text_string_to_metric_families(f"{lines}\n"):
        for sample in family.samples:
            sums[sample.name] += sample.value
    return {name: value for name, value in sums.items() if math.isfinite(value)}


def _end_of_certificate(broker: tuple[str, int], deadline_s: float) -> datetime:
    # who it is does not matter here, and whether it may be believed: only when it ends
    pem = ssl.get_server_certificate(broker, timeout=deadline_s)
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
