"""Only the kernel and the formulas of compliance divide counts, floor a percentage and judge against a target."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.deploy.files import queries, rules
from tests.unit.layout import divisions

ROOT = Path(__file__).resolve().parents[3]
HOMES = ("services/kernel/ratio.py", "services/compliance/domain/formulas/")
SCANNERS: dict[str, Callable[[str], list[str]]] = {
    ".py": divisions.in_python,
    ".sql": divisions.in_sql,
    ".js": divisions.in_script,
    ".html": divisions.in_markup,
    ".j2": divisions.in_markup,
}
"""The tests count again on purpose, so only what is shipped is looked through."""

UPLOT = "services/console/adapters/web/static/vendor/uplot/uPlot.esm.js"
OF_TEXTS = {
    ("services/rules/domain/time/deadlines.py", "self._heap[0].at < target"): "an instant on the way to the watermark",
    ("deploy/capacity.py", "units / interval_s"): "heartbeats a second",
    ("services/simulator/domain/load.py", "math.ceil(self.count * share)"): "the rank of a quantile of latencies",
    (
        "services/console/adapters/web/static/units.js",
        "const last = Math.min(count, Math.ceil((list.scrollTop + list.clientHeight) / height) + 4);",
    ): "rows of a list that fit on the screen",
    (UPLOT, "let maxPts = dim / (s.points.space * pxRatio);"): "pixels of a chart",
    (UPLOT, "let halfStroke = (series.width * pxRatio) / 2;"): "pixels of a chart",
    (UPLOT, "pos = pos / pxRatio - (sc.ori == 1 ? plotTopCss : plotLftCss);"): "pixels of a chart",
    (UPLOT, "let rad = (points.size - points.width) / 2 * pxRatio;"): "pixels of a chart",
}
OF_OURSELVES = {
    "lane_reason:firenet_ingest_refused_per_received:ratio_rate5m": "messages refused of those received",
    "FireNetRefusalsSurge": "the same",
    "firenet:firenet_ingest_ack_lag_seconds:slow_ratio_rate5m": "our own objective: batches that were slow",
    "firenet:firenet_ingest_ack_lag_seconds:slow_ratio_rate30m": "the same",
    "firenet:firenet_ingest_ack_lag_seconds:slow_ratio_rate1h": "the same",
    "firenet:firenet_ingest_ack_lag_seconds:slow_ratio_rate6h": "the same",
    "FireNetIngestDelayBudgetBurnFast": "the same",
    "FireNetIngestDelayBudgetBurnSlow": "the same",
    "FireNetNoticesFailing": "attempts that failed of all attempts",
    "FireNetConsoleErrors": "requests that failed of all requests",
    "FireNetOpenFilesRunningOut": "open files of those a process may open",
    "firenet-pipeline.json: 文件句柄 · Open files [A]": "the same",
}
"""Rules, alerts and panels about FireNet itself; none is about a unit."""


@cache
def in_file(name: str) -> frozenset[tuple[str, str]]:
    path = ROOT / name
    return frozenset((name, found) for found in SCANNERS[path.suffix](path.read_text(encoding="utf-8")))


def in_files() -> frozenset[tuple[str, str]]:
    paths = [path for top in ("services", "schemas", "deploy") for path in (ROOT / top).rglob("*")]
    names = [path.relative_to(ROOT).as_posix() for path in paths if path.suffix in SCANNERS]
    return frozenset().union(*(in_file(name) for name in names if not name.startswith(HOMES)))


def in_prometheus_and_grafana() -> Iterator[tuple[str, str]]:
    for rule in rules():
        texts = rule.body.get("annotations", {}).values()
        yield from ((rule.name, found) for found in divisions.in_promql(rule.expr))
        yield from ((rule.name, found) for text in texts for found in divisions.in_words_of_alert(text))
    for name, expression in queries():
        yield from ((name, found) for found in divisions.in_promql(expression))


@pytest.mark.thorough
def test_nothing_else_divides_counts_or_floors_a_percentage() -> None:
    assert in_files() - set(OF_TEXTS) == set()


def test_prometheus_and_grafana_divide_nothing_but_what_they_measure_of_ourselves() -> None:
    found = set(in_prometheus_and_grafana())
    assert {each for each in found if each[0] not in OF_OURSELVES} == set()
    about_units = ("firenet_rules_units", "firenet_console_scope", "firenet_console_department", "open_cases")
    assert [each for each in found if any(name in each[1] for name in about_units)] == []


def test_the_lists_of_what_may_divide_name_nothing_that_is_gone() -> None:
    assert not [name for name, _ in OF_TEXTS if name.startswith(HOMES)]
    assert set(OF_TEXTS) - frozenset().union(*(in_file(name) for name, _ in OF_TEXTS)) == set()
    assert set(OF_OURSELVES) - {name for name, _ in in_prometheus_and_grafana()} == set()


def test_every_kind_of_text_is_really_looked_through() -> None:
    names = [path for top in ("services", "deploy") for path in (ROOT / top).rglob("*")]
    assert {suffix for suffix in SCANNERS if any(path.suffix == suffix for path in names)} == set(SCANNERS)
    homes = [path for path in names if path.is_file() and path.relative_to(ROOT).as_posix().startswith(HOMES)]
    assert any(divisions.in_python(path.read_text(encoding="utf-8")) for path in homes if path.suffix == ".py")
    assert len(list(queries())) > 20


@pytest.mark.parametrize(
    "planted",
    [
        "share = row.connected / row.in_scope",
        "tenths = part * 1000 // whole",
        "low = Fraction(online, units)",
        "return len(members) / len(candidates)",
        "percent = round(100 * found['numerator'], 1)",
        "percent = math.floor(percent)",
        "text = f'{low:.1%}'",
        "whole, rest = divmod(tenths, 10)",
        "shown = f'{tenths // 10}.{tenths % 10}'",
        "counts.connected /= total",
        "met = low >= target",
        "rate = float(row.get('connected')) / size",
        "RATE = 'SELECT scope, connected * 1000 / in_scope FROM rules.rates_now'",
    ],
)
def test_a_division_planted_in_python_is_found(planted: str) -> None:
    assert divisions.in_python(planted)


@pytest.mark.parametrize(
    "harmless",
    [
        "interval_s = offline_s / clock_rate",
        "half = len(units) // 2",
        "path = folder / units_file",
        "mib = unpacked_bytes // 1024 // 1024",
        "target = Fraction(str(row['value']))",
        "seconds = round(since_s, 1)",
        "day, rest = divmod(at, DAY)",
    ],
)
def test_other_arithmetic_is_left_alone(harmless: str) -> None:
    assert divisions.in_python(harmless) == []


@pytest.mark.parametrize(
    "planted",
    [
        "SELECT count(*) FILTER (WHERE connected) * 100.0 / count(*) FROM rules.units",
        "SELECT floor(low) FROM x",
        "SELECT avg((connection = 'online')::int) FROM rules.units",
        "SELECT div(a, b)",
        "SELECT a -- why\n/ b",
    ],
)
def test_a_division_planted_in_sql_is_found(planted: str) -> None:
    assert divisions.in_sql(planted)


def test_slashes_in_texts_and_comments_of_sql_are_no_division() -> None:
    assert divisions.in_sql("SELECT topic || '/' || it''s AT TIME ZONE 'Asia/Shanghai' -- a / b\n/* floor(x) */") == []


@pytest.mark.parametrize(
    "planted",
    [
        "sum by (scope) (connected) / sum by (scope) (units)",
        "floor(1000 * scope:low:min)",
        "avg by (scope) (scope:low:min)",
        "round(x, 0.1)",
    ],
)
def test_a_division_planted_in_a_rule_or_a_panel_is_found(planted: str) -> None:
    assert divisions.in_promql(planted)


def test_what_rounds_a_share_in_the_words_of_an_alert_is_found() -> None:
    assert divisions.in_words_of_alert("{{ $value | humanizePercentage }} of the units")
    assert divisions.in_promql('max by (scope) (low{path="a/b"})') == []


@pytest.mark.parametrize(
    "planted",
    [
        "const low = rate.numerator / rate.denominator;",
        "const missing = Math.ceil((rate.denominator * rate.targetPercent) / 100);",
        "setText(part, `${Math.floor(tenths / 10)}.${tenths % 10}`);",
        "setText(part, percent.toFixed(1));",
    ],
)
def test_a_division_planted_in_the_page_is_found(planted: str) -> None:
    assert divisions.in_script(planted)


@pytest.mark.parametrize(
    "planted", ["{{ connected / units }}", "{% set low = connected // units %}", "{{ percent | round(1) }}"]
)
def test_a_division_planted_in_a_template_is_found(planted: str) -> None:
    assert divisions.in_markup(f"<p>a / b of the units {planted}</p>")


def test_counts_that_are_written_side_by_side_are_no_division() -> None:
    assert (
        divisions.in_script("setText(part, `${number(row.numerator)} / ${number(row.denominator)}`); // a / units")
        == []
    )
    assert divisions.in_markup("<p>{{ connected }} / {{ units }}</p>") == []
