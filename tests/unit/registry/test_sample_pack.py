"""The sample pack says what the domain notes say: table 1.8 is written out here again, by hand."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.pack import Pack
from services.kernel.words import Recipient
from services.registry.adapters.pack_file import read_pack_text
from services.registry.domain.routing import resolve
from tests import quick_yaml
from tests.unit.registry.builders import DAY, PACK_FILE, pack_text_with_acceptance, policy, unit

# category: lead (None: nobody is named, STREET: the clause names the street), also told, confidence, source block
TABLE = {
    "SCHOOL": ("education", (), "A", "003 education"),
    "VOCATIONAL": ("human-resources", ("education",), "A", "003 human resources"),
    "HOSPITAL": ("health", (), "A", "003 health"),
    "ELDERLY": ("civil-affairs", ("health",), "A", "003 civil affairs"),
    "WELFARE": ("civil-affairs", (), "A", "003 civil affairs"),
    "VETERAN": ("veterans", (), "A", "003 veterans"),
    "ENTERTAIN": ("culture-tourism", ("police",), "A", "003 culture"),
    "HOTEL_STAR": ("culture-tourism", ("commerce",), "A", "003 culture"),
    "HOTEL_OTHER": (None, ("police",), "C", "003 street 6"),
    "SCENIC": ("culture-tourism", (), "A", "003 culture"),
    "STADIUM": ("culture-tourism", ("police",), "A", "003 culture"),
    "MUSEUM": ("culture-tourism", (), "A", "003 culture"),
    "LIBRARY": ("culture-tourism", (), "B", "003 culture"),
    "CINEMA": ("publicity", ("culture-tourism",), "B", "003 publicity"),
    "RELIGIOUS": ("religion", (), "A", "003 religion"),
    "COMPLEX": ("commerce", (), "A", "003 commerce"),
    "SHOP_MARKET": ("commerce", ("market",), "B", "003 commerce"),
    "RESIDENTIAL": ("housing", (), "A", "003 housing"),
    "CONSTRUCTION": ("construction", (), "A", "003 construction"),
    "NEW_BUILDING": ("construction", (), "B", "003 construction"),
    "GAS": ("construction", ("emergency",), "A", "003 construction"),
    "CIVIL_EXPLOSIVE": ("industry", ("police", "emergency"), "A", "003 industry"),
    "HAZCHEM": ("emergency", ("industry",), "C", "003 emergency"),
    "FACTORY": (None, ("emergency",), "C", "003 street 6"),
    "SOE": ("state-assets", (), "A", "003 state assets"),
    "PHARMA": ("market", (), "A", "003 market"),
    "SPECIAL_EQUIP": ("market", (), "A", "003 market"),
    "AIR_DEFENCE": ("air-defence", (), "A", "003 air defence"),
    "PARK_GREEN": ("parks", ("urban-management",), "A", "003 parks"),
    "FOREST": ("natural-resources", (), "A", "003 natural resources"),
    "POWER": ("power-grid", (), "B", "003 power grid"),
    "TECH_PARK": ("park-committee", (), "A", "003 park"),
    "RESEARCH": ("development", (), "C", "003 development"),
    "TRANSPORT": (None, (), "gap", "003 street 6"),
    "BROADCAST_POST": (None, ("publicity",), "gap", "003 street 6"),
    "OFFICE": (None, (), "gap", "003 street 6"),
    "RESTAURANT": (None, ("commerce",), "gap", "003 street 6"),
    "NINE_SMALL": ("STREET", ("police",), "A", "003 street 14"),
}
BLOCKS_OF_003 = [
    "emergency", "brigade", "finance", "police", "industry", "state-assets", "development", "construction", "housing",
    "natural-resources", "urban-management", "parks", "air-defence", "health", "culture-tourism", "education",
    "civil-affairs", "religion", "human-resources", "market", "commerce", "power-grid", "publicity", "veterans",
    "park-committee",
]  # fmt: skip


@pytest.fixture(scope="module")
def pack() -> Pack:
    return Pack.model_validate_json(policy().document)


def test_routing_table_is_complete(pack: Pack) -> None:
    assert {route.code for route in pack.routes} == set(TABLE)


@pytest.mark.parametrize("category", TABLE)
def test_route_is_as_in_the_table(pack: Pack, category: str) -> None:
    lead, copies, confidence, source = TABLE[category]
    route = next(each for each in pack.routes if each.code == category)
    assert (route.lead, route.street_leads) == ((None, True) if lead == "STREET" else (lead, False))
    assert (set(route.copies), route.confidence) == (set(copies), confidence)
    assert route.clause.startswith(source)


@pytest.mark.parametrize("category", TABLE)
def test_every_category_reaches_somebody(category: str) -> None:
    route = resolve(unit(category=category), policy(), DAY)
    assert route.lead in {*policy().bodies, "T001"}
    assert route.clause


def test_only_categories_without_a_named_body_are_unrouted() -> None:
    unrouted = {category for category in TABLE if not resolve(unit(category=category), policy(), DAY).routed}
    assert unrouted == {category for category, row in TABLE.items() if row[0] is None}


def test_departments_are_the_26_blocks_in_their_order(pack: Pack) -> None:
    """Block 1, the streets and towns, comes with the departments file."""
    assert [department.code for department in pack.departments][:25] == BLOCKS_OF_003


def test_every_clause_says_something(pack: Pack) -> None:
    clauses = [pack.default_route.clause, pack.common_cause.clause]
    clauses += [department.clause for department in pack.departments]
    clauses += [route.clause for route in pack.routes]
    clauses += [scope.clause for scope in pack.scopes.values()]
    clauses += [target.clause for target in pack.targets.values()]
    clauses += [step.clause for ladder in pack.ladders.values() for step in ladder.steps]
    assert all(clause.strip() for clause in clauses)


def test_scopes_and_targets_cite_the_networking_clause(pack: Pack) -> None:
    assert set(pack.scopes) >= {"S1", "S2", "S3"}
    assert {pack.scopes[scope].clause for scope in ("S1", "S2")} == {"000 二(二) last item"}
    assert (pack.targets["T01"].value, pack.targets["T02"].value, pack.targets["T03"].value) == (1.0, 1.0, 0.3)
    assert pack.targets["T04"].clause == "003 street 7"


def test_profiles_go_offline_as_their_anchors_say(pack: Pack) -> None:
    offline = {name: each.interval_s * each.misses + each.grace_s for name, each in pack.profiles.items()}
    assert offline == {
        "CN-FAST": 240, "CN-GB": 7200, "EN-DP4": 90, "NFPA-SINGLE": 3600, "NFPA-DUAL": 21600, "NB-BATTERY": 176400,
    }  # fmt: skip


def test_hazard_ladder_climbs_to_the_department_within_a_day(pack: Pack) -> None:
    steps = {step.code: step for step in pack.ladders["hazard"].steps}
    assert [(code, step.after_s) for code, step in steps.items()][:5] == [
        ("H0", 0), ("H1", 3600), ("H2", 14400), ("H3", 28800), ("H4", 86400),
    ]  # fmt: skip
    assert list(steps)[5:] == ["H4S", "H4R", "H5", "H6", "H7", "H7L", "H8"]
    assert Recipient.DEPARTMENT not in {who for code in ("H0", "H1", "H2", "H3") for who in steps[code].tells}
    assert steps["H4"].tells == (Recipient.DEPARTMENT, Recipient.STREET)
    assert steps["H4"].reply_working_days == 3


def test_a_new_building_that_is_not_connected_is_told_first_to_who_accepts_buildings_where_the_pack_says_so(
    pack: Pack,
) -> None:
    assert "never_connected" in pack.ladders["hazard"].kinds
    said = read_pack_text(pack_text_with_acceptance())[0].ladders["hazard"].steps[0].tells
    assert Recipient.ACCEPTANCE in said
    assert Recipient.STREET not in said, "never first"


OF_THE_NEXT_RELEASE = {"acceptance"}
"""Recipients for which the release before refuses the whole pack (ADR 107): read now, shipped later."""


@pytest.mark.parametrize("file", sorted(PACK_FILE.parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_shipped_pack_says_what_the_version_before_cannot_read(file: Path) -> None:
    said = quick_yaml.read(file.read_text("utf-8"))
    tells = {who for ladder in said["ladders"].values() for step in ladder["steps"] for who in step["tells"]}
    assert not tells & OF_THE_NEXT_RELEASE
    assert "area_events" not in said
    schemes = (said.get("evaluation") or {}).values()
    assert not [name for scheme in schemes for name, one in scheme["criteria"].items() if "listings" in one]


def test_fire_tells_centre_and_control_room_at_once_and_no_department(pack: Pack) -> None:
    (step,) = pack.ladders["fire"].steps
    assert (step.after_s, set(step.tells)) == (0, {Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM})


def test_the_ladder_of_bodies_climbs_by_closes_and_leaves_papers_of_authorities_to_them(pack: Pack) -> None:
    steps = {step.code: step for name in ("organisation", "grades", "inquiry") for step in pack.ladders[name].steps}
    closes = {code: step.timing.period_close.period for code, step in steps.items() if step.timing.period_close}
    assert closes == {
        "O0": "day", "O1": "month", "O2": "quarter", "O3": "half_year", "O4": "year", "O5": "year",
    }  # fmt: skip
    assert {code: step.document for code, step in steps.items() if step.document.startswith("I")} == {
        "O1": "I6", "O2": "I6", "O4": "I8", "O6": "I9", "O7": "I9",
    }  # fmt: skip
    drafts = {who for code in ("O4", "O6", "O7") for who in steps[code].tells}
    assert Recipient.BODY not in drafts, "an authority tells it itself"
    assert Recipient.GOVERNMENT not in steps["O0"].tells + steps["O1"].tells, "never first"


@pytest.mark.parametrize("file", sorted(PACK_FILE.parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_pack_has_a_ladder_of_bodies_where_it_has_targets_to_miss(file: Path) -> None:
    shipped, _ = read_pack_text(file.read_text(encoding="utf-8"))
    of_bodies = any("below_target" in ladder.kinds for ladder in shipped.ladders.values())
    assert of_bodies == bool(shipped.publication.findings) == bool(shipped.targets)


def test_pack_is_named_as_its_file() -> None:
    assert PACK_FILE.stem == policy().pack_id


def test_a_pack_from_before_unions_could_be_said_means_what_it_meant_then(pack: Pack) -> None:
    said = pack.model_dump(mode="json", exclude={"union", "dimensions"})
    before = Pack.model_validate_json(json.dumps(said))
    assert before.union_scopes() == ("S1", "S2") == pack.union_scopes()
    assert before.dimensions == ("district", "town", "department", "category") == pack.dimensions
    del said["scopes"]["S2"], said["evaluation"]
    said["targets"] = {name: each for name, each in said["targets"].items() if each["scope"] != "S2"}
    assert Pack.model_validate_json(json.dumps(said)).union_scopes() == ("S1",)


def test_the_duty_to_test_that_the_sample_pack_has_as_a_comment_is_one_when_it_is_uncommented() -> None:
    text = PACK_FILE.read_text("utf-8")
    before, _, rest = text.partition("# test_duty:\n")
    lines = rest.splitlines(keepends=True)
    many = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    duty = "".join(line.removeprefix("# ") for line in lines[:many])
    pack = Pack.model_validate(quick_yaml.read(f"{before}test_duty:\n{duty}{''.join(lines[many:])}"))
    assert [(each.scopes, each.every_s, each.buffer_s) for each in pack.test_duty] == [(("S1", "S2"), 1296000, 86400)]
    assert "test_overdue" in pack.ladders["test"].kinds


def test_what_the_sample_pack_says_of_runaway_components_as_a_comment_holds_when_it_is_uncommented() -> None:
    text = PACK_FILE.read_text("utf-8")
    [section] = re.findall(r"^# (runaway_component: .*)$", text, re.MULTILINE)
    [ladder] = re.findall(r"^#   (runaway:\n(?:#     .*\n)+)", text, re.MULTILINE)
    text = text.replace("\nladders:\n", "\nladders:\n  " + ladder.replace("\n#", "\n"), 1)
    pack = Pack.model_validate(quick_yaml.read(f"{text}\n{section}\n"))
    assert pack.runaway_component is not None
    assert (pack.runaway_component.begins, [step.code for step in pack.ladders["runaway"].steps]) == (10, ["R0", "R1"])


@pytest.mark.thorough
@pytest.mark.parametrize("wrong", [{"scopes": ["S9"]}, {"categories": ["NOBODY"]}, {"every_s": 0}])
def test_a_duty_to_test_of_what_the_pack_does_not_have_is_refused(wrong: dict[str, object]) -> None:
    said = quick_yaml.read(PACK_FILE.read_text("utf-8"))
    said["test_duty"] = [{"every_s": 60, "clause": "c", **wrong}]
    with pytest.raises(ValidationError):
        Pack.model_validate(said)
