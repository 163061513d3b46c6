"""What must hold in every story: same log, same words; counters are a count; a restart changes nothing."""

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kernel.words import Connection, Phase
from services.rules.domain.engine import Engine
from services.rules.domain.facts import UnitVersion
from services.rules.domain.inputs import Heartbeat, Signal
from services.rules.domain.rate import EVERY, UNION, RateKey, RateRow
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.domain.transitions import UNLISTED
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import TROUBLES
from tests.unit.rules.scenario import PACK, unit_version
from tests.unit.rules.stories import GATEWAYS, GRACE, PACKS, STEPS, UNITS, Row, Story, fresh, play, step, tell

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def restart(engine: Engine, story: Story, until: int) -> Engine:
    """Save as JSON, load into a new engine with the registry as it is by then."""
    head = json.loads(json.dumps(snapshot_head(engine)))
    units = [snapshot_unit(unit) for unit in engine.units.values()]
    rows: dict[str, tuple[UnitVersion, ...]] = dict.fromkeys(UNITS, (unit_version(),))
    rows |= {item.unit_id: item.versions for item in story.inputs[:until] if isinstance(item, Row)}
    rates = list(engine.counters.rates.rows())
    return restore(head, units, never_grace=GRACE, unit_rows=rows, gateway_rows=GATEWAYS, pack_rows=PACKS, rates=rates)


@many
@given(STEPS, st.data())
def test_a_restart_at_any_point_changes_no_effect(steps: Any, data: st.DataObject) -> None:
    story = tell(steps)
    until = data.draw(st.integers(0, len(story.inputs)))
    whole = fresh()
    first = play(whole, story.inputs[:until])
    rest = play(whole, story.inputs[until:])

    stopped = fresh()
    assert play(stopped, story.inputs[:until]) == first
    resumed = restart(stopped, story, until)
    assert resumed.take_effects().size() == 0
    assert play(resumed, story.inputs[until:]) == rest
    assert [snapshot_unit(u) for u in resumed.units.values()] == [snapshot_unit(u) for u in whole.units.values()]
    assert sorted(resumed.counters.rates.rows()) == sorted(whole.counters.rates.rows())


@many
@given(STEPS)
def test_counters_equal_a_count_of_the_units_at_every_moment(steps: Any) -> None:
    engine = fresh()
    for item in tell(steps).inputs:
        step(engine, item)
        counted = {row.key: row for row in engine.counters.rates.rows() if row.in_scope}
        assert counted == recount(list(engine.units.values()))


def recount(units: list[Unit]) -> dict[RateKey, RateRow]:
    """Count units the slow way."""
    tallies: dict[RateKey, Counter[str]] = {}
    for unit in units:
        facts = unit.registration.facts
        if facts is None or unit.connection.shown is None or unit.connection.shown is Connection.RETIRED:
            continue
        scopes = {*unit.registration.scopes, EVERY} | (
            {UNION} if set(unit.registration.scopes) & set(unit.registration.pack.union) else set()
        )
        place = facts.place
        values = (place.district, place.town, facts.route.lead_department, place.category)
        for scope in scopes:
            for dimension, value in zip(("district", "town", "department", "category"), values, strict=True):
                tallies.setdefault(RateKey(scope, dimension, value), Counter())[unit.connection.shown] += 1
    return {
        key: RateRow(key, tally.total(), tally["online"] + tally["late"], tally["late"], tally["offline"],
                     tally["unknown"], tally["never_connected"], tally["commissioning"], tally["exempt"])
        for key, tally in tallies.items()
    }  # fmt: skip


@many
@given(STEPS)
def test_every_transition_starts_where_the_last_one_ended_and_has_an_id_of_its_own(steps: Any) -> None:
    engine = fresh()
    said = play(engine, tell(steps).inputs)
    state: dict[tuple[str, str], str] = {}
    for one in said.transitions:
        assert one.from_state == state.get((one.unit_id, one.aspect), "unknown" if one.aspect == "health" else UNLISTED)
        assert one.from_state != one.to_state
        assert one.effective <= one.detected
        state[one.unit_id, one.aspect] = one.to_state
    assert len({one.transition_id for one in said.transitions}) == len(said.transitions)
    for unit in engine.units.values():
        assert state[unit.unit_id, "connection"] == unit.connection.state
        assert state[unit.unit_id, "duty"] == unit.registration.duty


@many
@given(STEPS)
def test_what_begins_and_ends_at_a_component_takes_turns_and_ends_with_what_is_open(steps: Any) -> None:
    engine = fresh()
    said = play(engine, tell(steps).inputs)
    is_open: dict[tuple[str, str, str], bool] = {}
    offset = 0
    for one in said.components:
        assert one.open is not is_open.get((one.unit_id, one.kind, one.point), False)
        assert one.effective <= one.detected
        assert one.evidence.offset >= offset
        is_open[one.unit_id, one.kind, one.point], offset = one.open, one.evidence.offset
    held = {
        (unit.unit_id, kind, point)
        for unit in engine.units.values()
        for kind in TROUBLES
        for point, _ in unit.condition.open_words(kind)
    }
    assert {key for key, last in is_open.items() if last} == held
    assert len({one.transition_id for one in said.components}) == len(said.components)


@many
@given(STEPS)
def test_findings_begin_once_change_while_open_and_end_once(steps: Any) -> None:
    engine = fresh()
    said = play(engine, tell(steps).inputs)
    open_problems: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    for one in said.findings:
        if one.phase is Phase.BEGAN:
            assert one.finding_id not in seen
            assert (one.unit_id, one.kind) not in open_problems.values()
            seen.add(one.finding_id)
            open_problems[one.finding_id] = (one.unit_id, one.kind)
        else:
            assert open_problems[one.finding_id] == (one.unit_id, one.kind)
            if one.phase is Phase.ENDED:
                del open_problems[one.finding_id]
    held = {problem: (u.unit_id, kind) for u in engine.units.values() for kind, problem in u.findings.items()}
    assert held == open_problems
    assert len({one.event_id for one in said.findings}) == len(said.findings)


@many
@given(STEPS, st.randoms(use_true_random=False))
def test_doubled_and_shuffled_signals_between_two_ticks_end_in_the_same_state(steps: Any, random: Any) -> None:
    inputs = [item for item in tell(steps).inputs if not isinstance(item, Row)]
    shuffled: list[Any] = []
    stretch: list[Any] = []
    for item in inputs:
        beyond = bool(stretch) and item_time(item) - stretch[0].received_at > PACK.blind_after
        if beyond or not isinstance(item, Heartbeat | Signal):
            random.shuffle(stretch)
            shuffled += stretch
            stretch = []
        if isinstance(item, Heartbeat | Signal):
            stretch += [item, item] if random.random() < 0.3 else [item]
        else:
            shuffled.append(item)
    random.shuffle(stretch)
    clean, messy = fresh(), fresh()
    play(clean, inputs)
    play(messy, [*shuffled, *stretch])
    assert outcome(messy) == outcome(clean)


@many
@given(STEPS, st.data())
def test_a_stretch_of_signals_that_is_read_again_says_nothing_new(steps: Any, data: st.DataObject) -> None:
    inputs = tell(steps).inputs
    engine = fresh()
    play(engine, inputs)
    first = data.draw(st.integers(0, len(inputs)))
    last = data.draw(st.integers(first, len(inputs)))
    again = play(engine, [item for item in inputs[first:last] if isinstance(item, Heartbeat | Signal)])
    assert (again.transitions, again.findings, again.signals) == ([], [], [])


def item_time(item: Any) -> int:
    return int(item.received_at if isinstance(item, Heartbeat | Signal) else item.written_at)


def outcome(engine: Engine) -> list[tuple[object, ...]]:
    return [
        (
            unit.unit_id,
            unit.connection.shown,
            unit.condition.health,
            unit.connection.partly,
            unit.connection.last_proof(),
            sorted(unit.findings),
        )
        for unit in sorted(engine.units.values(), key=lambda one: one.unit_id)
    ]
