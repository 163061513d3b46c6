"""Every test that the table of faults names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


FAULTS = {f"F{number}" for number in range(1, 25)}


def test_no_fault_is_without_a_test() -> None:
    rows = [
        line for line in (ROOT / "tests/chaos/README.md").read_text(encoding="utf-8").splitlines() if "`tests/" in line
    ]
    assert {one for row in rows for one in re.findall(r"F\d+", row.split("|")[1])} == FAULTS


def test_the_table_of_faults_names_tests_that_exist() -> None:
    named = NAMED.findall((ROOT / "tests/chaos/README.md").read_text(encoding="utf-8"))
    assert len(named) > 30
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []
