"""Just enough of PromQL to find what a query reads: its metrics and the selectors on them."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_TOKEN = re.compile(
    rf'(?P<name>(?<![\w.$]){NAME})(?P<matchers>\s*\{{(?:[^"}}]|"(?:\\.|[^"\\])*")*\}})?(?P<call>\s*\()?'
)


def selectors(expr: str) -> set[str]:
    """Return each `metric{matchers}` of a query."""
    plain = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub(" ", expr))
    return {
        match["name"] + (match["matchers"] or "").strip()
        for match in _TOKEN.finditer(plain)
        if match["name"] not in KEYWORDS and not match["call"]
    }


def filled(expr: str) -> str:
    """Return a dashboard's query as Grafana sends it when everything is chosen."""
    return expr.replace("$__rate_interval", "20s").replace("$department", ".*")
