"""When bodies are scored anew, and that a fault in it costs nothing else."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.compliance.domain.scores import Score
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import Unavailable
from services.compliance.worker import scoring
from services.compliance.worker.scoring import Scoring
from services.kernel.ratio import Ratio
from tests.contract.compliance.scenario import PACK
from tests.fakes.compliance import MemoryScores
from tests.unit.compliance.test_scores import LONG, cited, entry, known, month


@pytest.fixture
def store() -> MemoryScores:
    scores = MemoryScores()
    scores.held = [cited(Ratio(1, 1), month(3))]
    return scores


def work(store: MemoryScores, told: list[str] | None = None) -> Scoring:
    def tell(event: str, **_: Any) -> None:
        if told is not None:
            told.append(event)

    return Scoring(store, ClosingMetrics(CollectorRegistry()), tell)


async def test_it_is_scored_at_the_start_and_then_only_when_something_is_new(store: MemoryScores) -> None:
    of = work(store)
    assert [await of.turn(known()) for _ in range(3)] == [2, 0, 0]  # a month and the quarter that ends with it
    store.made.append(entry("20", month(3)))
    assert (await of.turn(known()), await of.turn(known())) == (2, 0)
    of.figures_changed()
    assert (await of.turn(known()), await of.turn(known())) == (0, 0), "scored anew, and as before"
    assert len(store.saved) == 3


async def test_what_could_not_be_stored_is_tried_again(store: MemoryScores) -> None:
    of = work(store)
    store.away = True
    with pytest.raises(Unavailable):
        await of.turn(known())
    store.away = False
    assert await of.turn(known()) == 2


async def test_a_pack_without_evaluation_scores_nobody_and_withdraws_once_what_stands(store: MemoryScores) -> None:
    of, without = work(store), known(PACK)
    assert [await of.turn(known()), await of.turn(without), await of.turn(without)] == [2, 2, 0]
    assert store.saved[1:] == [[]]


async def test_a_pack_with_the_same_schemes_is_another_one(store: MemoryScores) -> None:
    of = work(store)
    assert await of.turn(known()) == 2
    await of.turn(known(LONG.replace("district: sample", "district: sample # corrected")))
    assert len(store.saved) == 2


async def test_a_fault_of_ours_is_told_and_stops_nothing(store: MemoryScores, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Score]:
        raise ZeroDivisionError

    told: list[str] = []
    of = work(store, told)
    monkeypatch.setattr(scoring, "evaluated", broken)
    assert [await of.turn(known()), await of.turn(known())] == [0, 0]
    assert told == ["scoring_failed"]
