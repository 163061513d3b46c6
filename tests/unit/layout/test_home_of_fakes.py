"""What stands in for a port in tests has one home, and the product holds none of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOME = "tests/fakes/"
TOPS = ("services", "schemas", "deploy", "tests")
CLASS = re.compile(r"^\s*class (_?(?:Fake|Memory|InMemory|Stub|Mock|Dummy)(?:[A-Z]\w*)?)\b", re.MULTILINE)
MODULE = re.compile(r"(^|_)(fakes?|memory|stubs?|mocks?|dumm(y|ies))($|_)")


def strays(path: str, source: str) -> list[str]:
    """Return what of the module at `path` belongs into the home of fakes and stands elsewhere."""
    if path.startswith(HOME):
        return []
    parts = path.removesuffix(".py").split("/")
    names = [part for part in parts if MODULE.search(part) and not part.startswith("test_")]
    return [f"{path}: {name}" for name in (*names, *CLASS.findall(source))]


@pytest.mark.thorough
def test_fakes_stand_in_their_home_only() -> None:
    modules = [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]
    assert len(modules) > 300
    found = [
        stray
        for path in modules
        for stray in strays(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("services/rules/adapters/store.py", "class MemoryStore: ...", ["MemoryStore"]),
        ("tests/unit/x.py", "def test() -> None:\n    class _FakeClock: ...", ["_FakeClock"]),
        ("services/rules/adapters/memory_store.py", "", ["memory_store"]),
        ("tests/unit/fakes/clock.py", "", ["fakes"]),
        ("tests/fakes/rules.py", "class MemoryStore: ...", []),
        ("services/x.py", "class Memorable: ...\nclass Stubborn: ...", []),
    ],
)
def test_a_stray_is_told_by_its_name(path: str, source: str, found: list[str]) -> None:
    assert strays(path, source) == [f"{path}: {name}" for name in found]
