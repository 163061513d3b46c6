"""The table of the cases of compliance.md 6.3 and their tests says what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOMAIN = ROOT / "docs" / "domain"
TABLE = (DOMAIN / "compliance-cases.md").read_text("utf-8")


def test_every_case_of_6_3_has_a_row() -> None:
    section = (DOMAIN / "compliance.md").read_text("utf-8").partition("### 6.3 ")[2].partition("\n---")[0]
    cases, rows = re.findall(r"^- ", section, re.MULTILINE), re.findall(r"^\| (?!case )\S.*`test_", TABLE, re.MULTILINE)
    assert len(rows) == len(cases) > 20


def test_every_test_and_example_that_the_table_names_exists() -> None:
    tests = "\n".join(
        path.read_text("utf-8") for top in ("unit", "contract") for path in (ROOT / "tests" / top).rglob("test_*.py")
    )
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert named - set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE)) == set()
    examples = ROOT / "tests" / "contract" / "compliance" / "examples"
    told = set(re.findall(r"example `([\w-]+)`", TABLE))
    assert told <= {path.name for path in examples.iterdir()}
