"""Prints seeds and figures of the chaos tests at the end, and bounds the receivers' patience."""

from collections.abc import Iterator

import pytest

from tests.chaos.world import REPORT


@pytest.fixture(scope="package", autouse=True)
def _short_leases() -> Iterator[None]:
    """After a kill a notice waits for its lease to end, which follows from these deadlines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALERTS_SMTP_TIMEOUT_S", "2")
        patch.setenv("ALERTS_WEBHOOK_DEADLINE_S", "5")
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section("chaos")
        for line in REPORT:
            terminalreporter.write_line(line)
