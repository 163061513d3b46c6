"""The worked examples of figures.md, as far as it is offered what they ask: the same bytes through the pipe."""

import json
from pathlib import Path

import pytest

from schemas.inputs import json_line
from services.compliance.domain.formulas.catalogue import CATALOGUE
from tests.contract.compliance.pipe import answer

EXAMPLES = sorted(path for path in (Path(__file__).parent / "examples").iterdir() if path.is_dir())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_answered_byte_for_byte(example: Path, tmp_path: Path) -> None:
    ask = json.loads((example / "ASK.json").read_text("utf-8"))
    expected = json.loads((example / "ANSWER.json").read_text("utf-8"))
    offered = [n for n, figure in enumerate(ask.get("figures", [])) if figure["metric"] in CATALOGUE]
    ask["figures"] = [ask["figures"][n] for n in offered]
    expected["figures"] = [expected["figures"][n] for n in offered]
    for name in ("blocking", "forecast", "revisions"):
        ask[name] = expected[name] = []

    code, told = answer(example, tmp_path, ask=json.dumps(ask).encode())

    assert (code, told.decode()) == (0, json_line(expected))
