"""Which rates stand on the wall, and against which target: only one of the live rate itself."""

import json
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from services.console.adapters.encode import JsonEncoder
from services.console.adapters.rows import names
from services.console.domain.dashboard_snapshot import AreaEvent, Names
from services.console.domain.rates import RateCounts
from services.console.domain.viewer import Slice
from tests.fakes.console import FakeReadModel

PACK = Path(__file__).resolve().parents[3] / "deploy" / "packs" / "sample-2026.yaml"


def live(value: str) -> dict[str, str]:
    return {"metric": "live_networking_rate", "scope": "S1", "value": value, "due": "12-31", "clause": "c"}


async def shown(known: Names) -> dict[str, Any]:
    rows = tuple(RateCounts(scope, "sample", online=199, offline=1) for scope in ("ALL", "S", "KEY", "S1", "S2", "S3"))
    snapshot = replace(await FakeReadModel().snapshot(Slice(None)), headline=rows, boards={"town": rows})
    sections = JsonEncoder().sections(snapshot, known)
    return {"rates": json.loads(sections["rates"]), "boards": json.loads(sections["boards"])}


async def test_scopes_counted_for_another_purpose_are_not_judged_by_the_live_rate() -> None:
    pack = json.loads(json.dumps(yaml.safe_load(PACK.read_text(encoding="utf-8")), default=str))
    page = await shown(names([(date(2026, 3, 4), date(2026, 1, 1), {"pack": pack})], []))
    assert set(page["rates"]) == {"S1", "S2"}
    assert {
        scope: (rate["target"]["id"], rate["target"]["percent"], rate["target"]["due"], rate["verdict"])
        for scope, rate in page["rates"].items()
    } == {
        "S1": ("T05", 100.0, "12-31", "non_compliant"),
        "S2": ("T06", 100.0, "at_acceptance", "non_compliant"),
    }
    assert {row["scope"] for row in page["boards"]["town"]} == {"S1", "S2"}


def test_each_district_is_named_by_the_pack_that_stands_and_the_lower_target_is_shown() -> None:
    def pack(district: str, first: str, last: str, target: str, version: int = 1) -> tuple[date, date, Any]:
        body = {
            "pack_id": f"{district}-{first}", "version": version, "district": district,
            "name_zh": f"{district} {first}",
            "valid_from": first, "valid_to": last,
            "targets": {"T": live(target), "A": live("0.01") | {"metric": "access_rate"}},
            "departments": [{"code": f"{district}-{first}", "name_zh": district}],
        }  # fmt: skip
        return date(2026, 3, 4), date(2025, 1, 1), {"pack": body}

    known = names(
        [
            pack("b", "2026-01-01", "2026-12-31", "0.9"),
            pack("b", "2027-01-01", "2027-12-31", "0.1"),
            pack("a", "2026-03-01", "2026-03-03", "0.2"),
            pack("a", "2026-01-01", "2026-12-31", "0.3", version=1),
            pack("a", "2026-01-01", "2026-12-31", "0.95", version=2),
        ],
        [],
    )
    assert known.district[0] == "a 2026-01-01、b 2026-01-01"
    assert known.targets["S1"].value == Fraction("0.9")
    assert "a-2026-03-01" in known.bodies, "an open case may name a body of a pack that is over"


async def test_a_scope_without_a_target_of_the_live_rate_is_not_judged() -> None:
    """An access rate that must reach 30 % says nothing about what must be online."""
    body = {
        "pack_id": "p", "version": 1, "district": "d", "valid_from": "2026-01-01", "valid_to": "2026-12-31",
        "scopes": {"S3": {"headline": True}},
        "targets": {"T03": live("0.3") | {"metric": "access_rate", "scope": "S3"}},
    }  # fmt: skip
    page = await shown(names([(date(2026, 3, 4), date(2025, 1, 1), {"pack": body})], []))
    rate = page["rates"]["S3"]
    assert (rate["target"], rate["verdict"], rate["missing"]) == (None, "no_target", 0)


async def test_without_a_pack_every_scope_is_shown() -> None:
    assert set((await shown(Names()))["rates"]) == {"ALL", "S", "KEY", "S1", "S2", "S3"}


def test_two_districts_may_call_their_schemes_the_same() -> None:
    def pack(district: str, points: int) -> tuple[date, date, Any]:
        body = {
            "pack_id": f"{district}-2026", "version": 1, "district": district, "valid_from": "2026-01-01",
            "valid_to": "2026-12-31", "evaluation": {"towns": {"bands": {"good": points}}},
        }  # fmt: skip
        return date(2026, 3, 4), date(2025, 1, 1), {"pack": body}

    known = names([pack("a", 80), pack("b", 70)], [])
    assert {code: row["bands"]["good"] for code, row in known.evaluations.items()} == {
        "a-2026/towns": 80, "b-2026/towns": 70
    }  # fmt: skip


def test_events_are_those_of_the_pack_that_held_on_their_first_day() -> None:
    def pack(version: int, first: str, *events: dict[str, Any]) -> tuple[date, date, Any]:
        body = {"pack_id": "p", "version": version, "district": "d", "valid_from": first, "valid_to": "2026-12-31"}
        return date(2026, 9, 1), date(2025, 1, 1), {"pack": body | {"area_events": list(events)}}

    def event(name: str, first: str, **more: Any) -> dict[str, Any]:
        return {"name_zh": name, "name_en": "", "first": first, "last": first, **more}

    taken_back, typhoon, cut = (
        event("误", "2026-02-01"),
        event("台风", "2026-07-01", towns=["T1"]),
        event("停电", "2026-08-02"),
    )
    known = names(
        [pack(1, "2026-01-01", taken_back), pack(2, "2026-01-01", typhoon), pack(3, "2026-08-01", typhoon, cut)], []
    )
    assert known.events == (
        AreaEvent(("台风", ""), date(2026, 7, 1), date(2026, 7, 1), ("T1",), "d"),
        AreaEvent(("停电", ""), date(2026, 8, 2), date(2026, 8, 2), (), "d"),
    )
    first, second = known.events
    day = timedelta(days=1)
    assert first.touches(first.first, first.last, "T1")
    assert not first.touches(first.first, first.last, "T2")
    assert first.touches(first.first, first.last, None)
    assert not first.touches(first.first - 2 * day, first.first - day)
    assert second.touches(second.first - day, second.first + day, "T2")
