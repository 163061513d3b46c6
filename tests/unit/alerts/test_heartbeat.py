"""The outside watcher hears of us only while the whole way is well, and nobody learns its address."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.alerts.adapters.guarded_http import GuardedClient
from services.alerts.adapters.outside_watcher import HttpsWatcher
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.heartbeat import ChainSeen, Withheld, why_withheld
from services.alerts.domain.synthetic import Run, RunOutcome, RunResult, Why
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import AlertsSettings
from services.alerts.worker.heartbeat import Heartbeat
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0, at

DAY = timedelta(days=1)
RUN = RunResult(Run("0" * 16, Why.SCHEDULE, at(-3600), at(-3540)), RunOutcome.ARRIVED)
WELL = ChainSeen(at(-2), None, RUN, RUN)
TASKS = {"findings": "ok", "delivery": "ok"}
LOST = replace(RUN, outcome=RunOutcome.LOST)
OLD = replace(RUN, run=replace(RUN.run, started_at=T0 - timedelta(hours=25)))


def test_all_is_well() -> None:
    assert why_withheld(WELL, TASKS, DAY, T0) == ()
    assert why_withheld(replace(WELL, oldest_due=at(-500)), TASKS, DAY, T0) == ()
    assert why_withheld(replace(WELL, last=None, last_arrived=None), TASKS, timedelta(), T0) == (), "none are sent here"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (replace(WELL, proven_until=None), Withheld.TICKS),
        (replace(WELL, proven_until=at(-61)), Withheld.TICKS),
        (replace(WELL, proven_until=at(3600)), Withheld.TICKS),
        (replace(WELL, oldest_due=at(-601)), Withheld.NOTICES),
        (replace(WELL, last=LOST), Withheld.SYNTHETIC),
        (replace(WELL, last=replace(RUN, outcome=RunOutcome.LATE)), Withheld.SYNTHETIC),
        (replace(WELL, last=None, last_arrived=None), Withheld.SYNTHETIC),
        (replace(WELL, last=OLD, last_arrived=OLD), Withheld.SYNTHETIC),
    ],
)
def test_one_link_that_is_not_well_is_enough(seen: ChainSeen, why: Withheld) -> None:
    assert why_withheld(seen, TASKS, DAY, T0) == (why,)


@pytest.mark.parametrize("word", ["stalled", "not started"])
def test_a_task_of_ours_that_does_not_turn(word: str) -> None:
    assert why_withheld(WELL, {**TASKS, "ladder": word}, DAY, T0) == (Withheld.TASKS,)


def test_a_lost_one_on_command_counts_where_none_is_scheduled() -> None:
    assert why_withheld(replace(WELL, last=LOST), TASKS, timedelta(), T0) == (Withheld.SYNTHETIC,)


class Here:
    """Stands in for database and watcher."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.seen: ChainSeen | None = WELL
        self.told = 0
        self.answer = Outcome(None)
        self.registry = CollectorRegistry()
        self.heartbeat = Heartbeat(
            chain=self,
            watcher=self,
            tasks=lambda: TASKS,
            synthetic_every=DAY,
            every_s=60,
            metrics=AlertsMetrics(self.registry),
            clock=self.clock,
        )

    async def look(self) -> ChainSeen:
        if self.seen is None:
            raise StoreUnavailable("away")
        return replace(self.seen, proven_until=self.clock.now())

    async def tell(self) -> Outcome:
        self.told += 1
        return self.answer

    async def after(self, seconds: float) -> None:
        self.clock.forward(seconds)
        await self.heartbeat.turn()

    def counted(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("firenet_alerts_heartbeats_total", {"outcome": outcome})


async def test_it_tells_at_most_so_often_and_nothing_while_something_is_wrong() -> None:
    here = Here()
    for seconds in (0, 30, 29, 1):
        await here.after(seconds)
    assert (here.told, here.counted("sent")) == (2, 2)
    here.seen = replace(WELL, last=LOST)
    await here.after(60)
    here.seen = None
    await here.after(60)
    assert (here.told, here.counted("withheld")) == (2, 2)
    here.seen, here.answer = WELL, Outcome(Reason.CONNECT, "ConnectError")
    await here.after(60)
    assert (here.told, here.counted("failed")) == (3, 1)


SECRET = "https://watcher.example/ping/0123-secret"


INSIDE = ("http://10.0.0.1/0123-secret", "https://169.254.169.254/0123-secret", "::0123-secret")


@pytest.mark.parametrize("url", [SECRET, *INSIDE])
async def test_the_address_is_guarded_and_stands_in_no_log(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no way to {request.url}")

    address = "93.184.216.34" if url == SECRET else "169.254.169.254"
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 443))])
    here = Here()
    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        guarded = GuardedClient(client=client, apart=client, allow_local=False, deadline_s=5)
        watcher = HttpsWatcher(guarded, SecretStr(url), here.clock)
        outcome = await watcher.tell()
        guarded.close()
    assert outcome.reason is (Reason.CONNECT if url == SECRET else Reason.ADDRESS_REFUSED)
    here.answer = outcome
    with structlog.testing.capture_logs() as said:
        await here.after(0)
    assert [line["outcome"] for line in said] == ["failed"]
    assert "secret" not in repr(said)
    settings = AlertsSettings(api_token="a-token-of-alerts", database_dsn="postgresql://x@y/z", heartbeat_url=url)
    assert "0123-secret" not in repr(settings)
