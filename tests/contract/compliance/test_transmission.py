"""How long signals took from the device's clock to us, and which clocks are not believed (R46)."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import EXEMPT_TODAY, Scenario, iso

METRIC = "transmission_timely_rate"


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    """U1 with G1, looked at for an hour each minute."""
    return Scenario(tmp_path).unit().gateway().ticks(0, 3600)


def alarm(district: Scenario, took: float, at: float = 600, kind: str = "fire", **more: Any) -> Scenario:
    return district.signal(at, kind, occurred_at=iso(at - took), **more)


def test_r46_the_worked_example_of_the_rule(district: Scenario) -> None:
    """Twenty signals took 1, 2 .. 20 s, one says no time: 10 of 21 within 10 s, 1 unknown, mean 10.5 s, 95 % 19 s."""
    for took in range(1, 21):
        alarm(district, took)
    district.signal(700, "fault")
    told = district.figure(METRIC, 0, 3600, limit_s=10)
    assert district.counts(METRIC, 0, 3600, limit_s=10) == (10, 21, 1, 0)
    assert (told["counts"], told["low"], told["high"]) == ("signals", "47.6", "52.3")
    assert told["detail"] == {
        "measured": 20, "mean_us": 10_500_000, "p95_us": 19_000_000,
        "not_believed": {"redelivered": 0, "no_device_time": 1, "clock_ahead": 0, "clock_behind": 0},
    }  # fmt: skip


def test_r46_a_time_is_rounded_up_to_the_tenth_of_a_second(district: Scenario) -> None:
    alarm(district, 0)
    alarm(district, 0.000001)
    alarm(district, 0.1)
    alarm(district, 0.100001)
    detail = district.figure(METRIC, 0, 3600, limit_s=1)["detail"]
    assert (detail["mean_us"], detail["p95_us"]) == (100_000, 200_000)
    assert district.counts(METRIC, 0, 3600, limit_s=0.1)[0] == 3


@pytest.mark.parametrize(
    ("took", "flags", "why"),
    [
        (-1, [], "clock_ahead"),
        (-301, ["clock_ahead"], "clock_ahead"),
        (300, [], None),
        (300.000001, [], "clock_behind"),
        (5, ["clock_behind"], "clock_behind"),
        (5, ["redelivered"], "redelivered"),
        (5, ["no_device_time"], "no_device_time"),
        (5, ["no_device_time", "redelivered"], "redelivered"),
    ],
)
def test_r46_what_is_not_believed_is_counted_and_not_used(
    district: Scenario, took: float, flags: list[str], why: str | None
) -> None:
    alarm(district, took, flags=flags)
    told = district.figure(METRIC, 0, 3600, limit_s=9999)
    assert [name for name, many in told["detail"]["not_believed"].items() if many] == ([why] if why else [])
    assert (told["denominator"], told["numerator"], told["unknown"]) == (1, int(why is None), int(why is not None))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("heartbeat", {}),
        ("analog", {}),
        ("state", {}),
        ("link_up", {}),
        ("fire", {"flags": ["retained"]}),
        ("fire", {"flags": ["replayed"]}),
        ("fire", {"flags": ["repeated"]}),
    ],
)
def test_r46_what_tells_of_nothing_or_was_sent_before_does_not_count(
    district: Scenario, kind: str, more: dict[str, Any]
) -> None:
    alarm(district, 5, kind=kind, **more)
    assert district.counts(METRIC, 0, 3600, limit_s=10) == (0, 0, 0, 0)


def test_r46_signals_count_by_reception_by_unit_and_while_it_is_in_scope(tmp_path: Path) -> None:
    told = Scenario(tmp_path).ticks(0, 3600).unit("U1").unit("U2", key_unit=False).unit("U3", **EXEMPT_TODAY)
    told.unit("U4", commissioned_on=None)
    for number in range(1, 5):
        told.gateway(f"G{number}", f"U{number}")
        alarm(told, 5, unit=f"U{number}", gateway=f"G{number}")
    assert told.counts(METRIC, 0, 3600, limit_s=10) == (1, 1, 0, 1)
    assert told.counts(METRIC, 0, 600, limit_s=10) == (0, 0, 0, 0)
    assert told.counts(METRIC, 600, 601, limit_s=10, unit="U1") == (1, 1, 0, 0)


def test_r46_without_a_believed_signal_there_is_no_mean(district: Scenario) -> None:
    district.signal(10, "fault")
    detail = district.figure(METRIC, 0, 3600, limit_s=10)["detail"]
    assert (detail["measured"], detail["mean_us"], detail["p95_us"]) == (0, None, None)
