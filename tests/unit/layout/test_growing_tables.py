"""Every table is in the list of what grows, so that somebody has said who removes what has aged (decision 46)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DECISION = ROOT / "docs" / "decisions" / "0046-what-has-aged-goes-and-what-is-needed-stays.md"


def listed() -> set[str]:
    """Return the tables of the list; a name without a schema is of the schema named before it."""
    text = DECISION.read_text("utf-8")
    found: set[str] = set()
    for line in text[text.index("| table |") : text.index("## Decision")].splitlines():
        schema = ""
        for name in re.findall(r"`([\w.]+)`", line.split("|")[1]) if line.startswith("| ") else ():
            schema = name.partition(".")[0] if "." in name else schema
            found.add(name if "." in name else f"{schema}.{name}")
    return found


def test_every_table_is_in_the_list_of_what_grows() -> None:
    schema = (ROOT / "deploy" / "schema.sql").read_text("utf-8")
    tables = set(re.findall(r"^CREATE TABLE (\w+\.\w+)", schema, re.MULTILINE))
    assert len(tables) > 50
    assert tables - listed() == set()
    assert listed() - tables == set(), "of tables that are gone nothing is said"
