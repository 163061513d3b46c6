"""Ends a test process that nothing else can end, and shows where it stood.

pytest-timeout raises an error in the main thread, once. A task of asyncio that is at work in that moment keeps the
error for itself, and what a test leaves running may refuse to end afterwards: then the whole run stands still until
CI gives up, and nobody learns where. This prints every thread's stack and ends the process from outside the
interpreter; xdist counts that as a failure of the one test and goes on with the others in a new process.
"""

import faulthandler
import os
import sys
from collections.abc import Generator

import pytest

LIMIT_S = 480
"""`timeout` in pyproject.toml, and two minutes for what is put away after it."""

_limit = pytest.StashKey[float]()
_stderr = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("watchdog_s", "seconds after which a test ends its process", default=str(LIMIT_S))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_limit] = float(config.getini("watchdog_s"))
    assert sys.__stderr__ is not None
    config.stash[_stderr] = os.dup(sys.__stderr__.fileno())  # while a test runs, its output goes elsewhere


def _watch(config: pytest.Config) -> None:
    faulthandler.dump_traceback_later(config.stash[_limit], exit=True, file=config.stash[_stderr])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _watch(item.config)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    # pytest's own faulthandler plugin calls off every watch as soon as a test has failed, and its end is still to come
    if isinstance(node, pytest.Item):
        _watch(node.config)
