"""Saved states of the formats before, as they were written then: an upgrade loses nothing and says nothing anew."""

import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.kernel.words import FindingKind
from services.rules.adapters.pg_store import pack, unpack
from services.rules.domain.effects import Effects
from services.rules.domain.engine import Engine
from services.rules.domain.facts import UnitVersion
from services.rules.domain.inputs import Signal
from services.rules.domain.snapshot import (
    FORMAT,
    ORDINARY,
    SavedUnit,
    UnknownFormat,
    _snapshot_any,
    _snapshot_ordinary,
    restore,
    snapshot_head,
    snapshot_unit,
)
from tests.unit.rules.scenario import Scenario, unit_version, when
from tests.unit.rules.stories import GATEWAYS, GRACE, PACKS, UNITS, Row, Story, fresh, play, random_steps, tell

SAVED = json.loads(Path(__file__).with_name("saved_in_format_2.json").read_text())
"""By seed of a story: head and units after so many of its inputs, as the engine of format 2 saved them."""
FIRST = [-1, -1, -1]
BY_DUTY = ("commissioning", "exempt", "retired")
HEAD = {
    "format": 2, "watermark": when(1), "sight": "clear", "seen": when(1), "proven": when(1), "resume_from": 0,
    "clear_since": when(0), "usable_since": when(0), "impaired_since": 0, "blind_after": 10_000_000,
    "instances": {"i1": [1, 7, when(1), when(1)]}, "sampled": when(0), "unsampled": [["S1", "town", "town-1"]],
}  # fmt: skip
"""Without `shared_at`, which came later."""
PLAIN: list[Any] = [
    "U1", "online", when(0), when(0), False, "normal", when(0), 0, 0, when(0), 3, 0, "key",
    [["G1", "online", when(0), 0, 0, 0, "b2", "b1"]], None, {}, None,
]  # fmt: skip


def restored(head: dict[str, Any], plain: list[Any]) -> Engine:
    return restore(
        head, [SavedUnit("U1", json.dumps(plain))], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={}
    )


def before(troubles: dict[str, Any], saved_format: int = 1) -> Engine:
    """Return what is read of the state of a unit with these troubles, as format 1 wrote them."""
    all_kinds = {"fire": [FIRST, []], "fault": [FIRST, [], []], "isolation": [FIRST, [], []]} | troubles
    return restored(HEAD | {"format": saved_format}, [*PLAIN[:14], all_kinds, *PLAIN[15:]])


def moves(effects: Effects) -> list[tuple[str, ...]]:
    return [(one.unit_id, one.aspect, one.from_state, one.to_state, str(one.effective)) for one in effects.transitions]


def rows_until(story: Story, until: int) -> dict[str, tuple[UnitVersion, ...]]:
    rows: dict[str, tuple[UnitVersion, ...]] = dict.fromkeys(UNITS, (unit_version(),))
    return rows | {item.unit_id: item.versions for item in story.inputs[:until] if isinstance(item, Row)}


@pytest.mark.parametrize("seed", SAVED)
def test_a_partition_saved_in_format_2_goes_on_as_if_it_had_never_stopped(seed: str) -> None:
    story, saved = tell(random_steps(Random(int(seed)))), SAVED[seed]
    until = saved["until"]
    whole = fresh()
    play(whole, story.inputs[:until])
    rows = rows_until(story, until)
    head, units = unpack(0, [zlib.compress(json.dumps([saved["head"], saved["units"]]).encode())])
    resumed = restore(head, units, never_grace=GRACE, unit_rows=rows, gateway_rows=GATEWAYS, pack_rows=PACKS)
    assert snapshot_head(resumed) == snapshot_head(whole)
    first = resumed.take_effects()
    duties = {(one.unit_id, one.to_state) for one in first.transitions if one.aspect == "duty"}
    assert duties == {(unit.unit_id, unit.registration.written_duty) for unit in whole.units.values()}
    rest, wanted = play(resumed, story.inputs[until:]), play(whole, story.inputs[until:])
    links = [one for one in first.transitions if one.aspect == "connection"]
    assert {one.unit_id for one in links} <= {unit[0] for unit in saved["units"] if unit[1] in BY_DUTY}
    assert first.size() == len(duties) + len(links), "nothing else is said anew"
    assert moves(rest) == moves(wanted)
    assert (rest.findings, rest.signals, rest.hours, rest.samples) == (
        wanted.findings, wanted.signals, wanted.hours, wanted.samples
    )  # fmt: skip


def key(at_s: float, rank: int) -> list[int]:
    return [when(at_s), when(at_s), rank]


def said(at_s: float, kind: str, point: str, restores: str = "") -> Signal:
    return Signal("U1", "G1", f"{kind}-{at_s}-{point}", kind, when(at_s), 1000, point=point, restores=restores)


@pytest.mark.parametrize("kind", ["fire", "fault"])
def test_what_the_format_before_held_open_is_open_and_ends(kind: str) -> None:
    engine = before({kind: [FIRST, [["p1", key(10, 1), True], ["p2", key(11, 0), False]]]})
    unit = engine.units["U1"]
    assert unit.condition.open_points(FindingKind(kind)) == 1
    engine.apply(said(9, "restore", "p1", kind))
    assert unit.condition.open_points(FindingKind(kind)) == 1
    engine.apply(said(20, "restore", "p1", kind))
    assert unit.condition.open_points(FindingKind(kind)) == 0


def test_what_the_format_before_held_for_over_is_over() -> None:
    engine = before({"fault": [key(5, 0), [["p2", key(9, 0), False]], [["q", key(7, 0)]]]})
    unit = engine.units["U1"]
    for at_s, point in ((4, "p1"), (8, "p2"), (6, "q1")):
        engine.apply(said(at_s, "fault", point))
    assert unit.condition.open_points(FindingKind.FAULT) == 0
    for at_s, point in ((6, "p1"), (10, "p2"), (8, "q1")):
        engine.apply(said(at_s, "fault", point))
    assert unit.condition.open_points(FindingKind.FAULT) == 3


def test_what_was_remembered_without_its_words_is_known_by_its_id() -> None:
    troubles = {"fire": [FIRST, [["p1", [when(1), when(1), 1], True]]], "fault": [FIRST, []], "isolation": [FIRST, []]}
    engine = restored(HEAD | {"format": 1}, [*PLAIN[:14], troubles, {}, ["s1"]])
    engine.apply(Signal("U1", "G1", "s1", "restore", when(2), 1000, point="p1", restores="fire"))
    assert engine.units["U1"].condition.open_points(FindingKind.FIRE) == 1


def test_another_format_is_refused() -> None:
    with pytest.raises(UnknownFormat, match=f"format {FORMAT + 1}"):
        before({}, FORMAT + 1)


def test_what_is_as_in_the_beginning_is_not_saved() -> None:
    scenario = Scenario()
    scenario.beat(0, signal_id="b1")
    unit = scenario.engine.units["U1"]
    assert json.loads(snapshot_unit(unit).state) == {
        "registration": {"key": unit.registration.key, "duty": "due", "duty_detected": unit.registration.duty_detected},
        "connection": {
            "state": "online",
            "detected": when(0),
            "shown": "online",
            "shown_since": when(0),
            "shown_detected": when(0),
            "never_since": unit.connection.never_since,
            "links": [{"gateway": "G1", "state": "online", "last_proof": when(0), "beat": "b1", "beat_before": ""}],
        },
        "condition": {"health": "normal", "since": when(0)},
        "deduplication": {"hour": when(0), "beats": 1},
    }


def test_whatever_stands_in_a_name_stays_on_its_line() -> None:
    scenario = Scenario()
    for number, text in enumerate(('"', "\\", "\n", "\t", "值")):
        scenario.signal(number, "fault", text, content=text * 3)
        scenario.beat(number, signal_id=f"b{text}")
    head, saved = snapshot_head(scenario.engine), [snapshot_unit(unit) for unit in scenario.engine.units.values()]
    assert unpack(0, [pack(head, saved)]) == (head, saved)
    again = restore(head, saved, never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    assert [snapshot_unit(unit) for unit in again.units.values()] == saved
    assert again.units["U1"].condition.open_points(FindingKind.FAULT) == 5


@pytest.mark.parametrize("beats", [1, 2])
@pytest.mark.parametrize("lost", [False, True])
def test_the_state_of_an_ordinary_unit_is_recognised_and_read_as_it_would_be_parsed(beats: int, *, lost: bool) -> None:
    scenario = Scenario()
    for number in range(beats):
        scenario.beat(number, signal_id=f"b{number}")
    if lost:
        scenario.ticks(0, 100)
    saved = snapshot_unit(scenario.engine.units["U1"])
    assert ORDINARY(saved.state)
    parsed = SavedUnit("U1", json.dumps({"of_the_next_version": 1, **json.loads(saved.state)}))
    assert not ORDINARY(parsed.state)
    assert [restored_state(scenario.engine, each) for each in (saved, parsed)] == [saved, saved]


def test_an_ordinary_unit_is_written_in_one_go_as_it_would_be_part_by_part() -> None:
    written = []
    for seed in range(6):
        engine, inputs = fresh(), tell(random_steps(Random(seed))).inputs
        for first in range(0, len(inputs), 20):
            play(engine, inputs[first : first + 20])
            written += [
                (snapshot_unit(unit).state, _snapshot_any(unit), _snapshot_ordinary(unit) is not None)
                for unit in engine.units.values()
            ]
    assert [at_once for at_once, _, _ in written] == [by_parts for _, by_parts, _ in written]
    assert [ordinary for _, _, ordinary in written] == [ORDINARY(by_parts) is not None for _, by_parts, _ in written]
    assert {ordinary for _, _, ordinary in written} == {False, True}


def test_whatever_a_story_saves_is_read_as_it_was_written_and_in_its_order() -> None:
    for seed in range(6):
        engine = fresh()
        play(engine, tell(random_steps(Random(seed))).inputs)
        saved = [snapshot_unit(unit) for unit in engine.units.values()]
        nothing: dict[str, Any] = {"never_grace": GRACE, "unit_rows": {}, "gateway_rows": {}, "pack_rows": {}}
        again = restore(snapshot_head(engine), saved, **nothing)
        assert [snapshot_unit(unit) for unit in again.units.values()] == saved


def restored_state(engine: Engine, saved: SavedUnit) -> SavedUnit:
    again = restore(snapshot_head(engine), [saved], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    return snapshot_unit(again.units["U1"])


def with_more(plain: Any) -> Any:
    """Return saved state with a member more in every object that is no map by names of devices or kinds."""
    if isinstance(plain, list):
        return [with_more(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    found = {name: with_more(value) for name, value in plain.items()}
    is_map = not plain or any(not name.isidentifier() or name in ("i1", "fire", "fault") for name in plain)
    return found if is_map else {**found, "of_the_next_version": 1}


def test_what_the_next_version_saves_more_is_passed_over() -> None:
    """While processes are replaced one by one a partition goes back and forth between this version and the next."""
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0, signal_id="b1")
    scenario.signal(1, "fault", "3")
    scenario.signal(2, "restore", "3", "fault")
    engine = scenario.engine
    head, units = snapshot_head(engine), [snapshot_unit(unit) for unit in engine.units.values()]
    assert head["instances"], "ticks are among what is saved"
    assert '"begun":' in units[0].state, "positions are among what is saved"
    more = [SavedUnit(one.unit_id, json.dumps(with_more(json.loads(one.state)))) for one in units]
    nothing: dict[str, Any] = {"never_grace": 0, "unit_rows": {}, "gateway_rows": {}, "pack_rows": {}}
    again = restore(with_more(head), more, **nothing)
    assert [snapshot_unit(unit) for unit in again.units.values()] == units
    assert snapshot_head(again) == head


def test_a_delta_of_today_replaces_a_unit_of_a_base_of_today_by_its_id() -> None:
    base, delta = [SavedUnit("U1", "{}"), SavedUnit("U2", "{}")], [SavedUnit("U2", '{"a":1}')]
    assert unpack(0, [pack({"format": 3}, base), pack({"format": 3}, delta)])[1] == [base[0], delta[0]]


def test_visibility_that_was_saved_as_sight_is_read() -> None:
    head = snapshot_head(fresh())
    head["sight"] = "impaired"
    del head["visibility"]
    assert restore(head, [], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={}).watch.visibility == "impaired"
