"""What promtool does not look at: names, words, severities, the runbook, and that every alert has its tests."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.stack.firenet import FireNet, Options, Ports
from deploy.stack.scraping import configuration
from schemas.topics import all_topics
from tests.unit.deploy.files import PROMETHEUS, Rule, alerts, anchors, recordings, rule_files

ALERTS = {rule.name: rule for rule in alerts()}
SEVERITIES = {"page", "ticket", "info"}
ALWAYS = {"FireNetWatchdog"}


@pytest.fixture(params=ALERTS)
def alert(request: pytest.FixtureRequest) -> Rule:
    return ALERTS[request.param]


def test_names_are_unique() -> None:
    assert len(ALERTS) == len(alerts())
    names = [rule.name for rule in recordings()]
    assert len(set(names)) == len(names)


def test_an_alert_says_what_a_reader_needs(alert: Rule) -> None:
    assert re.fullmatch(r"FireNet([A-Z][a-z]+)+", alert.name)
    assert alert.body["labels"] == {"severity": alert.body["labels"]["severity"]}
    assert alert.body["labels"]["severity"] in SEVERITIES
    words = alert.body["annotations"]
    assert set(words) == {"summary", "description", "runbook_url"}
    chinese, _, english = words["summary"].partition(" · ")
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert re.search(r"[A-Za-z]{3}", english)
    assert words["description"].endswith(".")


def test_an_alert_outlives_a_gap(alert: Rule) -> None:
    assert alert.name in ALWAYS or alert.body.get("keep_firing_for")


def test_an_alert_that_compares_a_gauge_waits(alert: Rule) -> None:
    counted = re.search(r"(increase|changes)\(.*\[\d+[mh]\]", alert.expr)
    assert alert.body.get("for") or counted or alert.name in ALWAYS


def test_the_runbook_has_its_section(alert: Rule) -> None:
    file, _, anchor = alert.body["annotations"]["runbook_url"].partition("#")
    assert file == "deploy/RUNBOOK.md"
    assert anchor in anchors()


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    used = {rule.body["annotations"]["runbook_url"].partition("#")[2] for rule in ALERTS.values()}
    assert {anchor for anchor in anchors() if anchor.startswith("firenet")} == used


def test_no_alert_of_ours_blames_a_unit_or_a_gateway(alert: Rule) -> None:
    """Whom the district has to talk to is a case, with evidence and a ladder; this is about ourselves."""
    assert not re.search(
        r"firenet_rules_units|firenet_console_(department_)?scope|networking_rate|open_cases", alert.expr
    )
    assert not re.search(r"\b(unit_id|gateway|gateway_id)\b", alert.expr)


@pytest.mark.parametrize("rule", recordings(), ids=lambda rule: rule.name)
def test_recordings_are_named_level_metric_operations(rule: Rule) -> None:
    level, metric, operations = rule.name.split(":")
    assert re.fullmatch(r"[a-z_]+", level)
    assert metric.startswith("firenet_")
    assert re.fullmatch(r"[a-z0-9_]+", operations)
    by = re.search(r"by \(([^)]*)\)", rule.expr)
    if by and level != "firenet":
        assert level == by.group(1).replace(", ", "_")


@pytest.mark.parametrize("rule", recordings(), ids=lambda rule: rule.name)
def test_sums_come_before_the_division(rule: Rule) -> None:
    assert not re.search(r"(avg|sum)[^(]*\([^()]*/", rule.expr), "a mean of ratios is no ratio of sums"


def test_the_number_of_partitions_is_the_topics() -> None:
    partitions = all_topics()["signals"].partitions
    rule = ALERTS["FireNetRulesPartitionsUnowned"]
    assert rule.expr.endswith(f"< {partitions}")
    assert f"of {partitions} " in rule.body["annotations"]["description"]


@functools.cache
def promtool_tests() -> list[dict[str, Any]]:
    return [
        group
        for path in sorted((PROMETHEUS / "tests").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    ]


@pytest.mark.thorough
def test_every_alert_is_shown_to_fire_to_be_quiet_and_to_survive_a_gap(alert: Rule) -> None:
    fires = quiet = gap = False
    for group in promtool_tests():
        # A group without any series is one long gap.
        pause = not group["input_series"] or any("stale _x" in series["values"] for series in group["input_series"])
        for check in group.get("promql_expr_test", ()):
            if f'alertname="{alert.name}"' in check["expr"]:
                fires |= bool(check["exp_samples"])
                quiet |= not check["exp_samples"]
                gap |= bool(check["exp_samples"]) and "gap" in group["name"] and pause
    assert fires
    assert gap
    assert quiet or alert.name in ALWAYS


def test_both_configurations_load_the_rules_and_scrape_the_same_jobs(tmp_path: Path) -> None:
    firenet = FireNet(tmp_path, Ports(), Options(several={"ingest": 2, "rules": 3}))
    embedded = yaml.safe_load(configuration(firenet.status_pages()))
    compose = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    for config in (compose, embedded):
        patterns = [pattern.removeprefix(f"{PROMETHEUS}/") for pattern in config["rule_files"]]
        found = [path for pattern in patterns for path in PROMETHEUS.glob(pattern)]
        assert sorted(found) == rule_files()
        assert [job["job_name"] for job in config["scrape_configs"]] == [
            "ingest", "rules", "alerts", "alerts-fire", "documents", "compliance", "registry", "console", "prometheus",
        ]  # fmt: skip
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in embedded["scrape_configs"]}
    further = firenet.further_ports
    assert targets["ingest"] == ["127.0.0.1:9101", f"127.0.0.1:{further['ingest-2']}"]
    assert targets["rules"] == [f"127.0.0.1:{port}" for port in (9102, further["rules-2"], further["rules-3"])]
    assert targets["console"] == ["127.0.0.1:9104"]
