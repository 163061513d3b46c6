"""A stack starts side by side, starts again what dies, and leaves nothing running whichever way it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.stack.causes import Cause
from deploy.stack.part import PartError
from deploy.stack.part_status import PartStatus
from deploy.stack.ports import free_ports
from deploy.stack.service import Service, http_ok
from deploy.stack.stack import Stack, Stopped
from deploy.stack.supervision import RestartPolicy
from services.kernel.words import PartState
from tests.integration.stack.child_owner import SLEEPER
from tests.integration.stack.waiting import gone, soon

ROOT = Path(__file__).resolve().parents[3]
ENV = {"PATH": os.environ["PATH"]}
AT_ONCE = RestartPolicy(first_wait_s=0.0)


def sleeper(folder: Path, name: str) -> Service:
    return Service(folder / name, name=name, argv=SLEEPER, env=ENV)


def program(folder: Path, name: str, text: str) -> Service:
    return Service(folder / name, name=name, argv=[sys.executable, "-c", text], env=ENV)


@pytest.mark.parametrize(
    ("death", "wait_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 10.0), (7, 10.0), (9999, 10.0)]
)
def test_wait_before_a_restart_doubles_up_to_a_cap_and_never_ends(death: int, wait_s: float) -> None:
    assert RestartPolicy(first_wait_s=0.5, longest_wait_s=10.0).wait_s(death) == wait_s


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


class Watching:
    """A stack that is watched until `until` has seen what it waits for."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def until(self, condition: Callable[[], bool], what: str) -> None:
        failed: list[BaseException] = []

        def wait() -> None:
            try:
                soon(condition, what)
            except BaseException as error:
                failed.append(error)
            self._stack.ask_to_stop()

        waiting = threading.Thread(target=wait)
        waiting.start()
        self._stack.watch()
        waiting.join()
        if failed:
            raise failed[0]


def counting(folder: Path, name: str, then: str, **more: Any) -> Service:
    """A program that notes each of its starts in `NAME.starts`."""
    text = f"""
import pathlib, sys, threading
with open({str(folder / f"{name}.starts")!r}, "a") as file:
    file.write("x")
{then}
"""
    return Service(folder / name, name=name, argv=[sys.executable, "-c", text], env=ENV, **more)


def starts(folder: Path, name: str) -> int:
    path = folder / f"{name}.starts"
    return len(path.read_text()) if path.exists() else 0


def test_a_part_that_never_starts_is_tried_for_ever_and_ends_nobody_else(tmp_path: Path) -> None:
    said: list[str] = []
    seen: list[PartStatus] = []
    other = sleeper(tmp_path, "other")
    broken = counting(tmp_path, "console", "sys.exit('cannot listen on 127.0.0.1:8080: the port is taken')")
    with Stack(say=said.append, restart=AT_ONCE, look=seen.extend) as stack:
        stack.take_up(other, broken)
        Watching(stack).until(
            lambda: starts(tmp_path, "console") > 8 and any(one.cause for one in seen), "it was tried again and again"
        )
        assert other.alive()
    told = [line for line in said if line.startswith("console ended")]
    assert len(told) == 1, "not for each try"
    assert "the port is taken" in told[0]
    assert PartStatus("console", PartState.FAILED, Cause.PORT_TAKEN) in seen
    assert PartStatus("other", PartState.RUNS) in seen


def test_what_needs_a_part_that_is_away_waits_for_it_and_is_taken_up_with_it(tmp_path: Path) -> None:
    said: list[str] = []
    mended = tmp_path / "mended"
    waits = "threading.Event().wait()"
    fails = f"sys.exit('No space left on device') if not pathlib.Path({str(mended)!r}).exists() else {waits}"
    kafka = counting(tmp_path, "Kafka", fails, ready=mended.exists)
    rules = counting(tmp_path, "rules", waits, needs=("Kafka", "PostgreSQL"))
    console = counting(tmp_path, "console", waits)
    with Stack(say=said.append, restart=AT_ONCE) as stack:
        stack.take_up(kafka, rules, console)
        assert console.alive()
        assert starts(tmp_path, "rules") == 0
        assert "rules waits for Kafka." in said
        mended.touch()
        Watching(stack).until(lambda: starts(tmp_path, "rules") == 1 and rules.alive(), "rules was taken up")
    assert any(line.startswith("Kafka ended while it started: the disk that holds") for line in said)
    assert "Kafka runs again." in said


def test_a_running_service_is_left_alone_when_what_it_needs_goes_away(tmp_path: Path) -> None:
    waits = "threading.Event().wait()"
    kafka = counting(tmp_path, "Kafka", waits)
    ingest = counting(tmp_path, "ingest", waits, needs=("Kafka",))
    with Stack(say=lambda _: None, restart=AT_ONCE) as stack:
        stack.take_up(kafka, ingest)
        # one that is killed before it has counted itself counts once too few
        soon(lambda: starts(tmp_path, "Kafka") == starts(tmp_path, "ingest") == 1, "both run")
        psutil.Process(kafka.pids[0]).kill()
        Watching(stack).until(lambda: starts(tmp_path, "Kafka") == 2, "Kafka runs again")
        assert starts(tmp_path, "ingest") == 1
        assert ingest.alive()


def test_a_service_that_is_not_ready_in_time_is_left_to_get_ready(tmp_path: Path) -> None:
    mute = Service(
        tmp_path, name="mute", argv=SLEEPER, env=ENV, ready=lambda: False, start_limit_s=0.1, mute_is_dead=False
    )
    with Stack(say=lambda _: None) as stack:
        stack.take_up(mute)
        assert mute.alive()


def test_a_fault_of_our_own_in_one_part_ends_nobody(tmp_path: Path) -> None:
    class Faulty(Service):
        def start(self) -> None:
            raise KeyError("ours")

    said: list[str] = []
    other = sleeper(tmp_path, "other")
    with Stack(say=said.append) as stack:
        stack.take_up(Faulty(tmp_path, name="faulty", argv=SLEEPER, env=ENV), other)
        assert other.alive()
    assert any(line.startswith("faulty did not start: KeyError") for line in said)


def test_service_that_never_gets_ready_says_so_and_stops_the_others(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    other = sleeper(tmp_path, "other")
    mute = Service(tmp_path, name="mute", argv=SLEEPER, env=ENV, ready=http_ok(url), start_limit_s=0.3)
    with pytest.raises(PartError, match="mute did not answer within 0 s"), Stack(say=lambda _: None) as stack:
        stack.start(other, mute)
    assert other.pids == mute.pids == []


def test_wish_to_end_while_something_starts_ends_it(tmp_path: Path) -> None:
    slow = Service(tmp_path, name="slow", argv=SLEEPER, env=ENV, ready=lambda: False, start_limit_s=600.0)
    with Stack(say=lambda _: None) as stack:

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
