"""What the reader of queries finds; were it blind, the test on a real Prometheus would prove nothing."""

import pytest

from tests.integration.observability.promql import selectors


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("up", {"up"}),
        ("sum by (le, lane) (rate(a_bucket[5m]))", {"a_bucket"}),
        ('x{a="}",b=~"y(z)"} > 0 and on () (c:d:e < 15)', {'x{a="}",b=~"y(z)"}', "c:d:e"}),
        ("a / on (lane) group_left () (b > 0) unless on (job) c offset 15m", {"a", "b", "c"}),
        ("max(a) > 14.4 * 0.001 or vector(0)", {"a"}),
        ("time() - max(a) > 1e3", {"a"}),
        ("rate(a_total[$__rate_interval])", {"a_total"}),
        ("(sum(a) or vector(0)) < bool 12", {"a"}),
    ],
)
def test_selectors(expr: str, found: set[str]) -> None:
    assert selectors(expr) == found
