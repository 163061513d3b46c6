"""The product against the recomputation of `tests/naive`, which shares no code with it."""

import ast
import json
from pathlib import Path

import pytest

from tests.naive.answer import answer
from tests.naive.compare import difference
from tests.naive.histories import history
from tests.naive.inputs import History

NAIVE = Path(__file__).parents[2] / "naive"
MAY_RUN_THE_PRODUCT = {"compare.py", "__main__.py"}
EXAMPLES = sorted(path for path in (Path(__file__).parent / "examples").iterdir() if path.is_dir())
FIFTEEN = range(1, 151, 15)


def test_the_recomputation_shares_no_code_with_the_product() -> None:
    imported = {
        name.split(".")[0]
        for path in NAIVE.glob("*.py")
        if path.name not in MAY_RUN_THE_PRODUCT
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or "."] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }

    assert not imported & {"services", "schemas", "deploy"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_recomputation_answers_the_worked_examples_byte_for_byte(example: Path) -> None:
    files = {path.name: path.read_text("utf-8") for path in example.iterdir()}
    registry, log = (tuple(files[name].splitlines()) for name in ("REGISTRY.jsonl", "LOG.jsonl"))

    told = answer(History((files["PACK.yaml"],), registry, log, json.loads(files["ASK.json"])))

    assert told == files["ANSWER.json"]


@pytest.mark.parametrize("first", FIFTEEN)
def test_the_product_answers_random_histories_as_the_recomputation_does(first: int, tmp_path: Path) -> None:
    differing = [seed for seed in range(first, first + 15) if difference(history(seed), tmp_path) is not None]

    assert differing == [], f"see it small: python -m tests.naive --histories 1 --seed {differing[0]}"
