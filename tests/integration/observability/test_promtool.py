"""promtool's own word on configuration and rules, and the tests of every alert."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.stack.scraping import configuration
from tests.unit.deploy.files import PROMETHEUS, rule_files

LIMIT_S = 600
pytestmark = pytest.mark.timeout(LIMIT_S + 30)
TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))


def promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on PATH")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_holds() -> None:
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_configuration_of_the_embedded_stack_holds(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(configuration([("ingest", 9101), ("rules", 9102), ("rules", 20_001)]), encoding="utf-8")
    promtool("check", "config", str(path))


def test_rules_hold_and_none_is_written_twice() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, rule_files()))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_stay_quiet_and_survive_a_gap(path: Path) -> None:
    promtool("test", "rules", str(path))
