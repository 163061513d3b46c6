"""Names a failure when it happens; ends a test process that nothing else can end, and shows where it stood.

pytest-timeout raises an error in the main thread, once. A task of asyncio that is at work in that moment keeps the
error for itself, and what a test leaves running may refuse to end afterwards: then the whole run stands still until
CI gives up, and nobody learns where. This prints every thread's stack and ends the process from outside the
interpreter; xdist counts that as a failure of the one test and goes on with the others in a new process. A run that is
ended from outside has told by then what failed.
"""

import faulthandler
import os
import sys
from collections.abc import Generator

import pytest

AFTER_S = 120
"""After its `timeout` a test has two minutes to put away what it began."""

TELL_CHARS = 2000

_stderr = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "watchdog_after_s", "seconds after its timeout at which a test ends its process", default=str(AFTER_S)
    )


def pytest_configure(config: pytest.Config) -> None:
    assert sys.__stderr__ is not None
    config.stash[_stderr] = os.dup(sys.__stderr__.fileno())  # while a test runs, its output goes elsewhere


class FailureTeller:
    """Tells of a failure at once, not only at the end of the run, which may never come."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid} failed ({report.when}):\n{report.longreprtext[-TELL_CHARS:]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(FailureTeller(terminal))


def _watch(item: pytest.Item) -> None:
    config, mark = item.config, item.get_closest_marker("timeout")
    timeout_s = float(mark.args[0] if mark is not None else config.getini("timeout"))
    limit_s = timeout_s + float(config.getini("watchdog_after_s"))
    faulthandler.dump_traceback_later(limit_s, exit=True, file=config.stash[_stderr])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _watch(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    # pytest's own faulthandler plugin calls off every watch as soon as a test has failed, and its end is still to come
    if isinstance(node, pytest.Item):
        _watch(node)
