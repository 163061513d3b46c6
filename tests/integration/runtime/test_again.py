"""A flaky test must not sink the run, and must not hide in it either."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.again import CACHE, ENDED, LAST_FAILED, MAX_AGAIN, ROOT, Verdict, failed_before, judge, main, report

SUITE = """
from pathlib import Path
import pytest

BEEN_HERE = Path(__file__).with_name("been_here")

def test_sound(): pass

@pytest.mark.parametrize("what", ["a::b[c]"])
def test_shy(what):
    first = not BEEN_HERE.exists()
    BEEN_HERE.touch()
    assert not first

def test_broken(): assert False
"""


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # seven small pytests in a second instead of seven
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_PLUGINS", "tests.again")


def whole_run(root: Path, suite: str) -> int:
    (root / "test_suite.py").write_text(suite, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "test_suite.py"]
    return subprocess.run(command, cwd=root, check=False, capture_output=True).returncode


def test_what_passes_alone_is_listed_as_flaky_and_what_fails_twice_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert whole_run(tmp_path, SUITE) == 1
    assert main(tmp_path) == 1
    said = capfd.readouterr().out
    flaky, _, failed = said[said.index("== FLAKY") :].partition("== FAILED twice (1)")
    assert "test_suite.py::test_shy[a::b[c]]" in flaky
    assert "test_suite.py::test_broken" in failed
    assert "test_sound" not in flaky + failed


def test_a_run_with_flaky_tests_only_passes_and_names_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert whole_run(tmp_path, SUITE.replace("assert False", "pass")) == 1
    assert main(tmp_path) == 0
    assert "  test_suite.py::test_shy" in capfd.readouterr().out


def test_what_is_skipped_when_it_is_alone_has_not_passed(tmp_path: Path) -> None:
    assert whole_run(tmp_path, SUITE.replace("assert False", "pass")) == 1
    skipping = SUITE.replace("    first =", "    pytest.skip('no engine')\n    first =")
    (tmp_path / "test_suite.py").write_text(skipping, encoding="utf-8")
    assert main(tmp_path) == 1


@pytest.mark.parametrize(
    "breach",
    ["import nothing_of_this_name", "import os\n\ndef test_killed(): os._exit(1)\n"],
    ids=["unreadable", "killed"],
)
def test_a_run_that_broke_off_stays_failed_whatever_passes_now(tmp_path: Path, breach: str) -> None:
    assert whole_run(tmp_path, SUITE.replace("assert False", "pass")) == 1
    assert whole_run(tmp_path, breach) != 0
    assert main(tmp_path) == 1


@pytest.mark.parametrize("failed", [None, {}, []])
def test_a_run_that_failed_without_a_failed_test_stays_failed(tmp_path: Path, failed: object) -> None:
    for path, content in ((LAST_FAILED, failed), (CACHE / ENDED, int(pytest.ExitCode.TESTS_FAILED))):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match="no test"):
        failed_before(tmp_path)
    assert main(tmp_path) == 1


def test_a_broken_suite_is_not_run_again() -> None:
    names = [f"test_{number}" for number in range(MAX_AGAIN + 1)]
    verdicts = judge(names, lambda nodeid: pytest.fail(f"{nodeid} was run again"))
    assert set(verdicts.values()) == {Verdict.FAILED}
    assert "too many" in report(verdicts)
