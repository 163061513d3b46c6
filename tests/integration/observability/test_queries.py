"""Every rule and every panel on a real Prometheus that scrapes the services' real metrics: a typo must fail here."""

import shutil
from collections.abc import Iterator

import pytest

from deploy.stack.ports import free_ports
from deploy.stack.process import wait_until
from services.runtime.clock import SystemClock
from tests.integration.observability import exposed
from tests.integration.observability.prometheus import Prometheus
from tests.integration.observability.promql import filled, selectors
from tests.unit.deploy.files import Rule, queries, recordings, rules

QUERIES = dict(queries())
RULES = {rule.name: rule for rule in rules()}
SCRAPES = 5


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scraping, and with every recorded series there."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus on PATH")
    clock = SystemClock()
    (port,) = free_ports(1)
    with exposed.serving(clock) as targets:
        server = Prometheus(tmp_path_factory.mktemp("prometheus"), port=port, targets=targets)
        server.start()
        try:

            def scraped() -> bool:
                counts = server.query("sum_over_time(up[5m])")
                return len(counts) == len(targets) + 1 and all(float(one["value"][1]) >= SCRAPES for one in counts)

            def recorded() -> bool:
                return all(server.has(rule.name) for rule in recordings())

            assert wait_until(scraped, limit_s=120, clock=clock), server.query("up")
            wait_until(recorded, limit_s=90, clock=clock)  # what is not there fails by name in its own test
            yield server
        finally:
            server.stop()


def missing(prometheus: Prometheus, expr: str) -> set[str]:
    """Return the selectors of a query that match nothing that is scraped or recorded."""
    # ALERTS is Prometheus' own, and there only while something fires.
    return {one for one in selectors(expr) if not one.startswith("ALERTS") and not prometheus.has(one)}


def test_every_target_is_scraped_without_an_error(prometheus: Prometheus) -> None:
    wanted = dict.fromkeys((*exposed.SERVICES, "prometheus"), ("up", ""))

    def found() -> dict[str, tuple[str, str]]:
        targets = prometheus.ask("targets")["activeTargets"]
        return {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}

    wait_until(lambda: found() == wanted, limit_s=60, clock=SystemClock())  # one scrape may be late
    assert found() == wanted


def test_prometheus_evaluates_every_rule_without_an_error(prometheus: Prometheus) -> None:
    states = {
        rule["name"]: (rule["health"], rule.get("lastError", ""))
        for group in prometheus.ask("rules")["groups"]
        for rule in group["rules"]
    }
    assert states == dict.fromkeys(RULES, ("ok", ""))


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_rule_reads_only_what_is_there(prometheus: Prometheus, rule: Rule) -> None:
    assert missing(prometheus, rule.expr) == set()


@pytest.mark.parametrize("name", QUERIES)
def test_a_panel_reads_only_what_is_there_and_shows_something(prometheus: Prometheus, name: str) -> None:
    expr = filled(QUERIES[name])
    assert missing(prometheus, expr) == set()
    shown = prometheus.query(expr)
    only_when_something_is_wrong = expr.endswith("> 0") or "ALERTS" in expr
    assert shown or only_when_something_is_wrong


@pytest.mark.parametrize(
    "typo",
    [
        "sum(rate(firenet_ingest_recieved_total[1m]))",
        'firenet_rules_visibility{visibility="blnid"} > 0',
        'sum by (lane) (rate(firenet_ingest_received_total{laen="fire"}[1m])) / on (lane) group_left () up',
        "histogram_quantile(0.9, sum by (le) (rate(firenet_alerts_fire_latency_bucket[1m])))",
    ],
)
def test_a_typo_is_found(prometheus: Prometheus, typo: str) -> None:
    assert len(missing(prometheus, typo)) == 1


def test_a_rate_is_floored_and_an_unknown_unit_makes_it_an_interval(prometheus: Prometheus) -> None:
    """9 999 of 10 000 connected and one out of sight: at least 99.9 %, at most 100 %."""
    low = prometheus.query('scope:firenet_console_scope_networking_rate_low_ratio:min{scope="S1"}')
    high = prometheus.query('scope:firenet_console_scope_networking_rate_high_ratio:max{scope="S1"}')
    assert (low[0]["value"][1], high[0]["value"][1]) == ("0.999", "1")


def test_only_what_the_samples_call_for_fires(prometheus: Prometheus) -> None:
    """The samples hold one step that had nobody to tell; otherwise all is well."""
    wanted = {"FireNetNobodyTold", "FireNetWatchdog"}

    def firing() -> set[str]:
        return {one["metric"]["alertname"] for one in prometheus.query('ALERTS{alertstate="firing"}')}

    # On a machine so busy that a scrape fails for half a minute, an alert about that is right; it ends by itself.
    wait_until(lambda: firing() == wanted, limit_s=240, clock=SystemClock())
    assert firing() == wanted
