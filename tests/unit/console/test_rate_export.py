"""The live networking rate as Prometheus gets it."""

from prometheus_client import CollectorRegistry

from services.console.metrics import Metrics, RateGauges
from services.console.worker.rates import RateExport
from tests.fakes.console import FakeReadModel
from tests.unit.console import builders


class Harness:
    def __init__(self, *connections: str) -> None:
        self.registry = CollectorRegistry()
        self.read = FakeReadModel(
            [
                builders.unit(f"U{number}", scopes=("S1",), connection=connection, lead_department="health")
                for number, connection in enumerate(connections)
            ]
        )
        metrics = Metrics(self.registry)
        self.export = RateExport(read=self.read, gauges=RateGauges(self.registry), metrics=metrics, every_s=5)

    def shown(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"firenet_console_{name}", labels)


async def test_counts_and_both_bounds_are_shown_by_scope_and_department() -> None:
    at = Harness(*["online"] * 198, "late", "unknown", "exempt")
    await at.export.turn()
    for prefix, labels in (("scope", {"scope": "S1"}), ("department_scope", {"scope": "S1", "department": "health"})):
        names = ("units", "connected_units", "unknown_units", "exempt_units")
        assert [at.shown(f"{prefix}_{name}", **labels) for name in names] == [200, 199, 1, 1]
        assert at.shown(f"{prefix}_networking_rate_low_ratio", **labels) == 0.995
        assert at.shown(f"{prefix}_networking_rate_high_ratio", **labels) == 1


async def test_a_scope_of_exempt_units_has_counts_and_no_rate() -> None:
    at = Harness("exempt")
    await at.export.turn()
    assert (at.shown("scope_units", scope="S1"), at.shown("scope_exempt_units", scope="S1")) == (0, 1)
    assert at.shown("scope_networking_rate_low_ratio", scope="S1") is None
    assert at.shown("scope_networking_rate_high_ratio", scope="S1") is None


async def test_no_figure_is_shown_rather_than_an_old_one() -> None:
    at = Harness("online")
    await at.export.turn()
    at.read.away = True
    await at.export.turn()
    assert at.shown("scope_units", scope="S1") is None
    assert at.shown("scope_networking_rate_low_ratio", scope="S1") is None
    assert at.shown("read_failures_total") == 1
    at.read.away = False
    at.read.all_units = []
    await at.export.turn()
    assert at.shown("scope_units", scope="S1") is None
