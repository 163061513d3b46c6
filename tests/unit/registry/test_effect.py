"""A dry run says what an import would change, and changes nothing."""

import io
from collections.abc import Sequence
from datetime import date, timedelta

from services.registry.adapters.printing import Printer
from services.registry.domain.effect import MAX_DAYS, Effects
from services.registry.domain.reports import ImportReport
from services.registry.worker.trying import Trial
from tests.unit.registry.builders import DAY, PACK_FILE, unit_row, units_csv
from tests.unit.registry.test_importing import Office, office

__all__ = ["office"]

NEW = unit_row("U000002", construction="new_build", key_unit="no", commissioned_on="")


def trial(office: Office) -> Trial:
    return Trial(importer=office.importer, store=office.store, clock=office.clock)


async def try_units(office: Office, *rows: str, name: str = "units.csv") -> tuple[Effects, str]:
    """Return the effect of a units file, and what is printed of it."""
    reports, found = await trial(office).files([(office.file(name, units_csv(*rows)), None)])
    return found, said(found, reports)


async def try_pack(office: Office, *replacements: tuple[str, str], since: date | None = None) -> tuple[Effects, str]:
    text = PACK_FILE.read_text(encoding="utf-8").replace("\nversion: 1\n", "\nversion: 2\n")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    report, found = await trial(office).pack(office.file("pack.yaml", text), since)
    return found, said(found, [report])


def said(found: Effects, reports: Sequence[ImportReport]) -> str:
    out = io.StringIO()
    Printer(out).effects(found, reports)
    return out.getvalue()


async def with_units(office: Office, *rows: str) -> Office:
    assert not (await office.take("units.csv", units_csv(*(rows or (unit_row(),))))).refused
    return office


async def test_nothing_is_kept_of_a_dry_run(office: Office) -> None:
    before = dict(office.store.versions), set(office.store.unpublished), list(office.store.notes)
    found, _ = await try_units(office, unit_row(), NEW)
    assert found.found
    assert (office.store.versions, office.store.unpublished, office.store.notes) == before


async def test_who_joins_a_scope_and_what_becomes_of_its_access_rate(office: Office) -> None:
    _, text = await try_units(await with_units(office), unit_row(), unit_row("U000003", commissioned_on=""))
    assert "effect on 2026-03-02 in district sample (pack sample-2026 version 1):\n  units: 1 -> 2\n" in text
    scope = "S3 Key units with an automatic fire-alarm system (smart-fire platform)"
    rate = "1 -> 2 units; access rate 1/1 (100.0 %) -> 1/2 (50.0 %); target T03 >= 0.3: compliant -> compliant"
    assert f"  {scope}: {rate}\n    join (1): U000003 安澜医院\n" in text


async def test_a_target_that_would_be_missed_is_said(office: Office) -> None:
    _, text = await try_units(await with_units(office), unit_row(commissioned_on=""))
    assert "access rate 1/1 (100.0 %) -> 0/1 (0.0 %); target T03 >= 0.3: compliant -> non_compliant" in text
    assert "  no longer commissioned (1): U000001 安澜医院\n" in text


async def test_an_empty_scope_is_never_100_per_cent(office: Office) -> None:
    _, text = await try_units(await with_units(office), unit_row(key_unit="no"))
    assert "S1 Key units with automatic fire facilities that are crowded or flammable places: 1 -> 0 units" in text
    assert "access rate 1/1 (100.0 %) -> not applicable" in text
    assert "    leave (1): U000001 安澜医院\n" in text


async def test_a_route_that_changes_and_one_that_is_missing(office: Office) -> None:
    _, text = await try_units(await with_units(office), unit_row(category="OFFICE"), unit_row("U2", category="OFFICE"))
    assert "  routes that change (1): U000001 安澜医院: health -> T001 (told: brigade)\n" in text
    assert "  no department is named for (2): U000001 安澜医院; U2 安澜医院\n" in text


async def test_a_pack_that_names_another_department_moves_the_routes(office: Office) -> None:
    _, text = await try_pack(await with_units(office), ("lead: health", "lead: civil-affairs"))
    assert "(pack sample-2026 version 1 -> sample-2026 version 2)" in text
    assert "  routes that change (1): U000001 安澜医院: health -> civil-affairs\n" in text


async def test_a_pack_that_counts_others_says_who_leaves(office: Office) -> None:
    narrower = ("all: [key_unit, fire_alarm_system]", "all: [key_unit, flammable_place]")
    found, text = await try_pack(await with_units(office), narrower)
    (effect,) = found.found
    left = {each.scope.name: [unit.unit_id for unit in each.leaves] for each in effect.scopes if each.leaves}
    assert left == {"S3": ["U000001"]}
    assert "access rate 1/1 (100.0 %) -> not applicable" in text


async def test_what_begins_later_is_told_for_its_day(office: Office) -> None:
    found, _ = await try_units(await with_units(office), unit_row(category="SCHOOL", valid_from="2026-07-01"))
    assert [(effect.day, effect.rerouted[0].after.lead) for effect in found.found] == [(date(2026, 7, 1), "education")]


async def test_only_so_many_later_days_are_looked_at(office: Office) -> None:
    days = [DAY + timedelta(days=each) for each in range(1, MAX_DAYS + 4)]
    rows = [unit_row(f"U{at}", valid_from=str(day)) for at, day in enumerate(days)]
    found, text = await try_units(office, *rows)
    assert [effect.day for effect in found.found] == days[:MAX_DAYS]
    assert "more begins on 3 later days, not shown" in text


async def test_what_begins_before_today_says_that_closed_figures_are_revised(office: Office) -> None:
    found, text = await try_units(office, unit_row(valid_from="2026-01-15"))
    assert found.restates_from == date(2026, 1, 15)
    assert "begins before today, on 2026-01-15: figures closed since then will be revised" in text


async def test_the_same_again_has_no_effect(office: Office) -> None:
    found, text = await try_units(await with_units(office), unit_row())
    assert (found, text) == (Effects([]), "effect: no unit, scope or route changes\n")


async def test_of_files_that_are_refused_nothing_is_said_of_an_effect(office: Office) -> None:
    found, text = await try_units(office, unit_row(category="PALACE"))
    assert (found.found, text) == ([], "")


async def test_names_are_listed_up_to_a_bound_and_the_rest_counted(office: Office) -> None:
    _, text = await try_units(office, *(unit_row(f"U{at:03}") for at in range(13)))
    line = next(line for line in text.splitlines() if line.startswith("  begin (13)"))
    assert (line.count("安澜医院"), line.endswith("U009 安澜医院 and 3 more")) == (10, True)


async def test_the_live_rate_is_not_guessed(office: Office) -> None:
    _, text = await try_units(office, unit_row())
    assert "live networking rate: not shown; the registry does not know who is connected\n" in text


async def test_a_file_with_a_chinese_name_and_headings_is_answered_in_chinese(office: Office) -> None:
    rows = (
        "单位编号,单位名称,区县,街镇,社区,场所类别,消防安全重点单位,自动消防设施,人员密集场所,易燃易爆场所,火灾自动报警系统,停用报备起,停用报备止,停用报备原因\n"
        "U1,安澜医院,sample,T001,云澜社区,HOSPITAL,是,是,是,否,是,2026-03-01,2026-03-31,改造\n"
    )
    reports, found = await trial(office).files([(office.file("单位.csv", rows), None)])
    text = said(found, reports)
    assert "2026-03-02 对区县 sample 的影响（政策包 sample-2026 第 1 版）：\n  单位数：0 → 1\n" in text
    assert "联网接入率 不适用 → 0/1 (0.0 %，其中停用报备 1)" in text
    assert "  停用报备中（1）：U1 安澜医院\n" in text
    assert "实时联网率：此处不显示" in text
    assert "effect" not in text


async def test_a_first_pack_of_a_district_is_told(office: Office) -> None:
    elsewhere = ("district: sample", "district: elsewhere"), ("pack_id: sample-2026", "pack_id: other")
    _, text = await try_pack(office, *elsewhere)
    assert "effect on 2026-03-02 in district elsewhere (pack none -> other version 2):\n" in text


async def test_beside_a_file_that_is_refused_the_effect_says_that_it_has_no_part_in_it(office: Office) -> None:
    files = [office.file("units-1.csv", units_csv(NEW)), office.file("units-2.csv", units_csv(unit_row("U 2")))]
    reports, found = await trial(office).files([(file, None) for file in files])
    assert [report.refused for report in reports] == [False, True], reports
    assert said(found, reports).startswith("effect without the files that are refused:\neffect on 2026-03-02")
