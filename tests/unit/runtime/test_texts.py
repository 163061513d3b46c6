"""Foreign text in one line of ours."""

import pytest

from services.runtime.texts import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("第一医院  东楼", "第一医院 东楼"),
        (" a b ", "a b"),
        ("a\r\nBcc: x\t\x00y\u2028z", "a Bcc: x y z"),
        (7, "7"),
        ("", ""),
    ],
)
def test_no_text_adds_a_line_or_a_control_character(text: object, line: str) -> None:
    assert one_line(text) == line
