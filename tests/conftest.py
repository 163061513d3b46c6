"""Fixtures for every test: the embedded real parts."""

import gc
import os

import hypothesis
import pytest

from deploy.stack import ports

pytest_plugins = ["tests.watchdog", "tests.again", "tests.parts"]

# A machine that stands still for a second has found nothing wrong.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
# What is handed in is judged by what was seen: that run tries the same examples each time, the fast tier looks for new.
hypothesis.settings.register_profile("fixed", hypothesis.settings.get_profile("patient"), derandomize=True)


def pytest_configure(config: pytest.Config) -> None:
    """Have Java compile once: a Kafka of a test ends before compiling anew what it does often would pay.

    With several workers each takes free ports from a range of its own: none can be taken between look and use."""
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        width = (ports.LAST - ports.FIRST) // max(count, number + 1)
        ports.FIRST += number * width
        ports.LAST = ports.FIRST + width


def pytest_collection_finish() -> None:
    """Have the collector of garbage leave alone what lives until the end: thousands of tests and all modules."""
    gc.collect()
    gc.freeze()
