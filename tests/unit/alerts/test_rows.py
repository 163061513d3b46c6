"""What a row is made of in the code and in the statements is the same."""

import json
import re
from dataclasses import replace

import pytest

from services.alerts.adapters.rows import (
    OWN,
    Ladders,
    audit_row,
    case_of,
    case_row,
    clock_rows,
    ladder_text,
    notice_row,
    opened_rows,
    receipt_rows,
    taken_row,
    to_json,
)
from services.alerts.adapters.statements import SQL
from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Receipt
from services.alerts.domain.case.event import Proof
from services.alerts.domain.delivery.notice import About, Notice
from services.alerts.domain.escalation.guarded import GuardedTime
from services.alerts.domain.escalation.steps import StepTaken
from services.alerts.domain.ids import BodyCode, CaseId, NoticeId
from services.kernel.words import Purpose
from tests.unit.alerts.build import T0, address, case

CASE = case(receipts=(Receipt(BodyCode("health"), "H0", T0, "clerk", "console", "收到"),))
NOTICE = Notice(
    NoticeId("N1"), CASE.case_id, "H0", Purpose.NOTICE, address(), "t", "s", "b", "c", T0, T0, About(Proof("t", 0, 1))
)
STEP = StepTaken(CASE.case_id, "H0", T0, T0, "I1", "c", (), None)
NEVER_CHANGED = {"case_id", "kind", "subject_kind", "subject_id", "opened_at", "guarded"}


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("case_names", case_row(CASE, 0)),
        ("clock_names", clock_rows([CASE])[0]),
        ("receipt_names", receipt_rows([CASE])[0]),
        ("step_names", taken_row(STEP)),
        ("notice_names", notice_row(NOTICE, None, None, None)),
        ("audit_names", audit_row(AuditEntry(T0, "alerts", "opened", CASE.case_id, {}))),
    ],
)
def test_every_column_of_a_row_is_inserted(columns: str, row: dict[str, object]) -> None:
    assert sorted(names(SQL[columns])) == sorted(row)


def test_every_column_of_a_case_is_read() -> None:
    columns = [f"c.{name}" for name in names(SQL["names_but_ladder"])]
    assert sorted(names(SQL["case_columns"])) == sorted([*columns[:-1], "c.guarded::text AS guarded"])
    assert ") AS ladder," in SQL["whole_case"]
    beside: list[dict[str, object]] = [{"clocks": clock_rows([CASE]), "receipts": receipt_rows([CASE])}]
    row = {**case_row(CASE, None), "guarded": "[]", "ladder": ladder_text(CASE.ladder)}
    assert case_of({**row, **json.loads(to_json(beside))[0]}) == CASE


def test_every_column_of_a_case_that_may_change_is_updated() -> None:
    pairs = re.findall(r"(\w+) = (\w)\.(\w+)", SQL["update_cases"].partition("WHERE")[0])
    may_change = [name for name in names(SQL["names_but_ladder"]) if name not in NEVER_CHANGED]
    assert sorted(name for name, _, _ in pairs) == sorted(may_change)
    assert " ladder = coalesce(" in SQL["update_cases"]
    assert all(name == source for name, _, source in pairs)
    assert [name for name, table, _ in pairs if table != "n"] == ["revision"], "the only one that counts by itself"


def test_ladders_that_cases_share_are_written_once() -> None:
    ladders, other = Ladders(), replace(CASE, ladder=CASE.ladder[:1])
    assert [ladders.number(one.ladder) for one in (CASE, case(), other, CASE)] == [0, 0, 1, 0]
    assert json.loads(ladders.json()) == [json.loads(ladder_text(one.ladder)) for one in (CASE, other)]


def test_new_cases_that_are_alike_name_the_first_and_bring_what_is_their_own() -> None:
    other = [replace(CASE, case_id=CaseId(f"C{number}")) for number in range(2)]
    shorter = replace(CASE, case_id=CaseId("C9"), ladder=CASE.ladder[:1])
    told = replace(CASE, case_id=CaseId("C11"), step="F0")
    guarded = replace(
        CASE, case_id=CaseId("C10"), guarded=(GuardedTime("节", "festival", T0.date(), T0.date(), 2, "c"),)
    )
    ladders = Ladders()
    whole, alike = opened_rows([CASE, other[0], shorter, guarded, told, other[1]], ladders)
    assert [(row["case_id"], row["ladder"]) for row in whole] == [
        (CASE.case_id, 0),
        ("C9", 1),
        ("C10", 0),
        ("C11", 0),
    ]
    assert [(row["case_id"], row["first"]) for row in alike] == [("C0", CASE.case_id), ("C1", CASE.case_id)]
    assert [len(row["guarded"]) for row in whole] == [0, 0, 1, 0]
    first = case_row(CASE, None)
    assert all(
        {**first, **row} == {**case_row(one, None), "first": CASE.case_id}
        for row, one in zip(alike, other, strict=True)
    )


def test_each_column_of_a_new_case_is_its_own_or_shared() -> None:
    own, shared = names(SQL["own_names"]), names(SQL["shared_names"])
    assert own == list(OWN)
    assert sorted([*own, *shared, "guarded", "ladder"]) == sorted(case_row(CASE, 0))
    typed = re.search(r"AS n \((.*?)\)\s*CROSS", SQL["insert_cases_like"], re.DOTALL)
    assert typed is not None
    assert [one.split()[0] for one in typed[1].split(",")] == ["first", *own]
