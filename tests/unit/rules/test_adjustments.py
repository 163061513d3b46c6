"""An approved exemption or maintenance lets a unit off to the minute, and never costs an alarm."""

import json

import pytest

from schemas import codec
from schemas.registry import RegistryEvent
from services.rules.adapters.registry_plain import read
from services.rules.adapters.registry_records import Adjustments
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.domain.facts import AdjustmentVersion
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND
from tests.unit.rules.scenario import PACK, Scenario, since_t0, when


def version(starts_s: float, ends_s: float, known_s: float = 0) -> AdjustmentVersion:
    return AdjustmentVersion("U1", when(starts_s), when(ends_s), when(known_s))


def approve(scenario: Scenario, *versions: AdjustmentVersion) -> None:
    scenario.engine.registry(adjustments={"A1": versions})
    scenario.collect()


def running(*versions: AdjustmentVersion) -> Scenario:
    """Return a unit that was heard at 0 and never again."""
    scenario = Scenario(1)
    scenario.tick(0)
    scenario.beat(0)
    scenario.tick(1)
    approve(scenario, *versions)
    return scenario


def test_a_unit_in_maintenance_is_exempt_to_the_minute_and_its_loss_begins_with_the_end() -> None:
    scenario = running(version(60, 600))
    scenario.ticks(2, 59)
    assert scenario.connection() == "online"
    scenario.ticks(60, 600)
    assert scenario.connection() == "exempt"
    assert scenario.said.findings == []
    scenario.ticks(601, 602)
    assert scenario.connection() == "offline"
    (began,) = scenario.findings("connection_lost")
    assert since_t0(began.moment.detected) == 600
    moves = [(each.from_state, each.to_state, since_t0(each.effective)) for each in scenario.transitions(aspect="duty")]
    assert moves[-2:] == [("due", "exempt", 60), ("exempt", "due", 600)]


def test_what_is_approved_after_its_beginning_holds_from_the_approval() -> None:
    scenario = running(version(-3600, 600, known_s=120))
    scenario.ticks(2, 119)
    assert scenario.connection() == "late"
    scenario.ticks(120, 125)
    assert scenario.connection() == "exempt"


def test_what_is_ended_early_lets_off_no_longer() -> None:
    scenario = running(version(60, 6000))
    scenario.ticks(2, 300)
    approve(scenario, version(60, 6000), version(60, 400, known_s=400))
    scenario.ticks(301, 399)
    assert scenario.connection() == "exempt"
    scenario.ticks(400, 402)
    assert scenario.connection() == "offline"


@pytest.mark.parametrize("kind", ["fire", "fault"])
def test_a_trouble_in_maintenance_is_told_at_once(kind: str) -> None:
    scenario = running(version(60, 6000))
    scenario.ticks(2, 100)
    scenario.signal(101, kind, point="1-1")
    scenario.tick(102)
    assert scenario.connection() == "exempt"
    assert scenario.phases(kind) == ["began"]
    assert scenario.health() == kind


def test_a_restart_within_maintenance_says_what_it_would_have_said_without_one() -> None:
    excuse = version(60, 600)
    whole, halved = running(excuse), running(excuse)
    for scenario in (whole, halved):
        scenario.ticks(2, 300)
    engine = halved.engine
    halved.engine = restore(
        snapshot_head(engine),
        [snapshot_unit(unit) for unit in engine.units.values()],
        never_grace=3600 * SECOND,
        unit_rows={"U1": engine.units["U1"].registration.versions},
        gateway_rows=dict(engine.units["U1"].registration.gateways),
        pack_rows={"sample-2026": (PACK,)},
        adjustment_rows={"A1": (excuse,)},
    )
    for scenario in (whole, halved):
        scenario.ticks(301, 602)
    assert halved.said == whole.said
    assert halved.connection() == "offline"


def record(**changes: object) -> bytes:
    row = {
        "valid_from": "2026-03-02", "recorded_at": "2026-03-02T02:00:00Z", "adjustment_id": "A1", "unit_id": "U1",
        "what": "maintenance", "starts_at": "2026-03-02T03:00:00Z", "ends_at": "2026-03-02T04:00:00Z",
        "reason": "x", "requested_by": "li", "requested_at": "2026-03-02T01:00:00Z", "approved_by": ["wang"],
    }  # fmt: skip
    data = {"record": {"kind": "adjustment", "id": "A1", "versions": [row | changes]}}
    event = {
        "id": "1", "source": "/registry", "subject": "adjustment:A1", "time": "2026-03-02T02:00:00Z", "data": data,
        "type": "cn.firenet.registry.v1",
    }  # fmt: skip
    return codec.registry.encode(RegistryEvent.model_validate_json(json.dumps(event)))


@pytest.mark.parametrize(
    "changes",
    [
        {"what": "test"},
        {"what": "correction", "counted_as": "connected"},
        {"system": "loop-1"},
        {"address": "1-1"},
        {"trouble": "fault"},
    ],
    ids=str,
)
def test_a_test_a_correction_and_what_is_narrowed_down_leave_a_unit_its_duty(changes: dict[str, object]) -> None:
    assert read(record(**changes), 1.0) is None
    assert isinstance(read(record(), 1.0), Adjustments)


def test_an_adjustment_goes_to_the_partition_of_its_unit_alone() -> None:
    view = CompactedRegistryView(lambda unit_id: 3, 1.0)
    view.on_record("adjustment:A1", record())
    assert list(view.take_news()) == [3]
    assert list(view.rows(3).adjustments) == ["A1"]
    assert view.rows(2).adjustments == {}
