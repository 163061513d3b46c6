"""Every statement in the services' files is understood by a real PostgreSQL with our tables."""

import re
from pathlib import Path

import psycopg
import pytest

from services.runtime.queries import load_queries

ROOT = Path(__file__).resolve().parents[3]
RUNTIME = ROOT / "services/runtime/sql"
SCHEMAS = ("alerts", "console", "documents")
FOLDERS = sorted(ROOT.glob("services/*/adapters/sql"))
PARAMETER = re.compile(r"%\((\w+)\)s|%s")
STATEMENT = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
FILLED = ("slice", "where", "outside", "accountable", "after")
TIMESCALE = re.compile(r"\b(timescaledb_information|drop_chunks)\b")
"""Runs where TimescaleDB is only: tests/contract/rules/test_retention.py has it there."""


def numbered(text: str) -> str:
    """Return the statement with PostgreSQL's own places for parameters."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        name = found[1] or f"{len(names)}"
        if found[1] is None or name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return PARAMETER.sub(place, text).replace("%%", "%")


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.parts[-3] for path in FOLDERS])
def test_every_statement_of_a_service_can_be_prepared(migrated_database: str, folder: Path) -> None:
    statements = {name: text for name, text in load_queries(folder).items() if STATEMENT.match(text)}
    assert len(statements) > 5
    with psycopg.connect(migrated_database) as connection:
        for name, text in statements.items():
            filled = text
            for part in FILLED:
                filled = filled.replace(f"{{{part}}}", "TRUE")
            filled = filled.replace("{{", "{").replace("}}", "}")
            connection.execute(f"PREPARE {name}_checked AS {numbered(filled)}".encode())


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_statement_of_runtime_can_be_prepared_in_each_schema(migrated_database: str, schema: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        statements = {name: text for name, text in load_queries(RUNTIME).items() if STATEMENT.match(text)}
        for name, text in statements.items():
            if TIMESCALE.search(text):
                continue
            filled = text.replace("{schema}", schema)
            connection.execute(f"PREPARE {name}_checked AS {numbered(filled)}".encode())
