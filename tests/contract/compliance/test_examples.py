"""The worked examples of figures.md: the same bytes through the pipe."""

from pathlib import Path

import pytest

from tests.contract.compliance.pipe import answer

EXAMPLES = sorted(path for path in (Path(__file__).parent / "examples").iterdir() if path.is_dir())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_answered_byte_for_byte(example: Path, tmp_path: Path) -> None:
    assert answer(example, tmp_path) == (0, (example / "ANSWER.json").read_bytes())
