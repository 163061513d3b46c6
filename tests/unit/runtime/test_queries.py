"""Statements by name: how they are read, and that names and uses agree in every service."""

import ast
import re
from pathlib import Path

import pytest

from services.runtime.postgres import AdvisoryLock
from services.runtime.queries import HEAD, PART, load_queries

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(ROOT.glob("services/*/adapters/sql"))
USE = re.compile(r'\bSQL\["(\w+)"\]')
STATEMENT = re.compile(r"\b(SELECT\s|INSERT\s+INTO\s|DELETE\s+FROM\s|UPDATE\s+\w+\.\w+)")

by_service = pytest.mark.parametrize("folder", FOLDERS, ids=[path.parts[-3] for path in FOLDERS])


def write(folder: Path, text: str, name: str = "some.sql") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_statement_is_what_stands_under_its_name(tmp_path: Path) -> None:
    write(tmp_path, "-- About the file.\n\n-- one --\nSELECT a\nFROM t\n\n-- two --\n-- 100 % sure\nDELETE FROM t\n")
    assert load_queries(tmp_path) == {"one": "SELECT a\nFROM t", "two": "DELETE FROM t"}


def test_a_name_in_braces_stands_for_its_text_and_others_are_left(tmp_path: Path) -> None:
    write(tmp_path, "-- columns --\na, {last}\n-- one --\nSELECT {columns} FROM t WHERE {slice} AND x = '{{last}}'\n")
    write(tmp_path, "-- last --\nz\n", "more.sql")
    assert load_queries(tmp_path)["one"] == "SELECT a, z FROM t WHERE {slice} AND x = '{{last}}'"


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "-- one --\nSELECT 1\n")
    write(tmp_path, "-- one --\nSELECT 2\n", "other.sql")
    with pytest.raises(ValueError, match="one stands twice"):
        load_queries(tmp_path)


def test_a_statement_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name stands over 'SELECT 1'"):
        load_queries(write(tmp_path, "SELECT 1\n-- one --\nSELECT 2\n"))


@by_service
def test_every_use_has_a_statement_and_every_statement_a_use(folder: Path) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in folder.parent.glob("*.py"))
    files = [path.read_text(encoding="utf-8") for path in folder.glob("*.sql")]
    names = {found[1] for text in files for line in text.splitlines() if (found := HEAD.match(line))}
    inner = {name for text in files for name in PART.findall(text)}
    used = set(USE.findall(code))
    assert used - names == set(), "no such statement"
    assert names - used - inner == set(), "nobody uses it"


@pytest.mark.thorough
@by_service
def test_statements_stand_in_the_files_only(folder: Path) -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in folder.parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value)
    ]
    assert found == []


def test_no_two_advisory_locks_have_the_same_key_and_none_has_one_of_its_own() -> None:
    assert len(set(AdvisoryLock)) == len(AdvisoryLock.__members__)
    for folder in FOLDERS:
        statements = load_queries(folder)
        locks = [name for name, text in statements.items() if re.search(r"advisory\w*lock\w*\(%", text)]
        code = "\n".join(path.read_text(encoding="utf-8") for path in folder.parent.glob("*.py"))
        for name in locks:
            keys = re.findall(rf'SQL\["{name}"\], (?:\(|key=int\()([\w.]+)', code)
            assert keys, name
            assert all(key.startswith("AdvisoryLock.") or f"{key}: AdvisoryLock" in code for key in keys), (name, keys)
