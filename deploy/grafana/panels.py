"""Pieces that the dashboards share: a query, the kinds of panel, and the variables.

A panel has a Chinese title with the English beside it, a unit and a description. Colour never carries a meaning alone:
what is judged good or bad is written as a word by a value mapping.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "firenet"
PERCENT, COUNT, SECONDS, PER_SECOND, BYTES = "percentunit", "short", "s", "ops", "bytes"


class Q(NamedTuple):
    """One PromQL query and the name of its series."""

    expr: str
    legend: str


class Words(NamedTuple):
    """What a reader sees of a panel: title in both languages, description, unit."""

    zh: str
    en: str
    text: str
    unit: str

    @property
    def title(self) -> str:
        return f"{self.zh} · {self.en}"


class State(NamedTuple):
    """A value written as a word, with a colour that only repeats it."""

    value: str
    word: str
    color: str


P = TypeVar("P", stat.Panel, timeseries.Panel, table.Panel, bargauge.Panel)


def _dressed(panel: P, words: Words, queries: Sequence[Q], *, instant: bool) -> P:
    panel.title(words.title).description(words.text).unit(words.unit).datasource(SOURCE)
    panel.thresholds(_one_colour())
    for number, query in enumerate(queries):
        target = Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        target.datasource(SOURCE)
        panel.with_target(target.instant() if instant else target.range())
    return panel


def _one_colour() -> ThresholdsConfig:
    """Grafana's own default turns red at 80, whatever the figure means."""
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value=None, color="text")])


def lines(
    words: Words, *queries: Q, width: int = 12, stacked: bool = False, most: float | None = None
) -> timeseries.Panel:
    """Return a panel over time; `stacked` for parts of a whole."""
    panel = _dressed(timeseries.Panel(), words, queries, instant=False).span(width).height(8).min(0)
    if most is not None:
        panel.max(most)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    panel.legend(legend.show_legend(True).calcs(["lastNotNull", "max"]))
    return panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))


def figures(words: Words, *queries: Q, width: int = 6, decimals: int = 0) -> stat.Panel:
    """Return big figures as they are now, each with its name."""
    panel = _dressed(stat.Panel(), words, queries, instant=True).span(width).height(5).decimals(decimals)
    panel.color_mode(BigValueColorMode.NONE).graph_mode(BigValueGraphMode.NONE)
    return panel.text_mode(BigValueTextMode.VALUE_AND_NAME).no_value("无数据 · no data").reduce_options(_last())


def states(words: Words, *queries: Q, meaning: Sequence[State], width: int = 6) -> stat.Panel:
    """Return states that are written out as words."""
    panel = figures(words, *queries, width=width).color_mode(BigValueColorMode.VALUE)
    options = {
        state.value: ValueMappingResult(text=state.word, color=state.color, index=number)
        for number, state in enumerate(meaning)
    }
    return panel.mappings([ValueMap(options=options)])


def bars(words: Words, *queries: Q, width: int = 12) -> bargauge.Panel:
    """Return one bar per series as it is now."""
    panel = _dressed(bargauge.Panel(), words, queries, instant=True).span(width).height(8).min(0).decimals(0)
    return panel.no_value("无 · none").reduce_options(_last())


def rows(
    words: Words,
    *queries: Q,
    columns: Mapping[str, str],
    percent: Sequence[str] = (),
    hidden: Sequence[str] = (),
    width: int = 24,
) -> table.Panel:
    """Return a table with one line per label set; `columns` names what is shown, in order: field to title."""
    panel = _dressed(table.Panel(), words, (), instant=True).span(width).height(9).no_value("无 · none")
    for number, query in enumerate(queries):
        target = Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        panel.with_target(target.datasource(SOURCE).format(PromQueryFormat.TABLE).instant())
    organize = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {name: number for number, name in enumerate(columns)},
        "renameByName": dict(columns),
    }
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    for title in percent:
        panel.override_by_name(title, [DynamicConfigValue("unit", PERCENT), DynamicConfigValue("decimals", 1)])
    return panel


def dashboard(uid: str, title: str, text: str, *, other: str, department: bool) -> Dashboard:
    """Return an empty dashboard with its variables and the link to the `other` one."""
    board = Dashboard(title).uid(uid).description(text).tags([TAG]).readonly().timezone("browser").week_start("monday")
    board.time("now-6h", "now").refresh("10s").tooltip(DashboardCursorSync.CROSSHAIR)
    board.link(DashboardLink(other).type(DashboardLinkType.DASHBOARDS).tags([TAG]).keep_time(True).include_vars(True))
    board.with_variable(
        DatasourceVariable("datasource")
        .label("数据源 · data source")
        .type("prometheus")
        .description("Prometheus 数据源")
    )
    if department:
        choice = QueryVariable("department").label("主管部门 · department").datasource(SOURCE)
        choice.query("label_values(firenet_rules_units, department)").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        choice.sort(VariableSort.ALPHABETICAL_ASC).include_all(True).all_value(".*").multi(True)
        board.with_variable(choice.description("牵头部门代码 · code of the lead department"))
    return board


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
