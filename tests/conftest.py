"""Fixtures for every test: the embedded real parts."""

import pytest

from deploy.stack import ports

pytest_plugins = ["tests.parts", "tests.containers", "tests.integration.console.stage"]


def pytest_configure(config: pytest.Config) -> None:
    """With several workers each takes free ports from a range of its own: none can be taken between look and use."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        width = (ports.LAST - ports.FIRST) // max(count, number + 1)
        ports.FIRST += number * width
        ports.LAST = ports.FIRST + width
