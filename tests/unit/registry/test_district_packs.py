"""The packs of the sources' districts say what their source says and nothing of another's; the rest is a proposal."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from schemas.pack import Pack
from services.registry.adapters.files import LocalFiles
from services.registry.domain.policy import Policy
from services.registry.domain.routing import resolve
from services.registry.worker.checking import PackCheck
from services.registry.worker.importing import Importer
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, ROOT, T0, unit
from tests.unit.registry.test_sample_pack import BLOCKS_OF_003, TABLE

PACKS = ROOT / "deploy" / "packs"
SOURCES = {"county-2009": "000", "gulou-2021": "003", "jingyu-2021": "001", "jiangjin-2012": "004"}
EVERY = pytest.mark.parametrize("name", SOURCES)
TARGETS = {
    "county-2009": {
        "T01": ("time_weighted_networking_rate", "S1", 1.0, "000 二(二) last item"),
        "T02": ("access_rate", "S2", 1.0, "000 二(二) last item"),
    },
    "gulou-2021": {
        "T03": ("access_rate", "S3", 0.3, "003 brigade 四"),
        "T04": ("dossier_complete_rate", "KEY", 0.9, "003 street 7"),
    },
    "jingyu-2021": {},
    "jiangjin-2012": {},
}
# Section 1.2 of the domain notes, the shares that a source names: obligation, share, clause.
SHARES = {
    "county-2009": {
        "T11": (1.0, "000 三 4"), "T20": (1.0, "000 二(一)1"), "T28": (0.7, "000 三 1"), "T40": (1.0, "000 二(二)1"),
        "T41": (1.0, "000 二(二)2"), "T42-basics": (0.5, "000 三 1"), "T42-model": (0.05, "000 三 1"),
        "T43-communities": (0.5, "000 五 2"), "T43-schools": (0.8, "000 五 2"), "T43-villages": (0.5, "000 五 2"),
        "T43-enterprises": (0.8, "000 五 2"),
    },
    "gulou-2021": {
        "T07": (1.0, "003 street 7"), "T08": (1.0, "003 street 28"), "T09-prompts": (1.0, "003 street 28"),
        "T09-staff": (1.0, "003 street 28"), "T14-lanes": (0.7, "003 street 13; 003 housing 四"),
        "T14-bikes-built": (0.7, "003 street 13; 003 housing 四"),
        "T14-bikes-new": (1.0, "003 street 13; 003 housing 四"), "T15": (0.7, "003 street 13; 003 commerce 三"),
        "T21": (1.0, "003 street 1"), "T23": (1.0, "003 street 2"), "T24": (0.3, "003 street 2"),
        "T46-schools": (1.0, "003 education 五"),
    },
    "jingyu-2021": {},
    "jiangjin-2012": {},
}  # fmt: skip


@cache
def policy(name: str) -> Policy:
    return LocalFiles().read_pack(str(PACKS / f"{name}.yaml")).policy


@cache
def pack(name: str) -> Pack:
    return Pack.model_validate_json(policy(name).document)


def clauses(pack: Pack) -> Iterator[str]:
    yield pack.default_route.clause
    yield pack.common_cause.clause
    yield from (noise.clause for noise in (pack.flapping, pack.grouping) if noise is not None)
    yield from (department.clause for department in pack.departments)
    yield from (route.clause for route in pack.routes)
    yield from (step.clause for ladder in pack.ladders.values() for step in ladder.steps)
    yield from (scope.clause for scope in pack.scopes.values())
    yield from (target.clause for target in pack.targets.values())
    yield from (obligation.clause for obligation in pack.obligations.values())
    yield from (profile.anchor for profile in pack.profiles.values())


def test_every_pack_that_is_shipped_passes_the_check_and_no_two_overlap() -> None:
    paths = sorted(map(str, PACKS.glob("*.yaml")))
    reports = PackCheck(files=LocalFiles()).check(paths)
    assert {Path(report.file).stem: report.errors for report in reports} == dict.fromkeys(
        [*SOURCES, "sample-2026"], ()
    )  # fmt: skip


@EVERY
def test_a_pack_is_named_as_its_file_and_taken_by_an_import(name: str) -> None:
    assert policy(name).pack_id == name


async def test_all_of_them_stand_beside_each_other_in_one_register() -> None:
    importer = Importer(files=LocalFiles(), store=MemoryStore(), clock=ManualClock(T0))
    reports = [await importer.import_pack(str(path)) for path in sorted(PACKS.glob("*.yaml"))]
    assert [(report.errors, report.changed) for report in reports] == [((), 1)] * 5


@EVERY
def test_every_value_cites_its_own_source_or_is_a_proposal(name: str) -> None:
    for clause in clauses(pack(name)):
        first = clause.split(" ")[0]
        assert first == SOURCES[name] or clause.startswith("proposal"), clause
        others = {source for source in SOURCES.values() if source != SOURCES[name]}
        assert not others & {word.strip(";,") for word in clause.split()}, clause


@EVERY
def test_targets_are_those_of_the_source_and_no_others(name: str) -> None:
    found = {key: (each.metric, each.scope, each.value, each.clause.partition("; proposal")[0])
             for key, each in pack(name).targets.items()}  # fmt: skip
    assert found == TARGETS[name]


@EVERY
def test_shares_that_no_figure_measures_stand_in_the_pack_with_their_clause(name: str) -> None:
    found = {key: (each.share, each.clause) for key, each in pack(name).obligations.items() if each.share is not None}
    assert found == SHARES[name]
    assert pack(name).obligations


def test_gulou_routes_are_those_of_the_table_of_its_source() -> None:
    routes = {route.code: route for route in pack("gulou-2021").routes}
    assert set(routes) == set(TABLE)
    for code, (lead, copies, confidence, source) in TABLE.items():
        route = routes[code]
        assert (route.lead, route.street_leads) == ((None, True) if lead == "STREET" else (lead, False))
        assert (set(route.copies), route.confidence) == (set(copies), confidence)
        assert route.clause.startswith(source)


def test_gulou_says_who_is_told_or_leads_without_being_named() -> None:
    for route in pack("gulou-2021").routes:
        assumed = bool(route.copies) or (route.confidence == "C" and route.lead is not None)
        assert not assumed or "proposal" in route.clause, route.code


def test_gulou_has_the_bodies_of_the_26_blocks() -> None:
    """Block 1, the streets and towns, comes with the departments file."""
    assert [department.code for department in pack("gulou-2021").departments][:25] == BLOCKS_OF_003


@pytest.mark.parametrize("name", ["county-2009", "jingyu-2021", "jiangjin-2012"])
def test_where_a_source_names_no_department_every_route_is_a_gap(name: str) -> None:
    assert {route.code for route in pack(name).routes} == set(TABLE)
    assert {route.lead for route in pack(name).routes} == {None}


@EVERY
@pytest.mark.parametrize("category", TABLE)
def test_every_category_reaches_somebody(name: str, category: str) -> None:
    route = resolve(unit(category=category), policy(name), DAY)
    assert route.lead in {*policy(name).bodies, "T001"}


@EVERY
def test_what_is_a_proposal_can_be_listed(name: str) -> None:
    proposals = dict(policy(name).proposals)
    assert "ladders.hazard.steps.H0.clause" in proposals
    assert all("proposal" in text for text in proposals.values())
    assert len(proposals) == sum("proposal" in clause for clause in clauses(pack(name)))
