"""A month of a district on real parts with kills of all of them; `make month` plays a larger one."""

from pathlib import Path

import pytest

from tests.month.run import Terms, play
from tests.month.script import SMALL


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_month_is_the_same_live_closed_revised_and_replayed_whatever_is_killed(tmp_path: Path) -> None:
    told: list[str] = []
    accounts = play(Terms(seed=1, units=6, pace=SMALL, kills=3, step_s=86_400, folder=tmp_path), told.append)
    assert [line for each in accounts if each.is_broken for line in each.lines(5)] == [], told
