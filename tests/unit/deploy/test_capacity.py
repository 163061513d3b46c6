"""Capacity on paper: by hand, at its limits, and as the page says it."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import capacity
from deploy.capacity import COSTS, Plan, bits, main, page, plan, size


def test_a_city_by_hand() -> None:
    city = plan(120_000, 60, days=100)
    assert city.rate == 2000
    assert city.ingest == 2, "2000 x 42.6 us are 0.09 of a core, and one may die"
    assert city.cores == 1, "2000 x 153 us and 120 000 x 1.1 ms an hour, at most half busy"
    stored = 2000 * 52 + 2000 * 322  # no more than one in a batch: 2 processes and 12 partitions make 2400 a second
    assert city.kafka_disk == pytest.approx(stored * 86_400 * 100 * 3)
    assert city.inside == pytest.approx(8 * (2000 * 463 + stored * 4))
    assert city.archive_disk == pytest.approx(2000 * 86_400 * 465 * 43)
    assert city.database_disk == pytest.approx(3 * (2000 * 86_400 * 465 * 5 + 120_000 * 465 * 150))
    assert city.inbound == 2000 * 350 * 8
    assert city.limits == ()


def test_a_country_needs_more_processes_and_is_told_what_does_not_scale() -> None:
    country = plan(10_000_000)
    assert country.ingest == 15, "166 667 x 42.6 us are 7.1 cores, each half busy"
    assert country.partitions >= 2 * country.rules
    told = " ".join(country.limits)
    for word in ("partitions", "compliance", "Mosquitto", "registry", "Kafka keeps"):
        assert word in told


@given(st.integers(10_000, 50_000_000), st.integers(10, 600))
def test_twice_the_units_cost_at_most_twice(units: int, interval_s: int) -> None:
    once, twice = plan(units, interval_s), plan(2 * units, interval_s)
    for name in Plan.__slots__:
        before, after = getattr(once, name), getattr(twice, name)
        if name != "interval_s":
            most = 4 if name in ("kafka_disk", "kafka_brokers", "inside") else 2.1  # more processes, smaller batches
            assert before <= after <= most * before, name


def test_a_command_that_is_named_exists_and_every_cost_stands_on_the_page() -> None:
    for cost in COSTS:
        assert cost.value > 0
        if cost.command:
            assert importlib.util.find_spec(cost.command.split()[0]) is not None, cost.command
        assert cost.what in page()


def test_sizes_are_said_with_three_figures() -> None:
    assert [size(one) for one in (999, 1000, 1.5e6, 999.6e9, 12.34e15, 4e18)] == [
        "999 B",
        "1 kB",
        "1.5 MB",
        "1 TB",
        "12 PB",
        "4,000 PB",
    ]
    assert bits(2.5e9) == "2.5 Gbit/s"


def test_the_page_in_the_repository_is_what_the_code_says(tmp_path: Path) -> None:
    assert main(["--check"]) == 0
    other = tmp_path / "capacity.md"
    assert main(["--check"], other) == 1
    assert main(["--write"], other) == 0
    assert main(["--check"], other) == 0
    other.write_text("old")
    assert main(["--check"], other) == 1


def test_one_size_is_printed_with_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--units", "10000000", "--interval", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("10,000,000 units, a heartbeat every 30 s\n")
    assert "\n! " in said


@pytest.mark.parametrize("wrong", [[], ["--units", "0"], ["--units", "many"], ["--units", "9", "--interval", "-1"]])
def test_what_is_no_size_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2


def test_days_default_to_what_the_topic_keeps() -> None:
    assert plan(1000) == plan(1000, capacity.INTERVAL_S, 400)
