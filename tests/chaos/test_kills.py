"""Ten `kill -9` at random moments over ingest, rules, alerts and Kafka under load; then everything is counted."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos.scenario import LIMIT_S, Scenario, scenario
from tests.system import wait_for

VICTIMS = ["ingest"] * 3 + ["rules"] * 3 + ["alerts", "alerts-fire"] + ["Kafka"] * 2

LOST_CASES = "SELECT count(*) FROM alerts.cases WHERE kind = 'connection_lost'"

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with scenario(
        tmp_path_factory.mktemp("kills"), units=120, rate=24, ladder_rate=60, silent_share=0.2, gone_share=0.05
    ) as one:
        yield one


@pytest.mark.timeout(900)
def test_ten_kills_lose_and_double_nothing(here: Scenario) -> None:
    victims = list(VICTIMS)
    here.dice.shuffle(victims)
    with here.storm():
        here.await_messages(3000)
        kill_each(here, victims)
    wait_for("gateways that went for good are missed", lambda: here.system.value(LOST_CASES) > 0, LIMIT_S)
    here.drain()
    assert not here.verdict()
    assert here.losses() == [], "no part of this run loses anything in front of us"
    assert not here.restore_fires()


def kill_each(here: Scenario, victims: list[str]) -> None:
    """Kill one after the other and start each again at once; the next may die while others still come back."""
    coming: dict[str, Future[float]] = {}
    with ThreadPoolExecutor(len(set(victims))) as threads:
        for victim in victims:
            if victim in coming:
                say_ready(here, victim, coming[victim])
            here.await_messages(1500)
            here.kill(victim)
            coming[victim] = threads.submit(here.restart, victim)
        for victim, ready in coming.items():
            say_ready(here, victim, ready)


def say_ready(here: Scenario, victim: str, ready: Future[float]) -> None:
    here.say(f"{victim} ready {ready.result(LIMIT_S):.1f} s after its kill")
