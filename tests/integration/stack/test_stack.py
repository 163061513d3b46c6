"""A stack starts side by side, starts again what dies, and leaves nothing running whichever way it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.stack.part import PartError
from deploy.stack.ports import free_ports
from deploy.stack.service import Service, http_ok
from deploy.stack.stack import NEVER_RESTART, RestartPolicy, Stack, Stopped
from tests.integration.stack.child_owner import SLEEPER
from tests.integration.stack.waiting import gone, soon

ROOT = Path(__file__).resolve().parents[3]
ENV = {"PATH": os.environ["PATH"]}
AT_ONCE = RestartPolicy(first_wait_s=0.0, deaths=3)


def sleeper(folder: Path, name: str) -> Service:
    return Service(folder / name, name=name, argv=SLEEPER, env=ENV)


def program(folder: Path, name: str, text: str) -> Service:
    return Service(folder / name, name=name, argv=[sys.executable, "-c", text], env=ENV)


@pytest.mark.parametrize(("death", "wait_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 10.0), (7, 10.0), (8, None)])
def test_wait_before_a_restart_doubles_up_to_a_cap_and_ends(death: int, wait_s: float | None) -> None:
    assert RestartPolicy(first_wait_s=0.5, longest_wait_s=10.0, deaths=8).wait_s(death) == wait_s


def test_what_was_started_last_is_stopped_first_and_nothing_is_left(tmp_path: Path) -> None:
    order: list[str] = []

    class Told(Service):
        def stop(self) -> None:
            order.append(self.name)
            super().stop()

    services = [Told(tmp_path / name, name=name, argv=SLEEPER, env=ENV) for name in ("first", "second")]
    with Stack(say=lambda _: None) as stack:
        for service in services:
            stack.start(service)
        processes = [psutil.Process(pid) for service in services for pid in service.pids]
        assert len(processes) == 2
    assert order == ["second", "first"]
    assert all(gone(process) for process in processes)


def test_service_that_died_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    service = sleeper(tmp_path, "rules")
    with Stack(say=said.append, restart=AT_ONCE) as stack:
        stack.start(service)
        (first,) = service.pids

        def kill_then_ask_to_stop() -> None:
            psutil.Process(first).kill()
            soon(lambda: service.pids not in ([], [first]), "it runs again")
            stack.ask_to_stop()

        killer = threading.Thread(target=kill_then_ask_to_stop)
        killer.start()
        stack.watch()
        killer.join()
    assert any(line.startswith("rules ended by SIGKILL") and "Starting it again" in line for line in said)
    assert service.pids == []


def test_service_that_dies_too_often_ends_the_stack_with_its_last_words(tmp_path: Path) -> None:
    go = tmp_path / "go"
    text = f"""
import pathlib, sys, threading
while not pathlib.Path({str(go)!r}).exists():
    threading.Event().wait(0.02)
print("Exception: no luck", flush=True)
sys.exit(7)
"""
    other, dying = sleeper(tmp_path, "other"), program(tmp_path, "rules", text)
    with Stack(say=lambda _: None, restart=AT_ONCE) as stack:
        stack.start(other, dying)
        go.touch()
        with pytest.raises(PartError, match=r"^rules ended .*: Exception: no luck \(log: "):
            stack.watch()
    assert other.pids == dying.pids == []


def test_service_that_never_gets_ready_says_so_and_stops_the_others(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    other = sleeper(tmp_path, "other")
    mute = Service(tmp_path, name="mute", argv=SLEEPER, env=ENV, ready=http_ok(url), start_limit_s=0.3)
    with pytest.raises(PartError, match="mute did not answer within 0 s"), Stack(say=lambda _: None) as stack:
        stack.start(other, mute)
    assert other.pids == mute.pids == []


def test_wish_to_end_while_something_starts_ends_it(tmp_path: Path) -> None:
    slow = Service(tmp_path, name="slow", argv=SLEEPER, env=ENV, ready=lambda: False, start_limit_s=600.0)
    with Stack(say=lambda _: None, restart=NEVER_RESTART) as stack:

        def ask_once_it_runs() -> None:
            soon(slow.alive, "it runs")
            stack.ask_to_stop()

        threading.Thread(target=ask_once_it_runs).start()
        with pytest.raises(Stopped):
            stack.start(slow)
        assert slow.alive()
    assert slow.pids == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_whole_stack_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with _stack_process(tmp_path, "threading.Event().wait()") as process:
        children = _children(process)
        process.send_signal(number)
        assert process.wait(60) == 0
        assert all(gone(child) for child in children)


def test_second_signal_kills_what_does_not_end_by_itself(tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); threading.Event().wait()"
    with _stack_process(tmp_path, deaf) as process:
        children = _children(process)
        soon(lambda: "deaf" in (tmp_path / "one.log").read_text(), "it does not listen any more")

        process.send_signal(signal.SIGTERM)
        soon(lambda: (tmp_path / "stopping").exists(), "it stops and waits")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert all(gone(child) for child in children)


@contextmanager
def _stack_process(folder: Path, child: str) -> Iterator["subprocess.Popen[str]"]:
    text = f"""
import json, sys
from pathlib import Path
from deploy.stack.service import Service
from deploy.stack.stack import Stack
argv = [sys.executable, "-c", {("import signal, threading; " + child)!r}]
folder = Path({str(folder)!r})
with Stack(say=lambda _: None) as stack:
    one, two = (Service(folder, name=name, argv=argv, env={{}}) for name in ("one", "two"))
    one.stop = lambda stop=one.stop: (folder.joinpath("stopping").touch(), stop())
    one.stop_limit_s = two.stop_limit_s = 600.0
    stack.start(one, two)
    print(json.dumps(one.pids + two.pids), flush=True)
    stack.watch()
"""
    with subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _children(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    assert process.stdout is not None
    return [psutil.Process(pid) for pid in json.loads(process.stdout.readline())]
