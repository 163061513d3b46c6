"""What a report says of outages, of units below a target, and in words: never a figure of its own."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import openpyxl
import pytest

from services.compliance.domain.publishing import FORMULAS
from services.console.adapters.postgres_reports import SHOWN
from services.console.adapters.report_files import workbook_of
from services.console.adapters.report_sheet import MAX_CHANGES, sheet_of
from services.console.adapters.web import texts
from services.console.domain.dashboard_snapshot import AreaEvent, Names
from services.console.domain.history import Publication, Subject
from services.console.domain.report import (
    Attribution,
    CaseCounts,
    Centre,
    Figure,
    FireFindings,
    Outage,
    PaperCounts,
    Report,
    ReportQuery,
    Section,
    Sheet,
    UnitTime,
    Withheld,
    blocking,
    by_unit,
    period_of,
    total_by,
)
from services.kernel.ratio import Ratio, Reason, Verdict, verdict
from services.kernel.words import Dimension, FindingKind, Instrument, Language, Period

T0 = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEGIN, END = T0, T0 + 24 * HOUR
TEXTS = texts.load()
UNIT = ("东街医院", "Dongjie Hospital")


def at(hours: float) -> datetime:
    return T0 + hours * HOUR


def test_what_we_did_not_see_is_ours_and_in_no_sum_of_a_unit() -> None:
    found = [Outage("U1", UNIT, at(3), at(5), Attribution.SELF)]
    assert by_unit(found) == []
    assert total_by(found)[Attribution.SELF] == (1, 1, 2 * HOUR)
    assert total_by(found)[Attribution.UNIT] == (0, 0, timedelta())


def test_the_longest_units_come_first_with_what_each_of_them_lost() -> None:
    short = Outage("U1", UNIT, at(0), at(1), Attribution.UNIT)
    long = Outage("U2", UNIT, at(0), at(3), Attribution.CARRIER)
    more = Outage("U2", UNIT, at(5), at(6), Attribution.UNIT)
    first, second = by_unit([short, long, more])
    assert (first.unit_id, first.count, first.total, first.longest) == ("U2", 2, 4 * HOUR, 3 * HOUR)
    assert first.by == {Attribution.CARRIER: 3 * HOUR, Attribution.UNIT: HOUR}
    assert second.unit_id == "U1"


def unit(name: str, connected: int, whole: int = 100, unknown: int = 0) -> UnitTime:
    return UnitTime(name, (name, ""), Ratio(connected, whole, unknown))


def judged(target: Fraction, *units: UnitTime) -> tuple[int, list[str], bool]:
    whole = sum((each.ratio for each in units), Ratio(0, 0))
    found = blocking("S1", str(target), whole, whole.missing(target), units)
    return found.shortest, [each.unit_id for each in found.units], found.exact


def test_under_a_target_of_all_every_unit_with_lost_time_stands_in_the_way() -> None:
    assert judged(Fraction(1), unit("A", 90), unit("B", 100), unit("C", 50)) == (2, ["C", "A"], True)


def test_the_fewest_that_would_do_are_counted_from_the_greatest_loss_on() -> None:
    assert judged(Fraction(9, 10), unit("A", 90), unit("B", 100), unit("C", 40)) == (1, ["C", "A"], True)
    assert judged(Fraction(1, 2), unit("A", 90), unit("C", 40))[0] == 0


def test_unknown_time_blames_nobody() -> None:
    assert judged(Fraction(1), unit("A", 90, unknown=10)) == (0, [], True)


def test_a_list_that_does_not_add_up_to_the_published_figure_says_so() -> None:
    assert not blocking("S1", "1", Ratio(90, 100), 10, [unit("A", 90), unit("B", 100)]).exact


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (Period.DAY, date(2026, 11, 30), date(2026, 11, 30)),
        (Period.WEEK, date(2026, 11, 30), date(2026, 12, 6)),
        (Period.MONTH, date(2026, 11, 1), date(2026, 11, 30)),
        (Period.QUARTER, date(2026, 10, 1), date(2026, 12, 31)),
        (Period.HALF_YEAR, date(2026, 7, 1), date(2026, 12, 31)),
        (Period.YEAR, date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_a_period_has_its_first_and_last_day(kind: Period, first: date, last: date) -> None:
    assert period_of(kind, date(2026, 11, 30)) == (first, last)


# --- in words

QUERY = ReportQuery(
    Subject(Dimension.DISTRICT, "sample"), Period.HALF_YEAR, *period_of(Period.HALF_YEAR, date(2026, 3, 1))
)
MADE_AT = datetime(2026, 7, 2, 1, tzinfo=UTC)


def publication(revision: int, connected: int, unknown: int = 0) -> Publication:
    ratio = Ratio(connected, 1000, unknown)
    return Publication(revision, MADE_AT - timedelta(hours=5 - revision), ratio, *verdict(ratio, Fraction(1)), "1")


def report(*, figures: bool | tuple[Figure, ...] = True, **changes: object) -> Report:
    revised = Figure(
        "S1", "time_weighted_networking_rate", (publication(1, 980, 5), publication(2, 990)),
        ({}, {"low": ("98.0", "99.0"), "high": ("98.5", "99.0"), "numerator": ("980", "990")}), "001 一(一)",
        "12-31", ("sample-2026", 1),
    )  # fmt: skip
    none = Publication(1, MADE_AT, Ratio(0, 0, exempt=4), Verdict.NOT_APPLICABLE, Reason.ALL_EXEMPT, None)
    empty = Figure("S2", "access_rate", (none,), ({},), None, None, ("sample-2026", 1))
    made = Report(
        query=QUERY, made_at=MADE_AT, seen_to=MADE_AT,
        figures=figures if isinstance(figures, tuple) else (revised, empty) if figures else (),
        outages=(Outage("=U1", UNIT, at(0), at(30), Attribution.CARRIER),),
        blocking=(blocking("S1", "1", Ratio(990, 1000), 10, [UnitTime("=U1", UNIT, Ratio(990, 1000))]),),
        cases=(CaseCounts("fire", 3, 2, 1),),
        findings=(FireFindings("false_alarm", "insect", 2), FireFindings(None, None, 1)), steps=(("H1", 4),),
        papers=(PaperCounts("I4", 5, 4, 3, 2, 1, 0, 1, 1, 2),),
        centre=Centre(3, 2, 2, 1, 1, timedelta(seconds=90), None, 40, 9, 1, 14),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the report, named by each test


def test_a_closed_report_says_which_outages_were_revised_since() -> None:
    def said_of(*published: datetime) -> tuple[str, ...]:
        told = tuple(Outage("U1", UNIT, at(0), at(30), Attribution.CARRIER, each) for each in published)
        sheet = said(report(outages=told), Language.EN)
        return next(each.notes for each in sheet.sections if each.key == "outages")

    closed_at = publication(1, 980).published_at
    assert len(said_of(closed_at - timedelta(hours=1), closed_at)) == 1
    assert said_of(closed_at, closed_at + timedelta(days=3))[1].startswith("1 of these were published or revised after")


def test_how_often_its_figures_were_published_grows_with_each_of_them() -> None:
    revised, other = report().figures
    twice = replace(other, publications=(*other.publications, replace(other.publications[0], revision=2)))
    assert report(figures=(revised, twice)).revision == report().revision == 2
    assert (report().published, report(figures=(revised, twice)).published) == (3, 4)


def said(made: Report, language: Language = Language.ZH) -> Sheet:
    names = Names(district=("样例区", "Sample District"), all_scopes={"S1": ("必须联网", "must connect")})
    return sheet_of(made, names, TEXTS, language)


def section(sheet: Sheet, key: str) -> Section:
    return next(one for one in sheet.sections if one.key == key)


def test_a_figure_is_told_as_it_was_published_with_what_the_revision_changed() -> None:
    figures = section(said(report()), "figures")
    assert figures.table is not None
    first, second = figures.table.rows
    assert first[:7] == (
        "S1 必须联网", "时间加权联网率", "99.0 %", "未达标", "≥ 100.0 %（12-31 前）", "001 一(一) (sample-2026 v1)", 2
    )  # fmt: skip
    assert second[2:5] == ("不适用", "不适用", "—")
    assert any("第 2 版" in note and "下限 98.0 → 99.0 %；上限 98.5 → 99.0 %" in note for note in figures.notes)


def test_false_alarms_are_told_with_their_cause_and_what_nobody_verified_is_none() -> None:
    found = section(said(report()), "findings")
    assert found.table is not None
    assert found.table.rows == (("误报", "昆虫", 2), ("尚未核实", "—", 1))
    assert section(said(report(findings=())), "findings").table is None


def test_a_period_that_is_not_closed_is_provisional_and_has_no_figure() -> None:
    sheet = said(report(figures=False, blocking=()))
    assert sheet.state == "provisional"
    assert section(sheet, "figures").table is None
    assert dict(sheet.head)["状态"] == "期间已结束，尚未结算，内容为暂定"
    running = replace(QUERY, last=date(2026, 12, 31))
    assert dict(said(report(figures=False, query=running)).head)["状态"] == "期间未结束，内容为暂定"


def test_what_could_not_be_had_is_said_and_never_an_empty_table() -> None:
    withheld = {"outages": Withheld.NOT_KEPT, "cases": Withheld.NOT_KEPT, "blocking": Withheld.TOO_MANY}
    sheet = said(report(outages=None, cases=None, papers=None, blocking=None, withheld=withheld))
    for key, word in (("outages", "保存期"), ("cases", "保存期"), ("blocking", "数据过多")):
        one = section(sheet, key)
        assert one.table is None
        assert word in one.notes[0]
    assert dict(said(report(seen_to=None)).head)["数据截至"].startswith("未知")


def test_three_short_of_the_target_lists_the_three() -> None:
    units = [UnitTime(f"U{n}", (f"单位{n}", ""), Ratio(90, 100)) for n in range(3)]
    three = blocking("S1", "1", Ratio(270, 300), 30, units)
    one = section(said(report(blocking=(three,))), "blocking-S1")
    assert "差 3 家" in one.notes[0]
    assert one.table is not None
    assert [row[5] for row in one.table.rows] == ["是"] * 3


def test_what_hangs_on_unseen_time_is_said_to_be_undetermined_and_nobodys() -> None:
    unseen = publication(1, 980, 20)
    figure = Figure("S1", "time_weighted_networking_rate", (unseen,), ({},), None, None, ("p", 1))
    none_lost = blocking("S1", "1", unseen.ratio, 0, [UnitTime("U1", UNIT, unseen.ratio)])
    one = section(said(report(figures=(figure,), blocking=(none_lost,))), "blocking-S1")
    assert one.notes[0].startswith("无法判定")
    assert one.table is None


def test_the_centres_own_work_says_what_is_not_measured_and_is_no_departments() -> None:
    centre = section(said(report()), "centre")
    assert centre.table is not None
    assert ("每席每小时报警数", "未测量") in centre.table.rows
    assert ("呈现到首次受理，最长", "0:01:30") in centre.table.rows
    assert ("呈现到首次处置，最长", "—") in centre.table.rows
    own = replace(QUERY, subject=Subject(Dimension.DEPARTMENT, "health"))
    assert "centre" not in {one.key for one in said(report(query=own, centre=None)).sections}


def test_both_languages_have_the_same_form() -> None:
    zh, en = said(report()), said(report(), Language.EN)
    assert en.title == "Half-year report: network watch, the whole district"
    assert dict(en.head)["Of"] == "Sample District (sample)"
    assert [one.key for one in zh.sections] == [one.key for one in en.sections]
    assert [len(one.notes) for one in zh.sections] == [len(one.notes) for one in en.sections]
    assert section(en, "longest").table is not None


def test_every_word_that_may_stand_in_a_report_is_in_the_catalogue() -> None:
    wanted = {f"report.instrument.{one.value}" for one in Instrument} | {f"report.kind.{one.value}" for one in Period}
    wanted |= {f"report.attribution.{one}" for one in Attribution} | {f"report.withheld.{one}" for one in Withheld}
    wanted |= {f"kind.{one.value}" for one in FindingKind} | {f"report.metric.{name}" for name in FORMULAS}
    wanted |= {f"report.field.{name}" for name in SHOWN}
    assert wanted - set(TEXTS) == set()


def test_a_word_that_is_not_known_yet_is_shown_as_its_code() -> None:
    sheet = said(report(cases=(CaseCounts("flood", 1, 0, 0),), papers=(PaperCounts("I99", 1, 0, 0, 0, 0, 0, 0, 0, 0),)))
    cases, papers = section(sheet, "cases").table, section(sheet, "papers").table
    assert cases is not None
    assert papers is not None
    assert (cases.rows[0][0], papers.rows[0][0]) == ("flood", "I99")


def test_many_revisions_are_told_from_the_newest_on_and_fit_into_a_pdf() -> None:
    publications = tuple(publication(n + 1, 900 + n // 50) for n in range(700))
    many = Figure(
        "S1", "access_rate", publications, ({}, *({"low": ("", "90.0")} for _ in range(699))), None, None, ("p", 1)
    )
    notes = section(said(report(figures=(many,))), "figures").notes
    assert len(notes) == MAX_CHANGES + 2
    assert "另有 659 次" in notes[0]
    assert "第 700 版" in notes[-1]
    assert "下限 — → 90.0 %" in notes[-1]


def test_a_workbook_has_a_sheet_for_each_section_and_runs_nothing() -> None:
    sheet = said(report())
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(sheet)))
    assert len(book.sheetnames) == len(sheet.sections) + 1
    longest = book.worksheets[[one.key for one in sheet.sections].index("longest") + 1]
    assert longest["A2"].value == "'=U1"
    assert {cell.data_type for row in longest.iter_rows() for cell in row} <= {"s", "n"}


def test_an_event_declared_of_its_days_and_place_is_told_beside_the_figures() -> None:
    day = timedelta(days=1)
    here = QUERY.subject.value
    typhoon = AreaEvent(("台风", "Typhoon"), QUERY.first, QUERY.first + day, ("T1",), here)
    whole = AreaEvent(("停电", "Power cut"), QUERY.last, QUERY.last, (), here)
    gone = AreaEvent(("旧", "Old"), QUERY.first - 2 * day, QUERY.first - day, (), here)
    elsewhere = AreaEvent(("停电", "Power cut"), QUERY.last, QUERY.last, (), "elsewhere", ("邻区", "Next district"))
    names = Names(bodies={"T1": ("东街街道", "Dongjie")}, events=(gone, typhoon, whole, elsewhere))

    def events(subject: Subject, language: Language) -> list[str]:
        made = report(query=replace(QUERY, subject=subject))
        notes = section(sheet_of(made, names, TEXTS, language), "figures").notes
        return [note for note in notes if "事件" in note or "event" in note]

    zh = events(QUERY.subject, Language.ZH)
    days = f"{typhoon.first} 至 {typhoon.last}"
    assert [note.partition("）")[0] for note in zh] == [
        f"已宣布区域事件“台风”（{days}，东街街道",
        f"已宣布区域事件“停电”（{whole.first} 至 {whole.last}，全区",
    ]
    assert "the whole district" in events(QUERY.subject, Language.EN)[1]
    of_t2 = events(Subject(Dimension.TOWN, "T2"), Language.EN)
    assert ["the whole district" in note or "Next district" in note for note in of_t2] == [True, True]
    assert len(events(Subject(Dimension.TOWN, "T1"), Language.EN)) == 3
