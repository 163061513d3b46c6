"""Fixtures for every test: the embedded real parts."""

import gc
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
import structlog

from deploy.stack import ports

pytest_plugins = ["tests.watchdog", "tests.again", "tests.parts"]

TESTS = Path(__file__).parent
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 8 << 30
"""More than a whole run is expected to hold at a time: a gigabyte of log for each PostgreSQL, topics, profiles."""


def spare_bytes() -> int:
    """Return how much may be written into memory; 0 where there is no such folder or nothing in it may be run."""
    if not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return 0
    available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return min(shutil.disk_usage(MEMORY).free, int(available[1]) * 1024 if available else 0)


# A database of its own is six hundred files, a profile of Chromium two hundred: on a disk most of the time that a test
# takes goes into making and removing them. No test asks for a power cut. Whoever sets TMPDIR is heard.
if "TMPDIR" not in os.environ and spare_bytes() > ENOUGH_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A machine that stands still for a second has found nothing wrong.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
# What is handed in is judged by what was seen: that run tries the same examples each time, the fast tier looks for new.
hypothesis.settings.register_profile("fixed", hypothesis.settings.get_profile("patient"), derandomize=True)

# A traceback drawn by rich with a frame and colours takes longer than the test that provokes it.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # modules and tests are made, and hardly any garbage
    try:
        return (yield)
    finally:
        gc.enable()


LONGEST = (
    "chaos/test_slice.py", "e2e/console/test_page.py", "chaos/test_outages.py", "e2e/test_run.py",
    "e2e/console/test_queue.py", "e2e/test_archive.py", "e2e/console/test_tabs.py", "e2e/test_district.py",
    "e2e/console/test_every_page.py", "integration/ingest/test_door.py", "integration/ingest/test_faults.py",
    "integration/ingest/test_exchanges.py",
)  # fmt: skip
"""A minute or more each, in turn those that wait (for kills, leases, starts) and those that compute (browsers)."""
FOLDERS = ("e2e", "integration", "contract", "unit")


def _turn(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).as_posix()
    if name in LONGEST:
        return LONGEST.index(name)
    folder = name.partition("/")[0]
    return len(LONGEST) + (FOLDERS.index(folder) if folder in FOLDERS else 0)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first: workers are done together then, and none has a long file left at the end."""
    items.sort(key=_turn)


def pytest_collection_finish() -> None:
    """Have the collector of garbage leave alone what lives until the end: thousands of tests and all modules.

    What comes after it is looked through seldom: a trial of hypothesis makes thousands of values, no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
