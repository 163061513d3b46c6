"""The command line for orders: usage, and what people read."""

import io

import pytest

from services.ingest.command import cli
from services.ingest.command.cli import REASONS, WORDS, main, print_step
from services.ingest.domain.controls import ExchangeEvent, Order
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport
from tests.unit.ingest.build import NOON, after

DUTY = Order("d1", "G000001", ControlKind.DUTY_CHECK, 5, "wang", NOON)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["reset", "--gateway", "G1"],
        ["clock"],
        ["clock", "--gateway", "G1", "--unit", "U1"],
        ["clock", "--gateway", "G1", "--minutes", "5"],
        ["duty", "--gateway", "G1", "--minutes", "0"],
        ["duty", "--gateway", "G1", "--minutes", "256"],
        ["duty", "--gateway", "G1", "--minutes", "-1"],
    ],
)
def test_wrong_usage_exits_with_two_before_anything_is_asked(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_every_step_and_every_reason_has_words() -> None:
    assert set(WORDS) == set(ExchangeStep)
    assert set(REASONS) == set(ExchangeReason)


def test_people_read_local_time_the_gateway_and_how_long_it_took() -> None:
    out = io.StringIO()
    print_step(
        ExchangeEvent(DUTY, ExchangeStep.SENT, NOON, "ingest-1", 7, Transport.TCP_GB26875, 2), as_json=False, out=out
    )
    print_step(
        ExchangeEvent(DUTY, ExchangeStep.ANSWERED, after(40), "ingest-1", 7, seconds=40.0), as_json=False, out=out
    )
    print_step(
        ExchangeEvent(DUTY, ExchangeStep.UNKNOWN, after(41), "ingest-1", 7, why=ExchangeReason.BLIND),
        as_json=False,
        out=out,
    )
    assert out.getvalue().splitlines() == [
        "20:00:00  G000001  sent, attempt 2 over tcp_gb26875",
        "20:00:40  G000001  a person answered, 40.0 s after the first sending",
        "20:00:41  G000001  unknown, FireNet was blind meanwhile",
    ]


def test_who_stops_waiting_reads_that_the_order_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert main(["duty", "--gateway", "G1", "--wait"]) == 3
    assert capsys.readouterr().err.splitlines() == ["stopped looking; what was ordered goes on"]
