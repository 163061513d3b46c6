"""A closed set of words is defined once: nothing repeats an enum, and none is part of another without a reason."""

import ast
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOPS = ("services", "schemas", "deploy")
BASES = {"Enum", "StrEnum"}
SAID_WITH = ("Enum", "Literal")
"""A source that names neither has no closed set, and need not be parsed."""
MIN_PART = 3
"""Two words in common are chance."""

Sets = Mapping[str, frozenset[str]]
KERNEL = "services.kernel.words"
ALERTS = "services.alerts.domain.case"
ALLOWED = {
    (f"{KERNEL}.FindingKind", f"{ALERTS}.kinds.CaseKind"): "alerts opens cases of two kinds that rules find nothing of",
    (f"{KERNEL}.CaseEvent", f"{ALERTS}.lifecycle.Action"): "a step waits for little of what may become of a case",
    (f"{KERNEL}.Phase", f"{ALERTS}.event.Happening"): "what the fire lane says of a fire is no phase of a finding",
    (f"{KERNEL}.BodyKind", f"{KERNEL}.Recipient"): "a step tells all bodies of a kind, or others",
    (f"{KERNEL}.EntityKind", f"{KERNEL}.ProposalKind"): "a policy pack is no row",
    (f"{KERNEL}.EntityKind", "services.registry.domain.entities.Kind"): "packs and adjustments are no rows",
    (f"{KERNEL}.ProposalKind", "services.registry.domain.entities.Kind"): "an adjustment has an order of its own",
    ("services.console.domain.register.ProposalDecision", "services.console.domain.adjustments.Decision"): (
        "what was taken into the register is not ended sooner"
    ),
    ("services.compliance.domain.connection.Link", f"{KERNEL}.Connection"): "what the register adds is not of a link",
}
"""A part and its whole, and why there are both."""


def closed_sets(module: str, source: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the enums of a module whose members are words, and its literals of several words, with these."""
    for node in ast.walk(ast.parse(source)) if any(word in source for word in SAID_WITH) else ():
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split(".")[-1] in BASES for base in node.bases):
            values = [each.value for each in node.body if isinstance(each, ast.Assign)]
            said = [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if said:
                yield f"{module}.{node.name}", frozenset(said)
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            constants = [each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)]
            said = [each for each in constants if isinstance(each, str)]
            if len(said) > 1 and said == constants:
                yield f"{module}:{node.lineno}", frozenset(said)


def repeated(sets: Sets) -> list[tuple[str, str]]:
    """Return the pairs of which one repeats the other, wholly or (the first) as a part of it."""
    return [
        (one, other)
        for one, other in permutations(sets, 2)
        if (sets[one] == sets[other] and one < other and len(sets[one]) > 1 and not _two_literals(one, other))
        or (sets[one] < sets[other] and len(sets[one]) >= MIN_PART and ":" not in one + other)
    ]


def _two_literals(one: str, other: str) -> bool:
    """Two switches may have the same positions; only an enum makes them a set of words."""
    return ":" in one and ":" in other


@pytest.fixture(scope="module")
def ours() -> Sets:
    paths = [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return dict(pair for name, path in zip(names, paths, strict=True) for pair in closed_sets(name, path.read_text()))


@pytest.mark.thorough
def test_every_closed_set_is_defined_once(ours: Sets) -> None:
    assert len(ours) >= 50
    assert [pair for pair in repeated(ours) if pair not in ALLOWED] == [], "import it from services/kernel/words.py"


@pytest.mark.thorough
def test_nothing_is_allowed_that_is_not_there(ours: Sets) -> None:
    assert sorted(pair for pair in repeated(ours) if pair in ALLOWED) == sorted(ALLOWED)


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ('class Way(StrEnum):\n    HIGH = "up"\n    LOW = "status"\n    FIRE = "alarm"', True),
        ('class Way(enum.Enum):\n    UP = "up"\n    STATUS = "status"\n    ALARM = "alarm"', True),
        ('class Kind(StrEnum):\n    FIRE = "fire"\n    FAULT = "fault"\n    ISOLATION = "isolation"', True),
        ('lane: Literal["alarm", "status", "up"]', True),
        ('class Kind(StrEnum):\n    FIRE = "fire"\n    FAULT = "fault"', False),
        ('class Way(StrEnum):\n    UP = "up"\n    STATUS = "status"\n    DOWN = "down"', False),
    ],
    ids=["a copy", "a copy as another enum", "a part", "a literal", "two words in common", "another set"],
)
@pytest.mark.thorough
def test_a_planted_copy_is_found(ours: Sets, planted: str, found: bool) -> None:
    ((name, words),) = closed_sets("services.planted", planted)
    pairs = repeated({**ours, name: words})
    assert any(name in pair for pair in pairs) is found


def test_two_equal_sets_outside_the_kernel_are_found() -> None:
    source = 'class {}(StrEnum):\n    ROUND = "round"\n    FLAT = "flat"'
    sets = dict(pair for name in ("One", "Other") for pair in closed_sets("services.planted", source.format(name)))
    assert repeated(sets) == [("services.planted.One", "services.planted.Other")]
