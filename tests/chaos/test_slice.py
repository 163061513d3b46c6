"""A slice of the long chaos run (`make test-chaos`): every part of the embedded stack is hit once under load."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stack import ports
from tests.chaos.scenario import REPORT, seed

ROOT = Path(__file__).resolve().parents[2]
PARTS = 11
LIMIT_S = 700

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@pytest.mark.timeout(LIMIT_S + 90)
def test_every_part_is_hit_once_and_everything_is_accounted_for(tmp_path: Path) -> None:
    own = [f"--seed={seed()}", f"--kills={PARTS}", f"--limit={LIMIT_S}", f"--folder={tmp_path / 'site'}"]
    tempo = ["--longest", "8", "--gap", "2", "6", "--ports", str(ports.FIRST), str(ports.LAST)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *own, *tempo],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S + 60,
        check=False,
    )
    REPORT.extend(done.stdout.splitlines()[-80:])
    assert done.returncode == 0, done.stdout[-12000:]
