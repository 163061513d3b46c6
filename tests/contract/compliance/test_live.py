"""On clean logs the transitions of the live engine and the intervals of the figures say the same, unit by unit.

`live.py` plays more logs than these, and shrinks what is told differently.
"""

from pathlib import Path

import pytest

from tests.contract.compliance.live import END, History, Told, differing, histories_of


@pytest.mark.parametrize("seed", range(2))
def test_rules_and_figures_tell_the_same_connection_of_a_clean_log(tmp_path: Path, seed: int) -> None:
    assert differing(tmp_path, histories_of(seed)) == []


def heard(*seconds: int, **facts: None) -> History:
    return History(facts, "CN-FAST", tuple((at, "heartbeat") for at in seconds))


KNOWN: list[tuple[History, Told, Told]] = [
    (
        heard(),
        [(0, END, "never_connected")],
        [(0, END, "offline")],
    ),
    (
        heard(60),
        [(0, 60, "never_connected"), (60, END, "offline")],
        [(0, 60, "unknown"), (60, END, "offline")],
    ),
    (
        heard(0, 95),
        [(0, 95, "online"), (95, END, "offline")],
        [(0, 90, "online"), (90, 95, "late"), (95, END, "offline")],
    ),
    (
        heard(0, 250),
        [(0, 90, "online"), (90, 250, "late"), (250, END, "offline")],
        [(0, END, "offline")],
    ),
    (
        heard(0, 600, 600, 840),
        [(0, 600, "offline"), (600, 690, "online"), (690, 840, "late"), (840, END, "offline")],
        [(0, END, "offline")],
    ),
    (
        heard(0, 60, commissioned_on=None),
        [(0, 60, "commissioning"), (60, END, "never_connected")],
        [(0, END, "commissioning")],
    ),
]
"""A history, what rules tell, what figures tell: the least that show what ADR 23 says of clean logs."""


def test_where_they_are_known_to_differ_they_differ_as_it_is_written_down(tmp_path: Path) -> None:
    assert differing(tmp_path, [history for history, *_ in KNOWN]) == KNOWN
