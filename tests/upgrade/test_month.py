"""A month whose rules and compliance change versions, forwards, back and forwards again: its figures are the same."""

import os
from pathlib import Path

import pytest

from tests.month.run import Terms, play
from tests.month.script import SMALL
from tests.upgrade.versions import LONG, NEW, Version

BOTH = ("rules", "compliance")
TURNS = 3
"""Of each: to the new version, back to the old one, and to the new one for good."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not os.environ.get(LONG), reason=f"long: `make test-upgrade` ({LONG}=1)")
def test_a_month_is_the_same_whichever_versions_closed_it(old: Version, tmp_path: Path) -> None:
    told: list[str] = []
    terms = Terms(
        seed=1, units=6, pace=SMALL, kills=len(BOTH) * TURNS, step_s=86_400, folder=tmp_path,
        roots=(old.root, NEW.root), victims=BOTH,
    )  # fmt: skip
    accounts = play(terms, told.append)
    assert [line for each in accounts if each.is_broken for line in each.lines(5)] == [], told
