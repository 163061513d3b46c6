"""Each sentence by which ingest refuses a message has its Chinese one in the page."""

import ast
import re
from pathlib import Path

import pytest

from services.console.adapters.web import texts
from services.ingest.domain.gb26875.errors import ErrorCode

INGEST = Path(__file__).resolve().parents[3] / "services" / "ingest"
SAID_BY = {"_refuse", "Unusable", "Undecodable"}
KNOWN = {key: text["en"] for key, text in texts.load().items() if key.startswith("refusal_detail.")}


def _sentences() -> set[str]:
    """Return what a detail can be, a value in it as `7`."""
    found: set[str] = set()
    for path in INGEST.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == "detail"
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SAID_BY:
                for argument in call.args:
                    value = (
                        named.get("detail") if isinstance(argument, ast.Name) and argument.id == "detail" else argument
                    )
                    found |= {_text(value)} if value is not None else set()
    return {one for one in found if " " in one}


def _text(value: ast.expr) -> str:
    if isinstance(value, ast.Subscript):  # cut to a length
        value = value.value
    if isinstance(value, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in value.values)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


@pytest.mark.thorough
def test_every_detail_of_a_refusal_is_known_to_the_page() -> None:
    patterns = [re.sub(r"\\\{\w+\\\}", ".+", re.escape(text)) for text in KNOWN.values()]
    said = _sentences()
    assert len(said) > 12
    assert [one for one in said if not any(re.fullmatch(pattern, one) for pattern in patterns)] == []


def test_every_fault_of_a_frame_that_comes_in_has_its_words() -> None:
    of_frames = list(ErrorCode)[: list(ErrorCode).index(ErrorCode.FIELD_RANGE)]
    assert [code for code in of_frames if f"frame_error.{code.value}" not in texts.load()] == []
