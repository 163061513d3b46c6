"""The committed files of deploy/prometheus and deploy/grafana, as plain data for the tests."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RUNBOOK = DEPLOY / "RUNBOOK.md"


class Rule(NamedTuple):
    """One recording or alert rule as it is written."""

    file: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body.get("alert") or self.body["record"])

    @property
    def expr(self) -> str:
        return str(self.body["expr"])


def rule_files() -> list[Path]:
    return sorted((PROMETHEUS / "rules").glob("*.yaml"))


@functools.cache
def rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(path.name, body)
        for path in rule_files()
        for group in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["groups"]
        for body in group["rules"]
    )


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule.body]


def recordings() -> list[Rule]:
    return [rule for rule in rules() if "record" in rule.body]


def dashboards() -> dict[str, dict[str, Any]]:
    return {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in (DEPLOY / "grafana/dashboards").glob("*")
    }


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel that shows data, with a name for a failing test."""
    for file, board in sorted(dashboards().items()):
        for panel in board["panels"]:
            for one in (panel, *panel.get("panels", ())):
                if one["type"] != "row":
                    yield f"{file}: {one.get('title')}", one


def queries() -> Iterator[tuple[str, str]]:
    """Every query of every panel."""
    for name, panel in panels():
        for target in panel["targets"]:
            yield f"{name} [{target['refId']}]", target["expr"]


@functools.cache
def anchors() -> frozenset[str]:
    """The anchors that headings of the runbook make, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ +(.*)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings)
