"""The load's plan, its figures and its ledger."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.kernel.words import Lane, SignalKind
from services.simulator.adapters.ledger import FileLedger, LedgerRow, read_ledger
from services.simulator.domain.load import BLOCK, Block, Latencies, LoadPlan
from services.simulator.worker.loading import OutcomeBlocks

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
GATEWAYS = [("G1", "U1"), ("G2", "U2"), ("G3", "U3")]


def test_plan_is_even_and_ends() -> None:
    plan = LoadPlan(10, 2, GATEWAYS)
    assert [plan.due_by(at_s) for at_s in (0, 0.05, 0.1, 1.95, 5)] == [1, 1, 2, 20, 20]
    assert [plan.due_s(number) for number in (0, 10, 19)] == [0, 1, 1.9]


def test_gateways_take_turns_and_number_their_own_messages() -> None:
    plan = LoadPlan(10, 2, GATEWAYS)
    assert [(plan.gateway_of(number), plan.seq_of(number)) for number in (0, 1, 2, 3, 7)] == [
        ("G1", 0), ("G2", 0), ("G3", 0), ("G1", 1), ("G2", 2),
    ]  # fmt: skip


def test_share_of_events_is_as_wished_and_half_of_them_restore() -> None:
    plan = LoadPlan(1000, 100, GATEWAYS, event_share=0.1)
    kinds = [plan.kind_of(number) for number in range(plan.total)]
    assert 0.095 < 1 - kinds.count(SignalKind.HEARTBEAT) / len(kinds) < 0.105
    assert 0.4 < kinds.count(SignalKind.FAULT) / (kinds.count(SignalKind.FAULT) + kinds.count(SignalKind.RESTORE)) < 0.6


def test_without_share_all_are_heartbeats_and_on_the_alarm_lane_all_are_fires() -> None:
    assert {LoadPlan(10, 10, GATEWAYS).kind_of(number) for number in range(100)} == {SignalKind.HEARTBEAT}
    assert {LoadPlan(10, 10, GATEWAYS, 0.5, Lane.ALARM).kind_of(number) for number in range(100)} == {SignalKind.FIRE}


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.5), (0.99, 0.99), (0.999, 0.999), (1.0, 1.0)])
def test_quantiles_are_right_within_a_percent(share: float, expected: float) -> None:
    latencies = Latencies()
    for step in range(1, 1001):
        latencies.add(step / 1000)
    assert latencies.quantile_s(share) == pytest.approx(expected, rel=0.011)


def test_no_latency_is_zero() -> None:
    assert Latencies().quantile_s(0.99) == 0.0


def test_book_gives_its_oldest_block_and_forgets_late_answers_to_it() -> None:
    outcomes = OutcomeBlocks()
    for number in (0, 1, BLOCK, 2 * BLOCK):
        outcomes.sent(number, 1.0)
    outcomes.acked(1, 2.0)
    taken = outcomes.take_oldest(2)
    assert taken is not None
    first, block = taken
    assert (first, block.sent[1], block.acked[1]) == (0, 1.0, 2.0)
    assert outcomes.take_oldest(2) is None
    outcomes.acked(0, 3.0)
    assert outcomes.take_oldest(0) is not None


def test_ledger_gives_back_what_was_written(tmp_path: Path) -> None:
    plan, block = LoadPlan(10, 1, GATEWAYS), Block()
    block.sent[0], block.acked[0] = 100.5, 100.75
    block.sent[4] = 101.0
    ledger = FileLedger(tmp_path / "ledger.tsv")
    ledger.write(plan, 0, block, 100.0, T0)
    ledger.close()
    began = T0.timestamp()
    assert list(read_ledger(tmp_path / "ledger.tsv")) == [
        LedgerRow("G1", 0, "heartbeat", "up", began, began + 0.5, began + 0.75),
        LedgerRow("G2", 1, "heartbeat", "up", began + 0.4, began + 1.0, None),
    ]


def test_something_else_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a,b\n")
    with pytest.raises(ValueError, match="not a ledger"):
        list(read_ledger(tmp_path / "x"))
