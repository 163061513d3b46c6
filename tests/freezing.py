"""Processes that stand still, as on a machine that hangs: nothing is closed, and nothing answers."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system import wait_for


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """Freeze processes inside the block; it begins when none of their threads runs any more.

    A thread stands still only when it is its turn to run: on a busy machine a Kafka that was sent the signal still
    stores what comes in the next milliseconds.
    """
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_for("every thread to stand still", lambda: all(map(_stands_still, pids)))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)
    except (FileNotFoundError, ProcessLookupError):  # a thread that was just ending when it was its turn
        return False
