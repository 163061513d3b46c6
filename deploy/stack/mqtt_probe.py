"""Ask an MQTT broker whether it serves, with nothing but a socket."""

import socket
import ssl
from pathlib import Path

# CONNECT, protocol MQTT, version 4 (3.1.1) or 5, clean session, keep alive 5 s, an empty client id
_CONNECT = {
    4: bytes.fromhex("100c 0004 4d515454 04 02 0005 0000"),
    5: bytes.fromhex("100d 0004 4d515454 05 02 0005 00 0000"),
}
_CONNACK = 0x20
_DISCONNECT = {4: bytes.fromhex("e000"), 5: bytes.fromhex("e000")}


def answers(host: str, port: int, *, version: int = 4, limit_s: float = 1.0, tls_ca: Path | None = None) -> bool:
    """Return True when a CONNECT is answered with a CONNACK, also one that refuses us: then the broker is there.

    With `tls_ca` over TLS, from a broker that this authority vouches for.
    """
    try:
        with socket.create_connection((host, port), timeout=limit_s) as connection:
            if tls_ca is None:
                return _asked(connection, version)
            with ssl.create_default_context(cafile=tls_ca).wrap_socket(connection, server_hostname=host) as encrypted:
                return _asked(encrypted, version)
    except OSError:
        return False


def _asked(connection: socket.socket, version: int) -> bool:
    connection.sendall(_CONNECT[version])
    answer = connection.recv(4)
    connection.sendall(_DISCONNECT[version])  # an abrupt end would count as a lost client
    return answer[:1] == bytes([_CONNACK])
