"""The table of rules and tests says what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TABLE = (ROOT / "docs" / "domain" / "figures-rules.md").read_text("utf-8")
TESTS = "\n".join(
    path.read_text("utf-8")
    for folder in ("contract", "unit")
    for path in (ROOT / "tests" / folder / "compliance").glob("test_*.py")
)


def test_every_rule_of_figures_is_held_by_a_test() -> None:
    assert re.findall(r"^\| (R\d+) \|", TABLE, re.MULTILINE) == [f"R{number}" for number in range(1, 47)]


def test_every_test_that_the_table_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert named - set(re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE)) == set()
