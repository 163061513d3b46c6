"""A test that cannot be interrupted costs itself, not the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.again import LAST_FAILED, ROOT

SUITE = """
import signal, threading
import pytest

def for_ever():
    while True:
        try:
            threading.Event().wait(3600)
        except BaseException:
            pass  # as a task of asyncio does with the error of pytest-timeout

@pytest.fixture
def never_ends():
    yield
    for_ever()

def test_first(): pass
@pytest.mark.timeout(2)
def test_deaf(): for_ever()
def test_deaf_at_its_end(never_ends): assert False
def test_last(): pass
"""


def test_the_others_run_and_what_hung_is_named_with_its_stack(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    plugins = [word for name in ("xdist", "pytest_timeout", "tests.watchdog") for word in ("-p", name)]
    settings = ["-o", "watchdog_after_s=1", "-o", "timeout=1"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *settings, "-n", "1", "test_suite.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "3 failed, 2 passed" in run.stdout  # one of them in itself and at its end
    deaf = {f"test_suite.py::{name}" for name in ("test_deaf", "test_deaf_at_its_end")}
    assert all(f"crashed while running '{nodeid}'" in run.stdout for nodeid in deaf)
    assert run.stderr.count("in for_ever") == 2
    assert set(json.loads((tmp_path / LAST_FAILED).read_text())) == deaf  # each is run once more, alone
