"""Prints seeds and figures of the chaos tests at the end, and bounds the receivers' patience."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.scenario import REPORT


@pytest.fixture(scope="package", autouse=True)
def _short_leases() -> Iterator[None]:
    """After a kill a notice waits for its lease to end, which follows from these deadlines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALERTS_SMTP_TIMEOUT_S", "2")
        patch.setenv("ALERTS_WEBHOOK_DEADLINE_S", "5")
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With several workers each has figures of its own; the one that prints gets them all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["chaos"] = list(REPORT)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    REPORT.extend(getattr(node, "workeroutput", {}).get("chaos", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section("chaos")
        for line in REPORT:
            terminalreporter.write_line(line)
