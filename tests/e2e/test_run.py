"""`make run` as its user has it: one part that cannot start ends no other, and terminal and page say why."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from deploy.stack.firenet import Ports, setting_of
from deploy.stack.ports import HOST
from deploy.stack.service import ROOT
from tests.e2e.console.chromium import CHROMIUM, FLAGS, LIMIT_MS
from tests.system import wait_for

LIMIT_S = 240.0
pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(900)]


class Run:
    """One `python -m deploy.stack run` over a folder, with all its ports known; what it says is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = Ports.free()
        self._said = folder.parent / "said"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._said.write_bytes(b"")
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._argv, cwd=ROOT, env=self._env, stdout=said, stderr=said)

    @property
    def _argv(self) -> list[str]:
        return [sys.executable, "-m", "deploy.stack", "run"]

    @property
    def _env(self) -> dict[str, str]:
        ports = {setting_of(one.name): str(getattr(self.ports, one.name)) for one in fields(Ports)}
        return {**os.environ, **ports, "FIRENET_DATA": str(self.folder)}

    def second(self) -> "subprocess.CompletedProcess[str]":
        """Try to start another one over the same folder; return what came of it."""
        return subprocess.run(
            self._argv, cwd=ROOT, env=self._env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    def await_said(self, *words: str) -> None:
        def said_all() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.said
            return all(word in self.said for word in words)

        try:
            wait_for(f"it to say {words}", said_all, LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said}") from None

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        if self._process is None or self._process.poll() is not None:
            return -1
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(LIMIT_S)

    def pid(self, name: str) -> int | None:
        """Return the process of a part, None while it has none."""
        for file in self.folder.glob(f"*/{name}.pid"):
            with suppress(OSError, ValueError):
                return int(json.loads(file.read_text())["pid"])
        return None

    def kill(self, name: str) -> int:
        """`kill -9` of one part; return which process it was."""
        pid = self.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    def down(self) -> dict[str, dict[str, Any]]:
        """Return what the page tells of parts that do not run; nothing while no page answers."""
        with suppress(OSError), urllib.request.urlopen(f"{self.page}api/v1/parts", timeout=10) as answer:
            return {row["name"]: row for row in json.load(answer)["parts"]}
        return {}

    def whole(self) -> bool:
        """Tell whether every service says of itself that it is ready."""
        names = ("ingest", "rules", "alerts", "alerts_fire", "documents", "console_status")
        with suppress(OSError):
            for name in names:
                urllib.request.urlopen(f"http://{HOST}:{getattr(self.ports, name)}/readyz", timeout=10).close()
            return not self.down()
        return False

    @property
    def page(self) -> str:
        return f"http://{HOST}:{self.ports.console}/"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    tmp_path.chmod(0o755)
    one = Run(tmp_path / "data")
    yield one
    one.stop()


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Somebody else listens there until the block ends."""
    with socket.socket() as first, socket.socket() as second:
        for server, port in zip((first, second), ports, strict=False):
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((HOST, port))
            server.listen()
        yield


def test_what_can_live_lives_and_what_died_or_could_not_start_is_taken_up_again(run: Run) -> None:
    run.start()
    run.await_said("Ctrl-C ends everything")
    wait_for("all of it", run.whole, LIMIT_S)
    twice = run.second()
    assert twice.returncode == 1
    assert f"it runs already in {run.folder} (process " in twice.stderr
    kill_again_and_again(run)
    wait_for("all of it", run.whole, LIMIT_S)
    assert run.stop() == 0

    with taken(run.ports.kafka):
        with taken(run.ports.console):
            run.start()
            run.await_said(
                f"Kafka did not start: port {run.ports.kafka} on {HOST} is taken by ",
                f"console ended while it started: cannot listen on {HOST}:{run.ports.console}: the port is taken",
                "ingest waits for Kafka.",
                "PostgreSQL is ready",
                "alerts-fire waits for Kafka.",
            )
        run.await_said("console runs again.")
        wait_for("the page to tell", lambda: "kafka" in run.down(), LIMIT_S)
        down = run.down()
        assert down["kafka"]["cause"] == "port_taken"
        assert down["ingest"]["waits_for"] == ["kafka"]
        assert "postgresql" not in down
        if CHROMIUM.exists():
            the_page_says_so(run)
        run.await_said("no gateway is let in: ingest has not subscribed at the broker.")
    wait_for("all of it", run.whole, LIMIT_S)
    run.await_said("Kafka runs again.", "gateways are let in again.")
    assert run.stop() == 0


def the_page_says_so(run: Run) -> None:
    """On the page of somebody who is not even signed in, Chinese first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page()
            page.goto(f"{run.page}login")
            line = page.locator("#parts li").first
            expect(line.locator("[lang=zh-CN]")).to_contain_text(
                "消息总线 Kafka没有运行：端口被其他程序占用。系统会一直重试。", timeout=LIMIT_MS
            )
            expect(line.locator("[lang=en]")).to_contain_text("Kafka (the message log) does not run: its port is taken")
            expect(page.locator("#parts")).to_contain_text("接收服务 ingest", timeout=LIMIT_MS)
            shot = os.environ.get("FIRENET_SCREENSHOTS")
            if shot:
                page.screenshot(path=f"{shot}/parts.png")
        finally:
            browser.close()


def kill_again_and_again(run: Run) -> None:
    """One part, more often than the six times after which everything used to be given up; it comes back each time."""
    for _ in range(7):
        former = run.kill("iotcore")
        wait_for("its return", lambda: run.pid("iotcore") not in (None, former), LIMIT_S)  # noqa: B023 - at once
