"""The lint rules that we accept, over the committed JSON; and that the JSON is what its source writes."""

import re
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana import build
from tests.unit.deploy.files import dashboards, panels

PANELS = dict(panels())
BOARDS = dashboards()
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return BOARDS[request.param]


def test_committed_files_are_what_the_source_writes() -> None:
    assert build.differing() == []


@pytest.mark.thorough
def test_check_says_in_one_line_what_differs_and_writing_repairs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main([], tmp_path) == 0
    assert build.main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "firenet-district.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "firenet-pipeline.json").unlink()
    assert build.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for name in ("firenet-district.json", "firenet-pipeline.json", "old.json"):
        assert name in said
    assert build.main([], tmp_path) == 0
    assert build.main(["--check"], tmp_path) == 0


def test_unknown_arguments_are_bad_usage(tmp_path: Path) -> None:
    assert build.main(["--chekc"], tmp_path) == 2
    assert not list(tmp_path.iterdir())


def test_a_dashboard_is_read_only_with_a_data_source_to_choose(board: dict[str, Any]) -> None:
    assert board["editable"] is False
    assert board["uid"]
    assert board["description"]
    assert " · " in board["title"]
    first = board["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    for variable in board["templating"]["list"][1:]:
        assert variable["datasource"] == SOURCE
        assert variable["refresh"] == 2, "reload when the time range changes"
        assert variable["allValue"] == ".*"


def test_panels_do_not_overlap_and_fill_the_grid(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for one in board["panels"]:
        place = one["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, one["title"]
        taken |= cells


def test_ids_are_unique(board: dict[str, Any]) -> None:
    ids = [one["id"] for one in board["panels"]]
    assert len(set(ids)) == len(ids)


def a_panel_has_title_in_both_languages_description_unit_and_queries(panel: dict[str, Any]) -> None:
    chinese, _, english = panel["title"].partition(" · ")
    assert re.search(r"[\u4e00-\u9fff]|S[12]", chinese)
    assert re.search(r"[A-Za-z]", english)
    assert re.search(r"[\u4e00-\u9fff]", panel["description"])
    assert re.search(r"[A-Za-z]{3}", panel["description"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert all(target["expr"].strip() for target in panel["targets"])


def the_data_source_is_the_variable(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE


def series_have_a_name_unless_they_stand_in_a_table(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert target["legendFormat"] or target["format"] == "table"


def counters_are_shown_as_rates_over_the_rate_interval(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        expr = target["expr"]
        assert not re.search(r"\[\d+[smhd]", expr), "a fixed range is too short or too long for some zoom"
        functions = re.findall(r"(rate|increase|irate)\(", expr)
        assert len(functions) == expr.count("[$__rate_interval]")
        if panel["type"] == "timeseries":
            assert len(functions) == len(re.findall(r"_total\b|_bucket\{|_bucket\[|_count\[", expr))


def colour_is_never_the_only_carrier_of_a_meaning(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults["thresholds"]["steps"]
    assert len(steps) == 1, "a step changes colour and nothing else: say it with a mapped word"
    for mapping in defaults.get("mappings", ()):
        for result in mapping["options"].values():
            assert re.search(r"[A-Za-z]{2}", result["text"]), "a coloured value says the same as a word"
    if panel["type"] == "stat" and panel["options"]["colorMode"] != "none":
        assert defaults["mappings"]


FLOORED = (
    r"\w+:firenet_console_\w+_(low_ratio:min|high_ratio:max)\b"
    r"|min by \(.+\) \(firenet_figure_low_ratio\b|max by \(.+\) \(firenet_figure_high_ratio\b"
)
"""What the kernel has floored before it was exported; of several lower bounds the least, of upper ones the greatest."""


def rates_are_shown_with_one_decimal_and_what_is_floored_comes_floored(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        if "networking_rate" in target["expr"]:
            assert re.match(FLOORED, target["expr"])


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_keeps_every_rule(name: str) -> None:
    for rule in (
        a_panel_has_title_in_both_languages_description_unit_and_queries,
        the_data_source_is_the_variable,
        series_have_a_name_unless_they_stand_in_a_table,
        counters_are_shown_as_rates_over_the_rate_interval,
        colour_is_never_the_only_carrier_of_a_meaning,
        rates_are_shown_with_one_decimal_and_what_is_floored_comes_floored,
    ):
        rule(PANELS[name])
