"""Packs of several districts judge each its own; those of one district judge every unit."""

import json
from pathlib import Path
from typing import Any

from tests.contract.compliance.pipe import answer

EXAMPLE = Path(__file__).parent / "examples" / "floor-2-of-3"
PACK = (EXAMPLE / "PACK.yaml").read_text("utf-8")
OTHER = (
    PACK.replace(
        "pack_id: sample-2026\nversion: 1\ndistrict: sample", "pack_id: other-2026\nversion: 9\ndistrict: other"
    )
    .replace("valid_from: '2026-01-01'", "valid_from: '2026-02-01'")
    .encode()
)
REGISTRY = "".join(
    line.replace('"district":"sample"', '"district":"other"') if '"unit:U3"' in line else line
    for line in (EXAMPLE / "REGISTRY.jsonl").read_text("utf-8").splitlines(keepends=True)
).encode()
LIVE = {"metric": "live_networking_rate", "scope": "S1"}


def told(work: Path, ask: object, second_pack: bytes | None = OTHER) -> Any:
    raw = json.dumps(ask).encode()
    return json.loads(answer(EXAMPLE, work, registry=REGISTRY, ask=raw, second_pack=second_pack)[1])


def counts(figure: dict[str, Any]) -> tuple[str, int, int, int]:
    return figure["pack"]["pack_id"], figure["pack"]["version"], figure["numerator"], figure["denominator"]


def test_a_unit_counts_under_the_pack_of_its_own_district_only(tmp_path: Path) -> None:
    asks = [{**LIVE, "slice": {"district": name}} for name in ("sample", "other")]
    asks.append({**LIVE, "unit": "U3"})
    found = [counts(figure) for figure in told(tmp_path, {"figures": asks})["figures"]]
    assert found == [("sample-2026", 1, 2, 2), ("other-2026", 9, 0, 1), ("other-2026", 9, 0, 1)]


def test_packs_of_two_districts_do_not_judge_one_figure(tmp_path: Path) -> None:
    assert told(tmp_path, {"figures": [LIVE]})["error"]["code"] == "bad_ask"


def test_a_pack_that_is_given_alone_judges_every_unit(tmp_path: Path) -> None:
    """R2 knows no districts: `--pack` rules. Only packs of several districts part their units."""
    (figure,) = told(tmp_path, {"figures": [LIVE]}, second_pack=None)["figures"]
    assert counts(figure) == ("sample-2026", 1, 2, 3)
    (other,) = told(tmp_path, {"figures": [{**LIVE, "slice": {"district": "other"}}]}, second_pack=None)["figures"]
    assert counts(other) == ("sample-2026", 1, 0, 1)


def test_a_pack_of_another_district_fills_no_gap(tmp_path: Path) -> None:
    """That of `other` begins in February."""
    window = {"units": ["U3"], "from": "2026-01-31", "to": "2026-02-02"}
    assert told(tmp_path, {"intervals": [window]})["error"]["code"] == "no_pack"
