"""State that rules has saved goes to the version before and comes back: a partition does so in every upgrade."""

import json
import subprocess
import sys
from typing import Any

from services.rules.domain.engine import Engine
from services.rules.domain.snapshot import SavedUnit, restore, snapshot_head, snapshot_unit
from tests.chaos.scenario import says_all_of
from tests.unit.rules.scenario import Scenario
from tests.upgrade.versions import Version

NO_REGISTRY: dict[str, Any] = {"never_grace": 0, "unit_rows": {}, "gateway_rows": {}, "pack_rows": {}}
THERE_AND_BACK = """
import json, sys
from services.rules.domain.snapshot import SavedUnit, restore, snapshot_head, snapshot_unit
said = json.load(sys.stdin)
units = [SavedUnit(*one) for one in said["units"]]
engine = restore(said["head"], units, never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
json.dump({"head": snapshot_head(engine), "units": [snapshot_unit(one) for one in engine.units.values()]}, sys.stdout)
"""


def saved(engine: Engine) -> dict[str, Any]:
    return {"head": snapshot_head(engine), "units": [list(snapshot_unit(one)) for one in engine.units.values()]}


def plain(state: dict[str, Any]) -> dict[str, Any]:
    return {"head": state["head"], **{unit: json.loads(text) for unit, text in state["units"]}}


def test_the_version_before_goes_on_from_what_this_one_has_saved_and_this_one_from_that(old: Version) -> None:
    scenario = Scenario()
    scenario.ticks(0, 20)
    for number in range(3):
        scenario.beat(20 + number, signal_id=f"b{number}")
    scenario.signal(24, "fault", "3")
    scenario.signal(25, "fault", "4")
    scenario.signal(26, "restore", "3", "fault")
    scenario.signal(27, "fire", "7")
    scenario.ticks(28, 400)
    scenario.beat(401, signal_id="b9")
    ours = saved(scenario.engine)
    done = subprocess.run(
        [sys.executable, "-c", THERE_AND_BACK],
        cwd=old.root,
        input=json.dumps(ours),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    assert says_all_of(plain(ours), plain(theirs)), "it may know less, and nothing else"
    again = restore(theirs["head"], [SavedUnit(*one) for one in theirs["units"]], **NO_REGISTRY)
    assert says_all_of(plain(saved(again)), plain(theirs))
