"""Whether ingest makes progress: not whether something is connected."""

from collections.abc import Mapping
from typing import NamedTuple

STALE_AFTER_S = 5.0
"""Probes go out twice a second: as long as this without an answer, or without anything stored, is no progress."""


class ConnectionHealth(NamedTuple):
    """A connection to the broker; `heard_age_s` in seconds, None before the broker first said anything."""

    thread_alive: bool
    connected: bool
    subscribed: bool
    heard_age_s: float | None


def problems(
    registry_read: bool,
    connections: Mapping[str, ConnectionHealth],
    ports: Mapping[str, bool],
    settled_age_s: Mapping[str, float],
) -> dict[str, str]:
    """Return one word or sentence per part; `ok` everywhere means ready.

    `ports`: whether each port for devices is open; `settled_age_s`: since when each lane has stored nothing, seconds.
    """
    checks = {"registry": "ok" if registry_read else "not read to its end yet"}
    checks |= {f"mqtt_{lane}": _connection(health) for lane, health in connections.items()}
    checks |= {f"port_{name}": "ok" if is_open else "not open" for name, is_open in ports.items()}
    return checks | {f"store_{lane}": _store(age_s) for lane, age_s in settled_age_s.items()}


def _connection(health: ConnectionHealth) -> str:
    if not health.thread_alive:
        return "its thread does not run"
    if not health.connected:
        return "not connected"
    if not health.subscribed:
        return "not subscribed"
    if health.heard_age_s is None or health.heard_age_s > STALE_AFTER_S:
        return "the broker does not answer"
    return "ok"


def _store(settled_age_s: float) -> str:
    return "ok" if settled_age_s <= STALE_AFTER_S else f"nothing stored for {settled_age_s:.0f} s"
