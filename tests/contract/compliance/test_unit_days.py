"""Figures from sums of unit-days are those that the command line computes of the whole log, on random histories."""

import json
from pathlib import Path

import pytest

from schemas.codec import Codec
from schemas.establishing import Establishing, LogLine
from schemas.inputs import read_packs, read_registry
from services.compliance.adapters import answer
from services.compliance.adapters.facts import Facts, known
from services.compliance.adapters.packs import policies
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate
from services.compliance.domain.period import Window, windows_between
from services.compliance.domain.publishing import figures_of
from services.compliance.domain.tally import Counting, UnitHistory
from services.compliance.domain.unit_day import checks_by_unit, faults_of, unit_days
from services.compliance.domain.world import World
from services.kernel.calendar import day_of
from services.kernel.words import Period
from tests.naive.compare import pack_name, write
from tests.naive.histories import history

PUBLICATION = "\npublication: {availability: '0.5', cure_limit_s: 3600}\n"
LOG: Codec[LogLine] = Codec(LogLine)


def world_of(seed: int, work: Path) -> World | None:
    """Return what is known at the end of a random history, None where its inputs are refused."""
    told = history(seed)
    write(told, work)
    paths = [work / pack_name(number) for number in range(len(told.packs))]
    for path in paths:
        path.write_text(path.read_text("utf-8") + PUBLICATION, "utf-8")
    packs = read_packs(paths)
    facts = Facts()
    for fact in Establishing(packs).facts([LOG.decode(line.encode()) for line in told.log]):
        facts.take(fact)
    return World(known(read_registry(work / "REGISTRY.jsonl"), facts, None), policies(packs))


def histories(world: World, first: int, last: int) -> list[UnitHistory]:
    checks = checks_by_unit(world, world.checks)
    return [
        UnitHistory(
            unit_id,
            world.registry.units[unit_id],
            list(unit_days(world, unit_id, first, last)),
            faults_of(world, unit_id),
            checks.get(unit_id, []),
        )
        for unit_id in world.unit_ids
    ]


def periods(world: World) -> list[Window]:
    through = world.visibility.through
    day = day_of(through)
    return [
        window
        for kind in (Period.DAY, Period.WEEK, Period.MONTH)
        for window in windows_between(kind, day - 20, day)
        if window.end <= through
    ]


def differing(world: World) -> list[tuple[str, str]]:
    windows = periods(world)
    counting = Counting(windows, world.policies)
    day = day_of(world.visibility.through)
    for unit in histories(world, day - 80, day):
        counting.take(unit)
    found = []
    for (window, part), tally in counting.tallies.items():
        try:
            made = list(figures_of(window, part, tally, world.policies, world.visibility))
        except Refused:
            continue
        for _, figure in made:
            ask = figure.ask
            ours = json.dumps(answer.figure(figure), sort_keys=True)
            theirs = json.dumps(answer.figure(evaluate(world, ask)), sort_keys=True)
            if ours != theirs:
                found.append((ours, theirs))
    return found


@pytest.mark.parametrize("first", range(1, 7, 6))
def test_a_figure_of_sums_is_the_figure_of_the_log(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 6):
        world = world_of(seed, tmp_path / str(seed))
        if world is not None:
            bad = differing(world)
            assert not bad, (seed, *bad[0])
