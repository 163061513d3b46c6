"""Ten `kill -9` at random moments over ingest, rules, alerts and Kafka under load; then everything is counted.

`make test` kills each of them once, on the system of the outages, and hits every part of the embedded stack once.
"""

from collections.abc import Iterator

import pytest

from tests.chaos.scenario import LIMIT_S, Scenario, scenario
from tests.system import wait_for

VICTIMS = ["ingest"] * 3 + ["rules"] * 3 + ["alerts", "alerts-fire"] + ["Kafka"] * 2

LOST_CASES = "SELECT count(*) FROM alerts.cases WHERE kind = 'connection_lost'"

pytestmark = [pytest.mark.chaos, pytest.mark.long]


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
        here.kill_each(victims)
    wait_for("gateways that went for good are missed", lambda: here.system.value(LOST_CASES) > 0, LIMIT_S)
    here.drain()
    assert not here.verdict()
    assert here.losses() == [], "no part of this run loses anything in front of us"
    assert not here.restore_fires()
