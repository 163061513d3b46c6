"""What a figure was measured on: the machine, and what was left of it meanwhile."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import psutil

PACKAGES = ("aiokafka", "paho-mqtt", "psycopg", "pydantic", "prometheus-client")


def describe() -> str:
    """Return hardware, versions and the load at this moment, three lines."""
    memory = psutil.virtual_memory().total / 2**30
    return "\n".join(
        (
            f"{platform.platform()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}",
            ", ".join(f"{name} {version(name)}" for name in PACKAGES),
            f"load average before: {', '.join(f'{value:.1f}' for value in psutil.getloadavg())}",
        )
    )


def against(value: float, floor: float, unit: str, *, at_most: bool = True) -> str:
    """Return the budget of `architecture.md` 8 and whether the figure keeps it."""
    kept = value <= floor if at_most else value >= floor
    return f"(floor {floor:g} {unit}: {'kept' if kept else 'SHORT'})"


@contextmanager
def processors(say: str = "    ") -> Iterator[None]:
    """Print at the end how busy all cores were meanwhile.

    Stolen is what other guests of the same host took: a latency measured beside much of it says little about us.
    """
    before = psutil.cpu_times()
    yield
    after = psutil.cpu_times()
    spent = {name: getattr(after, name) - getattr(before, name) for name in after._fields if "guest" not in name}
    whole = sum(spent.values()) or 1.0
    idle = 100 * (spent.get("idle", 0) + spent.get("iowait", 0)) / whole
    print(f"{say}processors meanwhile: {idle:.0f} % idle, {100 * spent.get('steal', 0) / whole:.0f} % stolen")
