"""Children die with their owner, are ended only on proof of identity, and say why they failed."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.stack.mqtt import Iotcore
from deploy.stack.part import PartError
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from deploy.stack.process import Child, Launch, Process, StartFailed, require_tool, run_tool, since_start, trim_log
from services.runtime.clock import SystemClock
from tests.integration.stack.child_owner import SLEEPER
from tests.integration.stack.waiting import LIMIT_S, gone, soon

CLOCK = SystemClock()
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def owner(folder: Path, tie: str, part: str = "child") -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    argv = [sys.executable, "-m", "tests.integration.stack.child_owner", str(folder), tie, part]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, [int(word) for word in process.stdout.readline().split()]
        finally:
            process.kill()


@pytest.mark.parametrize("tie", ["kernel", "watcher"])
def test_child_dies_when_its_owner_is_killed_but_not_with_the_thread_that_started_it(tmp_path: Path, tie: str) -> None:
    if tie == "kernel" and sys.platform != "linux":
        pytest.skip("only Linux ties children to their parent")
    with owner(tmp_path, tie) as (process, pids):
        (pid,) = pids
        child = psutil.Process(pid)
        soon(lambda: child.cmdline() == SLEEPER, "the child has become its program")
        process.kill()
        process.wait()
        soon(lambda: gone(child), "the child is gone")


@pytest.mark.parametrize("part", ["postgres", "mosquitto"])
def test_a_part_dies_with_all_its_processes_when_its_owner_is_killed(tmp_path: Path, part: str) -> None:
    if part == "mosquitto" and shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto on PATH")
    with owner(tmp_path / part, "", part) as (process, pids):
        family = [psutil.Process(pid) for pid in pids]
        family += [child for parent in family for child in parent.children(recursive=True)]
        process.kill()
        process.wait()
        soon(lambda: all(gone(member) for member in family), "every process of the part is gone")


def test_second_owner_of_a_folder_is_told_who_runs_the_part_and_disturbs_nothing(tmp_path: Path) -> None:
    with owner(tmp_path / "postgres", "", "postgres") as (process, pids):
        running = psutil.Process(pids[0])
        second = Postgres(tmp_path / "postgres", port=free_ports(1)[0])
        with pytest.raises(PartError, match=rf"PostgreSQL already runs in .* \(process {process.pid}\); stop that one"):
            second.start()
        assert not gone(running)
        process.kill()
        process.wait()
        second.start()  # the owner is gone: what it left, if it still runs, is ended first
        assert gone(running)
        assert second.ready()
        second.stop()


def test_orphan_of_a_killed_owner_is_ended_before_a_start(tmp_path: Path) -> None:
    broker = Iotcore(tmp_path, port=free_ports(1)[0])
    orphan = Child(Launch(SLEEPER), log=tmp_path / "orphan.log")
    replace(Process.of(orphan.pid), owner_pid=1, owner_started=1.0).write(broker.pid_file)
    broker.start()
    assert not orphan.alive()
    assert broker.ready()
    broker.stop()


def test_stop_kills_a_child_that_does_not_listen_and_its_children(tmp_path: Path) -> None:
    deaf = "import signal, subprocess, sys, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf += f"print(subprocess.Popen({SLEEPER!r}).pid, flush=True); threading.Event().wait()"
    log = tmp_path / "deaf.log"
    child = Child(Launch([sys.executable, "-c", deaf]), log=log)
    soon(lambda: log.read_text().splitlines()[-1].isdigit(), "the child has started its own")
    family = [psutil.Process(child.pid), psutil.Process(int(log.read_text().splitlines()[-1]))]
    assert child.stop(signal.SIGTERM, limit_s=0.2) == -signal.SIGKILL
    soon(lambda: all(gone(member) for member in family), "both are gone")
    assert child.stop(signal.SIGTERM, limit_s=0.2) == -signal.SIGKILL  # a second time changes nothing


def test_pid_file_of_a_process_that_began_at_another_time_is_not_believed(tmp_path: Path) -> None:
    stranger = Child(Launch(SLEEPER), log=tmp_path / "stranger.log")
    file = tmp_path / "old.pid"
    Process.of(stranger.pid).write(file)
    assert Process.from_file(file) is not None
    file.write_text(json.dumps({**json.loads(file.read_text()), "started": 1.0}))
    assert Process.from_file(file) is None
    assert not file.exists()
    assert stranger.alive()
    stranger.kill()


@pytest.mark.parametrize("content", ["", "{}", "12", '{"pid": 1}', "\x00"])
def test_pid_file_with_anything_else_in_it_is_removed(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.pid"
    file.write_text(content)
    assert Process.from_file(file) is None
    assert not file.exists()


def test_tool_that_fails_says_its_most_telling_line() -> None:
    program = "import sys; print('one'); print('FATAL: no luck'); print('two'); sys.exit(3)"
    with pytest.raises(StartFailed, match=r"failed with code 3: FATAL: no luck\.$"):
        run_tool(Launch([sys.executable, "-c", program]), limit_s=LIMIT_S, clock=CLOCK)


def test_tool_gets_its_input_and_gives_its_output_without_its_chatter() -> None:
    program = "import sys; print(sys.stdin.read().upper()); print('chatter', file=sys.stderr)"
    said = run_tool(Launch([sys.executable, "-c", program]), limit_s=LIMIT_S, clock=CLOCK, text="yes")
    assert said.strip() == "YES"


def test_tool_that_is_stopped_leaves_nothing_running() -> None:
    cancel = threading.Event()
    cancel.set()
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(StartFailed, match="stopped"):
        run_tool(Launch(SLEEPER), limit_s=LIMIT_S, clock=CLOCK, cancel=cancel)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_missing_tool_is_named_with_what_to_do() -> None:
    with pytest.raises(StartFailed, match="the program no-such-tool is missing; install it"):
        require_tool("no-such-tool", "install it")


def test_only_what_was_printed_since_the_last_start_counts(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("=== start x\nException: old\n=== start y\nfine\nwrite failed: No space left on device\nbye\n")
    assert since_start(log) == "fine\nwrite failed: No space left on device\nbye\n"
    assert since_start(tmp_path / "none") == ""


def test_a_child_runs_also_where_there_is_no_room_for_its_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    child = Child(Launch(SLEEPER), log=tmp_path / "file" / "part.log", pid_file=tmp_path / "file" / "part.pid")
    try:
        assert child.alive()
    finally:
        child.kill()


def test_large_log_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        trim_log(log, limit_bytes=50)
        writer.write(b"b")
    assert log.read_bytes() == b"b"
    assert log.with_name("part.log.1").read_bytes() == b"a" * 100
