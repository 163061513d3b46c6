"""Free ports for tests and demos, and one clear sentence about a port that is taken."""

import contextlib
import random
import socket

import psutil

from deploy.stack.process import StartFailed

HOST = "127.0.0.1"
FIRST, LAST = 20_000, 32_000  # below the range that systems give to outgoing connections
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Tell whether a server could listen there now; ports of just closed connections count as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on now.

    Taken at random, so that stacks that start side by side hardly ever choose the same. In one process none is
    returned twice: whoever got it may not listen on it yet.
    Raises:  StartFailed when a thousand tries found too few.
    """
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), 1000):
        if len(found) == count:
            break
        if port not in _given and is_free(port):
            found.append(port)
    if len(found) == count:
        _given.update(found)
        return found
    raise StartFailed(f"no {count} free ports between {FIRST} and {LAST} on {HOST}.")


def require_port(port: int, setting: str) -> None:
    """Check that a server of ours may listen on a port.

    Raises:  StartFailed naming the port, who has it where the system tells, and the setting that moves it.
    """
    if not 1 <= port <= 65_535:
        raise StartFailed(f"{setting} is {port}, which is no port number; set it to one from 1024 to 65535.")
    if not is_free(port):
        raise StartFailed(
            f"port {port} on {HOST} is taken by {_holder(port)}; stop that or set {setting} to another port."
        )


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"
