"""Random clean logs, told to the live engine and to the pipe of facts and figures: do both say the same connection?

    python -m tests.contract.compliance.live [first seed] [how many]

plays more of them than the test, and shrinks the history of each unit of which the two say different things.

Clean: in order and without repeats, one instance of ingest whose ticks never stop, one gateway for each unit, and a
registry that stays as it is. Where the two are known to differ (ADR 23) no history goes: every unit is heard at the
first tick, a tick stands before whatever comes at its instant and nothing comes in between, no two signals of a unit
have one instant, and a unit in commissioning is never lost.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from schemas import codec
from schemas.inputs import read_packs
from schemas.registry import PackRecord, PackVersion, RegistryData, RegistryEvent
from services.kernel.duty import shown
from services.kernel.words import Connection, Duty
from services.rules.adapters.decode import SignalDecoder
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.domain.effects import Transition
from services.rules.domain.engine import Engine
from services.rules.domain.time.instants import SECOND, micros
from services.rules.domain.words import Aspect
from tests.contract.compliance.scenario import EXAMPLE, T0, Scenario, iso, seconds

STEP = 15
"""Seconds between two ticks. Every late and every deadline of the profiles below falls on one."""
END = 7200
UNITS = 24
PROFILES = ("CN-FAST", "EN-DP4")
DUTIES: Sequence[dict[str, Any]] = (
    {}, {}, {}, {}, {},
    {"commissioned_on": None},
    {"exempt_from": "2026-03-09", "exempt_until": "2026-03-11", "exempt_reason": "x"},
    {"retired_on": "2026-02-01"},
)  # fmt: skip
HEARD = (Connection.ONLINE, Connection.LATE, Connection.UNKNOWN)

Told = list[tuple[int, int, str]]
"""From, to (seconds of the scenario) and connection; neighbours differ."""


class History(NamedTuple):
    """What one unit does: `events` are (second, kind of signal) in their order."""

    facts: dict[str, Any]
    profile: str
    events: tuple[tuple[int, str], ...]


def random_history(random: Random) -> History:
    facts, profile = random.choice(DUTIES), random.choice(PROFILES)
    if "commissioned_on" in facts:
        gaps, wills = [15, 30, 45, 60, 75], 0.0
    else:
        gaps, wills = [15, 30, 45, 60, 60, 60, 75, 90, 105, 225, 240, 255, 600], random.choice([0.0, 0.1, 0.4])
    at, events = 0, [(0, "heartbeat")]
    while (at := at + random.choice(gaps)) <= END:
        events.append((at, "link_down" if random.random() < wills else "heartbeat"))
    return History(facts, profile, tuple(events))


def told(work: Path, histories: Sequence[History]) -> Scenario:
    """Return the district in which unit U1 does what the first history says, U2 the second and so on."""
    district = Scenario(work)
    for number, history in enumerate(histories, 1):
        district.unit(f"U{number}", profile=history.profile, **history.facts).gateway(f"G{number}", f"U{number}")
    for at in range(0, END + 1, STEP):
        district.tick(at)
    for number, history in enumerate(histories, 1):
        for at, kind in history.events:
            district.signal(at, kind, f"G{number}", f"U{number}")
    return district


def by_figures(district: Scenario) -> dict[str, Told]:
    (answer,) = district.ask(intervals=[{"from": iso(0), "to": iso(END)}])["intervals"]
    return {
        unit_id: _joined(
            (int(seconds(one["from"])), int(seconds(one["to"])), one["connection"]) for one in of_unit["connection"]
        )
        for unit_id, of_unit in answer.items()
    }


def by_rules(district: Scenario) -> dict[str, Told]:
    """Return what the transitions of the live engine add up to, each from its own effective instant on."""
    view = CompactedRegistryView(lambda _: 0, 1.0)
    for line in [*district.registry_lines().splitlines(), _pack()]:
        view.on_record(json.loads(line)["subject"], line)
    engine, decoder = Engine(), SignalDecoder()
    engine.registry(*view.rows(0))
    for offset, line in enumerate(district.log_lines().splitlines()):
        engine.apply(decoder.decode(json.dumps(json.loads(line)["event"]).encode(), offset))
    transitions = engine.take_effects().transitions
    return {unit_id: _fold([one for one in transitions if one.unit_id == unit_id]) for unit_id in engine.units}


def _pack() -> bytes:
    (pack,) = read_packs([EXAMPLE / "PACK.yaml"])
    version = PackVersion(valid_from=pack.valid_from, recorded_at=datetime(2025, 12, 31, tzinfo=UTC), pack=pack)
    data = RegistryData(record=PackRecord(id=pack.pack_id, versions=(version,)))
    return codec.registry.encode(
        RegistryEvent(id="p", source="/registry", subject="pack:p", time=version.recorded_at, data=data)
    )


def _fold(transitions: Sequence[Transition]) -> Told:
    links, duties = _held(transitions, Aspect.CONNECTION), _held(transitions, Aspect.DUTY)
    turns = sorted({0, END, *(at for at, _ in (*links, *duties) if 0 < at < END)})
    return _joined(
        (start, end, shown(Duty(_at(duties, start)), link, heard=link in HEARD))
        for start, end in pairwise(turns)
        for link in [Connection(_at(links, start))]
    )


def _held(transitions: Sequence[Transition], aspect: Aspect) -> list[tuple[int, str]]:
    """Return since when which state holds: a later transition takes back what would have held from its own instant."""
    held: list[tuple[int, str]] = []
    for one in transitions:
        if one.aspect is aspect:
            at = (one.effective - micros(T0)) // SECOND
            held = [*(before for before in held if before[0] < at), (at, one.to_state)]
    return held


def _at(held: Sequence[tuple[int, str]], at: int) -> str:
    return next(state for since, state in reversed(held) if since <= at)


def _joined(pieces: Iterator[tuple[int, int, str]]) -> Told:
    joined: Told = []
    for start, end, word in pieces:
        if joined and joined[-1][2] == word:
            joined[-1] = (joined[-1][0], end, word)
        else:
            joined.append((start, end, str(word)))
    return joined


def histories_of(seed: int) -> list[History]:
    random = Random(seed)
    return [random_history(random) for _ in range(UNITS)]


def differing(work: Path, histories: Sequence[History]) -> list[tuple[History, Told, Told]]:
    """Return the histories that rules and figures tell differently, with what each of them tells."""
    district = told(work, histories)
    live, figured = by_rules(district), by_figures(district)
    units = [(f"U{number}", history) for number, history in enumerate(histories, 1)]
    return [(history, live[unit], figured[unit]) for unit, history in units if live[unit] != figured[unit]]


def shrunk(work: Path, history: History) -> tuple[History, Told, Told]:
    """Return a history that is told differently and of which no event after the first can be left out."""
    (found,) = differing(work, [history])
    size = len(found[0].events)
    while size:
        events = found[0].events
        cuts = range(1, len(events), size)
        smaller = differing(work, [history._replace(events=events[:cut] + events[cut + size :]) for cut in cuts])
        if smaller:
            found = smaller[-1]
        else:
            size //= 2
    return found


def main() -> None:
    given = [int(text) for text in sys.argv[1:3]]
    first, count = [*given, *(0, 20)[len(given) :]]
    differ = 0
    with TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            for history, *_ in differing(Path(folder), histories_of(seed)):
                differ += 1
                least, live, figured = shrunk(Path(folder), history)
                sys.stdout.write(f"seed {seed}: {least}\n  rules:   {live}\n  figures: {figured}\n")
    sys.stdout.write(f"{count} logs of {UNITS} units from seed {first} on: {differ} units are told differently\n")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
