"""TLS for devices: certificates out of files that may change, and the layer between a socket and a session."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography.x509 import load_pem_x509_crl

from services.ingest.domain.connection_policy import EndReason
from services.runtime.logging import get_logger

HANDSHAKE_S = 10.0
BUFFER_BYTES = 32 * 1024


class Tls:
    """Who we are and which devices are let in. With `client_ca` a device must show a certificate of it.

    `crl`: certificates that are revoked; then the list must be there for the CA, and in date.
    """

    context: ssl.SSLContext
    revoked: frozenset[int]
    """Serial numbers: connections that were made before are ended too."""

    def __init__(self, cert: str, key: str, client_ca: str | None, crl: str | None) -> None:
        """Raises OSError (ssl.SSLError is one) or ValueError for files that cannot be used."""
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self._crl = crl
        self._seen = self._stamps()
        self.context, self.revoked = self._context(), self._revoked()

    def refresh(self) -> bool:
        """Take over changed files; return whether there are any. Files that cannot be used change nothing."""
        try:
            stamps = self._stamps()
            if stamps == self._seen:
                return False
            self._seen = stamps
            self.context, self.revoked = self._context(), self._revoked()
        except (OSError, ValueError) as error:
            get_logger().error("device_tls_not_renewed", error=str(error)[:200])
            return False
        get_logger().info("device_tls_renewed", revoked=len(self.revoked))
        return True

    def _stamps(self) -> list[int]:
        paths = (self._cert, self._key, self._client_ca, self._crl)
        return [Path(path).stat().st_mtime_ns for path in paths if path]

    def _revoked(self) -> frozenset[int]:
        if not self._crl:
            return frozenset()
        return frozenset(each.serial_number for each in load_pem_x509_crl(Path(self._crl).read_bytes()))

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET  # a resumed session would not show its certificate again
        context.num_tickets = 0
        context.load_cert_chain(self._cert, self._key)
        if self._client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._client_ca)
        if self._crl:
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
            context.load_verify_locations(self._crl)
        return context


class SecuredSession(Protocol):
    """A session as the layer below sees it: what asyncio asks of a protocol, and these."""

    def admitted(self, transport: asyncio.BaseTransport) -> bool: ...

    def left(self, why: EndReason) -> None: ...

    @property
    def ready(self) -> bool: ...


class TlsLayer(SSLProtocol):
    """TLS between a socket and a session.

    It is what asyncio puts there for `ssl=`, with two differences: the connection counts from its first moment, not
    from the end of the handshake, and its buffers are 32 KiB where asyncio takes 256 for each connection.
    """

    max_size = BUFFER_BYTES

    def __init__(self, session: SecuredSession, context: ssl.SSLContext) -> None:
        self._session = session
        super().__init__(
            asyncio.get_running_loop(),
            session,  # type: ignore[arg-type] # a guest is a protocol too
            context,
            None,  # type: ignore[arg-type] # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_S,  # type: ignore[arg-type] # the stub says int
            ssl_shutdown_timeout=HANDSHAKE_S,
        )
        self._set_read_buffer_limits(BUFFER_BYTES)  # type: ignore[attr-defined] # the stub is of Python 3.10

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._session.admitted(transport):
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        shaken = self._session.ready
        super().connection_lost(exc)
        if not shaken:
            self._session.left(EndReason.NO_TLS)


def serial_number(certificate: Mapping[str, Any] | None) -> int | None:
    """Return the serial number of a certificate, None without one."""
    return int(certificate["serialNumber"], 16) if certificate else None


def common_name(certificate: Mapping[str, Any] | None) -> str | None:
    """Return whose certificate it is, None without one. One that names nobody, or two, belongs to nobody: ""."""
    if not certificate:
        return None
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if len(names) == 1 else ""
