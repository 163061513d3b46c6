"""Records to events, the handler's reactions, the directory, the calendar, the API's guard."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.alerts.adapters import topic_handler
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.case_reader import CaseReader
from services.alerts.adapters.http_api import Acknowledge, build_api
from services.alerts.adapters.kafka_events import event_of_alarm, event_of_finding
from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.errors import Conflict, Fenced, NoPack, StoreUnavailable
from services.alerts.domain.escalation.deadlines import reply_due
from services.alerts.domain.ids import CaseId
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import PartitionClaim
from services.kernel.calendar import CHINA
from services.kernel.ids import finding_id
from services.runtime.kafka import Record
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from tests.fakes.alerts_store import MemoryStore
from tests.integration.alerts.scenario import (
    ROOT,
    finding,
    fire,
    restore,
)
from tests.unit.alerts.test_directory import directory

NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def consumed(record: Record, offset: int = 0) -> ConsumedRecord:
    return ConsumedRecord(record.key, record.value or b"", 0, offset, 0)


def test_fire_signal_has_the_finding_id_that_rules_will_use() -> None:
    event = event_of_alarm("firenet.alarms.v1", consumed(fire("U1", "s1", point="1"), 7))
    assert event is not None
    assert event.finding_id == finding_id("U1", "fire", "s1")
    assert (event.happening, event.kind) == (Happening.FIRED, CaseKind.FIRE)
    assert (event.proof.topic, event.proof.offset, event.proof.signal_id) == ("firenet.alarms.v1", 7, "s1")


def test_padding_of_a_point_is_no_part_of_it() -> None:
    began = event_of_alarm("t", consumed(fire("U1", "s1", point="1\0\0")))
    ended = event_of_alarm("t", consumed(restore("U1", "s2", point="1")))
    assert began is not None
    assert ended is not None
    assert began.component is not None
    assert ended.component is not None
    assert began.component.key == ended.component.key == "|1"


def test_restore_of_fire_ends_it_and_other_signals_are_nothing() -> None:
    event = event_of_alarm("t", consumed(restore("U1", "s2")))
    assert event is not None
    assert event.happening is Happening.RESTORED


def example(name: str) -> bytes:
    return (ROOT / "schemas/examples/valid" / name).read_bytes()


def test_alarm_that_could_not_be_read_has_the_id_that_rules_will_use() -> None:
    record = ConsumedRecord(b"U", example("Signal/unreadable_alarm.json"), 2, 9, 0)
    event = event_of_alarm("firenet.alarms.v1", record)
    assert event is not None
    assert (event.kind, event.happening) == (CaseKind.UNREADABLE_ALARM, Happening.BEGAN)
    assert event.finding_id == finding_id(event.subject.id, "unreadable_alarm", event.proof.signal_id or "")
    assert event.text


def test_alarm_of_an_unregistered_gateway_is_a_case_of_what_it_calls_itself() -> None:
    raw = json.loads(example("UnregisteredAlarm/fire.json"))
    for claimed, unit_id in ((raw["data"]["gateway_id"], f"?{raw['data']['gateway_id']}"), (None, "?")):
        raw["data"]["gateway_id"] = claimed
        record = ConsumedRecord(b"G", json.dumps(raw).encode(), 2, 9, 0)
        event = event_of_alarm("firenet.alarms.v1", record)
        assert event is not None
        assert (event.kind, event.subject.id) == (CaseKind.UNREGISTERED_ALARM, unit_id)
        facts = directory().facts(event.subject, NOW)
        assert facts.name.endswith(claimed or "未登记网关")
        assert (facts.lead_department, facts.copy_departments) == ("", ())


def test_notice_of_an_unregistered_gateway_names_no_unit_on_the_wire() -> None:
    row = {
        "notice_id": "0" * 32, "case_id": "C0123456789abcdef", "subject_kind": "unit", "subject_id": "?G1",
        "step": "U0", "purpose": "notice",
        "body_code": "centre", "contact_id": "c1", "channel": "webhook", "template": "alarm@1", "clause": "none",
        "pack_id": "sample-2026", "pack_version": 1, "created_at": NOW, "ended_at": NOW, "state": "accepted",
        "attempts": 1, "reason": None, "document_number": None,
        "digest_id": None,
    }  # fmt: skip
    key, _ = notice_event(row)
    assert key == "C0123456789abcdef"


def test_finding_keeps_the_evidence_of_rules() -> None:
    event = event_of_finding("t", consumed(finding("U1", "d1")))
    assert event is not None
    assert (event.proof.topic, event.proof.partition, event.proof.offset) == ("firenet.signals.v1", 3, 4711)


class Taker:
    """An intake that remembers, and fails as told."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], int]] = []
        self.failing: dict[str, Exception] = {}
        self.slow: dict[str, asyncio.Event] = {}
        self.took = asyncio.Event()

    async def take(self, claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> None:
        for event in events:
            if event.subject.id in self.slow:
                await self.slow[event.subject.id].wait()
            if event.subject.id in self.failing:
                raise self.failing[event.subject.id]
        self.taken.append(([str(event.subject.id) for event in events], next_offset))
        self.took.set()


class Bench:
    def __init__(self) -> None:
        self.taker = Taker()
        self.rejected = self.beats = 0
        self.handler = TopicHandler(
            topic="firenet.findings.v1",
            decode=event_of_finding,
            store=MemoryStore(),
            intake=self.taker,
            owner="me",
            at_once=10,
            side_by_side=2,
            hold=4,
            on_rejected=self._reject,
            on_progress=self._beat,
        )

    async def take(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        """Hand the records over and wait until every partition has worked off what it can."""
        await self.handler.handle(batches)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    def _beat(self) -> None:
        self.beats += 1

    def _reject(self) -> None:
        self.rejected += 1


@pytest.fixture
async def bench() -> Bench:
    one = Bench()
    await one.handler.assigned(0)
    return one


def findings(*units: str) -> list[ConsumedRecord]:
    return [consumed(finding(unit, f"d-{unit}"), offset) for offset, unit in enumerate(units)]


async def test_bytes_that_are_no_event_are_counted_and_passed_over(bench: Bench) -> None:
    garbage = ConsumedRecord(b"k", b"\xff{", 0, 1, 0)
    await bench.take({0: [*findings("U1"), garbage]})
    assert bench.rejected == 1
    assert bench.taker.taken == [(["U1"], 2)]


async def test_our_own_bug_costs_one_record_not_those_behind_it(bench: Bench) -> None:
    bench.taker.failing["U2"] = ZeroDivisionError()
    await bench.take({0: findings("U1", "U2", "U3")})
    assert bench.taker.taken == [(["U1"], 1), ([], 2), (["U3"], 3)]
    assert bench.rejected == 1


async def test_want_of_memory_is_no_fault_of_the_record_and_ends_the_loop(bench: Bench) -> None:
    bench.taker.failing["U2"] = MemoryError()
    await bench.take({0: findings("U1", "U2", "U3")})
    assert bench.rejected == 0
    assert bench.taker.taken == []
    with pytest.raises(MemoryError):
        await bench.handler.idle()


@pytest.mark.thorough
@pytest.mark.parametrize("error", [StoreUnavailable("down"), NoPack("none")])
async def test_what_is_down_is_waited_for(bench: Bench, error: Exception) -> None:
    bench.taker.failing["U1"] = error
    await bench.take({0: findings("U1")})
    assert bench.taker.taken == []
    bench.taker.failing.clear()
    await bench.taker.took.wait()
    assert bench.taker.taken == [(["U1"], 1)]


async def test_slow_transaction_of_one_partition_holds_up_no_other_and_no_turn(bench: Bench) -> None:
    await bench.handler.assigned(1)
    stuck = bench.taker.slow["U1"] = asyncio.Event()
    await bench.take({0: findings("U1"), 1: findings("U2")})
    await bench.take({1: findings("U3")})
    assert bench.taker.taken == [(["U2"], 1), (["U3"], 1)]
    stuck.set()
    await bench.settled()
    assert bench.taker.taken == [(["U2"], 1), (["U3"], 1), (["U1"], 1)]


async def test_what_comes_while_a_partition_is_at_work_is_its_next_batch(bench: Bench) -> None:
    stuck = bench.taker.slow["U1"] = asyncio.Event()
    records = findings("U1", "U2", "U3")
    for record in records:
        await bench.take({0: [record]})
    stuck.set()
    await bench.settled()
    assert bench.taker.taken == [(["U1"], 1), (["U2", "U3"], 3)]


async def test_only_so_many_are_held_and_what_finds_no_room_is_not_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_handler, "ROOM_S", 0.01)
    stuck = bench.taker.slow["U0"] = asyncio.Event()
    records = findings(*(f"U{number}" for number in range(6)))
    await bench.take({0: records[:4]})
    with pytest.raises(Unavailable):
        await bench.handler.handle({0: records[4:]})
    stuck.set()
    await bench.take({0: records[4:]})
    assert [units for units, _ in bench.taker.taken] == [["U0", "U1", "U2", "U3"], ["U4", "U5"]]


async def test_progress_is_told_only_when_every_busy_partition_makes_some(bench: Bench) -> None:
    await bench.handler.assigned(1)
    bench.taker.slow["U1"] = asyncio.Event()
    await bench.take({0: findings("U1")})
    await bench.handler.idle()
    assert bench.beats == 1
    await bench.take({1: findings("U2")})
    await bench.handler.idle()
    assert bench.beats == 1, "partition 0 has done nothing since"
    bench.taker.slow["U1"].set()
    await bench.settled()
    await bench.handler.idle()
    assert bench.beats == 2


async def test_partition_that_is_taken_away_ends_after_the_batch_under_way(bench: Bench) -> None:
    stuck = bench.taker.slow["U1"] = asyncio.Event()
    one, *others = findings("U1", "U2", "U3")
    await bench.take({0: [one]})
    await bench.take({0: others})
    leaving = asyncio.create_task(bench.handler.revoked([0]))
    await bench.settled()
    stuck.set()
    await leaving
    assert bench.taker.taken == [(["U1"], 1)]
    await bench.take({0: others})
    assert bench.taker.taken == [(["U1"], 1)]


async def test_error_of_a_partition_that_nobody_understands_ends_the_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(claim: PartitionClaim, events: Sequence[Event], next_offset: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.taker, "take", broken)
    await bench.take({0: findings("U1")})
    with pytest.raises(ZeroDivisionError):
        await bench.handler.idle()


async def test_fenced_owner_stops_writing(bench: Bench) -> None:
    bench.taker.failing["U1"] = Fenced("gone")
    await bench.take({0: findings("U1")})
    bench.taker.failing.clear()
    await bench.take({0: findings("U1")})
    assert bench.taker.taken == []


async def test_a_partition_that_was_fenced_and_is_still_ours_is_claimed_anew_and_nothing_is_left_out(
    bench: Bench,
) -> None:
    """`positions` counts the epoch up too: nobody else reads the partition then."""
    bench.taker.failing["U1"] = Fenced("moved by hand")
    await bench.take({0: findings("U1")})
    bench.taker.failing.clear()
    with pytest.raises(Unavailable, match="claimed by somebody else"):
        await bench.handler.idle()
    await bench.handler.revoked([0])
    await bench.handler.assigned(0)
    await bench.handler.idle()
    await bench.take({0: findings("U1")})
    assert [units for units, _ in bench.taker.taken] == [["U1"]]


async def test_a_partition_that_went_to_somebody_else_in_order_is_not_asked_for_anew(bench: Bench) -> None:
    bench.taker.failing["U1"] = Fenced("gone")
    await bench.take({0: findings("U1")})
    await bench.handler.revoked([0])
    await bench.handler.idle()


def test_calendar_knows_adjusted_days_and_what_it_only_projects() -> None:
    calendar = ChinaCalendar()
    assert not calendar.is_working(date(2026, 10, 1))
    assert calendar.is_working(date(2026, 10, 10))  # a Saturday that is worked for the holiday
    assert not calendar.is_working(date(2026, 10, 17))
    assert calendar.confirmed(2026)
    assert not calendar.confirmed(2099)
    due = reply_due(datetime(2026, 9, 30, 4, tzinfo=UTC), 3, calendar.is_working)
    assert due > datetime(2026, 10, 10, tzinfo=UTC)


def test_saturday_14_february_2026_is_a_working_day_and_monday_the_16th_is_not() -> None:
    """A letter of the eve of the Spring Festival, to be answered in three working days."""
    calendar = ChinaCalendar()
    assert [calendar.is_working(date(2026, 2, day)) for day in (13, 14, 15, 16, 23, 24)] == [
        True, True, False, False, False, True,
    ]  # fmt: skip
    eve = datetime(2026, 2, 13, 10, tzinfo=CHINA)
    assert reply_due(eve, 3, calendar.is_working) == datetime(2026, 2, 26, tzinfo=CHINA), "the 14th, 24th and 25th"


class NoReader(CaseReader):
    def __init__(self) -> None:
        pass

    async def case(self, case_id: str, body_code: str | None) -> None:
        return None


async def _never(case_id: CaseId, request: Acknowledge) -> str:
    raise AssertionError("nobody without the token gets here")


@pytest.mark.parametrize("given", [None, "", "Bearer ", "Bearer wrong", "bearer test-token-0123", "test-token-0123"])
async def test_nobody_gets_in_without_the_token(given: str | None) -> None:
    app = build_api(SecretStr("test-token-0123"), NoReader(), _never)  # type: ignore[arg-type] # never called
    headers = {} if given is None else {"Authorization": given}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        for path in ("/v1/cases/C1", "/v1/cases/C1/acknowledge", "/v1/nothing"):
            assert (await client.post(path, headers=headers, json={})).status_code == 401


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Conflict("two at once"), NoPack("none")])
async def test_what_may_be_tried_again_is_answered_so_whichever_route_it_comes_from(error: Exception) -> None:
    router = APIRouter()

    @router.post("/v1/act")
    async def act() -> None:
        raise error

    app = build_api(SecretStr("test-token-0123"), NoReader(), _never, router)  # type: ignore[arg-type] # never called
    headers = {"Authorization": "Bearer test-token-0123"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        assert (await client.post("/v1/act", headers=headers)).status_code == 503


async def test_body_that_is_too_long_is_refused() -> None:
    app = build_api(SecretStr("test-token-0123"), NoReader(), _never)  # type: ignore[arg-type] # never called
    headers = {"Authorization": "Bearer test-token-0123"}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        long = await client.post("/v1/cases/C1/acknowledge", headers=headers, content=b"x" * 20_000)
        assert long.status_code == 413
        assert (await client.get("/v1/cases/C1", headers=headers)).status_code == 404


def test_metrics_begin_at_zero_for_every_closed_label() -> None:
    registry = CollectorRegistry()
    AlertsMetrics(registry)
    value = registry.get_sample_value(
        "firenet_alerts_attempts_total", {"channel": "webhook", "fate": "dead", "reason": "gone"}
    )
    assert value == 0
