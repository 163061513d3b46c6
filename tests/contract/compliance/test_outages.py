"""Every outage with whose it is and what shows it, and the time that each of them cost (R20)."""

from pathlib import Path
from typing import Any

from tests.contract.compliance.scenario import DAY, EXEMPT_TODAY, Scenario, iso


def outages(district: Scenario, start: float = 0, end: float = 3600, **asked: Any) -> Any:
    window = {"scope": "S1", "from": iso(start), "to": iso(end), **asked}
    return district.ask("outages", outages=[window])["outages"][0]


def three_lost_together(work: Path) -> Scenario:
    """V1 to V3 heard last at 300, 360 and 420 s, then we are blind from 1200 to 1800."""
    district = Scenario(work)
    district.pack = district.pack.replace("units: 10", "units: 3")
    for number in (1, 2, 3):
        unit, gateway = f"V{number}", f"H{number}"
        district.unit(unit, town=f"T{number}").gateway(gateway, unit)
        district.heartbeats(0, 240 + 60 * number, gateway=gateway, unit=unit)
    return district.ticks(0, 1200).ticks(1800, 3600)


def test_an_outage_says_whose_it_is_and_who_was_lost_with_it(tmp_path: Path) -> None:
    found = outages(three_lost_together(tmp_path), unit="V2")["outages"]
    lost = {
        "unit": "V2", "attribution": "carrier", "gateway": "H2", "last_proof": iso(360), "group": "carrier-a",
        "together_from": iso(300), "together": ["V1", "V2", "V3"],
    }  # fmt: skip
    ours = dict.fromkeys(("gateway", "last_proof", "group", "together_from")) | {"together": [], "attribution": "self"}
    assert found == [
        {**lost, "cause": "deadline", "from": iso(360), "to": iso(1200)},
        {**ours, "unit": "V2", "cause": "blind", "from": iso(1200), "to": iso(1800)},
        {**lost, "cause": "no_proof", "from": iso(1800), "to": iso(3600)},
    ]


def test_lost_time_is_summed_by_whose_it_is(tmp_path: Path) -> None:
    district = three_lost_together(tmp_path).unit("V9", commissioned_on="2025-06-30")
    lost = {name: us // 1_000_000 for name, us in outages(district)["lost_us"].items()}
    carrier = sum(1200 - at + 1800 for at in (300, 360, 420))
    assert lost == {"unit": 3600, "carrier": carrier, "area": 0, "self": 3 * 600}


def test_time_that_is_exempt_or_out_of_scope_or_never_connected_is_no_outage(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit(**EXEMPT_TODAY).gateway().ticks(0, 3600).signal(0)
    district.unit("U2", key_unit=False).gateway("G2", "U2").unit("U3", commissioned_on=None)
    assert outages(district)["outages"] == []


def test_an_outage_over_midnight_is_one(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().unit(since="2026-03-11", town="T002").gateway()
    district.heartbeats(0, 600).ticks(0, DAY + 600)
    spans = [(each["from"], each["to"]) for each in outages(district, 0, DAY + 600)["outages"]]
    assert spans == [(iso(600), iso(DAY + 600))]


def test_what_cannot_be_answered_is_the_same_error_as_for_figures(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().ticks(0, 600)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"scope": "S9"}, "unknown_scope"), ({"unit": "U9"}, "unknown_unit"), ({"slice": {"name": "x"}}, "bad_ask"),
        ({"from": iso(3600)}, "bad_ask"), ({"from": "2025-01-01"}, "no_pack"),
    ]  # fmt: skip
    for changed, code in wrong:
        window = {"scope": "S1", "from": iso(0), "to": iso(3600), **changed}
        assert district.ask("outages", outages=[window])["error"]["code"] == code
