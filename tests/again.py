"""`python -m tests.again`: runs each test that failed in the last whole run once more, alone, and says what that means.

A test that passes now depends on something it should not: it is listed by name as flaky, to be mended next, and does
not sink the run. A test that fails twice fails. CI calls this after `make test`; nothing calls it to hide a failure.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
CACHE = Path(".pytest_cache", "v")
LAST_FAILED = CACHE / "cache" / "lastfailed"
ENDED = "firenet/ended"
"""Key in pytest's cache: the exit status of the last run, null while it has not ended."""
MAX_AGAIN = 30
"""More failures than these are no accident of a busy machine, and would take longer than CI has."""
ALONE_S = 600
"""A test has six minutes by itself; its servers may need some more to start and stop."""


def pytest_sessionstart(session: pytest.Session) -> None:
    _write_end(session.config, None)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _write_end(session.config, int(exitstatus))


def _write_end(config: pytest.Config, status: int | None) -> None:
    # a worker of xdist knows its own part of the run only, and one test that is run again is no whole run
    cache = getattr(config, "cache", None)
    if cache is not None and not hasattr(config, "workerinput"):
        cache.set(ENDED, status)


class Verdict(StrEnum):
    FLAKY = "flaky"
    FAILED = "failed"


def run_alone(nodeid: str, root: Path) -> bool:
    """Return whether the test passes in a pytest of its own; one that hangs, is not found or skips does not."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.xml")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={result}", nodeid]
        try:
            code = subprocess.run(command, cwd=root, timeout=ALONE_S, check=False).returncode
        except subprocess.TimeoutExpired:
            return False
        return code == 0 and next(ElementTree.parse(result).iter("testsuite")).get("skipped") == "0"


def failed_before(root: Path) -> list[str]:
    """Return what failed in the last run under `root`. Raises ValueError when other things than tests failed."""
    if _cached(root / CACHE / ENDED) != pytest.ExitCode.TESTS_FAILED:
        raise ValueError("the run broke off before its end")
    found = _cached(root / LAST_FAILED)
    if not isinstance(found, dict) or not found:
        raise ValueError("no test is known to have failed")
    return list(found)


def _cached(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def judge(nodeids: Sequence[str], passes_alone: Callable[[str], bool]) -> dict[str, Verdict]:
    """Return what each of the failed tests is; none is run again when there are more than `MAX_AGAIN`."""
    if len(nodeids) > MAX_AGAIN:
        return dict.fromkeys(nodeids, Verdict.FAILED)
    return {nodeid: Verdict.FLAKY if passes_alone(nodeid) else Verdict.FAILED for nodeid in nodeids}


def report(verdicts: Mapping[str, Verdict]) -> str:
    """Return what a person reads at the end of the run."""
    lines = []
    for verdict, heading in (
        (
            Verdict.FLAKY,
            "FLAKY: failed in the whole run, passed alone. To be named in the closing note and mended next",
        ),
        (Verdict.FAILED, "FAILED twice" if len(verdicts) <= MAX_AGAIN else "FAILED, too many to be run again"),
    ):
        names = [nodeid for nodeid, found in verdicts.items() if found is verdict]
        if names:
            lines += ["", f"== {heading} ({len(names)})", *(f"  {name}" for name in names)]
    return "\n".join(lines)


def main(root: Path = ROOT) -> int:
    try:
        nodeids = failed_before(root)
    except ValueError as error:
        print(f"nothing is run again: {error}", file=sys.stderr)
        return 1
    verdicts = judge(nodeids, lambda nodeid: run_alone(nodeid, root))
    print(report(verdicts))
    return 1 if Verdict.FAILED in verdicts.values() else 0


if __name__ == "__main__":
    sys.exit(main())
