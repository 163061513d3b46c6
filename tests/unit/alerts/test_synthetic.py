"""A synthetic alarm is told to us alone; a fire is never taken for one."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry

from services.alerts.adapters.kafka_events import event_of_alarm, event_of_finding
from services.alerts.adapters.synthetic_receipt import PATH, receipt_routes
from services.alerts.adapters.topic_handler import Decode
from services.alerts.adapters.webhook import sign
from services.alerts.domain.case.event import Component, Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.synthetic import Run, RunOutcome, Stage, Why, key_of, mark_of, run_id_of
from services.alerts.lanes.parts import Parts
from services.alerts.lanes.synthetic import receiver_url
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import AlertsSettings
from services.alerts.worker.synthetic import (
    AGAIN_AFTER,
    FIRST_AFTER_S,
    MAX_WAITING,
    Schedule,
    SyntheticAlarms,
    SyntheticSchedule,
)
from services.kernel.synthetic import SYNTHETIC
from services.kernel.words import FindingKind
from services.runtime.kafka import Record
from services.runtime.kafka_loop import ConsumedRecord
from tests.fakes.alerts import FakeChannel, PlainWriter
from tests.fakes.alerts_synthetic import FakeSyntheticSender, MemorySyntheticRuns
from tests.fakes.clock import ManualClock
from tests.integration.alerts.scenario import finding, fire
from tests.unit.alerts.build import T0, at, event

KEY = key_of("a token of alerts", "mark")
RUN = Run("0123456789abcdef", Why.COMMAND, T0, at(60))
MARK = mark_of(RUN, KEY)


def alarm(mark: str = MARK, unit: str = SYNTHETIC, **changes: object) -> Event:
    plain = event(Happening.FIRED, of=unit, kind=CaseKind.FIRE, seconds=1)
    return replace(plain, component=Component(mark, label="自检报警"), **changes)  # type: ignore[arg-type] # names of its fields


def test_what_alerts_has_marked_itself_is_synthetic_and_so_is_what_rules_finds_of_it() -> None:
    assert len(MARK) <= 64, "it stands where the address of a component does"
    assert run_id_of(alarm(), KEY) == RUN.run_id
    assert run_id_of(alarm(happening=Happening.BEGAN), KEY) == RUN.run_id


FORGED = mark_of(RUN, key_of("another token", "mark"))
NOT_SYNTHETIC = {
    "a unit of the register that sends the mark": alarm(unit="U1"),
    "a mark that another key made": alarm(FORGED),
    "a mark for receipts": alarm(mark_of(RUN, key_of("a token of alerts", "receipt"))),
    "a mark of another run": alarm(mark_of(replace(RUN, run_id="f" * 16), KEY)[:16] + MARK[16:]),
    "a mark with its time moved": alarm(MARK.replace(MARK[17:27], f"{int(MARK[17:27]) + 1}")),
    "no mark": alarm("1-017"),
    "the name alone": alarm(SYNTHETIC),
    "a mark and something more": alarm(f"{MARK} "),
    "no component": replace(alarm(), component=None),
    "a mark in a system": replace(alarm(), component=Component(MARK, system="1")),
    "a mark in the label": replace(alarm(), component=Component("1-017", label=MARK)),
    "a mark that was copied and sent two hours later": alarm(detected_at=at(7200)),
    "a mark from tomorrow": alarm(detected_at=T0 - timedelta(hours=2)),
    "an end": alarm(happening=Happening.RESTORED),
    "an alarm of a gateway in no register": alarm(kind=CaseKind.UNREGISTERED_ALARM, happening=Happening.BEGAN),
    "an alarm that could not be read": alarm(kind=CaseKind.UNREADABLE_ALARM, happening=Happening.BEGAN),
    "a gateway that calls itself so": alarm(unit=f"?{SYNTHETIC}"),
    "full-width digits": alarm(MARK.replace("0", "０")),
}


@pytest.mark.parametrize("real", NOT_SYNTHETIC.values(), ids=NOT_SYNTHETIC)
def test_everything_else_is_a_fire(real: Event) -> None:
    assert run_id_of(real, KEY) is None


class Here:
    """What follows synthetic alarms, on memory and a fake clock."""

    def __init__(self, sends: bool = True, every_h: float = 24) -> None:
        self.clock = ManualClock(T0)
        self.runs = MemorySyntheticRuns()
        self.channel = FakeChannel(self.clock)
        self.sender = FakeSyntheticSender()
        self.registry = CollectorRegistry()
        self.metrics = AlertsMetrics(self.registry)
        self.alarms = SyntheticAlarms(
            runs=self.runs,
            channel=self.channel,
            writer=PlainWriter(),
            receiver="http://127.0.0.1:9103/synthetic-alarm/receipt",
            key=KEY,
            pace=Pace(),
            metrics=self.metrics,
            clock=self.clock,
            wake=lambda: None,
        )
        numbers = iter(range(1, 1000))
        self.schedule = SyntheticSchedule(
            runs=self.runs,
            sender=self.sender if sends else None,
            schedule=Schedule(timedelta(hours=every_h), timedelta(seconds=60)),
            new_id=lambda: f"{next(numbers):016x}",
            key=KEY,
            metrics=self.metrics,
            clock=self.clock,
        )

    async def after(self, seconds: float) -> None:
        self.clock.forward(seconds)
        await self.schedule.turn()

    async def arrive(self) -> None:
        """Let the last that was sent pass everything."""
        mark = self.sender.marks[-1]
        for stage in (Stage.ALARM, Stage.RULES):
            assert self.alarms.take(stage, alarm(mark, detected_at=self.clock.now()))
        await self.alarms.turn()
        await self.runs.passed(mark[:16], Stage.RECEIPT, self.clock.now())

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"firenet_alerts_synthetic_{name}", labels)


async def test_the_notice_goes_to_our_receiver_and_nowhere_else() -> None:
    here = Here()
    await here.runs.begin(RUN)
    assert here.alarms.take(Stage.ALARM, alarm())
    assert await here.alarms.turn() == 1
    ((_, notice),) = here.channel.sent
    assert notice.to.address == "http://127.0.0.1:9103/synthetic-alarm/receipt"
    assert (notice.notice_id, notice.fire) == (f"synthetic-{RUN.run_id}", True)
    assert set(here.runs.results[RUN.run_id].stages) == {Stage.RECEIVED, Stage.ALARM, Stage.CASE, Stage.NOTICE}
    assert here.runs.results[RUN.run_id].stages[Stage.RECEIVED] == at(1), "the time that ingest gave it"
    here.alarms.take(Stage.ALARM, alarm())
    await here.alarms.turn()
    assert len(here.channel.sent) == 1, "read again it is not told again"


async def test_a_fire_is_left_to_the_lanes() -> None:
    here = Here()
    assert not here.alarms.take(Stage.ALARM, alarm(FORGED))
    assert not here.alarms.take(Stage.ALARM, alarm(unit="U1"))
    assert await here.alarms.turn() == 0
    assert here.channel.sent == []


async def test_a_flood_of_copies_is_bounded_and_counted() -> None:
    here = Here()
    await here.runs.begin(RUN)
    for _ in range(MAX_WAITING + 3):
        assert here.alarms.take(Stage.ALARM, alarm())
    assert here.value("overflow_total") == 3
    await here.alarms.turn()
    assert len(here.channel.sent) == 1


async def test_a_receiver_that_refuses_fails_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.worker.synthetic.BETWEEN_TRIES_S", 0)
    here = Here()
    await here.runs.begin(RUN)
    here.channel.answers = [Outcome(Reason.CONNECT, "refused")] * 3
    here.alarms.take(Stage.ALARM, alarm())
    await here.alarms.turn()
    assert here.runs.results[RUN.run_id].detail == "notice: connect refused"
    assert Stage.NOTICE not in here.runs.results[RUN.run_id].stages


async def test_one_is_sent_a_day_and_what_became_of_it_is_shown() -> None:
    here = Here()
    await here.after(0)
    assert here.sender.marks == [], "everything may still be starting"
    await here.after(FIRST_AFTER_S)
    assert len(here.sender.marks) == 1
    assert re.fullmatch(r"[0-9a-f]{16}\.\d{10}\.[0-9a-f]{32}", here.sender.marks[0])
    here.clock.forward(3)
    await here.arrive()
    await here.after(2)
    assert here.value("runs_total", outcome=RunOutcome.ARRIVED) == 1
    assert here.value("last_success_timestamp_seconds") == at(FIRST_AFTER_S).timestamp()
    assert (here.value("duration_seconds"), here.value("failing")) == (3, 0)
    assert here.value("interval_seconds") == 86400
    await here.after(3600)
    assert len(here.sender.marks) == 1
    await here.after(86400)
    assert len(here.sender.marks) == 2


async def test_one_that_does_not_arrive_is_told_and_tried_again_after_a_while() -> None:
    here = Here()
    await here.after(FIRST_AFTER_S)
    await here.after(59)
    assert here.value("failing") == 0
    await here.after(2)
    assert (here.value("failing"), here.value("runs_total", outcome=RunOutcome.LOST)) == (1, 1)
    await here.after(AGAIN_AFTER.total_seconds())
    assert len(here.sender.marks) == 2
    await here.arrive()
    await here.after(1)
    assert here.value("failing") == 0


async def test_a_broker_that_takes_nothing_is_a_reason() -> None:
    here = Here()
    here.sender.refuses = "ConnectionRefusedError: no broker"
    await here.after(FIRST_AFTER_S)
    (result,) = here.runs.results.values()
    assert (result.detail, result.stages) == ("sent: ConnectionRefusedError: no broker", {})


@pytest.mark.parametrize(("sends", "every_h"), [(False, 24), (True, 0)])
async def test_without_a_broker_or_an_interval_none_is_sent(sends: bool, every_h: float) -> None:
    here = Here(sends, every_h)
    await here.after(FIRST_AFTER_S)
    await here.after(86400)
    assert (here.sender.marks, here.value("interval_seconds")) == ([], 0)


def settings_of(**changes: object) -> AlertsSettings:
    return AlertsSettings(api_token="a-token-of-alerts", database_dsn="postgresql://x@y/z", **changes)  # type: ignore[arg-type] # fields by name


def test_neither_lane_hands_a_synthetic_alarm_to_the_case_book() -> None:
    here = Here()
    parts = Parts(settings_of(), here.clock, CollectorRegistry())
    parts.synthetic = here.alarms
    ours, theirs = fire(SYNTHETIC, "s1", point=MARK, at=at(1)), fire("U1", "s2", point=MARK, at=at(1))
    found = finding(SYNTHETIC, "s1", kind=FindingKind.FIRE, point=MARK, at=at(1))

    def subject(stage: Stage, decode: Decode[Event], record: Record) -> str | None:
        event = parts.without_synthetic(stage, decode)(record.topic, ConsumedRecord(b"", record.value or b"", 0, 0, 0))
        return None if event is None else event.subject.id

    assert subject(Stage.ALARM, event_of_alarm, ours) is None
    assert subject(Stage.ALARM, event_of_alarm, theirs) == "U1"
    assert subject(Stage.RULES, event_of_finding, found) is None


KEY_OF_RECEIPT = b"the key of the receipt"


async def test_the_receipt_believes_the_signature_alone() -> None:
    runs, clock, app = MemorySyntheticRuns(), ManualClock(T0), FastAPI()
    await runs.begin(RUN)
    app.include_router(receipt_routes(runs, KEY_OF_RECEIPT, clock))
    message_id, timestamp = f"synthetic-{RUN.run_id}", int(T0.timestamp())
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign([KEY_OF_RECEIPT], message_id, timestamp, b"{}"),
    }
    async with AsyncClient(transport=ASGITransport(app), base_url="http://here") as client:

        async def status(body: bytes = b"{}", **changes: str) -> int:
            changed = {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
            return (await client.post(PATH, content=body, headers=changed)).status_code

        assert await status(webhook_signature=sign([b"another"], message_id, timestamp, b"{}")) == 401
        assert await status(webhook_id="n-1") == 401
        assert await status(webhook_timestamp="soon") == 401
        assert await status(b"{ }") == 401
        assert await status(b"x" * 17_000) == 413
        assert runs.results[RUN.run_id].stages == {}
        assert await status() == 200
        assert runs.results[RUN.run_id].stages == {Stage.RECEIPT: T0}
        clock.forward(301)
        assert await status() == 401, "what was overheard proves nothing later"


def test_the_receiver_is_this_process() -> None:
    urls = {receiver_url(settings_of(http_host=host, http_port=9105)) for host in ("0.0.0.0", "127.0.0.1")}
    assert urls == {"http://127.0.0.1:9105/synthetic-alarm/receipt"}
