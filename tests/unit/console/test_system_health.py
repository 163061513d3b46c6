"""How FireNet itself is said to be: what nobody could look at is unknown, and nothing unknown counts as well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from services.console.adapters.status_pages import StatusPages
from services.console.domain.errors import DataUnavailable, NotAllowed
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.report_schedules import MailCounts
from services.console.domain.system_health import (
    InstanceSeen,
    ItemRow,
    Seen,
    ServiceSeen,
    Stored,
    SyntheticSeen,
    SystemState,
    judged,
)
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.settings import ConsoleSettings
from services.console.worker.system_health import KEEP_S, SystemHealthService
from services.kernel.words import VisibilityState
from tests.fakes.clock import ManualClock
from tests.fakes.console_health import FakeHealthSamples
from tests.unit.alerts.build import T0

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ARRIVED = SyntheticSeen(
    "arrived", NOW - 3600 * SECOND, {"sent": NOW - 3599 * SECOND, "receipt": NOW - 3598 * SECOND}, (), ""
)
STORED = Stored(
    partitions=tuple(PartitionVisibility(n, NOW - 2 * SECOND, VisibilityState.CLEAR) for n in range(12)),
    waiting=0,
    oldest_due=None,
    oldest_tried=None,
    oldest_fire_tried=None,
    findings_waiting=0,
    refused=3,
    database_bytes=1 << 30,
    certificates=40,
    first_end=NOW + 200 * DAY,
    reports=MailCounts(0, 0, None),
    synthetic=ARRIVED,
)
INGEST = ServiceSeen(
    "ingest",
    (
        InstanceSeen(
            "10.0.0.2:9101",
            True,
            {"mqtt": "ok"},
            {
                "firenet_ingest_sequence_missing_total": 4.0,
                "firenet_ingest_sequence_found_total": 4.0,
                "firenet_ingest_counting_numbers": 1.0,
            },
        ),
    ),
)
COMPLIANCE = ServiceSeen(
    "compliance",
    (
        InstanceSeen(
            "10.0.0.3:9107",
            True,
            {"archive": "turning"},
            {"firenet_archive_free_bytes": 9e10, "firenet_figures_late_troubles_total": 0.0},
        ),
    ),
)
WHOLE = Seen((INGEST, COMPLIANCE), STORED, NOW + 300 * DAY)


def item(name: str, seen: Seen = WHOLE) -> ItemRow:
    return next(row for row in judged(seen, NOW).items if row.name == name)


def test_a_trouble_that_came_after_its_days_were_final_is_said() -> None:
    (one,) = COMPLIANCE.instances
    late = replace(one, metrics={**one.metrics, "firenet_figures_late_troubles_total": 2.0})
    health = judged(replace(WHOLE, services=(INGEST, ServiceSeen("compliance", (late,)))), NOW)
    rows = {each.name: each for each in health.items}
    assert (rows["late_troubles"].state, rows["late_troubles"].values) == (SystemState.ATTENTION, {"n": 2})
    assert health.state is SystemState.ATTENTION


def test_all_that_can_be_seen_is_well_and_the_disks_that_cannot_keep_the_whole_from_being_called_so() -> None:
    health = judged(WHOLE, NOW)
    assert {row.name for row in health.items if row.state is not SystemState.WELL} == {"database_room"}
    assert [row.state for row in health.services] == [SystemState.WELL, SystemState.WELL]
    assert health.state is SystemState.UNKNOWN


def test_when_nothing_could_be_looked_at_nothing_is_well() -> None:
    health = judged(Seen((), None, None), NOW)
    assert {row.name: row.state for row in health.items if row.state is not SystemState.UNKNOWN} == {
        "database": SystemState.BAD
    }
    assert health.state is SystemState.BAD


CHANGES: list[tuple[str, dict[str, Any], SystemState]] = [
    ("lag", {"partitions": ()}, SystemState.UNKNOWN),
    ("lag", {"partitions": (PartitionVisibility(0, None, VisibilityState.CLEAR),)}, SystemState.BAD),
    ("lag", {"partitions": (PartitionVisibility(0, NOW, VisibilityState.BLIND),)}, SystemState.BAD),
    ("lag", {"partitions": (PartitionVisibility(0, NOW, VisibilityState.IMPAIRED),)}, SystemState.ATTENTION),
    ("lag", {"partitions": (PartitionVisibility(0, NOW - 21 * SECOND, VisibilityState.CLEAR),)}, SystemState.ATTENTION),
    ("lag", {"partitions": (PartitionVisibility(0, NOW - 61 * SECOND, VisibilityState.CLEAR),)}, SystemState.BAD),
    ("deliveries", {"waiting": 2, "oldest_due": NOW - 30 * SECOND}, SystemState.WELL),
    ("deliveries", {"waiting": 2, "oldest_due": NOW - 61 * SECOND}, SystemState.ATTENTION),
    ("deliveries", {"waiting": 2, "oldest_due": NOW - 601 * SECOND}, SystemState.BAD),
    ("deliveries", {"waiting": 1, "oldest_tried": NOW - 599 * SECOND}, SystemState.WELL),
    ("deliveries", {"waiting": 1, "oldest_tried": NOW - 601 * SECOND}, SystemState.ATTENTION),
    ("deliveries", {"waiting": 1, "oldest_fire_tried": NOW - 61 * SECOND}, SystemState.BAD),
    ("findings", {"findings_waiting": 1001}, SystemState.ATTENTION),
    ("reports", {"reports": MailCounts(2, 0, NOW - 3599 * SECOND)}, SystemState.WELL),
    ("reports", {"reports": MailCounts(2, 0, NOW - 3601 * SECOND)}, SystemState.ATTENTION),
    ("reports", {"reports": MailCounts(0, 1, None)}, SystemState.ATTENTION),
    ("refusals", {"refused": 100}, SystemState.ATTENTION),
    ("certificates", {"first_end": None, "certificates": 0}, SystemState.WELL),
    ("certificates", {"first_end": NOW + 29 * DAY}, SystemState.ATTENTION),
    ("certificates", {"first_end": NOW - DAY}, SystemState.BAD),
    ("synthetic", {"synthetic": None}, SystemState.UNKNOWN),
    ("synthetic", {"synthetic": replace(ARRIVED, outcome="lost", missing=("receipt",))}, SystemState.BAD),
    ("synthetic", {"synthetic": replace(ARRIVED, outcome="late")}, SystemState.BAD),
    ("synthetic", {"synthetic": replace(ARRIVED, started_at=NOW - 27 * 3600 * SECOND)}, SystemState.ATTENTION),
]


@pytest.mark.parametrize(("name", "change", "state"), CHANGES)
def test_each_item_is_judged_by_what_is_stored(name: str, change: dict[str, Any], state: SystemState) -> None:
    assert item(name, replace(WHOLE, stored=replace(STORED, **change))).state is state


@pytest.mark.parametrize(
    ("left", "state"), [(None, "unknown"), (8, "attention"), (6, "bad"), (-1, "bad"), (31, "well")]
)
def test_the_broker_s_certificate(left: int | None, state: str) -> None:
    end = None if left is None else NOW + left * DAY
    assert item("broker_certificate", replace(WHOLE, broker_end=end)).state == state


def test_of_two_instances_one_that_is_mute_is_seen_and_its_counters_leave_the_sum_unknown() -> None:
    both = ServiceSeen("ingest", (*INGEST.instances, InstanceSeen("10.0.0.9:9101", None)))
    health = judged(replace(WHOLE, services=(both, COMPLIANCE)), NOW)
    assert [(row.address, row.state) for row in health.services[0].instances] == [
        ("10.0.0.2:9101", SystemState.WELL), ("10.0.0.9:9101", SystemState.BAD),
    ]  # fmt: skip
    assert health.services[0].state is SystemState.BAD
    assert item("gaps", replace(WHOLE, services=(both,))).state is SystemState.UNKNOWN


def test_numbers_that_never_came_are_summed_over_the_instances() -> None:
    both = (*INGEST.instances, counted(3, 1, counting=0))
    row = item("gaps", replace(WHOLE, services=(ServiceSeen("ingest", both),)))
    assert (row.state, row.values) == (SystemState.ATTENTION, {"n": 2})


def test_what_nobody_counts_is_unknown_and_not_none() -> None:
    shared = ServiceSeen("ingest", (counted(1, 1, counting=0), counted(0, 0, counting=0)))
    row = item("gaps", replace(WHOLE, services=(shared,)))
    assert (row.state, row.values) == (SystemState.UNKNOWN, {"counting": 0})
    stands_by = ServiceSeen("ingest", (counted(0, 0, counting=0), *INGEST.instances))
    assert item("gaps", replace(WHOLE, services=(stands_by,))).state is SystemState.WELL


def counted(missing: float, found: float, counting: float) -> InstanceSeen:
    told = {
        "firenet_ingest_sequence_missing_total": missing,
        "firenet_ingest_sequence_found_total": found,
        "firenet_ingest_counting_numbers": counting,
    }
    return InstanceSeen("10.0.0.9:9101", True, {}, told)


def test_a_service_without_any_instance_is_no_service() -> None:
    assert judged(replace(WHOLE, services=(ServiceSeen("rules", ()),)), NOW).services[0].state is SystemState.BAD


def test_who_is_ready_and_says_that_the_database_is_away_needs_attention() -> None:
    alerts = InstanceSeen("10.0.0.4:9103", True, {"database": "away: fires are told from memory", "fire": "ok"})
    (row,) = judged(replace(WHOLE, services=(ServiceSeen("alerts", (alerts,)),)), NOW).services
    assert (row.state, row.instances[0].troubles) == (
        SystemState.ATTENTION, ("database: away: fires are told from memory",),
    )  # fmt: skip


def test_a_ready_process_that_has_not_needed_kafka_yet_is_well() -> None:
    registry = InstanceSeen("10.0.0.5:9108", True, {"database": "ok", "kafka": "not needed yet"})
    (row,) = judged(replace(WHOLE, services=(ServiceSeen("registry", (registry,)),)), NOW).services
    assert row.state is SystemState.WELL


def viewer(role: Role, department: str | None = None) -> Viewer:
    return Viewer(Username("somebody"), role, None if department is None else BodyCode(department), "某人")


class Look:
    """Stands in for database and probe."""

    def __init__(self) -> None:
        self.looks = 0
        self.away = False

    async def services(self) -> tuple[ServiceSeen, ...]:
        self.looks += 1
        return (INGEST,)

    async def broker_end(self) -> datetime | None:
        return None

    async def stored(self, now: datetime) -> Stored:
        if self.away:
            raise DataUnavailable("OperationalError")
        return STORED


async def test_departments_centre_and_screens_do_not_see_our_inside() -> None:
    service = SystemHealthService(Look(), Look(), FakeHealthSamples(), ManualClock(T0))
    for one in (viewer(Role.DEPARTMENT, "health"), viewer(Role.CENTRE), viewer(Role.SCREEN)):
        with pytest.raises(NotAllowed):
            await service.now(one)
    assert (await service.now(viewer(Role.BRIGADE))).services
    assert (await service.now(replace(viewer(Role.CENTRE), administers=True))).services


async def test_one_look_serves_whoever_asks_within_some_seconds() -> None:
    look, clock = Look(), ManualClock(T0)
    service = SystemHealthService(look, look, FakeHealthSamples(), clock)
    for _ in range(5):
        await service.now(viewer(Role.BRIGADE))
    assert look.looks == 1
    clock.forward(KEEP_S + 1)
    look.away = True
    health = await service.now(viewer(Role.BRIGADE))
    assert (look.looks, health.state) == (2, SystemState.BAD)


def answers(request: httpx.Request) -> httpx.Response:
    path, port = request.url.path, request.url.port
    if port == 1:
        return httpx.Response(503, json={"ready": False, "checks": {"kafka": "no answer"}})
    if port == 2:
        return httpx.Response(200, content=b"x" * (5 << 20))
    if port == 3:
        return httpx.Response(200, json=["ready"])
    if port == 4:
        raise httpx.ConnectError("refused")
    if path == "/readyz":
        return httpx.Response(200, json={"ready": True, "checks": {"mqtt": "ok"}})
    name = "firenet_ingest_sequence_missing_total"
    return httpx.Response(
        200, text=f'{name}{{lane="up"}} 2\n{name}{{lane="alarm"}} 3\nother 9\nfirenet_archive_free_bytes NaN\n'
    )


async def test_every_instance_is_asked_and_whoever_answers_nonsense_does_not_answer() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answers)) as client:
        services = {name: [("127.0.0.1", port)] for name, port in (("a", 9), ("b", 1), ("c", 2), ("d", 3), ("e", 4))}
        found = await StatusPages(client, services, None, 5).services()
    (well,), (sick,), *mute = [one.instances for one in found]
    assert (well.ready, well.metrics) == (True, {"firenet_ingest_sequence_missing_total": 5.0})
    assert (sick.ready, sick.checks) == (False, {"kafka": "no answer"})
    assert [one[0].ready for one in mute] == [None, None, None]


async def test_a_service_that_is_named_several_times_has_so_many_instances() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answers)) as client:
        places = [("127.0.0.1", 9), ("127.0.0.1", 1), ("no-such-name.invalid", 5)]
        (found,) = await StatusPages(client, {"rules": places}, None, 5).services()
    assert [(one.address, one.ready) for one in found.instances] == [
        ("127.0.0.1:1", False),
        ("127.0.0.1:9", True),
        ("no-such-name.invalid:5", None),
    ]


def test_addresses_are_read_or_refused_at_the_start() -> None:
    def settings(services: str, broker: str = "") -> ConsoleSettings:
        return ConsoleSettings(database_dsn="postgresql://x@y/z", health_services=services, health_broker=broker)

    read = settings("rules=rules:9102, alerts-fire=[::1]:9103, rules=b:9112", "mosquitto:8883")
    assert read.health_services == {"rules": (("rules", 9102), ("b", 9112)), "alerts-fire": (("::1", 9103),)}
    assert read.health_broker == ("mosquitto", 8883)
    assert (settings("").health_services, settings("").health_broker) == ({}, None)
    for bad in ("rules", "rules=rules", "rules=rules:0", "rules=:9", "Rules=a:1"):
        with pytest.raises(ValidationError):
            settings(bad)
