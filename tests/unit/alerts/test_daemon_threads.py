"""Threads that a process does not wait for: what they return, and that one which hangs keeps nobody from exiting."""

import asyncio
import subprocess
import sys
import threading

import pytest

from services.alerts.adapters.daemon_threads import DaemonThreads

HANGS = """
import asyncio, pathlib, sys, tempfile, threading
from services.alerts.adapters import apprise_services
from services.alerts.adapters.secrets import SecretFiles
from tests.contract.alerts.test_apprise_services import NOTICE

async def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "duty").write_text("json://127.0.0.1")
    apprise_services._send = lambda *arguments: threading.Event().wait()
    one = apprise_services.AppriseChannel(secrets=SecretFiles(folder), threads=1, name="t", deadline_s=0.05)
    print((await one.send(NOTICE)).reason)
    one.close()

asyncio.run(main())
"""


@pytest.mark.thorough
def test_a_plug_in_that_hangs_keeps_the_process_from_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["timeout"]


async def test_calls_return_and_raise_where_they_are_waited_for() -> None:
    threads = DaemonThreads(1, "t")
    assert await threads.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: threading.current_thread().daemon) is True
    threads.close()


async def test_no_more_calls_run_at_once_than_there_are_threads_and_those_that_wait_end_at_close() -> None:
    threads, begun, go_on = DaemonThreads(1, "t"), threading.Event(), threading.Event()

    def first() -> str:
        begun.set()
        go_on.wait()
        return "first"

    calls = [asyncio.create_task(threads.run(one)) for one in (first, lambda: "second")]
    assert await asyncio.to_thread(begun.wait, 20)
    threads.close()
    go_on.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found[0] == "first"
    assert isinstance(found[1], asyncio.CancelledError)
