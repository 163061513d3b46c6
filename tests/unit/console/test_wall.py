"""Which rates stand on the wall: only scopes whose live rate has a target of its own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from services.console.adapters.encode import JsonEncoder
from services.console.adapters.rows import names
from services.console.domain.picture import Names
from services.console.domain.rates import RateCounts
from services.console.domain.viewer import Slice
from tests.fakes.console import FakeReadModel

PACK = Path(__file__).resolve().parents[3] / "deploy" / "packs" / "sample-2026.yaml"


async def shown(known: Names) -> dict[str, Any]:
    rows = tuple(RateCounts(scope, "sample", online=199, offline=1) for scope in ("ALL", "S", "KEY", "S1", "S2", "S3"))
    picture = replace(await FakeReadModel().picture(Slice(None)), headline=rows, boards={"town": rows})
    sections = JsonEncoder().sections(picture, known)
    return {"rates": json.loads(sections["rates"]), "boards": json.loads(sections["boards"])}


async def test_scopes_counted_for_another_purpose_are_not_judged_by_the_live_rate() -> None:
    pack = yaml.safe_load(PACK.read_text(encoding="utf-8"))
    page = await shown(names([("pack", "sample-2026", {"pack": pack})]))
    assert set(page["rates"]) == {"S1", "S2"}
    assert {rate["target_percent"] for rate in page["rates"].values()} == {100.0}
    assert {row["scope"] for row in page["boards"]["town"]} == {"S1", "S2"}


async def test_without_a_pack_every_scope_is_shown() -> None:
    assert set((await shown(Names()))["rates"]) == {"ALL", "S", "KEY", "S1", "S2", "S3"}
