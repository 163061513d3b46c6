"""The agenda says what fell due, in order, and leaves states alone; a step of supervision says what changed."""

import random

import pytest

from services.kernel.words import Connection
from services.rules.domain import supervision
from services.rules.domain.effects import SIGNALS_TOPIC, Evidence
from services.rules.domain.time.deadlines import Deadlines, Due, LinkDue, NeverConnectedDue, OverdueTest, RepeatsDue
from services.rules.domain.time.watch import Watch
from services.rules.domain.unit.connection import Link
from services.rules.domain.unit.registration import Registration
from services.rules.domain.unit.state import Unit
from tests.unit.rules.scenario import LATE_AFTER, OFFLINE_AFTER, T0, when

GRACE = 100
HERE = Evidence(SIGNALS_TOPIC, 7)


def agenda(*names: str) -> tuple[Deadlines, dict[str, Unit], Watch]:
    """Return an agenda in clear visibility, and units with one link each that was online at T0."""
    watch = Watch()
    watch.watermark = watch.clear_since = watch.usable_since = T0
    units = {name: Unit(name) for name in names}
    deadlines = Deadlines(units, watch, GRACE)
    for unit in units.values():
        link = unit.link("G")
        link.state, link.last_proof = Connection.ONLINE, T0
        deadlines.add_link(unit, link)
    return deadlines, units, watch


def said(due: Due) -> tuple[str, str, int]:
    if isinstance(due, LinkDue):
        return "link", due.unit.unit_id, due.at
    if isinstance(due, NeverConnectedDue):
        return "never", due.unit.unit_id, due.at
    if isinstance(due, OverdueTest):
        return "test", due.unit.unit_id, due.at
    if isinstance(due, RepeatsDue):
        return "repeats", due.unit.unit_id, due.at
    return "facts", due.unit_id, due.at


def test_nothing_is_due_before_its_instant_has_passed() -> None:
    deadlines, units, _ = agenda("U1")
    assert list(deadlines.until(T0 + LATE_AFTER)) == []
    assert [said(due) for due in deadlines.until(T0 + LATE_AFTER + 1)] == [("link", "U1", T0 + LATE_AFTER)]
    assert units["U1"].connection.links[0].state is Connection.ONLINE


def test_facts_come_before_the_deadlines_of_the_same_instant_and_units_by_name() -> None:
    deadlines, _, _ = agenda("U2", "U1")
    deadlines.add_facts(T0 + LATE_AFTER, "")
    deadlines.add_facts(T0 + LATE_AFTER, "U2")
    found = [said(due)[:2] for due in deadlines.until(T0 + LATE_AFTER + 1)]
    assert found == [("facts", ""), ("facts", "U2"), ("link", "U1"), ("link", "U2")]


def test_a_proof_of_life_moves_the_deadline_without_a_word_to_the_agenda() -> None:
    deadlines, units, _ = agenda("U1")
    units["U1"].connection.links[0].last_proof = when(30)
    assert list(deadlines.until(when(30) + LATE_AFTER)) == []
    assert [due.at for due in deadlines.until(when(31) + LATE_AFTER)] == [when(30) + LATE_AFTER]


def test_what_is_made_of_one_may_set_the_next_before_the_same_watermark() -> None:
    deadlines, _, watch = agenda("U1")
    states = []
    for due in deadlines.until(T0 + OFFLINE_AFTER + 1):
        assert isinstance(due, LinkDue)
        supervision.expire(due.link, due.deadline, watch, HERE)
        deadlines.add_link(due.unit, due.link)
        states.append((due.link.state, due.at))
    assert states == [(Connection.LATE, T0 + LATE_AFTER), (Connection.OFFLINE, T0 + OFFLINE_AFTER)]


def test_the_grace_of_a_unit_runs_only_while_visibility_is_clear() -> None:
    deadlines, units, watch = agenda()
    unit = units["U1"] = Unit("U1")
    unit.connection.never_from = T0
    deadlines.add_unit(unit)
    watch.clear_since = None
    assert list(deadlines.until(T0 + GRACE + 10)) == []
    watch.clear_since = T0 + 20
    found = list(deadlines.until(T0 + 1000))
    assert [said(due) for due in found] == [("never", "U1", T0 + GRACE + 10 + GRACE)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_silence_is_due_at_its_instant_in_order_and_no_other(seed: int) -> None:
    """Beside a plain walk over all links, at each watermark."""
    made = random.Random(seed)
    deadlines, units, watch = agenda(*(f"U{n:02}" for n in range(12)))
    links = [(unit, unit.connection.links[0]) for unit in units.values()]
    target, watch.watermark = T0, T0
    for _ in range(300):
        for unit, link in made.sample(links, made.randrange(5)):
            state = link.state
            link.state, link.last_proof = Connection.ONLINE, max(link.last_proof, target)
            if state is not Connection.ONLINE:
                deadlines.add_link(unit, link)
        if made.random() < 0.05:  # somebody did not look for a while
            watch.clear_since = watch.usable_since = target
        target += made.choice((1, 250_000, 900_000, 7_000_000, 100_000_000))
        expected, found = [], []
        for unit, link in links:
            copy = Link(link.registration, "G")
            copy.state, copy.last_proof = link.state, link.last_proof
            while (deadline := supervision.due_at(copy, watch)) is not None and deadline < target:
                expected.append((deadline, unit.unit_id))
                supervision.expire(copy, deadline, watch, HERE)
        for due in deadlines.until(target):
            assert isinstance(due, LinkDue)
            found.append((due.deadline, due.unit.unit_id))
            supervision.expire(due.link, due.deadline, watch, HERE)
            deadlines.add_link(due.unit, due.link)
        watch.watermark = target
        assert found == sorted(expected)


def test_what_lives_waits_in_no_order_and_is_held_once() -> None:
    deadlines, units, watch = agenda("U1", "U2")
    for second in range(1, 600):
        for unit in units.values():
            unit.connection.links[0].last_proof = when(second)
        assert list(deadlines.until(when(second))) == []
        watch.watermark = when(second)
    assert len(deadlines) == 2


def test_a_step_that_changes_nothing_returns_nothing() -> None:
    link = Link(Registration(), "G")
    first = supervision.prove(link, when(1), "s1", HERE)
    assert first is not None
    assert (link.state, first.effective, first.evidence) == (Connection.ONLINE, when(1), HERE)
    assert supervision.prove(link, when(1), "s2", HERE) is None
    assert supervision.prove(link, when(2), "s3", HERE) is None
    assert link.last_proof == when(2)


def test_only_a_deadline_that_was_seen_from_begin_to_end_is_a_loss() -> None:
    link = Link(Registration(), "G")
    link.state, link.last_proof = Connection.LATE, T0
    watch = Watch()
    watch.clear_since, watch.usable_since, watch.impaired_since = None, T0, when(9)
    moment = supervision.expire(link, when(300), watch, HERE)
    assert (link.state, moment.effective) == (Connection.UNKNOWN, when(9))
