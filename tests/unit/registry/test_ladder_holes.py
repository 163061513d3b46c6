"""A ladder with holes is refused at the place of the hole: nobody told, never due, or an exit that cannot happen."""

import re
from pathlib import Path

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.errors import FileRefused, RowError
from tests.unit.registry.builders import PACK_FILE

SAMPLE = PACK_FILE.read_text(encoding="utf-8")
O1, O4, H1 = "ladders.organisation.steps.1", "ladders.organisation.steps.6", "ladders.hazard.steps.1"


def errors(folder: Path, *changes: tuple[str, str]) -> list[RowError]:
    text = SAMPLE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "pack.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        LocalFiles().read_pack(str(path))
    except FileRefused as refused:
        return list(refused.errors)
    return []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "path", "expected", "found"),
    [
        (("tells: [unit_manager, grid_officer]", "tells: []"), f"{H1}.tells", "at least one recipient", "none"),
        (("tells: [unit_manager, grid_officer]", "tells: [body]"), f"{H1}.tells.0", "that a unit has", "body"),
        (
            ("grid_officer], document: I2", "grid_officer], document: I8"),
            f"{H1}.document",
            "a document about a unit",
            "I8",
        ),
        (
            ("{period: day}}, tells: [body]", "{period: day}}, tells: [street]"),
            "ladders.organisation.steps.0.tells.0",
            "a recipient of a case of a body",
            "street",
        ),
        (("document: I8", "document: I5"), f"{O4}.document", "a document about a body", "I5"),
        (
            ("trigger: {overdue: {clock: receipt}}, tells: [body, brigade]", "after_s: 86400, tells: [body, brigade]"),
            "ladders.organisation.steps.2.after_s",
            "what time makes due would wait for the closes before it",
            "a time",
        ),
        (
            (
                "trigger: {period_close: {period: year}}, tells: [committee], document: I8",
                "trigger: {event: {kind: component_added}}, tells: [committee], document: I8",
            ),
            f"{O4}.trigger.event.kind",
            "an event that happens to a body",
            "component_added",
        ),
        (
            ("findings: [day, month, quarter, half_year, year]", "findings: [day, month, quarter, half_year]"),
            f"{O4}.trigger.period_close.period",
            "`publication.findings` goes up to half_year",
            "year",
        ),
        (
            ("findings: [day, month, quarter, half_year, year]", "findings: []"),
            "ladders.organisation.kinds",
            "closes that make findings about bodies",
            "none",
        ),
        (
            ("kinds: [below_target]", "kinds: [below_target, fault]"),
            "ladders.organisation.kinds",
            "not both",
            "below_target, fault",
        ),
        (
            ("first: 2026-02-15, last: 2026-02-23", "first: 2026-02-15, last: 2026-02-13"),
            "guarded.0.last",
            "not before",
            "2026-02-13",
        ),
        (("last: 2026-02-23, times: 2", "last: 2026-02-23, times: 1"), "guarded.0.times", "2", "1"),
    ],
)
def test_a_hole_is_told_at_its_place(
    tmp_path: Path, change: tuple[str, str], path: str, expected: str, found: str
) -> None:
    told = [one for one in errors(tmp_path, change) if one.column == path]
    assert [(expected in str(one.expected), str(one.found)) for one in told] == [(True, found)]
    assert all(one.row > 1 and one.char > 1 for one in told), "line and column"


def test_a_recipient_that_the_pack_has_no_body_of_is_a_hole(tmp_path: Path) -> None:
    changes = [(line, line.replace("kind: committee", "kind: department")) for line in SAMPLE.splitlines()
               if re.search(r"kind: committee", line)]  # fmt: skip
    told = errors(tmp_path, *changes)
    assert {one.column.rpartition(".tells")[0] for one in told} >= {O1, O4, "ladders.hazard.steps.8"}


def test_the_condition_of_two_years_wants_the_closes_of_years(tmp_path: Path) -> None:
    told = errors(
        tmp_path,
        ("findings: [day, month, quarter, half_year, year]", "findings: [day, month]"),
        (
            "{code: O4, trigger: {period_close: {period: year}}",
            "{code: O4, trigger: {condition: {name: two_years_running}}",
        ),
    )
    assert "ladders.organisation.steps.6.trigger.condition.name" in {one.column for one in told}


def test_the_sample_pack_has_no_hole(tmp_path: Path) -> None:
    assert errors(tmp_path) == []
