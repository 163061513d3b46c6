"""Names are the field's standard terms: what house.md renamed does not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
METAPHORS = re.compile(
    r"\w*(Desk|Book|Keeper|Scribe|Postman|Oddity|Fate|Roster|Fellows|Stranger|Wish|Burning|Pulse|Farewell|Speaker)s?$"
)
"""Of classes: a desk is a use case or a handler, a book a repository or a table, a keeper what it really does."""
BOUNDS = re.compile(r"_?(MOST|LEAST)(_\w+)?$")
"""Of constants: MAX_, MIN_."""
ALLOWED = {"Workbook"}


def defined() -> Iterator[tuple[str, str]]:
    """Yield each class and constant of the product, with its file."""
    for folder in ("services", "schemas", "deploy"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield node.name, str(path.relative_to(ROOT))
                elif isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in targets:
                        if isinstance(target, ast.Name):
                            yield target.id, str(path.relative_to(ROOT))


@pytest.mark.thorough
def test_no_private_metaphor_and_no_second_word_for_a_bound_comes_back() -> None:
    found = [
        f"{file}: {name}"
        for name, file in defined()
        if name not in ALLOWED and (METAPHORS.match(name) or BOUNDS.match(name))
    ]
    assert not found
