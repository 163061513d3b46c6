"""Whether ingest makes progress: not whether something is connected."""

from collections.abc import Mapping
from typing import NamedTuple

STALE_AFTER_S = 5.0
"""Probes go out every second: as long as this without an answer, or without anything stored, is no progress."""


class LaneHealth(NamedTuple):
    """Ages in seconds; `heard_age_s` is None before the broker first said anything."""

    thread_alive: bool
    connected: bool
    subscribed: bool
    heard_age_s: float | None
    settled_age_s: float


def problems(registry_read: bool, lanes: Mapping[str, LaneHealth]) -> dict[str, str]:
    """Return one word or sentence per part; `ok` everywhere means ready."""
    checks = {"registry": "ok" if registry_read else "not read to its end yet"}
    for lane, health in lanes.items():
        checks[f"mqtt_{lane}"] = _link(health)
        checks[f"store_{lane}"] = _store(health)
    return checks


def _link(health: LaneHealth) -> str:
    if not health.thread_alive:
        return "its thread does not run"
    if not health.connected:
        return "not connected"
    if not health.subscribed:
        return "not subscribed"
    if health.heard_age_s is None or health.heard_age_s > STALE_AFTER_S:
        return "the broker does not answer"
    return "ok"


def _store(health: LaneHealth) -> str:
    if health.settled_age_s > STALE_AFTER_S:
        return f"nothing stored for {health.settled_age_s:.0f} s"
    return "ok"
