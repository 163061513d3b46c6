"""A duty to test: overdue is a finding by the watermark, never for time in which nobody looked, and a test ends it."""

from dataclasses import replace
from datetime import date

from schemas.pack import DutyToTest as WireDuty
from services.kernel.words import CountsAsTest, FindingKind
from services.rules.domain.facts import AdjustmentVersion, DutyToTest
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND
from tests.unit.rules.scenario import PACK, Scenario, since_t0, unit_version, when

HOUR = 3600
DUTY = DutyToTest(("S1",), (), HOUR * SECOND, CountsAsTest.ALARMS, "test clause")
PACK_WITH_DUTY = replace(PACK, test_duties=(DUTY,))
KIND = "test_overdue"


def watched(until_s: float, *, units: int = 1) -> Scenario:
    """A unit with a duty to test each hour, looked at each five seconds."""
    told = Scenario(units, PACK_WITH_DUTY)
    told.ticks(0, until_s, step_s=5)
    return told


def overdue(told: Scenario, unit_id: str = "U1") -> list[tuple[str, float]]:
    return [(each.phase.value, since_t0(each.moment.detected)) for each in told.findings(KIND, unit_id)]


def test_without_a_test_it_is_overdue_a_full_deadline_after_we_began_to_look() -> None:
    told = watched(HOUR)
    assert overdue(told) == []
    told.ticks(HOUR + 5, HOUR + 10, step_s=5)
    assert overdue(told) == [("began", HOUR)]
    [finding] = told.findings(KIND)
    assert (finding.clause, finding.kind) == ("test clause", FindingKind.TEST_OVERDUE)


def test_a_test_in_time_moves_the_deadline_and_one_that_comes_late_ends_the_finding() -> None:
    told = watched(1800)
    told.signal(1800, "fire", point="p")
    told.ticks(1805, 1800 + HOUR, step_s=5)
    assert overdue(told) == []
    told.ticks(1805 + HOUR, 2000 + HOUR, step_s=5)
    told.signal(2000 + HOUR, "test")
    told.ticks(2005 + HOUR, 2005 + 2 * HOUR, step_s=5)
    assert overdue(told) == [("began", 1800 + HOUR), ("ended", 2000 + HOUR), ("began", 2000 + 2 * HOUR)]
    assert len({each.finding_id for each in told.findings(KIND)}) == 2


def test_a_fault_a_heartbeat_and_what_a_person_replays_are_no_test() -> None:
    told = watched(1800)
    told.signal(1800, "fault", point="p")
    told.beat(1800)
    told.signal(1800, "test", replayed=True, first_received_at=when(100))
    told.ticks(1805, HOUR + 5, step_s=5)
    assert overdue(told) == [("began", HOUR)]


def test_blindness_gives_a_full_deadline_and_leaves_what_is_overdue_open() -> None:
    told = watched(1800)
    told.ticks(1900, 1900 + HOUR, step_s=5)
    assert overdue(told) == []
    told.ticks(1905 + HOUR, 1910 + HOUR, step_s=5)
    assert overdue(told) == [("began", 1900 + HOUR)]
    told.ticks(3000 + HOUR, 3005 + HOUR, step_s=5)
    assert [phase for phase, _ in overdue(told)] == ["began"]


def test_while_an_instance_of_ours_is_silent_nobody_is_held_overdue() -> None:
    told = Scenario(1, PACK_WITH_DUTY)
    told.ticks(0, 1800, "i1", "i2", step_s=5)
    told.ticks(1805, 1800 + 599, step_s=5)
    told.ticks(2400, 2400 + HOUR, "i1", "i2", step_s=5)
    assert overdue(told) == []
    told.ticks(2405 + HOUR, 2410 + HOUR, "i1", "i2", step_s=5)
    assert [phase for phase, _ in overdue(told)] == ["began"]


def test_who_is_let_off_owes_nothing_and_has_a_full_deadline_afterwards() -> None:
    told = watched(HOUR + 5)
    off = AdjustmentVersion("U1", when(HOUR + 600), when(2 * HOUR), when(HOUR + 5))
    told.engine.registry(adjustments={"A1": (off,)})
    told.ticks(HOUR + 10, 3 * HOUR, step_s=5)
    assert overdue(told) == [("began", HOUR), ("ended", HOUR + 600)]
    told.ticks(3 * HOUR + 5, 3 * HOUR + 10, step_s=5)
    assert overdue(told)[-1] == ("began", 3 * HOUR)


def test_a_unit_out_of_scope_or_not_commissioned_owes_no_test() -> None:
    told = Scenario(0, PACK_WITH_DUTY)
    told.list_unit("U1", unit_version(facts=frozenset({"key_unit"})))
    told.list_unit("U2", unit_version(commissioned_on=date(2027, 1, 1)))
    told.ticks(0, HOUR + 60, step_s=5)
    assert overdue(told, "U1") == overdue(told, "U2") == []


def test_a_restart_goes_on_where_it_was() -> None:
    told = watched(1800)
    told.signal(1800, "test")
    told.tick(1805)
    engine = told.engine
    told.engine = restore(
        snapshot_head(engine),
        [snapshot_unit(unit) for unit in engine.units.values()],
        never_grace=HOUR * SECOND,
        unit_rows={"U1": engine.units["U1"].registration.versions},
        gateway_rows=dict(engine.units["U1"].registration.gateways),
        pack_rows={PACK_WITH_DUTY.pack_id: (PACK_WITH_DUTY,)},
    )
    told.ticks(1810, 1805 + HOUR, step_s=5)
    assert overdue(told) == [("began", 1800 + HOUR)]


def test_another_duty_begins_anew_and_the_same_in_other_words_does_not() -> None:
    told = watched(1800)
    for number, duty in enumerate((DUTY._replace(clause="other"), DUTY._replace(deadline=HOUR // 2 * SECOND)), 2):
        later = replace(PACK, version=number, recorded_at=when(1800 * (number - 1)), test_duties=(duty,))
        told.engine.registry(packs={f"p{number}": (later,)})
        told.ticks(1800 * (number - 1) + 5, 1800 * number, step_s=5)
    assert overdue(told) == []
    told.ticks(HOUR + 5, HOUR + 1800 + 10, step_s=5)
    [(phase, at)] = overdue(told)
    assert phase == "began"
    assert HOUR + 1800 <= at <= HOUR + 1805


def test_the_pack_counts_alarms_unless_it_says_otherwise() -> None:
    assert WireDuty(every_s=60, clause="c").counts is CountsAsTest.ALARMS
